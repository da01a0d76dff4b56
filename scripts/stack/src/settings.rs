//! What a run is told by its options and variables, checked before anything starts.

use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener};
use std::path::PathBuf;
use std::str::FromStr;

use anyhow::{Result, anyhow, bail};

use crate::environment::Environment;
use crate::options::RunOptions;

/// One world: its ports, its servers, its place on disk.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Forget what the last run left.
    pub fresh: bool,
    /// Neither sandbox nor demo.
    pub real: bool,
    /// Where the api listens.
    pub listen: SocketAddr,
    /// Where the sandbox listens.
    pub sandbox: SocketAddr,
    /// A PostgreSQL that is not ours to run.
    pub database_url: Option<String>,
    /// A Redis that is not ours to run.
    pub redis_url: Option<String>,
    /// Data, keys and logs of this world.
    pub state_dir: PathBuf,
}

impl Settings {
    /// Reads and checks the variables; a problem names the variable and what it must be.
    pub fn read(options: &RunOptions, environment: &Environment) -> Result<Self> {
        let settings = Self {
            fresh: options.fresh,
            real: options.real,
            listen: SocketAddr::new(host(environment)?, api_port(environment)?),
            sandbox: SocketAddr::from((
                Ipv4Addr::LOCALHOST,
                port(environment, "SANDBOX_PORT", 8100)?,
            )),
            database_url: database_url(environment)?,
            redis_url: redis_url(environment)?,
            state_dir: state_dir(environment),
        };
        settings.check(environment)?;
        Ok(settings)
    }

    fn check(&self, environment: &Environment) -> Result<()> {
        let app_env = environment.get("APP_ENV").unwrap_or("dev").to_lowercase();
        let prod = match app_env.as_str() {
            "dev" => false,
            "prod" => true,
            _ => bail!("APP_ENV must be dev or prod"),
        };
        if prod && !self.real {
            bail!("APP_ENV=prod has no demo: add --real, or unset APP_ENV");
        }
        let foreign = [
            ("DATABASE_URL", self.database_url.is_some()),
            ("REDIS_URL", self.redis_url.is_some()),
        ];
        if self.fresh
            && let Some((name, _)) = foreign.iter().find(|(_, given)| *given)
        {
            bail!("--fresh forgets only servers of its own: unset {name} or drop --fresh");
        }
        if !self.real && self.listen.port() == self.sandbox.port() {
            bail!("SANDBOX_PORT must be another port than APP_PORT");
        }
        Ok(())
    }

    /// Fails if somebody else listens where we want to.
    pub fn check_ports(&self) -> Result<()> {
        check_port("APP_PORT", self.listen)?;
        if !self.real {
            check_port("SANDBOX_PORT", self.sandbox)?;
        }
        Ok(())
    }

    /// The address of the api for someone on this machine.
    pub fn api_url(&self) -> String {
        let host = match self.listen.ip() {
            ip if ip.is_unspecified() => IpAddr::from(Ipv4Addr::LOCALHOST),
            ip => ip,
        };
        format!("http://{}", SocketAddr::new(host, self.listen.port()))
    }

    /// The address of the sandbox, unless the outside world is real.
    pub fn sandbox_url(&self) -> Option<String> {
        (!self.real).then(|| format!("http://{}", self.sandbox))
    }
}

/// Where the data of this world is kept; not yet created.
pub fn state_dir(environment: &Environment) -> PathBuf {
    environment.get("STATE_DIR").unwrap_or(".local").into()
}

fn host(environment: &Environment) -> Result<IpAddr> {
    for name in ["APP_HOST", "SERVER_HOST"] {
        match environment.get(name) {
            None => {}
            Some("localhost") => return Ok(Ipv4Addr::LOCALHOST.into()),
            Some(value) => {
                return value
                    .parse()
                    .map_err(|_| anyhow!("{name} must be an IP address such as 127.0.0.1"));
            }
        }
    }
    Ok(Ipv4Addr::LOCALHOST.into())
}

fn api_port(environment: &Environment) -> Result<u16> {
    let name = match environment.get("APP_PORT") {
        None if environment.get("SERVER_PORT").is_some() => "SERVER_PORT",
        _ => "APP_PORT",
    };
    port(environment, name, 8000)
}

fn port(environment: &Environment, name: &str, default: u16) -> Result<u16> {
    match environment.get(name).map(str::parse) {
        None => Ok(default),
        Some(Ok(port)) if port > 0 => Ok(port),
        Some(_) => bail!("{name} must be a port, a number from 1 to 65535"),
    }
}

