//! Which addresses an outgoing connection may reach.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use ipnet::IpNet;
use reqwest::Url;

/// Hosts and networks that an operator may allow.
const GUARD_ENTRIES: usize = 256;

/// Where outgoing connections may go; by default to public addresses only.
#[derive(Clone, Debug, Default)]
pub struct GuardPolicy {
    allow_loopback: bool,
    allow_hosts: Vec<String>,
    allow_networks: Vec<IpNet>,
}

impl GuardPolicy {
    /// Public addresses only.
    pub fn public() -> Self {
        Self::default()
    }

    /// Public addresses and this machine itself: what local mode allows.
    pub fn local() -> Self {
        Self { allow_loopback: true, ..Self::default() }
    }

    /// Every address; for a command line that goes where its own user sends it.
    pub fn unrestricted() -> Self {
        Self {
            allow_loopback: true,
            allow_hosts: Vec::new(),
            allow_networks: vec![
                // The default network of either family is the whole of it.
                IpNet::V4(ipnet::Ipv4Net::default()),
                IpNet::V6(ipnet::Ipv6Net::default()),
            ],
        }
    }

    /// Allows one more entry of an operator's list: a network (`10.0.0.0/8`), an address or a
    /// host name, whose addresses are then all allowed.
    ///
    /// # Errors
    /// A sentence when the entry is none of these, or one too many.
    pub fn allowing(mut self, entry: &str) -> Result<Self, String> {
        if self.allow_hosts.len() + self.allow_networks.len() >= GUARD_ENTRIES {
            return Err(format!("at most {GUARD_ENTRIES} hosts and networks can be allowed"));
        }
        let entry = entry.trim();
        if let Ok(network) = IpNet::from_str(entry) {
            self.allow_networks.push(network);
        } else if let Ok(address) = IpAddr::from_str(entry.trim_matches(['[', ']'])) {
            self.allow_networks.push(address.into());
        } else if is_host_name(entry) {
            self.allow_hosts.push(entry.trim_end_matches('.').to_ascii_lowercase());
        } else {
            return Err(format!("'{entry}' is neither a network, an address nor a host name"));
        }
        Ok(self)
    }

    /// True when a connection to `address` is allowed, whatever name led there.
    pub fn allows_address(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        is_public(address)
            || (self.allow_loopback && address.is_loopback())
            || self.allow_networks.iter().any(|network| network.contains(&address))
    }

    /// True when an operator allowed `host` by its name.
    pub fn allows_host(&self, host: &str) -> bool {
        let host = host.trim_end_matches('.');
        self.allow_hosts.iter().any(|allowed| allowed.eq_ignore_ascii_case(host))
    }
}

pub(super) fn is_web_scheme(url: &Url) -> bool {
    matches!(url.scheme(), "http" | "https")
}

/// The address written into a URL; the parser has already undone odd spellings (`0x7f.1`).
pub(super) fn literal_address(url: &Url) -> Option<IpAddr> {
    url.host_str().and_then(|host| host.trim_matches(['[', ']']).parse().ok())
}

fn is_host_name(text: &str) -> bool {
    !text.is_empty()
        && text.len() <= 253
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_'))
}

