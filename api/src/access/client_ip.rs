//! Where a request comes from: the socket's peer, or what a proxy of ours says.

use std::convert::Infallible;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use axum::extract::{ConnectInfo, FromRequestParts};
use axum::http::HeaderMap;
use axum::http::request::Parts;

use crate::state::AppState;

/// The address of the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClientIp(pub IpAddr);

impl FromRequestParts<AppState> for ClientIp {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, Infallible> {
        let peer = parts.extensions.get::<ConnectInfo<SocketAddr>>();
        // Without a socket (the router called directly, in tests) everybody is one client.
        let peer = peer.map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |peer| peer.0.ip());
        let proxies = &state.config.access.trusted_proxies;
        Ok(Self(client(peer.to_canonical(), &parts.headers, proxies)))
    }
}

/// The right-most address that is not a proxy of ours; nothing else can be believed.
fn client(peer: IpAddr, headers: &HeaderMap, proxies: &[IpAddr]) -> IpAddr {
    if !proxies.contains(&peer) {
        return peer;
    }
    let forwarded = headers.get_all("x-forwarded-for").iter();
    let hops: Vec<&str> = forwarded
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .collect();
    let mut client = peer;
    for hop in hops.iter().rev() {
        let Ok(address) = hop.trim().parse::<IpAddr>() else {
            return client;
        };
        client = address.to_canonical();
        if !proxies.contains(&client) {
            return client;
        }
    }
    client
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    fn forwarded(value: &str) -> HeaderMap {
        HeaderMap::from_iter([("x-forwarded-for".parse().unwrap(), value.parse().unwrap())])
    }

    #[test]
    fn only_our_proxies_are_believed() {
        let forged = forwarded("9.9.9.9, 5.5.5.5");
        assert_eq!(client(ip("1.2.3.4"), &forged, &[]), ip("1.2.3.4"));
        let proxies = [ip("10.0.0.1"), ip("10.0.0.2")];
        assert_eq!(client(ip("10.0.0.1"), &forged, &proxies), ip("5.5.5.5"));
        let chain = forwarded("9.9.9.9, 5.5.5.5, 10.0.0.2");
        assert_eq!(client(ip("10.0.0.1"), &chain, &proxies), ip("5.5.5.5"));
        let odd = forwarded("9.9.9.9, unknown");
        assert_eq!(client(ip("10.0.0.1"), &odd, &proxies), ip("10.0.0.1"));
    }
}
