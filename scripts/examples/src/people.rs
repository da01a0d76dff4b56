//! Who asks: the people of the demo, each signed in once.

use std::collections::BTreeMap;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use crate::demo::{Demo, Login};
use crate::operation::Operation;

/// The tenant whose people ask; operators have one of their own.
const TENANT: &str = "demo";

/// Access tokens by e-mail.
#[derive(Debug, Default)]
pub struct People(BTreeMap<String, String>);

impl People {
    /// Who may do this: somebody of the role that the document names, else the owner and then the operator.
    pub fn who_may<'a>(operation: &Operation, demo: &'a Demo) -> Result<Vec<&'a Login>> {
        let role = operation.role.as_deref();
        let roles = role.map_or(vec!["owner", "operator"], |role| match role {
            "agent" | "operator" => vec![role],
            // An owner may whatever an admin may, and the demo has no other.
            _ => vec!["owner"],
        });
        let of_role = |role| {
            let logins = &demo.world.logins;
            let ours = |login: &&Login| {
                login.role == role && (role == "operator" || login.tenant == TENANT)
            };
            logins
                .iter()
                .find(ours)
                .with_context(|| format!("the demo has no {role}"))
        };
        roles.into_iter().map(of_role).collect()
    }

    /// A token of this person.
    pub async fn token(&mut self, demo: &Demo, login: &Login) -> Result<String> {
        if let Some(token) = self.0.get(&login.email) {
            return Ok(token.clone());
        }
        let session = sign_in(demo, login).await?;
        let token = session["access_token"]
            .as_str()
            .context("no access token")?;
        self.0.insert(login.email.clone(), token.to_owned());
        Ok(token.to_owned())
    }
}

/// A session that nobody else uses.
pub async fn sign_in(demo: &Demo, login: &Login) -> Result<Value> {
    let request = demo.client.post(demo.url("/api/v1/auth/login"));
    let body = json!({ "email": login.email, "password": login.password, "tenant": login.tenant });
    let answer = request.json(&body).send().await?;
    ensure!(
        answer.status() == 200,
        "{} cannot sign in: {}",
        login.email,
        answer.text().await?
    );
    Ok(answer.json().await?)
}