/// True for addresses of the open internet (IANA's special-purpose registries leave the rest).
fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => is_public_v4(v4),
        IpAddr::V6(v6) => is_public_v6(v6),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, d] = address.octets();
    let special = a == 0
        || a == 10
        || a == 127
        || a >= 224 // multicast, reserved, broadcast
        || (a == 100 && (64..128).contains(&b)) // carrier-grade NAT; some clouds' metadata
        || (a == 169 && b == 254) // link-local; most clouds' metadata
        || (a == 172 && (16..32).contains(&b))
        || (a == 192 && b == 168)
        || (a == 192 && b == 0 && (c == 0 || c == 2)) // protocol assignments, documentation
        || (a == 192 && b == 88 && c == 99) // 6to4 relays
        || (a == 198 && (b == 18 || b == 19)) // benchmarking
        || (a == 198 && b == 51 && c == 100) // documentation
        || (a == 203 && b == 0 && c == 113) // documentation
        || (a, b, c, d) == (168, 63, 129, 16); // one cloud's metadata on a public address
    !special
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    let segments = address.segments();
    // NAT64 carries a v4 address that is what really gets connected to.
    if segments[..6] == [0x64, 0xff9b, 0, 0, 0, 0] {
        let [a, b] = segments[6].to_be_bytes();
        let [c, d] = segments[7].to_be_bytes();
        return is_public_v4(Ipv4Addr::new(a, b, c, d));
    }
    // Global unicast is 2000::/3; all else (loopback, unique local, link-local,
    // multicast, v4-compatible) is special by being outside it.
    let global = segments[0] & 0xe000 == 0x2000;
    let special = match segments[0] {
        // Protocol assignments with Teredo; documentation.
        0x2001 => segments[1] < 0x0200 || segments[1] == 0x0db8,
        // 6to4, which carries a v4 address.
        0x2002 => true,
        // Documentation.
        0x3fff => segments[1] < 0x1000,
        _ => false,
    };
    global && !special
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allows(policy: &GuardPolicy, text: &str) -> bool {
        policy.allows_address(text.parse().unwrap())
    }

    #[test]
    fn refuses_everything_that_is_not_the_open_internet() {
        let policy = GuardPolicy::public();
        let refused = [
            "0.0.0.0",
            "0.1.2.3",
            "10.1.2.3",
            "100.64.0.1",
            "100.100.100.200",
            "100.127.255.255",
            "127.0.0.1",
            "127.9.9.9",
            "168.63.129.16",
            "169.254.169.254",
            "172.16.0.1",
            "172.31.255.255",
            "192.0.0.192",
            "192.0.2.1",
            "192.88.99.1",
            "192.168.1.1",
            "198.18.0.1",
            "198.51.100.1",
            "203.0.113.9",
            "224.0.0.1",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "::127.0.0.1",
            "64:ff9b::7f00:1",
            "64:ff9b::a9fe:a9fe",
            "64:ff9b:1::1",
            "fc00::1",
            "fd00:ec2::254",
            "fe80::1",
            "fec0::1",
            "ff02::1",
            "2001::1",
            "2001:db8::1",
            "2002:7f00:1::",
            "3fff::1",
            "100::1",
        ];
        for address in refused {
            assert!(!allows(&policy, address), "{address}");
        }
        let public = [
            "1.1.1.1",
            "100.63.255.255",
            "100.128.0.1",
            "172.15.0.1",
            "172.32.0.1",
            "192.0.1.1",
            "223.255.255.255",
            "2606:4700::1111",
            "2a00:1450::1",
            "::ffff:8.8.8.8",
            "64:ff9b::808:808",
            "2001:4860:4860::8888",
        ];
        for address in public {
            assert!(allows(&policy, address), "{address}");
        }
    }

    #[test]
    fn allows_what_an_operator_names_and_no_more() {
        let local = GuardPolicy::local();
        for address in ["127.0.0.1", "::1", "::ffff:127.0.0.1"] {
            assert!(allows(&local, address), "{address}");
        }
        for address in ["10.0.0.1", "169.254.169.254", "fe80::1"] {
            assert!(!allows(&local, address), "{address}");
        }
        let named = GuardPolicy::public()
            .allowing("10.8.0.0/16")
            .and_then(|policy| policy.allowing("[fd00::5]"))
            .and_then(|policy| policy.allowing("VLLM.internal"))
            .unwrap();
        assert!(allows(&named, "10.8.3.4") && allows(&named, "::ffff:10.8.3.4"));
        assert!(allows(&named, "fd00::5"));
        assert!(!allows(&named, "10.9.0.1") && !allows(&named, "fd00::6"));
        assert!(named.allows_host("vllm.internal.") && !named.allows_host("x.vllm.internal"));
        for bad in ["", "10.0.0.0/33", "a b", "http://x"] {
            assert!(GuardPolicy::public().allowing(bad).is_err(), "{bad}");
        }
        let open = GuardPolicy::unrestricted();
        assert!(allows(&open, "192.168.1.1") && allows(&open, "fe80::1"));
    }

    #[test]
    fn sees_addresses_through_odd_spellings() {
        for url in ["http://2130706433/", "http://0x7f.1/", "http://127.1/", "http://017700000001/"]
        {
            let address = literal_address(&Url::parse(url).unwrap());
            assert_eq!(address, Some("127.0.0.1".parse().unwrap()), "{url}");
        }
        let v6 = literal_address(&Url::parse("http://[::ffff:7f00:1]:80/").unwrap());
        assert!(!GuardPolicy::public().allows_address(v6.unwrap()));
        assert_eq!(literal_address(&Url::parse("http://localhost/").unwrap()), None);
    }
}
