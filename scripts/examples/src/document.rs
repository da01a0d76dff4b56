//! The OpenAPI document: its operations in an order in which they can be asked, and its schemas.

use anyhow::{Context, Result, bail, ensure};
use serde_json::{Value, json};

use crate::demo::Demo;
use crate::operation::{Content, Operation};

const METHODS: [&str; 5] = ["get", "post", "put", "patch", "delete"];

/// The document of a running api.
#[derive(Debug)]
pub struct Document {
    whole: Value,
    operations: Vec<Operation>,
}

impl Document {
    /// Asks the api for it.
    pub async fn fetch(demo: &Demo) -> Result<Self> {
        let answer = demo.client.get(demo.url("/openapi.json")).send().await?;
        Self::read(answer.error_for_status()?.json().await?)
    }

    fn read(whole: Value) -> Result<Self> {
        let paths = whole["paths"].as_object().context("no paths")?;
        let mut operations = Vec::new();
        for (path, item) in paths {
            for method in METHODS {
                if let Some(about) = item.get(method) {
                    operations.push(Operation::read(method, path, about)?);
                }
            }
        }
        ensure!(!operations.is_empty(), "no operations");
        operations.sort_by_key(Operation::turn);
        Ok(Self { whole, operations })
    }

    /// Those that make things first, those that take them away last.
    pub fn operations(&self) -> &[Operation] {
        &self.operations
    }

    /// Examples that break the schema they stand beside.
    pub fn examples_that_do_not_fit(&self) -> Vec<String> {
        let mut problems = Vec::new();
        for operation in &self.operations {
            let answers = operation.answers.iter();
            let answers = answers.flat_map(|answer| {
                let named = move |content| (format!("its answer {}", answer.status), content);
                answer.contents.iter().map(named)
            });
            let request = operation
                .request
                .iter()
                .map(|content| ("its request".to_owned(), content));
            for (what, content) in request.chain(answers) {
                if let Err(problem) = self.check_example(content) {
                    problems.push(format!(
                        "{}: the example of {what}: {problem}",
                        operation.name()
                    ));
                }
            }
        }
        problems
    }

    fn check_example(&self, content: &Content) -> Result<()> {
        if content.kind != "application/json" {
            return Ok(());
        }
        ensure!(!content.example.is_null(), "there is none");
        self.check(&content.schema, &content.example)
    }

    /// Fails with what a value has wrong.
    pub fn check(&self, schema: &Value, value: &Value) -> Result<()> {
        let whole = json!({ "allOf": [schema], "components": self.whole["components"] });
        let validator = jsonschema::validator_for(&whole)?;
        if let Some(problem) = validator.iter_errors(value).next() {
            bail!("{problem} at {}", problem.instance_path);
        }
        Ok(())
    }

    /// The schema itself where another is referred to.
    pub fn resolve<'a>(&'a self, schema: &'a Value) -> &'a Value {
        let pointer = schema["$ref"].as_str().and_then(|it| it.strip_prefix('#'));
        pointer
            .and_then(|it| self.whole.pointer(it))
            .unwrap_or(schema)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn document(example: &Value) -> Document {
        let whole = json!({
            "paths": { "/things": { "get": { "responses": { "200": { "content": { "application/json": {
                "schema": { "$ref": "#/components/schemas/Thing" }, "example": example,
            } } } } } } },
            "components": { "schemas": { "Thing": {
                "type": "object", "required": ["id"], "properties": { "id": { "type": "integer" } },
            } } },
        });
        Document::read(whole).unwrap()
    }

    #[test]
    fn an_example_that_breaks_its_schema_is_named() {
        assert!(
            document(&json!({ "id": 1 }))
                .examples_that_do_not_fit()
                .is_empty()
        );
        let problems = document(&json!({ "id": "one" })).examples_that_do_not_fit();
        assert_eq!(problems.len(), 1);
        assert!(problems[0].starts_with("GET /things: the example of its answer 200: "));
    }
}
