//! What stands in the demo for what the examples name: ids, versions, secrets.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde_json::Value;
use tokio::time::sleep;

use crate::demo::Demo;
use crate::operation::{Operation, Parameter};
use crate::people;

/// Fields and parameters that name something, and the list in which it is found.
const LISTS: [(&str, &str); 4] = [
    ("chat_id", "/api/chats"),
    ("seller_id", "/api/sellers"),
    ("message_id", "/api/messages"),
    ("suggestion_id", "/api/suggestions"),
];

/// What is listed only chat by chat, and where.
const LISTS_OF_CHATS: [(&str, &str); 3] = [
    ("/api/notes", "/api/chats/{chat}/notes"),
    ("/api/messages", "/api/messages/chat/{chat}"),
    ("/api/suggestions", "/api/chats/{chat}/suggestions"),
];
const LOOKS: u32 = 20;
const BETWEEN_LOOKS: Duration = Duration::from_millis(250);

/// Finds things, as one person sees them.
#[derive(Debug)]
pub struct Names<'a> {
    pub demo: &'a Demo,
    pub token: &'a str,
    /// What was made by the list's own operation.
    pub made: &'a BTreeMap<String, Value>,
}

impl Names<'_> {
    /// The path with something of the demo in each place.
    pub async fn path(&self, operation: &Operation) -> Result<String> {
        let mut path = operation.path.clone();
        for parameter in operation.parameters.iter().filter(|it| it.is_in_path) {
            let value = self.path_value(operation, parameter).await;
            let value =
                value.with_context(|| format!("nothing to put for {{{}}}", parameter.name))?;
            path = path.replace(&format!("{{{}}}", parameter.name), &value);
        }
        Ok(path)
    }

    async fn path_value(&self, operation: &Operation, parameter: &Parameter) -> Result<String> {
        let name = parameter.name.as_str();
        if name == "secret" {
            return self.push_secret(operation).await;
        }
        if let Some(list) = list_of(name) {
            return Ok(plain(&self.first(list).await?["id"]));
        }
        if name == "id" {
            let list = operation.collection();
            let thing = match self.made.get(list) {
                Some(made) => made.clone(),
                None => self.first(list).await?,
            };
            return Ok(plain(&thing["id"]));
        }
        match &parameter.example {
            Value::Null => bail!("no example"),
            example => Ok(plain(example)),
        }
    }

    /// The example of a body with things of the demo in it.
    pub async fn body(&self, operation: &Operation, example: &Value) -> Result<Value> {
        let mut body = example.clone();
        for (name, value) in body.as_object_mut().into_iter().flatten() {
            if let Some(list) = list_of(name) {
                *value = self.first(list).await?["id"].clone();
            } else if name == "version" {
                let path = self.path(operation).await?;
                let (thing, _) = path.rsplit_once('/').unwrap_or_default();
                *value = self.get(thing).await?["version"].clone();
            } else if name == "refresh_token" {
                let login = self.demo.world.logins.first().context("no logins")?;
                *value = people::sign_in(self.demo, login).await?["refresh_token"].clone();
            }
        }
        Ok(body)
    }

    /// The first of a list; one that each chat has for itself may still be filling.
    async fn first(&self, list: &str) -> Result<Value> {
        let Some((_, of_chat)) = LISTS_OF_CHATS.iter().find(|(whole, _)| *whole == list) else {
            return self.head(list).await;
        };
        for _ in 0..LOOKS {
            let chats = self.get("/api/chats").await?;
            for chat in chats["chats"].as_array().into_iter().flatten() {
                let list = of_chat.replace("{chat}", &plain(&chat["id"]));
                if let Ok(found) = self.head(&list).await {
                    return Ok(found);
                }
            }
            sleep(BETWEEN_LOOKS).await;
        }
        bail!("no chat shows anything at {of_chat}")
    }

    async fn head(&self, list: &str) -> Result<Value> {
        let answer = self.get(list).await?;
        let items = answer.as_array().or_else(|| {
            let fields = answer.as_object()?.values();
            fields.filter_map(Value::as_array).next()
        });
        let first = items.and_then(|items| items.first()).cloned();
        first.with_context(|| format!("GET {list} shows nothing"))
    }

    /// The secret of the push address of a shop at the marketplace in the path.
    async fn push_secret(&self, operation: &Operation) -> Result<String> {
        let place = operation.collection();
        let sellers = self.get("/api/sellers").await?;
        let sellers = sellers["sellers"].as_array().into_iter().flatten();
        let urls = sellers.filter_map(|seller| seller["push_url"].as_str());
        let here = urls.filter_map(|url| url.split_once(&format!("{place}/")));
        let secret = here.map(|(_, secret)| secret.to_owned()).next();
        secret.with_context(|| format!("no shop is pushed to {place}"))
    }

    async fn get(&self, path: &str) -> Result<Value> {
        let request = self.demo.client.get(self.demo.url(path));
        let answer = request.bearer_auth(self.token).send().await?;
        Ok(answer.error_for_status()?.json().await?)
    }
}

fn list_of(name: &str) -> Option<&'static str> {
    let found = LISTS.iter().find(|(known, _)| *known == name);
    found.map(|(_, list)| *list)
}

/// A value as it stands in an address.
pub fn plain(value: &Value) -> String {
    value
        .as_str()
        .map_or_else(|| value.to_string(), str::to_owned)
}
