//! Whether the process lives, and whether what it needs is there.

use std::future::{Ready, ready as ready_now};
use std::time::Duration;

use axum::extract::State;
use common::db::migrations_are_current;
use serde::Serialize;
use serde_json::json;
use tokio::time::timeout;
use utoipa::ToSchema;

use crate::http::{ApiError, ApiResult, Json, codes};
use crate::openapi::examples;
use crate::state::AppState;

const ANSWERS_WITHIN: Duration = Duration::from_secs(2);

/// That the process lives.
#[derive(Debug, Serialize, ToSchema)]
pub struct Health {
    #[schema(example = "healthy")]
    status: &'static str,
    #[schema(example = "chat-center")]
    service: &'static str,
    version: &'static str,
}

/// That the process can work.
#[derive(Debug, Serialize, ToSchema)]
pub struct Readiness {
    /// What is missing but survivable.
    degraded: Vec<&'static str>,
}

/// Tells that the process lives; touches nothing.
#[utoipa::path(
    get, path = "/health", tag = "system",
    responses((status = 200, description = "it lives", body = Health, example = json!(examples::health())))
)]
pub fn health() -> Ready<Json<Health>> {
    ready_now(Json(Health {
        status: "healthy",
        service: "chat-center",
        version: env!("CARGO_PKG_VERSION"),
    }))
}

/// Tells whether the process can work, and what it does without.
#[utoipa::path(
    get, path = "/ready", tag = "system",
    responses(
        (status = 200, description = "it can work", body = Readiness, example = json!({"degraded": []})),
        (status = 503, description = "`not_ready`, with `{\"missing\": [name]}` in `details`"),
    )
)]
pub async fn ready(State(state): State<AppState>) -> ApiResult<Json<Readiness>> {
    let redis = timeout(ANSWERS_WITHIN, state.ctx.redis.ping());
    let (database, redis) = tokio::join!(check_database(&state), redis);
    if let Err(missing) = database {
        let message = format!("{missing} is not there");
        let details = json!({ "missing": [missing] });
        return Err(ApiError::from(codes::NOT_READY)
            .with_message(message)
            .with_details(details));
    }
    let is_redis_there = matches!(redis, Ok(Ok(())));
    let degraded = if is_redis_there {
        vec![]
    } else {
        vec!["redis"]
    };
    Ok(Json(Readiness { degraded }))
}

async fn check_database(state: &AppState) -> Result<(), &'static str> {
    let check = async {
        let mut conn = state.ctx.pool.get().await.map_err(|_| "postgresql")?;
        match migrations_are_current(&mut conn).await {
            Ok(true) => Ok(()),
            Ok(false) => Err("migrations"),
            // Answered, but the table of migrations is not there.
            Err(error) if error.to_string().contains("__diesel_schema_migrations") => {
                Err("migrations")
            }
            Err(_) => Err("postgresql"),
        }
    };
    timeout(ANSWERS_WITHIN, check)
        .await
        .unwrap_or(Err("postgresql"))
}
