//! The floor of row 1: a bare push to a stream and a bare blocked read of it, without runtime or library of jobs.

use std::thread::{sleep, spawn};
use std::time::Duration;

use anyhow::Result;
use redis::io::tcp::TcpSettings;
use redis::streams::StreamReadReply;
use redis::{Client, Connection, IntoConnectionInfo};

use crate::Waiting;
use crate::child::Seen;
use crate::figures::{Start, now_ns};
use crate::queue::gap;

const KEY: &str = "floor";
const GROUP: &str = "g";

/// A plain connection.
pub(crate) fn connect(url: &str) -> Result<Connection> {
    let info = url.into_connection_info()?;
    let info = info.set_tcp_settings(TcpSettings::default().set_nodelay(true));
    Ok(Client::open(info)?.get_connection()?)
}

/// Pushes jobs with random gaps between them.
pub(crate) fn push(url: &str, jobs: usize) -> Result<()> {
    let mut connection = connect(url)?;
    for _ in 0..jobs {
        sleep(gap());
        let mut add = redis::cmd("XADD");
        add.arg(&[KEY, "*", "pushed"]).arg(now_ns());
        let _id: String = add.query(&mut connection)?;
    }
    Ok(())
}

/// Waits for jobs and acknowledges them.
pub(crate) fn wait(waiting: &Waiting) -> Result<()> {
    let mut connection = connect(&waiting.redis_url)?;
    let mut make = redis::cmd("XGROUP");
    make.arg(&["CREATE", KEY, GROUP, "0", "MKSTREAM"]);
    make.exec(&mut connection)?;
    let seen = Seen::default();
    let reporting = seen.clone();
    spawn(move || {
        loop {
            if let Err(error) = read(&mut connection, &seen) {
                // The server was ended before this process.
                sleep(Duration::from_secs(1));
                drop(error);
            }
        }
    });
    reporting.report()
}

fn read(connection: &mut Connection, seen: &Seen) -> Result<()> {
    let mut read = redis::cmd("XREADGROUP");
    read.arg(&["GROUP", GROUP, "me", "COUNT", "1", "BLOCK", "2000"])
        .arg(&["STREAMS", KEY, ">"]);
    let reply: Option<StreamReadReply> = read.query(connection)?;
    let keys = reply.unwrap_or_default().keys;
    for entry in keys.into_iter().flat_map(|key| key.ids) {
        let pushed = entry.get("pushed").unwrap_or_default();
        let began = now_ns();
        seen.add(Start { pushed, began });
        let mut end = redis::pipe();
        end.cmd("XACK").arg(&[KEY, GROUP, &entry.id]).ignore();
        end.cmd("XDEL").arg(&[KEY, &entry.id]).ignore();
        end.exec(connection)?;
    }
    Ok(())
}
