//! Shows which encryption keys the stored keys of shops are sealed with.

use std::io::Write;

use common::config::Config;
use common::flows::Context;
use common::flows::report_keys::{KeyUse, report_keys};
use common::secrets::KeyRole;

/// Prints a line for each key: its id, what it is used for here, and how many shops' keys it sealed.
pub async fn show_keys(config: &Config, mut out: impl Write) -> anyhow::Result<()> {
    let ctx = Context::new(config, 1)?;
    writeln!(out, "key       used as  shops")?;
    for KeyUse {
        key_id,
        role,
        sellers,
    } in report_keys(&ctx).await?
    {
        let role = match role {
            Some(KeyRole::Current) => "current",
            Some(KeyRole::Old) => "old",
            Some(KeyRole::Next) => "next",
            None => "missing",
        };
        writeln!(out, "{key_id}  {role:<7}  {sellers}")?;
    }
    Ok(())
}
