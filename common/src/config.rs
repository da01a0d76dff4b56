//! What a deploy decides: every environment variable, read once, with its default and its form.

mod env;

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use secrecy::SecretString;

pub use self::env::{BadVariable, Env};
use crate::secrets::{KeyRole, Keyring};

/// The configuration of `api` and `worker`.
#[derive(Clone, Debug)]
pub struct Config {
    pub app_env: AppEnv,
    /// Where the api listens.
    pub listen: SocketAddr,
    /// The address under which people and marketplaces reach the api.
    pub base_url: String,
    pub database_url: SecretString,
    pub redis_url: SecretString,
    /// Seals sellers' keys.
    pub keyring: Keyring,
    pub access: AccessConfig,
    pub vendors: VendorConfig,
    pub llm: LlmConfig,
    pub delivery: DeliveryConfig,
    pub files: FilesConfig,
    /// The longest time between two polls of a quiet shop.
    pub poll_interval: Duration,
    /// Jobs of one kind and marketplace that a worker runs at the same moment.
    pub worker_concurrency: usize,
    /// How far the product's clock is ahead of the system's (development only).
    pub clock_offset_ms: i64,
    /// Opens `/metrics` to others than loopback.
    pub metrics_token: Option<SecretString>,
    pub cors_origins: Vec<String>,
    /// The script of the page `/redoc`.
    pub redoc_file: PathBuf,
    pub log: LogConfig,
}

/// Where the product runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AppEnv {
    Dev,
    Prod,
}

/// Sign-in, tokens and cookies.
#[derive(Clone, Debug)]
pub struct AccessConfig {
    pub jwt_secret: SecretString,
    /// Derives refresh tokens and push addresses.
    pub auth_token_secret: SecretString,
    pub access_token_ttl: Duration,
    pub session_ttl: Duration,
    /// How long an invitation can be accepted.
    pub invite_ttl: Duration,
    pub cookie_secure: bool,
    /// Proxies whose forwarded client addresses are believed.
    pub trusted_proxies: Vec<IpAddr>,
}

/// Where the marketplaces are.
#[derive(Clone, Debug)]
pub struct VendorConfig {
    pub ozon_base_url: String,
    pub wildberries_base_url: String,
    pub yandex_market_base_url: String,
}

/// Where language models are.
#[derive(Clone, Debug)]
pub struct LlmConfig {
    pub deepseek: LlmServer,
    pub openai: LlmServer,
    /// Any other server that speaks OpenAI's chat completions.
    pub compatible: LlmServer,
    /// OpenAI's model where none is chosen.
    pub openai_model: String,
}

/// A server of language models.
#[derive(Clone, Debug)]
pub struct LlmServer {
    /// None: there is none.
    pub base_url: Option<String>,
    pub key: Option<SecretString>,
    /// Whether it answers nobody without a key.
    pub needs_key: bool,
}

/// The waits of sending (DESIGN §5); other values than the defaults only in development.
#[derive(Clone, Copy, Debug)]
pub struct DeliveryConfig {
    /// From the end of an uncertain attempt to the first reading back.
    pub settle_after: Duration,
    /// From the first reading back to the second.
    pub settle_again: Duration,
    /// From a claim to the last moment its send may be completed.
    pub send_budget: Duration,
    /// How long a claim holds without being renewed.
    pub lease: Duration,
}

impl Default for DeliveryConfig {
    fn default() -> Self {
        Self {
            settle_after: Duration::from_millis(60_000),
            settle_again: Duration::from_millis(30_000),
            send_budget: Duration::from_millis(10_000),
            lease: Duration::from_millis(20_000),
        }
    }
}

/// Where the bytes of files lie.
#[derive(Clone, Debug)]
pub struct FilesConfig {
    /// The folder that is used unless there is a bucket.
    pub folder: PathBuf,
    pub bucket: Option<BucketConfig>,
}

