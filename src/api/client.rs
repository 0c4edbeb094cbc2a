//! Who sent a request: the peer, or whom a trusted proxy names.

use std::net::{IpAddr, SocketAddr};

use axum::extract::ConnectInfo;
use axum::extract::Request;
use axum::http::HeaderMap;
use ipnet::IpNet;

const FORWARDED_FOR: &str = "x-forwarded-for";

/// The address of whoever sent a request, among its extensions; absent where no peer is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Client(pub Option<IpAddr>);

/// Tells clients from the proxies before them.
#[derive(Clone, Debug)]
pub struct Clients {
    trusted: Vec<IpNet>,
}

impl Clients {
    /// `trusted`: the proxies whose `X-Forwarded-For` is believed.
    pub fn behind(trusted: Vec<IpNet>) -> Self {
        Self { trusted }
    }

    pub fn of(&self, request: &Request) -> Client {
        let peer = request.extensions().get::<ConnectInfo<SocketAddr>>();
        Client(peer.map(|ConnectInfo(peer)| self.behind_proxies(peer.ip(), request.headers())))
    }

    /// Each hop appends whom it heard: read from the end, the first that is no proxy of ours sent the
    /// request, and what stands before it is that one's word alone. What is no address ends the
    /// reading; the last proxy before it then counts as the sender.
    fn behind_proxies(&self, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
        let lines = headers.get_all(FORWARDED_FOR).iter().rev();
        let hops = lines.flat_map(|line| line.as_bytes().rsplit(|byte| *byte == b','));
        let mut sender = peer.to_canonical();
        for hop in hops {
            if !self.is_trusted(sender) {
                return sender;
            }
            match address(hop) {
                Some(before) => sender = before,
                None => return sender,
            }
        }
        sender
    }

    fn is_trusted(&self, address: IpAddr) -> bool {
        self.trusted
            .iter()
            .any(|network| network.contains(&address))
    }
}

/// An address as proxies write it: alone, in brackets, or with a port.
fn address(hop: &[u8]) -> Option<IpAddr> {
    let text = std::str::from_utf8(hop).ok()?.trim();
    let bare = text
        .strip_prefix('[')
        .and_then(|text| text.strip_suffix(']'))
        .unwrap_or(text);
    let with_port = || text.parse::<SocketAddr>().ok().map(|address| address.ip());
    let address = bare.parse().ok().or_else(with_port)?;
    Some(address.to_canonical())
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    /// `lines`: the `X-Forwarded-For` of a request that `peer` sent.
    fn client(trusted: &[&str], peer: &str, lines: &[&'static str]) -> String {
        let trusted = trusted.iter().map(|text| text.parse().unwrap()).collect();
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(FORWARDED_FOR, HeaderValue::from_static(line));
        }
        Clients::behind(trusted)
            .behind_proxies(peer.parse().unwrap(), &headers)
            .to_string()
    }

    #[test]
    fn nobody_is_believed_unless_listed() {
        assert_eq!(client(&[], "10.0.0.1", &["192.0.2.7"]), "10.0.0.1");
        assert_eq!(
            client(&["10.0.0.0/8"], "11.0.0.1", &["192.0.2.7"]),
            "11.0.0.1"
        );
    }

    #[test]
    fn the_last_address_that_is_no_proxy_of_ours_counts() {
        let ours = ["10.0.0.0/8", "fd00::/8"];
        for (lines, expected) in [
            (&["192.0.2.7"][..], "192.0.2.7"),
            (&["198.51.100.1, 192.0.2.7, 10.1.1.1"], "192.0.2.7"),
            (
                &["198.51.100.1, 192.0.2.7", "10.1.1.1,fd00::1"],
                "192.0.2.7",
            ),
            (&["192.0.2.7:4711"], "192.0.2.7"),
            (&["[2001:db8::1]:443"], "2001:db8::1"),
            (&["[2001:db8::1]"], "2001:db8::1"),
            (&["::ffff:192.0.2.7"], "192.0.2.7"),
        ] {
            assert_eq!(client(&ours, "10.0.0.1", lines), expected, "{lines:?}");
        }
    }

    #[test]
    fn without_any_the_farthest_proxy_counts() {
        let ours = ["10.0.0.0/8"];
        assert_eq!(client(&ours, "10.0.0.1", &[]), "10.0.0.1");
        assert_eq!(
            client(&ours, "10.0.0.1", &["10.0.0.3, 10.0.0.2"]),
            "10.0.0.3"
        );
        assert_eq!(
            client(&ours, "10.0.0.1", &["192.0.2.7, unknown, 10.0.0.2"]),
            "10.0.0.2"
        );
        assert_eq!(client(&ours, "10.0.0.1", &[""]), "10.0.0.1");
    }

    #[test]
    fn a_port_that_listens_on_both_protocols_knows_an_ipv4_peer_as_such() {
        assert_eq!(
            client(&["10.0.0.1/32"], "::ffff:10.0.0.1", &["192.0.2.7"]),
            "192.0.2.7"
        );
        assert_eq!(client(&[], "::ffff:10.0.0.1", &[]), "10.0.0.1");
    }
}
