//! Public IP addresses.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::ops::Range;

/// Four small numbers are a version or the number of a section, unless the word before says otherwise.
const OCTET_TELLING: u8 = 64;
/// Bytes before an address in which the word before it is looked for.
const LOOKBACK_BYTES: usize = 24;
/// Words before an address.
const ADDRESS_WORDS: [&str; 11] = [
    "ip",
    "ipv4",
    "address",
    "addresses",
    "host",
    "server",
    "ping",
    "dns",
    "gateway",
    "from",
    "at",
];
/// Words before a version.
const VERSION_WORDS: [&str; 9] =
    ["version", "versions", "v", "ver", "release", "section", "firmware", "build", "oid"];

/// Addresses in a text that lead to somebody: private, local and reserved ones are everybody's.
pub(super) fn find(text: &str) -> Vec<Range<usize>> {
    let bytes = text.as_bytes();
    let mut found = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        if !is_part(bytes[at]) {
            at += 1;
            continue;
        }
        let start = at;
        while at < bytes.len() && is_part(bytes[at]) {
            at += 1;
        }
        let mut end = at;
        while end > start && matches!(bytes[end - 1], b'.' | b':') {
            end -= 1;
        }
        let alone = start == 0 || !matches!(bytes[start - 1], b'-' | b'/' | b'@' | b'=' | b'$');
        let token = &text[start..end];
        let ends_alone = !text[end..].starts_with(['-', '/']) || is_prefix_length(&text[end..]);
        if alone && ends_alone && is_address(token, &text[..start]) {
            found.push(start..end);
        }
    }
    found
}

fn is_part(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b':' | b'_') || byte >= 0x80
}

/// `/24` behind an address belongs to it; `/index.html` is the rest of a path.
fn is_prefix_length(after: &str) -> bool {
    let digits = after.bytes().skip(1).take_while(u8::is_ascii_digit).count();
    after.starts_with('/') && (1..=3).contains(&digits)
}

fn is_address(token: &str, before: &str) -> bool {
    if token.len() < 7 {
        return false;
    }
    // A port may follow.
    let host =
        token.split_once(':').filter(|(host, _)| host.contains('.')).map_or(token, |(h, _)| h);
    if let Ok(address) = host.parse::<Ipv4Addr>() {
        let octets = address.octets();
        let everybodys = address.is_private()
            || address.is_loopback()
            || address.is_link_local()
            || octets[0] == 0
            || octets[0] >= 224;
        let word = word_before(before);
        let is_version = VERSION_WORDS.contains(&word.as_str())
            || (octets.iter().all(|&octet| octet < OCTET_TELLING)
                && !ADDRESS_WORDS.contains(&word.as_str()));
        return !everybodys && !is_version;
    }
    // Global unicast is 2000::/3 (RFC 4291); this leaves out paths of C++ and times of day.
    let Ok(address) = token.parse::<Ipv6Addr>() else { return false };
    address.segments()[0] >> 13 == 1
}

/// The last word of what stands before, in small letters.
fn word_before(before: &str) -> String {
    let start = before.ceil_char_boundary(before.len().saturating_sub(LOOKBACK_BYTES));
    let tail = before[start..].trim_end_matches(|c: char| !c.is_alphanumeric());
    let word = tail.rsplit(|c: char| !c.is_alphanumeric()).next().unwrap_or_default();
    word.to_ascii_lowercase()
}