/// A bucket of MinIO, or of anything else that speaks S3.
#[derive(Clone, Debug)]
pub struct BucketConfig {
    /// With its scheme.
    pub endpoint: String,
    pub access_key: String,
    pub secret_key: SecretString,
    pub name: String,
}

/// Where logs go.
#[derive(Clone, Debug)]
pub struct LogConfig {
    pub level: String,
    pub dir: Option<PathBuf>,
}

impl Config {
    /// Reads the process's environment.
    pub fn from_env() -> Result<Self, BadVariable> {
        Self::read(&Env::of_process())
    }

    /// Reads the given environment.
    pub fn read(env: &Env) -> Result<Self, BadVariable> {
        let app_env = env.one_of("APP_ENV", &[("dev", AppEnv::Dev), ("prod", AppEnv::Prod)])?;
        let port: u16 = match env.get("APP_PORT") {
            Some(_) => env.parse("APP_PORT", "a port, 1 to 65535", 8000)?,
            None => env.parse("SERVER_PORT", "a port, 1 to 65535", 8000)?,
        };
        let host: IpAddr = match env.get("APP_HOST") {
            Some(_) => env.parse("APP_HOST", "an IP address", IpAddr::from([127, 0, 0, 1]))?,
            None => env.parse("SERVER_HOST", "an IP address", IpAddr::from([127, 0, 0, 1]))?,
        };
        let config = Self {
            app_env,
            listen: SocketAddr::new(host, port),
            base_url: env
                .url("APP_BASE_URL")?
                .unwrap_or_else(|| format!("http://127.0.0.1:{port}")),
            database_url: database_url(env)?,
            redis_url: env
                .url("REDIS_URL")?
                .unwrap_or_else(|| "redis://127.0.0.1:6379".to_owned())
                .into(),
            keyring: keyring(env)?,
            access: access(env, app_env)?,
            vendors: vendors(env)?,
            llm: llm(env)?,
            delivery: delivery(env, app_env)?,
            files: files(env)?,
            poll_interval: Duration::from_secs(env.at_least("POLL_INTERVAL_SECONDS", 1, 60)?),
            worker_concurrency: usize::try_from(env.at_least("WORKER_CONCURRENCY", 1, 16)?)
                .unwrap_or(16),
            clock_offset_ms: env.parse("CLOCK_OFFSET_MS", "milliseconds", 0)?,
            metrics_token: env.get("METRICS_TOKEN").map(Into::into),
            cors_origins: env.list("CORS_ORIGINS"),
            redoc_file: env
                .get("REDOC_FILE")
                .unwrap_or(".local/redoc/redoc.standalone.js")
                .into(),
            log: LogConfig {
                level: env.get("LOG_LEVEL").unwrap_or("info").to_lowercase(),
                dir: env.get("LOG_DIR").map(PathBuf::from),
            },
        };
        if app_env == AppEnv::Prod && config.clock_offset_ms != 0 {
            return Err(BadVariable::new(
                "CLOCK_OFFSET_MS",
                "unset when APP_ENV=prod",
            ));
        }
        Ok(config)
    }
}

/// `DATABASE_URL`, or one built from its parts.
pub fn database_url(env: &Env) -> Result<SecretString, BadVariable> {
    if let Some(url) = env.url("DATABASE_URL")? {
        return Ok(url.replacen("+asyncpg", "", 1).into());
    }
    let part = |name, default| escaped(env.get(name).unwrap_or(default));
    let port: u16 = env.parse("DB_PORT", "a port, 1 to 65535", 5432)?;
    let host = env.get("DB_HOST").unwrap_or("127.0.0.1");
    let user = part("DB_USER", "chat_center");
    let (password, name) = (part("DB_PASSWORD", ""), part("DB_NAME", "chat_center"));
    Ok(format!("postgres://{user}:{password}@{host}:{port}/{name}").into())
}

