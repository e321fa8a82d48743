//! Which addresses may be called. Pure.
//!
//! What a partner writes down decides whom this server calls, and this server may stand where its own network trusts it. So only what is
//! public on the internet is called: every special-purpose range of IPv4, and of IPv6 everything outside the global unicast range, and
//! what is special within it. An address that carries an IPv4 address inside is as good as that one, where carrying it is still in use
//! (v4-mapped, NAT64), and refused where it is not (v4-compatible, 6to4, Teredo).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use reqwest::Url;

/// The longest address that is kept, in bytes.
const URL_MAX: usize = 2_000;
/// Ports below this belong to services of other kinds, but for that of HTTPS.
const FREE_PORTS: u16 = 1_024;
/// Names that never leave a machine or a network.
const LOCAL_NAMES: [&str; 8] = [
    "localhost",
    "local",
    "internal",
    "intranet",
    "lan",
    "home.arpa",
    "corp",
    "home",
];

/// IPv4: a range by its first address and the length of its prefix.
const SPECIAL_V4: [([u8; 4], u32); 16] = [
    // This network, private networks, shared networks of providers.
    ([0, 0, 0, 0], 8),
    ([10, 0, 0, 0], 8),
    ([172, 16, 0, 0], 12),
    ([192, 168, 0, 0], 16),
    ([100, 64, 0, 0], 10),
    // Loopback and link-local; the latter has the metadata of clouds.
    ([127, 0, 0, 0], 8),
    ([169, 254, 0, 0], 16),
    // Protocol assignments, AS112, the relays of 6to4 and AMT.
    ([192, 0, 0, 0], 24),
    ([192, 31, 196, 0], 24),
    ([192, 52, 193, 0], 24),
    ([192, 88, 99, 0], 24),
    // Documentation and benchmarks.
    ([192, 0, 2, 0], 24),
    ([198, 51, 100, 0], 24),
    ([203, 0, 113, 0], 24),
    ([198, 18, 0, 0], 15),
    // Multicast, reserved, broadcast.
    ([224, 0, 0, 0], 3),
];

/// IPv6 within the global unicast range 2000::/3, by the first two groups and the length of the prefix.
const SPECIAL_V6: [([u16; 2], u32); 4] = [
    // Protocol assignments: Teredo, benchmarks, overlays.
    ([0x2001, 0], 23),
    // Documentation.
    ([0x2001, 0xdb8], 32),
    ([0x3fff, 0], 20),
    // 6to4.
    ([0x2002, 0], 16),
];

/// Why an address is not called.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// It is no URL.
    #[error("not a URL such as https://partner.example/webhooks")]
    NoUrl,
    /// It is too long.
    #[error("at most 2,000 characters")]
    TooLong,
    /// It has another scheme.
    #[error("the scheme is https")]
    Scheme,
    /// It has a name or a password in it.
    #[error("without a user name or a password")]
    Userinfo,
    /// It has a fragment.
    #[error("without a fragment")]
    Fragment,
    /// Its port belongs to other services.
    #[error("the port is 443, or from 1024 on")]
    Port,
    /// It is inside, or not public.
    #[error("an address on the public internet")]
    Inside,
}

/// Reads an address and says whether it may be called, by all that can be said without asking the network. With `allow_inside`, for
/// development, so may every address, and without encryption.
pub fn check(text: &str, allow_inside: bool) -> Result<Url, Refused> {
    if text.len() > URL_MAX {
        return Err(Refused::TooLong);
    }
    // The parser takes these out silently; whoever wrote them meant something else.
    if text
        .bytes()
        .any(|byte| byte.is_ascii_control() || byte == b' ' || byte == b'\\')
    {
        return Err(Refused::NoUrl);
    }
    let url = Url::parse(text).map_err(|_| Refused::NoUrl)?;
    match url.scheme() {
        "https" => {}
        "http" if allow_inside => {}
        _ => return Err(Refused::Scheme),
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(Refused::Userinfo);
    }
    if url.fragment().is_some() {
        return Err(Refused::Fragment);
    }
    let host = url.host_str().ok_or(Refused::NoUrl)?;
    if allow_inside {
        return Ok(url);
    }
    if url
        .port_or_known_default()
        .is_none_or(|port| port != 443 && port < FREE_PORTS)
    {
        return Err(Refused::Port);
    }
    // The parser has brought every form of an IPv4 address (decimal, octal, hexadecimal, short) into the usual one.
    let literal = host
        .trim_start_matches('[')
        .trim_end_matches(']')
        .parse::<IpAddr>();
    let is_public_host = match literal {
        Ok(address) => is_public(address),
        Err(_) => is_public_name(host),
    };
    if is_public_host {
        Ok(url)
    } else {
        Err(Refused::Inside)
    }
}

/// Whether a name can lead outside: it has a dot, and is not of those that never do.
fn is_public_name(host: &str) -> bool {
    let name = host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase();
    let is_under = |local: &str| {
        name.strip_suffix(local)
            .is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
    };
    name.contains('.') && !LOCAL_NAMES.iter().any(|local| is_under(local))
}

/// Whether an address is public on the internet.
pub fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let is_in = |(first, length): &([u8; 4], u32)| {
        let prefix = 32 - length;
        address.to_bits() >> prefix == Ipv4Addr::from(*first).to_bits() >> prefix
    };
    !SPECIAL_V4.iter().any(is_in)
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    let groups = address.segments();
    let [.., high, low] = groups;
    let inner = Ipv4Addr::from((u32::from(high) << 16) | u32::from(low));
    match groups {
        // v4-mapped; and NAT64 by its well-known prefix, by which a network without IPv4 reaches it.
        [0, 0, 0, 0, 0, 0xffff, ..] | [0x64, 0xff9b, 0, 0, 0, 0, ..] => return is_public_v4(inner),
        _ => {}
    }
    let [first, second, ..] = groups;
    let bits = (u32::from(first) << 16) | u32::from(second);
    let is_in = |([first, second], length): &([u16; 2], u32)| {
        let prefix = 32 - length;
        bits >> prefix == ((u32::from(*first) << 16) | u32::from(*second)) >> prefix
    };
    first & 0xe000 == 0x2000 && !SPECIAL_V6.iter().any(is_in)
}

#[cfg(test)]
mod tests;
