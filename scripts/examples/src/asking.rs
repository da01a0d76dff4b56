//! Asks one operation with its example and judges the answer.

use std::collections::BTreeMap;

use anyhow::{Context, Result, bail, ensure};
use reqwest::multipart::{Form, Part};
use reqwest::{Method, RequestBuilder, Response, StatusCode};
use serde_json::Value;

use crate::demo::Demo;
use crate::document::Document;
use crate::moments;
use crate::names::{Names, plain};
use crate::operation::{Content, Operation, Parameter};
use crate::people::People;

/// A chat may change between the look at its version and the request.
const TRIES: u8 = 5;

/// The requests so far.
#[derive(Debug)]
pub struct Asking<'a> {
    document: &'a Document,
    demo: &'a Demo,
    people: People,
    made: BTreeMap<String, Value>,
}

impl<'a> Asking<'a> {
    /// Nobody has asked anything yet.
    pub fn new(document: &'a Document, demo: &'a Demo) -> Self {
        Self {
            document,
            demo,
            people: People::default(),
            made: BTreeMap::new(),
        }
    }

    /// Sends the example, once more with each optional parameter of a read, and judges each answer.
    pub async fn ask(&mut self, operation: &Operation) -> Result<()> {
        let mut last = Ok(());
        // Public operations need somebody all the same: the one who sees what their examples name.
        for login in People::who_may(operation, self.demo)? {
            let token = self.people.token(self.demo, login).await?;
            last = self.ask_as(operation, &token).await;
            let is_forbidden = |error: &anyhow::Error| {
                error
                    .downcast_ref::<Undocumented>()
                    .is_some_and(|it| it.0 == StatusCode::FORBIDDEN)
            };
            match &last {
                Err(error) if is_forbidden(error) => {}
                _ => break,
            }
        }
        last
    }

    async fn ask_as(&mut self, operation: &Operation, token: &str) -> Result<()> {
        let required = operation
            .parameters
            .iter()
            .filter(|it| !it.is_in_path && it.is_required);
        let mut query = Vec::new();
        for parameter in required {
            let value = self.values(parameter).into_iter().next();
            let value = value.with_context(|| format!("no example of {}", parameter.name))?;
            query.push((parameter.name.clone(), value));
        }
        self.ask_with(operation, token, &query).await?;
        if operation.method != Method::GET {
            return Ok(());
        }
        for parameter in operation
            .parameters
            .iter()
            .filter(|it| !it.is_in_path && !it.is_required)
        {
            for value in self.values(parameter) {
                let said = format!("?{}={value}", parameter.name);
                let mut query = query.clone();
                query.push((parameter.name.clone(), value));
                self.ask_with(operation, token, &query)
                    .await
                    .context(said)?;
            }
        }
        Ok(())
    }

    /// What a parameter may be: its example, or each of the few values that it has.
    fn values(&self, parameter: &Parameter) -> Vec<String> {
        if !parameter.example.is_null() {
            return vec![plain(&parameter.example)];
        }
        let schema = self.document.resolve(&parameter.schema);
        let is_boolean = schema["type"] == "boolean" || schema["type"][0] == "boolean";
        match schema["enum"].as_array() {
            Some(values) => values
                .iter()
                .filter(|it| !it.is_null())
                .map(plain)
                .collect(),
            None if is_boolean => vec!["true".to_owned(), "false".to_owned()],
            None => Vec::new(),
        }
    }

    async fn ask_with(
        &mut self,
        operation: &Operation,
        token: &str,
        query: &[(String, String)],
    ) -> Result<()> {
        let mut tries = 0;
        loop {
            tries += 1;
            let (request, has_version) = self.request(operation, token).await?;
            let answer = request.query(query).send().await?;
            if answer.status() == StatusCode::CONFLICT && has_version && tries < TRIES {
                continue;
            }
            let made = self.judge(operation, answer).await?;
            if operation.method == Method::POST && made["id"] != Value::Null {
                self.made.entry(operation.path.clone()).or_insert(made);
            }
            return Ok(());
        }
    }

    async fn request(&self, operation: &Operation, token: &str) -> Result<(RequestBuilder, bool)> {
        let names = Names {
            demo: self.demo,
            token,
            made: &self.made,
        };
        let moment = moments::bring_about(&operation.id, self.demo, token).await?;
        let path = match moment {
            Some(path) => path,
            None => names.path(operation).await?,
        };
        let mut request = self
            .demo
            .client
            .request(operation.method.clone(), self.demo.url(&path));
        if operation.is_secured {
            request = request.bearer_auth(token);
        }
        let Some(content) = &operation.request else {
            return Ok((request, false));
        };
        ensure!(!content.example.is_null(), "no example of the request");
        let body = names.body(operation, &content.example).await?;
        let has_version = body["version"].is_number();
        Ok((with_body(request, content, &body)?, has_version))
    }

    /// The body of an answer that is as documented.
    async fn judge(&self, operation: &Operation, answer: Response) -> Result<Value> {
        let status = answer.status();
        let kind = answer.headers().get("content-type");
        let kind = kind
            .and_then(|it| it.to_str().ok())
            .unwrap_or_default()
            .to_owned();
        let body = answer.bytes().await?;
        let mut documented = operation.answers.iter();
        let documented = documented.find(|it| it.status == status.as_u16() && status.is_success());
        let Some(documented) = documented else {
            let said = String::from_utf8_lossy(&body)
                .chars()
                .take(300)
                .collect::<String>();
            return Err(anyhow::Error::new(Undocumented(status))
                .context(format!("answers {status}: {said}")));
        };
        if documented.contents.is_empty() {
            ensure!(
                body.is_empty(),
                "answers {status} with a body that is not documented"
            );
            return Ok(Value::Null);
        }
        let mut contents = documented.contents.iter();
        let content = contents.find(|it| kind.starts_with(&it.kind) || it.kind.starts_with("*/*"));
        let content = content.with_context(|| format!("answers {status} in the form {kind:?}"))?;
        if content.kind != "application/json" {
            return Ok(Value::Null);
        }
        let value: Value = serde_json::from_slice(&body).context("answers no JSON")?;
        self.document
            .check(&content.schema, &value)
            .with_context(|| format!("answers {status} with {value}"))?;
        Ok(value)
    }
}

/// Answered with a status that the document does not have, or that is no success.
#[derive(Debug)]
struct Undocumented(StatusCode);

impl std::fmt::Display for Undocumented {
    fn fmt(&self, to: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(to, "an example is answered with success")
    }
}

impl std::error::Error for Undocumented {}

fn with_body(request: RequestBuilder, content: &Content, body: &Value) -> Result<RequestBuilder> {
    match content.kind.as_str() {
        "application/json" => Ok(request.json(body)),
        "multipart/form-data" => {
            let mut form = Form::new();
            for (name, value) in body.as_object().into_iter().flatten() {
                let schema = &content.schema["properties"][name];
                let is_file =
                    schema["format"] == "binary" || schema["contentMediaType"].is_string();
                let part = Part::text(plain(value));
                let part = if is_file || name == "file" {
                    part.file_name("example.txt")
                } else {
                    part
                };
                form = form.part(name.clone(), part);
            }
            Ok(request.multipart(form))
        }
        "text/plain" => Ok(request.body(plain(body))),
        other => bail!("no way to send {other}"),
    }
}