/// A part of an address in which no character means anything.
fn escaped(part: &str) -> String {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    part.bytes()
        .map(|byte| match byte {
            byte if is_plain(byte) => char::from(byte).to_string(),
            byte => format!("%{byte:02X}"),
        })
        .collect()
}

fn keyring(env: &Env) -> Result<Keyring, BadVariable> {
    const FORM: &str = "32 bytes in base64 (scripts/keygen makes one)";
    let current = env
        .get("ENCRYPTION_KEY")
        .ok_or_else(|| BadVariable::new("ENCRYPTION_KEY", FORM))?;
    let old = env.list("ENCRYPTION_KEYS_OLD");
    let ring = Keyring::new(current, &old);
    let ring = match env.get("ENCRYPTION_KEY_NEXT") {
        Some(next) => ring.and_then(|ring| ring.with_next(next)),
        None => ring,
    };
    ring.map_err(|problem| {
        let name = match problem.role {
            KeyRole::Current => "ENCRYPTION_KEY",
            KeyRole::Old => "ENCRYPTION_KEYS_OLD",
            KeyRole::Next => "ENCRYPTION_KEY_NEXT",
        };
        BadVariable::new(name, FORM)
    })
}

fn access(env: &Env, app_env: AppEnv) -> Result<AccessConfig, BadVariable> {
    let secret = |name| -> Result<SecretString, BadVariable> {
        const FORM: &str = "a secret of at least 32 characters, not a placeholder";
        match env.get(name) {
            Some(value) if value.len() >= 32 && !value.to_lowercase().contains("change") => {
                Ok(value.into())
            }
            Some(value) if app_env == AppEnv::Dev && !value.is_empty() => Ok(value.into()),
            _ => Err(BadVariable::new(name, FORM)),
        }
    };
    Ok(AccessConfig {
        jwt_secret: secret("JWT_SECRET")?,
        auth_token_secret: secret("AUTH_TOKEN_SECRET")?,
        access_token_ttl: Duration::from_secs(60 * env.at_least("JWT_EXPIRE_MINUTES", 1, 15)?),
        session_ttl: Duration::from_secs(env.at_least("SESSION_TTL_SECONDS", 60, 1_209_600)?),
        invite_ttl: Duration::from_secs(env.at_least("INVITE_TTL_SECONDS", 60, 604_800)?),
        cookie_secure: env.one_of(
            "COOKIE_SECURE",
            match app_env {
                AppEnv::Dev => &[("false", false), ("true", true)],
                AppEnv::Prod => &[("true", true), ("false", false)],
            },
        )?,
        trusted_proxies: env
            .list("TRUSTED_PROXIES")
            .iter()
            .map(|address| {
                address.parse().map_err(|_| {
                    BadVariable::new("TRUSTED_PROXIES", "IP addresses separated by commas")
                })
            })
            .collect::<Result<_, _>>()?,
    })
}

fn vendors(env: &Env) -> Result<VendorConfig, BadVariable> {
    let origin = |name, default: &str| -> Result<String, BadVariable> {
        let url = env.url(name)?.unwrap_or_else(|| default.to_owned());
        Ok(url.trim_end_matches('/').to_owned())
    };
    Ok(VendorConfig {
        ozon_base_url: origin("OZON_BASE_URL", "https://api-seller.ozon.ru")?,
        wildberries_base_url: origin(
            "WILDBERRIES_BASE_URL",
            "https://buyer-chat-api.wildberries.ru",
        )?,
        yandex_market_base_url: origin(
            "YANDEX_MARKET_BASE_URL",
            "https://api.partner.market.yandex.ru",
        )?,
    })
}

