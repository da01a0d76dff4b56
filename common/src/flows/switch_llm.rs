//! Changes which provider and model make replies, for the API and the command line alike.

use chrono::{DateTime, Utc};
use diesel_async::AsyncPgConnection;
use serde_json::{Value, json};

use super::FlowError;
use super::suggest_reply::settings;
use crate::db::audit_log::{self, NewEntry};
use crate::db::runtime_settings;
use crate::llm::{Choice, Door, DoorSettings, LlmDefaults, LlmSettings};

/// A change of the settings; none: what is set stays, or where all of it is written anew is taken
/// away.
#[derive(Clone, Debug)]
pub struct Switch {
    /// One door; none: all that have no settings of their own.
    pub door: Option<Door>,
    pub settings: DoorSettings,
}

/// Why a change is refused.
#[derive(Debug, thiserror::Error)]
pub enum SwitchError {
    #[error("the provider compatible has no usual model: choose one")]
    NoModel,
    #[error(transparent)]
    Flow(#[from] FlowError),
}

impl From<diesel::result::Error> for SwitchError {
    fn from(error: diesel::result::Error) -> Self {
        Self::Flow(error.into())
    }
}

/// Merges a partial change into what is set: another provider takes its usual model along.
pub fn merged(
    before: &LlmSettings,
    door: Option<Door>,
    change: DoorSettings,
    defaults: &LlmDefaults,
) -> DoorSettings {
    let set = before.of_door(door);
    let is_other = change.provider.is_some() && change.provider != set.provider;
    let usual = || {
        let provider = change.provider?;
        defaults.model(provider).map(ToOwned::to_owned)
    };
    let kept = if is_other { usual() } else { set.model };
    DoorSettings {
        provider: change.provider.or(set.provider),
        model: change.model.or(kept),
        enabled: change.enabled.or(set.enabled),
    }
}

/// Stores the settings with an entry of the audit log, inside the caller's transaction that holds
/// [`runtime_settings::lock`]; returns what is set then.
pub async fn switch_llm(
    conn: &mut AsyncPgConnection,
    switch: &Switch,
    defaults: &LlmDefaults,
    entry: NewEntry,
    now: DateTime<Utc>,
) -> Result<LlmSettings, SwitchError> {
    let before = settings(conn).await?;
    for (key, value) in switch.settings.rows(switch.door) {
        runtime_settings::set(conn, &key, &value, &entry.actor, now).await?;
    }
    let after = settings(conn).await?;
    let doors = switch.door.map_or(Door::ALL.to_vec(), |door| vec![door]);
    let is_nameless = |choice: Choice| choice.enabled && choice.model.is_none();
    if doors
        .into_iter()
        .any(|door| is_nameless(after.choose(door, defaults)))
    {
        return Err(SwitchError::NoModel);
    }
    let entry = NewEntry {
        before: Some(describe(&before.of_door(switch.door))),
        after: Some(describe(&after.of_door(switch.door))),
        ..entry
    };
    audit_log::insert(conn, &entry).await?;
    Ok(after)
}

/// The settings of all doors or one, as JSON.
pub fn describe(settings: &DoorSettings) -> Value {
    json!({
        "provider": settings.provider,
        "model": settings.model,
        "enabled": settings.enabled,
    })
}
