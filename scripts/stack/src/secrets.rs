//! Keys that nobody has to think of: made by the first run, kept in a file that only its owner reads.

use std::fs::File;
use std::io::{Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use anyhow::{Context, Result};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;

use crate::environment::Environment;

pub const KEY: &str = "ENCRYPTION_KEY";
/// What is there only while the key rotates.
pub const OLD: &str = "ENCRYPTION_KEYS_OLD";
pub const NEXT: &str = "ENCRYPTION_KEY_NEXT";

const KEYS: [&str; 3] = [KEY, "JWT_SECRET", "AUTH_TOKEN_SECRET"];

/// Completes the environment with the keys of this world, and makes those that are missing.
pub fn complete(environment: &mut Environment, file: &Path) -> Result<()> {
    // An empty key is no key: it must not hide the one that was made.
    let given: Vec<_> = KEYS
        .into_iter()
        .filter(|key| environment.get(key).is_some())
        .collect();
    let mut kept = Environment::default();
    kept.add_file(file)?;
    for key in KEYS.into_iter().filter(|key| !given.contains(key)) {
        let value = match kept.get(key) {
            Some(value) => value.to_owned(),
            None => make(key, file).with_context(|| format!("cannot write {}", file.display()))?,
        };
        environment.set(key, value);
    }
    for name in [OLD, NEXT] {
        if let (None, Some(value)) = (environment.get(name), kept.get(name)) {
            environment.set(name, value);
        }
    }
    Ok(())
}

/// Replaces variables of the file, or removes those without a value; a reader sees all of it or nothing.
pub fn change(file: &Path, changes: &[(&str, Option<&str>)]) -> Result<()> {
    let text = std::fs::read_to_string(file)?;
    let stays = |line: &&str| {
        let name = line.split('=').next().unwrap_or_default().trim();
        !changes.iter().any(|(changed, _)| *changed == name)
    };
    let mut lines: Vec<_> = text.lines().filter(stays).map(str::to_owned).collect();
    let set = changes
        .iter()
        .filter_map(|(name, value)| Some((name, (*value)?)));
    lines.extend(set.map(|(name, value)| format!("{name}={value}")));
    let new = file.with_extension("new");
    let mut written = private(File::options().write(true).truncate(true), &new)?;
    written.write_all((lines.join("\n") + "\n").as_bytes())?;
    // A key that is only half on the disk would take all that it sealed with it.
    written.sync_all()?;
    Ok(std::fs::rename(&new, file)?)
}

fn make(key: &str, file: &Path) -> Result<String> {
    let value = random()?;
    private(File::options().append(true), file)?
        .write_all(format!("{key}={value}\n").as_bytes())?;
    Ok(value)
}

/// Opens a file that only its owner may read, creating it if need be.
pub fn private(options: &mut std::fs::OpenOptions, file: &Path) -> std::io::Result<File> {
    options.create(true).mode(0o600).open(file)
}

/// 32 random bytes in base64.
pub fn random() -> std::io::Result<String> {
    Ok(BASE64_STANDARD.encode(random_bytes::<32>()?))
}

/// Bytes that nobody can guess.
pub fn random_bytes<const N: usize>() -> std::io::Result<[u8; N]> {
    let mut bytes = [0; N];
    File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn keys_are_made_once_and_only_where_none_is_given() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("env");
        let mut first = Environment::default();
        first.set("JWT_SECRET", "given");
        first.set("AUTH_TOKEN_SECRET", "");
        complete(&mut first, &file).unwrap();
        assert_eq!(first.get("JWT_SECRET"), Some("given"));
        assert!(
            !std::fs::read_to_string(&file)
                .unwrap()
                .contains("JWT_SECRET")
        );
        assert_eq!(
            std::fs::metadata(&file).unwrap().permissions().mode() & 0o777,
            0o600
        );

        let mut second = Environment::default();
        complete(&mut second, &file).unwrap();
        for key in ["ENCRYPTION_KEY", "AUTH_TOKEN_SECRET"] {
            assert!(first.get(key).is_some());
            assert_eq!(first.get(key), second.get(key));
        }
        let key = BASE64_STANDARD
            .decode(second.get("ENCRYPTION_KEY").unwrap())
            .unwrap();
        assert_eq!(key.len(), 32);
        assert!(second.get("JWT_SECRET").is_some());
    }

    #[test]
    fn a_changed_file_keeps_what_was_not_changed() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("env");
        let mut first = Environment::default();
        complete(&mut first, &file).unwrap();
        change(&file, &[(KEY, Some("b")), (OLD, Some("a")), (NEXT, None)]).unwrap();
        let mut second = Environment::default();
        complete(&mut second, &file).unwrap();
        assert_eq!((second.get(KEY), second.get(OLD)), (Some("b"), Some("a")));
        assert_eq!(second.get("JWT_SECRET"), first.get("JWT_SECRET"));
        change(&file, &[(OLD, None)]).unwrap();
        let text = std::fs::read_to_string(&file).unwrap();
        assert!(!text.contains(OLD) && text.lines().count() == 3, "{text}");
        assert_eq!(
            std::fs::metadata(&file).unwrap().permissions().mode() & 0o777,
            0o600
        );
    }
}
