//! Which provider and model make replies: what operators switch while everything runs.

use std::collections::BTreeMap;

use axum::extract::State;
use common::db::audit_log::NewEntry;
use common::db::runtime_settings;
use common::flows::suggest_reply::settings;
use common::flows::switch_llm::{Switch, SwitchError, merged, switch_llm};
use common::llm::{Choice, Door, DoorSettings, LlmDefaults, LlmSettings, ProviderName};
use diesel_async::AsyncConnection;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::access::{Operator, Origin};
use crate::http::{ApiError, ApiResult, Json, Problems, Validate};
use crate::openapi::examples;
use crate::state::AppState;

/// Who makes replies.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = LlmSettings)]
pub struct LlmSettingsView {
    provider: ProviderName,
    /// Null: the provider has no usual model and none is chosen.
    model: Option<String>,
    enabled: bool,
    /// The same for each door: `desk`, `site`, `assistant`, `company`, `support`.
    #[schema(value_type = BTreeMap<String, ChoiceView>)]
    doors: BTreeMap<&'static str, ChoiceView>,
}

/// Who makes replies at a door.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = LlmChoice)]
pub struct ChoiceView {
    provider: ProviderName,
    model: Option<String>,
    enabled: bool,
    /// Whether the door has settings of its own.
    own: bool,
}

/// A change of the settings; what is left out stays.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct LlmChange {
    /// One door; left out: all doors without settings of their own.
    #[serde(default)]
    door: Option<Door>,
    /// Another provider takes its usual model along.
    #[serde(default)]
    provider: Option<ProviderName>,
    /// 1 to 100 characters.
    #[serde(default)]
    model: Option<String>,
    /// `false`: no model makes replies; drafts stop at once.
    #[serde(default)]
    enabled: Option<bool>,
}

impl Validate for LlmChange {
    fn validate(&self, problems: &mut Problems) {
        if let Some(model) = &self.model {
            let is_decent = (1..=100).contains(&model.trim().chars().count());
            problems.require(is_decent, "model", "must be 1 to 100 characters");
        }
    }
}

impl LlmSettingsView {
    fn new(settings: &LlmSettings, defaults: &LlmDefaults) -> Self {
        let view = |door: Door| {
            let Choice {
                provider,
                model,
                enabled,
            } = settings.choose(door, defaults);
            let own = settings.of_door(Some(door)) != DoorSettings::default();
            let choice = ChoiceView {
                provider,
                model,
                enabled,
                own,
            };
            (door.as_str(), choice)
        };
        let common = settings.common(defaults);
        Self {
            provider: common.provider,
            model: common.model,
            enabled: common.enabled,
            doors: Door::ALL.into_iter().map(view).collect(),
        }
    }
}

/// Shows who makes replies.
#[utoipa::path(
    get, path = "/api/settings/llm", tag = "settings", security(("bearer" = [])),
    responses((status = 200, description = "the settings", body = LlmSettingsView, example = json!(examples::llm_settings())))
)]
pub async fn get_llm_settings(
    State(state): State<AppState>,
    _operator: Operator,
) -> ApiResult<Json<LlmSettingsView>> {
    let mut conn = state.conn().await?;
    let settings = settings(&mut conn).await.map_err(ApiError::internal)?;
    let defaults = state.ctx.providers.defaults();
    Ok(Json(LlmSettingsView::new(&settings, defaults)))
}

/// Changes who makes replies; running processes follow within a second.
#[utoipa::path(
    put, path = "/api/settings/llm", tag = "settings", security(("bearer" = [])),
    request_body(content = LlmChange, example = json!({"provider": "deepseek", "model": "deepseek-chat", "enabled": true})),
    responses((status = 200, description = "the settings", body = LlmSettingsView, example = json!(examples::llm_settings())))
)]
pub async fn update_llm_settings(
    State(state): State<AppState>,
    operator: Operator,
    origin: Origin,
    Json(body): Json<LlmChange>,
) -> ApiResult<Json<LlmSettingsView>> {
    let now = state.ctx.clock.now();
    let defaults = state.ctx.providers.defaults();
    let change = DoorSettings {
        provider: body.provider,
        model: body.model.map(|model| model.trim().to_owned()),
        enabled: body.enabled,
    };
    let mut conn = state.conn().await?;
    let after = conn
        .transaction(async |conn| {
            runtime_settings::lock(conn).await?;
            let before = settings(conn).await?;
            let switch = Switch {
                door: body.door,
                settings: merged(&before, body.door, change, defaults),
            };
            let target = body.door.map_or("all".to_owned(), |door| door.to_string());
            let entry: NewEntry = origin.entry(
                &operator,
                operator.tenant,
                "llm.switched",
                format!("llm:{target}"),
                (None, None),
                now,
            );
            switch_llm(conn, &switch, defaults, entry, now).await
        })
        .await
        .map_err(|error| match error {
            SwitchError::NoModel => ApiError::of_field("model", error.to_string()),
            SwitchError::Flow(problem) => ApiError::internal(problem),
        })?;
    Ok(Json(LlmSettingsView::new(&after, defaults)))
}
