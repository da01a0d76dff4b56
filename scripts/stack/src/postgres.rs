//! A PostgreSQL of our own: its cluster in a folder, listening on loopback with a password.

use std::ffi::OsString;
use std::fs::File;
use std::io::Write;
use std::os::unix::fs::{MetadataExt, chown};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow, bail};
use rustix::process::{Signal, geteuid};

use crate::log::Log;
use crate::program::{Ending, Program, find, is_program};
use crate::secrets;
use crate::state_dir::remove;

pub const NAME: &str = "postgres";

const VERSIONS: &str = "/usr/lib/postgresql";
/// Fast shutdown; immediate shutdown if that takes too long.
const ENDING: Ending = Ending {
    gently: Signal::INT,
    firmly: Signal::QUIT,
    orphaned: "INT",
};
/// The folder that a program is handed (see `Program::folder`).
const HANDED: &str = "/proc/self/fd/9";

/// A cluster that is ready to be started.
#[derive(Debug)]
pub struct Cluster {
    folder: PathBuf,
    binaries: PathBuf,
    password: String,
    user: Option<(u32, u32)>,
}

impl Cluster {
    /// Opens the cluster in this folder, making it if there is none; `log` takes what that says.
    pub async fn open(folder: &Path, log: Log) -> Result<Self> {
        let user = make_folder(folder)?;
        let data = folder.join("data");
        let version = std::fs::read_to_string(data.join("PG_VERSION")).ok();
        let cluster = Self {
            folder: folder.to_owned(),
            binaries: binaries(version.as_deref().map(str::trim))?,
            password: password(folder, user, version.is_some())?,
            user,
        };
        if version.is_none() {
            let made = folder.join("data.new");
            remove(&made)?;
            cluster.initdb(log).finish().await?;
            // In one step: a half-made cluster never looks like one.
            std::fs::rename(&made, &data)?;
        }
        Ok(cluster)
    }

    /// The server of this cluster on a port; `settings` are added to its command line.
    pub fn server(&self, port: u16, settings: &[&str], log: Log) -> Program {
        let port = format!("port={port}");
        let mut args = vec!["-D", HANDED];
        // No unix socket: its path would have to fit into 107 bytes.
        let usual = [
            "listen_addresses=127.0.0.1",
            "unix_socket_directories=",
            "max_connections=300",
        ];
        for setting in usual.iter().chain(settings).chain([&port.as_str()]) {
            args.extend(["-c", setting]);
        }
        self.program(NAME, "postgres", &args, "data", log)
    }

    /// The address of a database of this cluster, as its superuser.
    pub fn url(&self, port: u16, database: &str) -> String {
        let password = &self.password;
        format!("postgres://postgres:{password}@127.0.0.1:{port}/{database}")
    }

    fn initdb(&self, log: Log) -> Program {
        let (data, password) = (
            format!("{HANDED}/data.new"),
            format!("--pwfile={HANDED}/password"),
        );
        // Passwords go over loopback in the clear: hashing one for each connection is slow in an unoptimised build.
        let args = [
            "-D",
            &data,
            "--username=postgres",
            "--auth=password",
            &password,
            "--encoding=UTF8",
            "--locale=C.UTF-8",
        ];
        self.program("initdb", "initdb", &args, "", log)
    }

    fn program(
        &self,
        name: &'static str,
        file: &str,
        args: &[&str],
        folder: &str,
        log: Log,
    ) -> Program {
        Program {
            name,
            path: self.binaries.join(file),
            args: args.iter().map(OsString::from).collect(),
            env: plain_environment(),
            log,
            user: self.user,
            folder: Some(self.folder.join(folder)),
            ending: ENDING,
        }
    }
}

/// What a server needs to know of the environment; nobody's secrets.
pub fn plain_environment() -> Vec<(String, String)> {
    let path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
    [("PATH", path), ("LANG", "C.UTF-8")]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into()
}

/// Makes the folder; for root also says whose it is, because PostgreSQL refuses to run as root.
fn make_folder(folder: &Path) -> Result<Option<(u32, u32)>> {
    let root = geteuid().is_root();
    if !folder.exists() {
        let mut install = std::process::Command::new("install");
        install.args(["--directory", "--mode=700"]);
        if root {
            install.args(["--owner=postgres", "--group=postgres"]);
        }
        let made = install.arg(folder).output().context("cannot run install")?;
        if !made.status.success() {
            bail!("{}", String::from_utf8_lossy(&made.stderr));
        }
    }
    let owner = std::fs::metadata(folder)?;
    if root && owner.uid() == 0 {
        bail!(
            "{} belongs to root, whom PostgreSQL refuses: remove it, or add --fresh",
            folder.display()
        );
    }
    Ok(root.then(|| (owner.uid(), owner.gid())))
}

fn password(folder: &Path, user: Option<(u32, u32)>, must_exist: bool) -> Result<String> {
    let file = folder.join("password");
    match std::fs::read_to_string(&file) {
        Ok(password) => return Ok(password.trim().to_owned()),
        Err(error) if must_exist || error.kind() != std::io::ErrorKind::NotFound => {
            return Err(error).with_context(|| format!("cannot read {}", file.display()));
        }
        Err(_) => {}
    }
    let password = secrets::random_bytes::<16>()?
        .map(|byte| format!("{byte:02x}"))
        .concat();
    secrets::private(File::options().write(true), &file)?.write_all(password.as_bytes())?;
    if let Some((user, group)) = user {
        chown(&file, Some(user), Some(group))?;
    }
    Ok(password)
}

/// The folder of the server's programs: of this major version, or of the newest there is.
fn binaries(version: Option<&str>) -> Result<PathBuf> {
    let mut found: Vec<(u32, PathBuf)> = std::fs::read_dir(VERSIONS)
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| {
            Some((
                entry.file_name().to_str()?.parse().ok()?,
                entry.path().join("bin"),
            ))
        })
        .filter(|(_, folder)| {
            is_program(&folder.join("initdb")) && is_program(&folder.join("postgres"))
        })
        .collect();
    found.sort();
    let Some(version) = version else {
        let newest = found.pop().map(|(_, folder)| folder);
        return newest
            .or_else(elsewhere)
            .ok_or_else(|| anyhow!("PostgreSQL is not installed"));
    };
    let same = found
        .iter()
        .find(|(number, _)| number.to_string() == version);
    same.map(|(_, folder)| folder.clone()).or_else(elsewhere).ok_or_else(|| {
        anyhow!("the data is of PostgreSQL {version}, which is not installed: install it, or add --fresh")
    })
}

/// The folder of an installation that is not the distribution's.
fn elsewhere() -> Option<PathBuf> {
    find("initdb").and_then(|initdb| initdb.parent().map(Path::to_owned))
}
