//! Reads variables and says what is wrong with one in a single line.

use std::collections::HashMap;
use std::str::FromStr;

/// A set of environment variables; an empty value counts as unset.
#[derive(Clone, Debug, Default)]
pub struct Env(HashMap<String, String>);

/// A variable whose value cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{name} must be {expected}")]
pub struct BadVariable {
    pub name: &'static str,
    pub expected: String,
}

impl BadVariable {
    /// `expected` completes the sentence "NAME must be …".
    pub fn new(name: &'static str, expected: impl Into<String>) -> Self {
        Self {
            name,
            expected: expected.into(),
        }
    }
}

impl Env {
    /// The variables of this process.
    pub fn of_process() -> Self {
        Self(std::env::vars().collect())
    }

    /// The given variables.
    pub fn of<K: Into<String>, V: Into<String>>(pairs: impl IntoIterator<Item = (K, V)>) -> Self {
        Self(
            pairs
                .into_iter()
                .map(|(name, value)| (name.into(), value.into()))
                .collect(),
        )
    }

    /// The value, if there is one.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0
            .get(name)
            .map(|value| value.trim())
            .filter(|value| !value.is_empty())
    }

    /// The parsed value, or the default when unset.
    pub fn parse<T: FromStr>(
        &self,
        name: &'static str,
        expected: &str,
        default: T,
    ) -> Result<T, BadVariable> {
        self.get(name).map_or(Ok(default), |value| {
            value.parse().map_err(|_| BadVariable::new(name, expected))
        })
    }

    /// A whole number not below `least`.
    pub fn at_least(
        &self,
        name: &'static str,
        least: u64,
        default: u64,
    ) -> Result<u64, BadVariable> {
        let expected = format!("a whole number of at least {least}");
        let value = self.parse(name, &expected, default)?;
        if value < least {
            return Err(BadVariable::new(name, expected));
        }
        Ok(value)
    }

    /// One of a few words; the first is the default.
    pub fn one_of<T: Copy>(
        &self,
        name: &'static str,
        choices: &[(&str, T)],
    ) -> Result<T, BadVariable> {
        let expected = || {
            let words: Vec<_> = choices.iter().map(|(word, _)| *word).collect();
            BadVariable::new(name, words.join(" or "))
        };
        let Some(value) = self.get(name) else {
            return choices
                .first()
                .map(|(_, choice)| *choice)
                .ok_or_else(expected);
        };
        choices
            .iter()
            .find(|(word, _)| word.eq_ignore_ascii_case(value))
            .map(|(_, choice)| *choice)
            .ok_or_else(expected)
    }

    /// An absolute URL, as given.
    pub fn url(&self, name: &'static str) -> Result<Option<String>, BadVariable> {
        let Some(value) = self.get(name) else {
            return Ok(None);
        };
        match value.split_once("://") {
            Some((scheme, rest)) if !scheme.is_empty() && !rest.is_empty() => {
                Ok(Some(value.to_owned()))
            }
            _ => Err(BadVariable::new(name, "a URL such as scheme://host:port")),
        }
    }

    /// Values separated by commas.
    pub fn list(&self, name: &str) -> Vec<String> {
        self.get(name)
            .unwrap_or_default()
            .split(',')
            .map(str::trim)
            .filter(|item| !item.is_empty())
            .map(str::to_owned)
            .collect()
    }
}