/// The models' servers; nothing else of the environment matters to them.
pub fn llm(env: &Env) -> Result<LlmConfig, BadVariable> {
    let base = |url: String| {
        let url = url.trim_end_matches('/');
        url.trim_end_matches("/chat/completions").to_owned()
    };
    let server = |url: Option<String>, key: &str, needs_key| LlmServer {
        base_url: url.map(base),
        key: env.get(key).map(Into::into),
        needs_key,
    };
    let or = |url: Option<String>, default: &str| Some(url.unwrap_or_else(|| default.to_owned()));
    Ok(LlmConfig {
        deepseek: server(
            or(env.url("DEEPSEEK_API_URL")?, "https://api.deepseek.com"),
            "DEEPSEEK_API_KEY",
            true,
        ),
        openai: server(
            or(env.url("OPENAI_BASE_URL")?, "https://api.openai.com/v1"),
            "OPENAI_API_KEY",
            true,
        ),
        compatible: server(env.url("LLM_SERVICE_URL")?, "LLM_SERVICE_API_KEY", false),
        openai_model: env.get("OPENAI_MODEL").unwrap_or("gpt-5.2").to_owned(),
    })
}

fn delivery(env: &Env, app_env: AppEnv) -> Result<DeliveryConfig, BadVariable> {
    let default = DeliveryConfig::default();
    let wait = |name, value: Duration| -> Result<Duration, BadVariable> {
        let usual = u64::try_from(value.as_millis()).unwrap_or(u64::MAX);
        let chosen = env.at_least(name, 1, usual)?;
        if app_env == AppEnv::Prod && chosen != usual {
            return Err(BadVariable::new(name, "its default when APP_ENV=prod"));
        }
        Ok(Duration::from_millis(chosen))
    };
    let config = DeliveryConfig {
        settle_after: wait("SETTLE_AFTER_MS", default.settle_after)?,
        settle_again: wait("SETTLE_AGAIN_MS", default.settle_again)?,
        send_budget: wait("SEND_BUDGET_MS", default.send_budget)?,
        lease: wait("LEASE_MS", default.lease)?,
    };
    if config.send_budget >= config.lease {
        return Err(BadVariable::new("SEND_BUDGET_MS", "less than LEASE_MS"));
    }
    Ok(config)
}

fn files(env: &Env) -> Result<FilesConfig, BadVariable> {
    let is_secure = env.one_of("MINIO_SECURE", &[("false", false), ("true", true)])?;
    let wanted = |name| {
        env.get(name)
            .map(str::to_owned)
            .ok_or_else(|| BadVariable::new(name, "set when MINIO_ENDPOINT is"))
    };
    let bucket = match env.get("MINIO_ENDPOINT") {
        None => None,
        Some(endpoint) => Some(BucketConfig {
            endpoint: minio_endpoint(endpoint, is_secure)?,
            access_key: wanted("MINIO_ACCESS_KEY")?,
            secret_key: wanted("MINIO_SECRET_KEY")?.into(),
            name: env.get("MINIO_BUCKET").unwrap_or("chat-center").to_owned(),
        }),
    };
    Ok(FilesConfig {
        folder: env.get("FILES_DIR").unwrap_or(".local/files").into(),
        bucket,
    })
}

