//! Which provider and model make replies at which door: what operators change while everything runs.

use std::collections::BTreeMap;
use std::str::FromStr;

use serde_json::Value;

use super::{LlmDefaults, ProviderName};
use crate::words::words;

words! {
    /// Where people come in.
    Door {
        Desk = "desk",
        Site = "site",
        Assistant = "assistant",
        Company = "company",
        Support = "support",
    }
}

impl Door {
    /// Every door.
    pub const ALL: [Self; 5] = [
        Self::Desk,
        Self::Site,
        Self::Assistant,
        Self::Company,
        Self::Support,
    ];
}

const PROVIDER: &str = "llm_provider";
const MODEL: &str = "llm_model";
const ENABLED: &str = "llm_enabled";

/// What is set, for all doors or for one; none: not set.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DoorSettings {
    pub provider: Option<ProviderName>,
    pub model: Option<String>,
    pub enabled: Option<bool>,
}

/// Who makes replies at a door.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Choice {
    pub provider: ProviderName,
    /// None: the provider has no usual model, and none was chosen.
    pub model: Option<String>,
    pub enabled: bool,
}

/// All settings.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LlmSettings(BTreeMap<String, Value>);

impl LlmSettings {
    /// The settings in the rows of `runtime_settings`; other rows do not matter.
    pub fn of(rows: impl IntoIterator<Item = (String, Value)>) -> Self {
        Self(rows.into_iter().collect())
    }

    /// What is set for all doors, or for one.
    pub fn of_door(&self, door: Option<Door>) -> DoorSettings {
        let text = |name| self.0.get(&key(name, door)).and_then(Value::as_str);
        DoorSettings {
            provider: text(PROVIDER).and_then(|word| ProviderName::from_str(word).ok()),
            model: text(MODEL).map(ToOwned::to_owned),
            enabled: self.0.get(&key(ENABLED, door)).and_then(Value::as_bool),
        }
    }

    /// Who makes replies at doors without settings of their own.
    pub fn common(&self, defaults: &LlmDefaults) -> Choice {
        let all = self.of_door(None);
        let provider = all.provider.unwrap_or(defaults.provider);
        let usual = || defaults.model(provider).map(ToOwned::to_owned);
        Choice {
            provider,
            model: all.model.or_else(usual),
            enabled: all.enabled.unwrap_or(true),
        }
    }

    /// Who makes replies at a door.
    pub fn choose(&self, door: Door, defaults: &LlmDefaults) -> Choice {
        let (common, own) = (self.common(defaults), self.of_door(Some(door)));
        let provider = own.provider.unwrap_or(common.provider);
        let of_all = common.model.filter(|_| provider == common.provider);
        let usual = || defaults.model(provider).map(ToOwned::to_owned);
        Choice {
            provider,
            model: own.model.or(of_all).or_else(usual),
            enabled: own.enabled.unwrap_or(common.enabled),
        }
    }
}

impl DoorSettings {
    /// The rows that say so; null for what is not set.
    pub fn rows(&self, door: Option<Door>) -> [(String, Value); 3] {
        let word = |word: Option<&str>| word.map_or(Value::Null, Value::from);
        [
            (
                key(PROVIDER, door),
                word(self.provider.map(ProviderName::as_str)),
            ),
            (key(MODEL, door), word(self.model.as_deref())),
            (
                key(ENABLED, door),
                self.enabled.map_or(Value::Null, Value::from),
            ),
        ]
    }
}

fn key(name: &str, door: Option<Door>) -> String {
    match door {
        Some(door) => format!("{name}:{door}"),
        None => name.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn defaults() -> LlmDefaults {
        LlmDefaults {
            provider: ProviderName::Rules,
            openai_model: "gpt-5.2".to_owned(),
        }
    }

    fn settings(rows: &[(&str, Value)]) -> LlmSettings {
        LlmSettings::of(
            rows.iter()
                .map(|(key, value)| ((*key).to_owned(), value.clone())),
        )
    }

    #[test]
    fn without_settings_the_defaults_count() {
        let choice = settings(&[]).choose(Door::Desk, &defaults());
        assert_eq!(choice.provider, ProviderName::Rules);
        assert!(choice.enabled);
    }

    #[test]
    fn a_door_may_differ() {
        let settings = settings(&[
            ("llm_provider", json!("deepseek")),
            ("llm_model", json!("deepseek-reasoner")),
            ("llm_provider:company", json!("openai")),
            ("llm_enabled:site", json!(false)),
        ]);
        let desk = settings.choose(Door::Desk, &defaults());
        assert_eq!(desk.model.as_deref(), Some("deepseek-reasoner"));
        let company = settings.choose(Door::Company, &defaults());
        assert_eq!(company.provider, ProviderName::Openai);
        assert_eq!(company.model.as_deref(), Some("gpt-5.2"));
        assert!(!settings.choose(Door::Site, &defaults()).enabled);
    }

    #[test]
    fn what_is_no_setting_counts_as_unset() {
        let settings = settings(&[("llm_provider", json!("gpt")), ("llm_enabled", json!("no"))]);
        assert_eq!(settings.of_door(None), DoorSettings::default());
    }

    #[test]
    fn rows_and_settings_say_the_same() {
        let wanted = DoorSettings {
            provider: Some(ProviderName::Deepseek),
            model: Some("deepseek-chat".to_owned()),
            enabled: Some(false),
        };
        let read = LlmSettings::of(wanted.rows(Some(Door::Desk)));
        assert_eq!(read.of_door(Some(Door::Desk)), wanted);
        assert_eq!(read.of_door(None), DoorSettings::default());
    }
}
