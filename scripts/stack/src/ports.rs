//! Finds ports on which servers of our own may listen.

use std::net::{Ipv4Addr, TcpListener};

use anyhow::{Result, bail};

use crate::secrets::random_bytes;

// Below the range from which the system takes the ports of outgoing connections: one of those could sit on the port
// while its server is being started again.
const FIRST: u16 = 15_000;
const COUNT: u16 = 15_000;
const TRIES: u8 = 100;

/// A port of the loopback interface on which nobody listens; a random one, so that two worlds rarely want the same.
pub fn free() -> Result<u16> {
    for _ in 0..TRIES {
        let port = FIRST + u16::from_be_bytes(random_bytes()?) % COUNT;
        if TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok() {
            return Ok(port);
        }
    }
    bail!("no free port from {FIRST} to {}", FIRST + COUNT)
}