/// As MinIO's own clients take it: a host with a port; a URL is taken, too.
fn minio_endpoint(endpoint: &str, is_secure: bool) -> Result<String, BadVariable> {
    let (scheme, host) = match endpoint.split_once("://") {
        Some((scheme @ ("http" | "https"), host)) => (scheme, host),
        None if is_secure => ("https", endpoint),
        None => ("http", endpoint),
        Some(_) => ("", ""),
    };
    let host = host.trim_end_matches('/');
    if host.is_empty() || host.contains(['/', '@', ' ']) {
        return Err(BadVariable::new(
            "MINIO_ENDPOINT",
            "a host with a port, such as minio:9000",
        ));
    }
    Ok(format!("{scheme}://{host}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn env(pairs: &[(&str, &str)]) -> Env {
        let key = base64_key();
        let mut all = vec![
            ("ENCRYPTION_KEY", key.as_str()),
            ("JWT_SECRET", "0123456789abcdef0123456789abcdef"),
            ("AUTH_TOKEN_SECRET", "fedcba9876543210fedcba9876543210"),
        ];
        all.extend_from_slice(pairs);
        Env::of(all)
    }

    fn base64_key() -> String {
        use base64::Engine;
        base64::prelude::BASE64_STANDARD.encode([7; 32])
    }

    #[test]
    fn defaults_are_those_of_the_contract() {
        let config = Config::read(&env(&[])).unwrap();
        assert_eq!(config.listen.port(), 8000);
        assert_eq!(config.poll_interval, Duration::from_secs(60));
        assert_eq!(config.delivery.settle_after, Duration::from_secs(60));
    }

    #[test]
    fn a_bad_value_names_the_variable_and_the_form() {
        let problem = Config::read(&env(&[("APP_PORT", "eighty")])).unwrap_err();
        assert_eq!(problem.to_string(), "APP_PORT must be a port, 1 to 65535");
    }

    #[test]
    fn a_bad_key_names_its_own_variable() {
        for name in ["ENCRYPTION_KEYS_OLD", "ENCRYPTION_KEY_NEXT"] {
            let problem = Config::read(&env(&[(name, "short")])).unwrap_err();
            assert_eq!(problem.name, name);
        }
    }

    #[test]
    fn an_asyncpg_address_is_accepted() {
        use secrecy::ExposeSecret;
        let config =
            Config::read(&env(&[("DATABASE_URL", "postgresql+asyncpg://u:p@h/d")])).unwrap();
        assert_eq!(config.database_url.expose_secret(), "postgresql://u:p@h/d");
    }

    #[test]
    fn a_password_may_hold_any_character() {
        use secrecy::ExposeSecret;
        let parts = [("DB_HOST", "postgres"), ("DB_PASSWORD", "p@s/s:w%?")];
        let config = Config::read(&env(&parts)).unwrap();
        assert_eq!(
            config.database_url.expose_secret(),
            "postgres://chat_center:p%40s%2Fs%3Aw%25%3F@postgres:5432/chat_center"
        );
    }

    #[test]
    fn placeholders_stop_the_start_in_production() {
        let problem = Config::read(&env(&[
            ("APP_ENV", "prod"),
            ("JWT_SECRET", "change-me-change-me-change-me-change-me"),
        ]))
        .unwrap_err();
        assert!(problem.to_string().starts_with("JWT_SECRET must be"));
    }

    #[test]
    fn files_lie_in_a_folder_unless_there_is_a_bucket() {
        let files = |pairs: &[(&str, &str)]| Config::read(&env(pairs)).map(|it| it.files);
        let folder = files(&[("FILES_DIR", "/srv/files")]).unwrap();
        assert_eq!(folder.folder, PathBuf::from("/srv/files"));
        assert!(folder.bucket.is_none());
        let keys = [
            ("MINIO_ACCESS_KEY", "a"),
            ("MINIO_SECRET_KEY", "b"),
            ("MINIO_SECURE", "true"),
        ];
        let with = |endpoint| files(&[&keys[..], &[("MINIO_ENDPOINT", endpoint)]].concat());
        for (given, expected) in [
            ("minio:9000", "https://minio:9000"),
            ("http://minio:9000/", "http://minio:9000"),
        ] {
            let bucket = with(given).unwrap().bucket.unwrap();
            assert_eq!(bucket.endpoint, expected);
            assert_eq!(bucket.name, "chat-center");
        }
        let problem = with("ftp://minio").unwrap_err().to_string();
        assert!(problem.starts_with("MINIO_ENDPOINT must be"), "{problem}");
        let problem = files(&[("MINIO_ENDPOINT", "minio:9000")]).unwrap_err();
        assert!(problem.to_string().starts_with("MINIO_ACCESS_KEY must be"));
    }

    #[test]
    fn the_waits_of_sending_are_fixed_in_production() {
        let problem = Config::read(&env(&[("APP_ENV", "prod"), ("LEASE_MS", "1000")])).unwrap_err();
        assert!(problem.to_string().starts_with("LEASE_MS must be"));
    }
}
