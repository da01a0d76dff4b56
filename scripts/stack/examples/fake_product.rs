//! Stands in for api, worker and sandbox in the tests of the supervisor; which one, its name says.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::ExitCode;

fn main() -> std::io::Result<ExitCode> {
    let mut args = std::env::args();
    let path = args.next().unwrap_or_default();
    let name = Path::new(&path)
        .file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned();
    let step = args.next();
    if variable("FAKE_FAILS") == step.clone().unwrap_or(name.clone()) {
        writeln!(std::io::stderr(), "FAKE_FAILS must be unset")?;
        return Ok(ExitCode::FAILURE);
    }
    match (name.as_str(), step) {
        (_, Some(step)) if step == "keys" => show_keys()?,
        (_, Some(step)) => remember(&step, &variable("DATABASE_URL"))?,
        ("api", None) => serve("APP_PORT")?,
        ("sandbox", None) => serve("SANDBOX_PORT")?,
        ("worker", None) => {
            rekey()?;
            wait()
        }
        _ => wait(),
    }
    Ok(ExitCode::SUCCESS)
}

fn wait() -> ! {
    loop {
        std::thread::park();
    }
}

/// One shop's key: sealed with whatever key stands in the file `sealed`.
fn rekey() -> std::io::Result<()> {
    let is_able = variable("ENCRYPTION_KEYS_OLD") == sealed_with() && !has("lazy");
    if sealed_with().is_empty() || is_able {
        remember("sealed", &variable("ENCRYPTION_KEY"))?;
    }
    remember("restarts", &format!("{}{}\n", read("restarts"), keys()))
}

fn show_keys() -> std::io::Result<()> {
    let mut out = std::io::stdout();
    writeln!(out, "key       used as  shops")?;
    for (name, used_as) in [
        ("ENCRYPTION_KEY", "current"),
        ("ENCRYPTION_KEYS_OLD", "old"),
    ] {
        let shops = u8::from(variable(name) == sealed_with());
        writeln!(out, "00000000  {used_as:<7}  {shops}")?;
    }
    Ok(())
}

/// The current, the old and the next key.
fn keys() -> String {
    [
        "ENCRYPTION_KEY",
        "ENCRYPTION_KEYS_OLD",
        "ENCRYPTION_KEY_NEXT",
    ]
    .map(variable)
    .join(" ")
}

fn sealed_with() -> String {
    read("sealed")
}

fn read(name: &str) -> String {
    std::fs::read_to_string(Path::new(&variable("STATE_DIR")).join(name)).unwrap_or_default()
}

fn has(name: &str) -> bool {
    Path::new(&variable("STATE_DIR")).join(name).exists()
}

fn variable(name: &str) -> String {
    let value = std::env::var_os(name).unwrap_or_default();
    value.to_string_lossy().into_owned()
}

fn remember(name: &str, content: &str) -> std::io::Result<()> {
    std::fs::write(Path::new(&variable("STATE_DIR")).join(name), content)
}

fn serve(port: &str) -> std::io::Result<()> {
    let listener = TcpListener::bind(format!("127.0.0.1:{}", variable(port)))?;
    for stream in listener.incoming() {
        // A caller that hangs up is its own business.
        answer(stream?).ok();
    }
    Ok(())
}

fn answer(mut stream: TcpStream) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    let (mut request, mut length) = (String::new(), 0);
    reader.read_line(&mut request)?;
    let mut header = String::new();
    while reader.read_line(&mut header)? > 2 {
        if let Some(value) = header.to_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().unwrap_or(0);
        }
        header.clear();
    }
    reader.take(length).read_to_end(&mut Vec::new())?;
    let body = r#"{"access_token":"token","chats":[{"id":1}]}"#;
    write!(
        stream,
        "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
}
