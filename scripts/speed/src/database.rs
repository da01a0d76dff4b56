//! A database of the bench, and the statements that a program sends to it.

use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use crate::process::{cpu_of_family, parent_of};

/// A database on the server of `DATABASE_URL`.
#[derive(Clone, Debug)]
pub(crate) struct Database {
    url: String,
}

/// A statement as the server was asked to run it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Statement {
    pub(crate) sql: String,
    /// None: NULL.
    pub(crate) parameters: Vec<Option<String>>,
}

impl Database {
    /// Makes an empty, migrated database.
    pub(crate) fn create(server: &str, name: &str) -> Result<Self> {
        let database = Self::on_server(server, name)?;
        database.admin()?.run(&format!("CREATE DATABASE {name}"))?;
        let runtime = tokio::runtime::Runtime::new()?;
        runtime.block_on(common::db::migrate(&database.url.clone().into()))?;
        Ok(database)
    }

    /// The database with this name, if there is one.
    pub(crate) fn find(server: &str, name: &str) -> Result<Option<Self>> {
        let database = Self::on_server(server, name)?;
        let found = format!("SELECT count(*) FROM pg_database WHERE datname = '{name}'");
        let is_there = database.admin()?.run(&found)? == "1";
        Ok(is_there.then_some(database))
    }

    /// Copies a database that nobody uses; one that has the name already goes.
    pub(crate) fn copy(from: &Self, name: &str) -> Result<Self> {
        let database = Self::on_server(&from.url, name)?;
        let (_, template) = from.url.rsplit_once('/').context("no database is named")?;
        let admin = database.admin()?;
        admin.run(&format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)"))?;
        admin.run(&format!(
            "CREATE DATABASE {name} TEMPLATE {template} STRATEGY file_copy"
        ))?;
        Ok(database)
    }

    fn on_server(server: &str, name: &str) -> Result<Self> {
        let (authority, _) = server.rsplit_once('/').context("no database is named")?;
        Ok(Self {
            url: format!("{authority}/{name}"),
        })
    }

    /// The database that every server has.
    fn admin(&self) -> Result<Self> {
        Self::on_server(&self.url, "postgres")
    }

    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// Runs statements; what the last one found, a line for each row.
    pub(crate) fn run(&self, sql: &str) -> Result<String> {
        let mut psql = Command::new("psql")
            .args(["--no-psqlrc", "--quiet", "--tuples-only", "--no-align"])
            .args(["--set", "ON_ERROR_STOP=1", "--dbname", &self.url])
            .env("PGOPTIONS", "-c client_min_messages=warning")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .context("cannot run psql")?;
        let mut stdin = psql.stdin.take().context("no way to ask")?;
        stdin.write_all(sql.as_bytes())?;
        drop(stdin);
        let output = psql.wait_with_output()?;
        ensure!(output.status.success(), "psql failed");
        Ok(String::from_utf8(output.stdout)?.trim().to_owned())
    }

    /// CPU time of the whole server.
    pub(crate) fn cpu(&self) -> Result<Duration> {
        cpu_of_family(self.server()?)
    }

    /// The process of the server.
    fn server(&self) -> Result<u32> {
        // The backend is gone when psql is: its parent is asked for while it lives.
        let sql = "SELECT split_part(pg_read_file('postmaster.pid'), E'\\n', 1)";
        let id = self.run(sql)?.parse().context("no process of the server")?;
        ensure!(parent_of(id).is_some(), "the server is not on this machine");
        Ok(id)
    }

    /// What is sent to the database by connections that `work` opens.
    pub(crate) fn statements(&self, work: impl FnOnce() -> Result<()>) -> Result<Vec<Statement>> {
        let log = self.log()?;
        let name = self.run("SELECT current_database()")?;
        let set = |value: &str| self.run(&format!("ALTER DATABASE {name} {value}"));
        set("SET log_statement = 'all'")?;
        let before = std::fs::metadata(&log)?.len();
        let worked = work();
        set("RESET log_statement")?;
        worked?;
        let text = std::fs::read(&log)?;
        let from = usize::try_from(before)?;
        Ok(read_log(&String::from_utf8_lossy(&text[from..])))
    }

    /// Where the server writes what it is asked.
    fn log(&self) -> Result<PathBuf> {
        Ok(std::fs::read_link(format!(
            "/proc/{}/fd/2",
            self.server()?
        ))?)
    }
}

/// The statements of a server's log.
fn read_log(text: &str) -> Vec<Statement> {
    let mut statements: Vec<Statement> = Vec::new();
    for line in text.lines() {
        if let Some((_, rest)) = line.split_once("LOG:  execute ")
            && let Some((_, sql)) = rest.split_once(": ")
        {
            statements.push(Statement {
                sql: sql.to_owned(),
                parameters: Vec::new(),
            });
        } else if let Some((_, sql)) = line.split_once("LOG:  statement: ") {
            statements.push(Statement {
                sql: sql.to_owned(),
                parameters: Vec::new(),
            });
        } else if let Some((_, list)) = line.split_once("DETAIL:  parameters: ")
            && let Some(last) = statements.last_mut()
        {
            last.parameters = read_parameters(list);
        }
    }
    statements
}

/// Reads `$1 = 'it''s', $2 = NULL`.
fn read_parameters(list: &str) -> Vec<Option<String>> {
    let mut parameters = Vec::new();
    let mut rest = list;
    while let Some((_, value)) = rest.split_once(" = ") {
        let Some(quoted) = value.strip_prefix('\'') else {
            parameters.push(None);
            rest = value;
            continue;
        };
        let mut text = String::new();
        let mut letters = quoted.char_indices().peekable();
        rest = "";
        while let Some((place, letter)) = letters.next() {
            if letter != '\'' {
                text.push(letter);
            } else if letters.next_if(|(_, next)| *next == '\'').is_some() {
                text.push('\'');
            } else {
                rest = &quoted[place + 1..];
                break;
            }
        }
        parameters.push(Some(text));
    }
    parameters
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_tells_statements_and_their_parameters() {
        let log = "x [1] LOG:  statement: BEGIN\n\
                   x [1] LOG:  execute s1: SELECT a = $1, $2, $3\n\
                   x [1] DETAIL:  parameters: $1 = 'it''s = 1', $2 = NULL, $3 = '7'\n";
        let read = read_log(log);
        assert_eq!(read[0].sql, "BEGIN");
        assert_eq!(read[1].sql, "SELECT a = $1, $2, $3");
        let expected = [Some("it's = 1"), None, Some("7")];
        let read: Vec<_> = read[1].parameters.iter().map(Option::as_deref).collect();
        assert_eq!(read, expected);
    }
}
