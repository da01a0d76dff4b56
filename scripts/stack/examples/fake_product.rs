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
        (_, Some(step)) => remember(&step, &variable("DATABASE_URL"))?,
        ("api", None) => serve("APP_PORT")?,
        ("sandbox", None) => serve("SANDBOX_PORT")?,
        _ => loop {
            std::thread::park();
        },
    }
    Ok(ExitCode::SUCCESS)
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
