//! `Idempotency-Key`: a request that is sent twice is done once, and answered the same for a day.

use std::time::Duration;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use chrono::TimeDelta;
use common::db::idempotency_keys::{self, DoneRequest, answer_place};
use common::secrets::hex;
use common::signature::sign;
use diesel_async::{AsyncConnection, AsyncPgConnection};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use tokio::time::{MissedTickBehavior, interval};
use uuid::Uuid;

use crate::access::Access;
use crate::http::{ApiError, ApiResult, BodyDigest, IDEMPOTENCY_KEY, codes};
use crate::state::AppState;

/// How long an answer is kept.
const KEPT_FOR: TimeDelta = TimeDelta::hours(24);
const PURGED_EVERY: Duration = Duration::from_secs(600);
const LONGEST_KEY: usize = 255;

/// The key of a request, if it has one.
#[derive(Clone)]
pub struct IdempotencyKey {
    state: AppState,
    given: Option<Given>,
}

#[derive(Clone)]
struct Given {
    key: String,
    /// Of method, address and body.
    digest: String,
}

/// An answer that can be given again.
#[derive(Debug, Serialize, Deserialize)]
pub struct Answer {
    status: u16,
    location: Option<String>,
    /// JSON.
    body: String,
}

impl FromRequestParts<AppState> for IdempotencyKey {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, ApiError> {
        let given = match parts.headers.get(&IDEMPOTENCY_KEY) {
            Some(key) => Some(Given {
                key: read(key)?,
                digest: digest(parts, &state.config.access.auth_token_secret),
            }),
            None => None,
        };
        Ok(Self {
            state: state.clone(),
            given,
        })
    }
}

impl IdempotencyKey {
    /// What was answered when this request was made before. To be asked first in the transaction
    /// that makes the object; while another one does, that is an error.
    pub async fn answered(
        &self,
        conn: &mut AsyncPgConnection,
        who: &Access,
    ) -> ApiResult<Option<Answer>> {
        let Some(given) = &self.given else {
            return Ok(None);
        };
        let (tenant, user) = (who.tenant, who.user);
        if !idempotency_keys::take(conn, tenant, user, &given.key).await? {
            return Err(ApiError::from(codes::IN_PROGRESS).retry_after(Duration::from_secs(1)));
        }
        let done = idempotency_keys::find(conn, tenant, user, &given.key).await?;
        let since = self.state.ctx.clock.now() - KEPT_FOR;
        let Some(done) = done.filter(|done| done.created_at > since) else {
            return Ok(None);
        };
        if done.request_digest != given.digest {
            return Err(codes::IDEMPOTENCY_CONFLICT.into());
        }
        let place = answer_place(tenant, done.public_id);
        let answer = self.state.ctx.keyring.open(place, &done.sealed_answer);
        // Sealed with a key that is gone: doing it again would be worse than saying so.
        let answer = answer
            .map_err(|problem| ApiError::from(codes::IDEMPOTENCY_CONFLICT).because(problem))?;
        let answer = serde_json::from_str(answer.expose_secret()).map_err(ApiError::internal)?;
        Ok(Some(answer))
    }

    /// The same before something slow that is no part of the transaction.
    pub async fn answered_before(&self, who: &Access) -> ApiResult<Option<Answer>> {
        if self.given.is_none() {
            return Ok(None);
        }
        let mut conn = self.state.conn().await?;
        conn.transaction(async |conn| self.answered(conn, who).await)
            .await
    }

    /// Keeps the answer, in the transaction that makes the object.
    pub async fn keep(
        &self,
        conn: &mut AsyncPgConnection,
        who: &Access,
        answer: &Answer,
    ) -> ApiResult<()> {
        let Some(given) = &self.given else {
            return Ok(());
        };
        let public_id = Uuid::new_v4();
        let answer = serde_json::to_string(answer).map_err(ApiError::internal)?;
        let place = answer_place(who.tenant, public_id);
        let done = DoneRequest {
            tenant_id: who.tenant,
            user_id: who.user,
            key: given.key.clone(),
            public_id,
            request_digest: given.digest.clone(),
            sealed_answer: self.state.ctx.keyring.seal(place, &answer.into()),
            created_at: self.state.ctx.clock.now(),
        };
        idempotency_keys::upsert(conn, &done).await?;
        Ok(())
    }
}

impl Answer {
    /// That something was made, and where it is.
    pub fn created(location: String, view: &impl Serialize) -> ApiResult<Self> {
        Ok(Self {
            location: Some(location),
            ..Self::of(StatusCode::CREATED, view)?
        })
    }

    /// Anything else.
    pub fn of(status: StatusCode, view: &impl Serialize) -> ApiResult<Self> {
        Ok(Self {
            status: status.as_u16(),
            location: None,
            body: serde_json::to_string(view).map_err(ApiError::internal)?,
        })
    }
}

impl IntoResponse for Answer {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::OK);
        let json = [(header::CONTENT_TYPE, "application/json")];
        let mut response = (status, json, self.body).into_response();
        let location = self.location.map(HeaderValue::try_from);
        if let Some(Ok(location)) = location {
            response.headers_mut().insert(header::LOCATION, location);
        }
        response
    }
}

/// Forgets old answers until the process stops.
pub async fn purge_now_and_then(state: AppState) {
    let mut ticks = interval(PURGED_EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = ticks.tick() => {}
            () = state.stop.cancelled() => return,
        }
        if let Err(error) = purge(&state).await {
            tracing::warn!(%error, "old idempotency keys are not forgotten yet");
        }
    }
}

async fn purge(state: &AppState) -> anyhow::Result<()> {
    let before = state.ctx.clock.now() - KEPT_FOR;
    let mut conn = state.ctx.pool.get().await?;
    while idempotency_keys::purge_across_tenants(&mut conn, before).await? > 0 {}
    Ok(())
}

fn read(key: &HeaderValue) -> ApiResult<String> {
    let key = key.to_str().map(str::trim).unwrap_or_default();
    if (1..=LONGEST_KEY).contains(&key.len()) {
        return Ok(key.to_owned());
    }
    let message = "must be 1 to 255 visible ASCII characters";
    Err(ApiError::of_field("Idempotency-Key", message))
}

/// Keyed: a body may hold secrets.
fn digest(parts: &Parts, secret: &SecretString) -> String {
    let body = parts.extensions.get::<BodyDigest>();
    let body = body.map(|digest| digest.0).unwrap_or_default();
    let target = parts.uri.path_and_query().map(|it| it.as_str());
    let target = target.unwrap_or_default().as_bytes();
    let method = parts.method.as_str().as_bytes();
    hex(&sign(secret, &[b"idempotency", method, target, &body]))
}
