//! Query parameters: only those that the OpenAPI document lists, with the types it says.

use std::collections::{HashMap, HashSet};
use std::error::Error;
use std::sync::Arc;

use axum::extract::{FromRequestParts, MatchedPath, Request, State};
use axum::http::request::Parts;
use axum::http::{Method, Uri};
use axum::middleware::Next;
use axum::response::Response;
use serde::de::DeserializeOwned;
use utoipa::openapi::path::{Operation, ParameterIn, PathItem};
use utoipa::openapi::{OpenApi, RefOr};

use super::error::{ApiError, Problems};
use super::json::field_and_message;

/// The query of a request.
#[derive(Clone, Copy, Debug)]
pub struct Query<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for Query<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        let parsed = axum::extract::Query::<T>::try_from_uri(&parts.uri);
        let axum::extract::Query(query) = parsed.map_err(|rejection| {
            let said = rejection.source().map(ToString::to_string);
            let (field, message) = field_and_message(&said.unwrap_or_default());
            ApiError::of_field(&field, message)
        })?;
        Ok(Self(query))
    }
}

/// The names of the query parameters of each operation.
#[derive(Clone, Debug)]
pub struct KnownQueries(Arc<HashMap<(Method, String), HashSet<String>>>);

impl KnownQueries {
    /// Those that the document lists.
    pub fn of(document: &OpenApi) -> Self {
        let mut known = HashMap::new();
        for (path, item) in &document.paths.paths {
            for (method, operation) in operations(item) {
                let names = operation.parameters.iter().flatten();
                let names = names
                    .filter_map(|parameter| match parameter {
                        RefOr::T(parameter) => Some(parameter),
                        RefOr::Ref(_) => None,
                    })
                    .filter(|parameter| parameter.parameter_in == ParameterIn::Query)
                    .map(|parameter| parameter.name.clone())
                    .collect();
                known.insert((method, path.clone()), names);
            }
        }
        Self(Arc::new(known))
    }

    fn check(&self, method: &Method, path: &str, uri: &Uri) -> Result<(), ApiError> {
        let method = if method == Method::HEAD {
            &Method::GET
        } else {
            method
        };
        let Some(known) = self.0.get(&(method.clone(), path.to_owned())) else {
            return Ok(());
        };
        let given = axum::extract::Query::<Vec<(String, String)>>::try_from_uri(uri);
        let given = given.map_or(Vec::new(), |query| query.0);
        let mut problems = Problems::default();
        for (name, value) in &given {
            let is_clean = !name.contains('\0') && !value.contains('\0');
            problems.require(is_clean, &name.replace('\0', ""), "must not contain NUL");
            let is_known = known.contains(name);
            problems.require(is_known, name, "is an unknown query parameter");
        }
        problems.check()
    }
}

/// The operations of a path, by method.
fn operations(item: &PathItem) -> impl Iterator<Item = (Method, &Operation)> {
    [
        (Method::GET, &item.get),
        (Method::POST, &item.post),
        (Method::PUT, &item.put),
        (Method::PATCH, &item.patch),
        (Method::DELETE, &item.delete),
    ]
    .into_iter()
    .filter_map(|(method, operation)| Some((method, operation.as_ref()?)))
}

/// Refuses query parameters that the operation does not have.
pub async fn refuse_unknown_queries(
    State(known): State<KnownQueries>,
    request: Request,
    next: Next,
) -> Result<Response, ApiError> {
    if request.uri().query().is_some_and(|query| !query.is_empty())
        && let Some(path) = request.extensions().get::<MatchedPath>()
    {
        known.check(request.method(), path.as_str(), request.uri())?;
    }
    Ok(next.run(request).await)
}