fn database_url(environment: &Environment) -> Result<Option<String>> {
    let Some(url) = environment.get("DATABASE_URL") else {
        return Ok(None);
    };
    let url = url.replacen("+asyncpg", "", 1);
    let known = ["postgres://", "postgresql://"]
        .iter()
        .any(|scheme| url.starts_with(scheme));
    match tokio_postgres::Config::from_str(&url) {
        Ok(config) if known && !config.get_hosts().is_empty() => Ok(Some(url)),
        _ => bail!("DATABASE_URL must be postgres://user:password@host:port/database"),
    }
}

fn redis_url(environment: &Environment) -> Result<Option<String>> {
    let Some(url) = environment.get("REDIS_URL") else {
        return Ok(None);
    };
    match reqwest::Url::parse(url) {
        Ok(parsed) if matches!(parsed.scheme(), "redis" | "rediss") && parsed.has_host() => {
            Ok(Some(url.to_owned()))
        }
        _ => bail!("REDIS_URL must be redis://host:port/number"),
    }
}

fn check_port(name: &str, address: SocketAddr) -> Result<()> {
    use std::io::ErrorKind;
    let port = address.port();
    match TcpListener::bind(address) {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == ErrorKind::AddrInUse => {
            bail!("port {port} ({name}) is taken")
        }
        Err(error) => bail!(
            "port {port} ({name}) cannot be used at {}: {error}",
            address.ip()
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(options: &RunOptions, pairs: &[(&str, &str)]) -> Result<Settings, String> {
        let mut environment = Environment::default();
        for (name, value) in pairs {
            environment.set(name, *value);
        }
        Settings::read(options, &environment).map_err(|problem| problem.to_string())
    }

    fn demo(pairs: &[(&str, &str)]) -> Result<Settings, String> {
        read(&RunOptions::default(), pairs)
    }

    #[test]
    fn defaults_need_no_variables() {
        let settings = demo(&[]).unwrap();
        assert_eq!(settings.api_url(), "http://127.0.0.1:8000");
        assert_eq!(
            settings.sandbox_url().as_deref(),
            Some("http://127.0.0.1:8100")
        );
        assert_eq!(settings.state_dir, PathBuf::from(".local"));
    }

    #[test]
    fn a_wrong_variable_is_named_with_what_it_must_be() {
        let cases = [
            (
                ("APP_PORT", "eighty"),
                "APP_PORT must be a port, a number from 1 to 65535",
            ),
            (
                ("APP_PORT", "0"),
                "APP_PORT must be a port, a number from 1 to 65535",
            ),
            (
                ("SANDBOX_PORT", "70000"),
                "SANDBOX_PORT must be a port, a number from 1 to 65535",
            ),
            (
                ("SANDBOX_PORT", "8000"),
                "SANDBOX_PORT must be another port than APP_PORT",
            ),
            (
                ("APP_HOST", "here"),
                "APP_HOST must be an IP address such as 127.0.0.1",
            ),
            (("APP_ENV", "staging"), "APP_ENV must be dev or prod"),
            (
                ("APP_ENV", "prod"),
                "APP_ENV=prod has no demo: add --real, or unset APP_ENV",
            ),
            (
                ("REDIS_URL", "localhost"),
                "REDIS_URL must be redis://host:port/number",
            ),
            (
                ("DATABASE_URL", "mysql://root@localhost/x"),
                "DATABASE_URL must be postgres://user:password@host:port/database",
            ),
        ];
        for (pair, problem) in cases {
            assert_eq!(demo(&[pair]).unwrap_err(), problem);
        }
    }

    #[test]
    fn fresh_is_refused_with_servers_of_others() {
        let fresh = RunOptions {
            fresh: true,
            ..RunOptions::default()
        };
        assert!(read(&fresh, &[]).is_ok());
        for pair in [
            ("DATABASE_URL", "postgres://u:p@127.0.0.1/d"),
            ("REDIS_URL", "redis://127.0.0.1:6379"),
        ] {
            let problem = read(&fresh, &[pair]).unwrap_err();
            assert!(problem.contains(&format!("unset {}", pair.0)), "{problem}");
        }
    }

    #[test]
    fn an_asyncpg_address_and_the_older_port_name_are_accepted() {
        let settings = demo(&[
            ("DATABASE_URL", "postgresql+asyncpg://u:p@h/d"),
            ("SERVER_PORT", "8050"),
        ]);
        let settings = settings.unwrap();
        assert_eq!(
            settings.database_url.as_deref(),
            Some("postgresql://u:p@h/d")
        );
        assert_eq!(settings.listen.port(), 8050);
    }

    #[test]
    fn a_taken_port_is_named() {
        let taken = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = taken.local_addr().unwrap().port();
        let settings = demo(&[("APP_PORT", &port.to_string())]).unwrap();
        let problem = settings.check_ports().unwrap_err().to_string();
        assert_eq!(problem, format!("port {port} (APP_PORT) is taken"));
    }
}
