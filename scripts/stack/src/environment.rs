//! Which variables apply: the real environment, then `.env`, then the keys that the first run made.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, Result, bail};

/// Environment variables; an empty value counts as unset but still hides later sources.
#[derive(Clone, Debug, Default)]
pub struct Environment(BTreeMap<String, String>);

impl Environment {
    /// The variables of this process.
    pub fn of_process() -> Self {
        let readable = std::env::vars_os().filter_map(|(name, value)| {
            Some((name.into_string().ok()?, value.into_string().ok()?))
        });
        Self(readable.collect())
    }

    /// The same, and where they say nothing, what `.env` says.
    pub fn of_process_and_file() -> Result<Self> {
        let mut environment = Self::of_process();
        environment.add_file(Path::new(".env"))?;
        Ok(environment)
    }

    /// Adds what a file says, where nothing is said yet; a missing file says nothing.
    pub fn add_file(&mut self, path: &Path) -> Result<()> {
        let text = match std::fs::read_to_string(path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
            read => read.with_context(|| format!("cannot read {}", path.display()))?,
        };
        for (number, line) in text.lines().enumerate() {
            match parse_line(line) {
                Ok(Some((name, value))) => self.add(name, value),
                Ok(None) => {}
                Err(()) => bail!("{}:{}: expected NAME=value", path.display(), number + 1),
            }
        }
        Ok(())
    }

    /// Adds a variable where nothing is said yet.
    pub fn add(&mut self, name: &str, value: String) {
        self.0.entry(name.to_owned()).or_insert(value);
    }

    /// Sets a variable, whatever was said before.
    pub fn set(&mut self, name: &str, value: impl Into<String>) {
        self.0.insert(name.to_owned(), value.into());
    }

    /// The value, if there is one.
    pub fn get(&self, name: &str) -> Option<&str> {
        let value = self.0.get(name)?.trim();
        (!value.is_empty()).then_some(value)
    }

    /// Everything that has a value.
    pub fn all(&self) -> impl Iterator<Item = (&str, &str)> {
        let pairs = self.0.iter().filter(|(_, value)| !value.is_empty());
        pairs.map(|(name, value)| (name.as_str(), value.as_str()))
    }
}

/// `NAME=value`, also quoted, exported or with a comment behind; nothing for an empty line or a comment.
fn parse_line(line: &str) -> Result<Option<(&str, String)>, ()> {
    let line = line.trim();
    if line.is_empty() || line.starts_with('#') {
        return Ok(None);
    }
    let (name, value) = line.split_once('=').ok_or(())?;
    let name = name.strip_prefix("export ").unwrap_or(name).trim();
    let is_name = !name.is_empty()
        && !name.starts_with(|first: char| first.is_ascii_digit())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    if !is_name {
        return Err(());
    }
    Ok(Some((name, parse_value(value.trim())?)))
}

fn parse_value(value: &str) -> Result<String, ()> {
    for quote in ['"', '\''] {
        if let Some(rest) = value.strip_prefix(quote) {
            let (inside, behind) = rest.split_once(quote).ok_or(())?;
            let behind = behind.trim_start();
            let ends = behind.is_empty() || behind.starts_with('#');
            return if ends { Ok(inside.to_owned()) } else { Err(()) };
        }
    }
    if value.starts_with('#') {
        return Ok(String::new());
    }
    let plain = value.split_once(" #").map_or(value, |(plain, _)| plain);
    Ok(plain.trim_end().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_read_as_a_shell_would() {
        let read =
            |line| parse_line(line).map(|pair| pair.map(|(name, value)| format!("{name}={value}")));
        assert_eq!(read("A=1"), Ok(Some("A=1".to_owned())));
        assert_eq!(
            read("export A = two words # why"),
            Ok(Some("A=two words".to_owned()))
        );
        assert_eq!(read("A=\"a # b\" # why"), Ok(Some("A=a # b".to_owned())));
        assert_eq!(read("A='x=y'"), Ok(Some("A=x=y".to_owned())));
        assert_eq!(read("A=p#q"), Ok(Some("A=p#q".to_owned())));
        assert_eq!(read("A= # nothing"), Ok(Some("A=".to_owned())));
        assert_eq!(read("# A=1"), Ok(None));
        assert_eq!(read("   "), Ok(None));
        assert_eq!(read("A"), Err(()));
        assert_eq!(read("1A=x"), Err(()));
        assert_eq!(read("A=\"open"), Err(()));
    }

    #[test]
    fn the_real_environment_wins_and_an_empty_value_hides_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join(".env");
        std::fs::write(&file, "PORT=1\nHOST=file\nONLY=file\n").unwrap();
        let mut environment = Environment::default();
        environment.set("PORT", "2");
        environment.set("HOST", "");
        environment.add_file(&file).unwrap();
        assert_eq!(environment.get("PORT"), Some("2"));
        assert_eq!(environment.get("HOST"), None);
        assert_eq!(environment.get("ONLY"), Some("file"));
        assert!(!environment.all().any(|(name, _)| name == "HOST"));
    }

    #[test]
    fn a_bad_line_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join(".env");
        std::fs::write(&file, "A=1\nnonsense\n").unwrap();
        let problem = Environment::default().add_file(&file).unwrap_err();
        assert!(problem.to_string().ends_with(".env:2: expected NAME=value"));
    }
}
