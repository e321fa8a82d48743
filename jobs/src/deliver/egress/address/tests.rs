use super::*;

/// Hosts that must not be called, in any form that reaches them.
const INSIDE: &str = "
    localhost LOCALHOST localhost. foo.localhost a.b.localhost localhost.localdomain.local printer.local db.internal
    metadata.google.internal wiki.intranet nas.lan router.home.arpa mail.corp tv.home intranet db postgres redis kubernetes
    metadata a.local. x.INTERNAL
    127.0.0.1 127.0.0.0 127.1 127.0.1 127.255.255.255 127.0.0.1. 127.000.000.001 0177.0.0.1 0177.0.0.01 0x7f.0.0.1
    0x7f.0x0.0x0.0x1 0x7f000001 0X7F000001 2130706433 017700000001 0x7f.1 0177.1 127.0x1 0x7F.0.1 127.0.0.0x1 0177.0x0.0.1
    %31%32%37.0.0.1 127%2e0%2e0%2e1 １２７.0.0.1 127。0。0。1 ①②⑦.0.0.1
    0.0.0.0 0 0x0 00 0.0.0.1 0.1.2.3 0.255.255.255 0x00000000
    10.0.0.0 10.0.0.1 10.1 10.255.255.255 0xa.0.0.1 012.0.0.1 167772161 0x0a000001 10.0x0.0.1
    172.16.0.0 172.16.0.1 172.20.1.1 172.31.255.255 172.16.1 0xac.0x10.0.1 2886729729 0xac100001 0254.020.0.1
    192.168.0.0 192.168.0.1 192.168.1 192.168.255.255 0xc0.0xa8.0.1 3232235521 0xc0a80001 0300.0250.0.1 192.168.0x1
    100.64.0.0 100.64.0.1 100.100.100.200 100.127.255.255 0x64400001 1681915905
    169.254.0.0 169.254.169.254 169.254.169.253 169.254.170.2 169.254.255.255 0xa9fea9fe 2852039166 0251.0376.0251.0376
    0xa9.0xfe.0xa9.0xfe 169.254.43518 169.16689662 0xa9.254.0251.254 169.254.169.254.
    192.0.0.0 192.0.0.1 192.0.0.8 192.0.0.170 192.0.0.171 192.0.0.192 192.0.0.255
    192.31.196.1 192.52.193.1 192.88.99.0 192.88.99.1 192.88.99.255
    192.0.2.0 192.0.2.1 192.0.2.255 198.51.100.0 198.51.100.1 198.51.100.255 203.0.113.0 203.0.113.1 203.0.113.255
    198.18.0.0 198.18.0.1 198.19.0.1 198.19.255.255
    224.0.0.0 224.0.0.1 224.0.0.251 239.255.255.255 240.0.0.0 240.0.0.1 250.1.2.3 255.255.255.254 255.255.255.255 0xffffffff
    4294967295 0xe0000001
    [::] [::1] [0:0:0:0:0:0:0:0] [0:0:0:0:0:0:0:1] [0000:0000:0000:0000:0000:0000:0000:0001] [::0001] [0::1] [::0.0.0.1] [::2]
    [::127.0.0.1] [::10.0.0.1] [::8.8.8.8] [::7f00:1] [::169.254.169.254]
    [::ffff:127.0.0.1] [::FFFF:127.0.0.1] [::ffff:7f00:1] [0:0:0:0:0:ffff:127.0.0.1] [0:0:0:0:0:ffff:7f00:0001] [::ffff:0.0.0.0]
    [::ffff:10.0.0.1] [::ffff:a00:1] [::ffff:172.16.0.1] [::ffff:192.168.0.1] [::ffff:c0a8:1] [::ffff:169.254.169.254]
    [::ffff:a9fe:a9fe] [::ffff:100.64.0.1] [::ffff:192.0.2.1] [::ffff:198.18.0.1] [::ffff:224.0.0.1] [::ffff:255.255.255.255]
    [::ffff:0:127.0.0.1] [::ffff:0:0:1]
    [64:ff9b::127.0.0.1] [64:ff9b::7f00:1] [64:ff9b::10.0.0.1] [64:ff9b::a00:1] [64:ff9b::169.254.169.254] [64:ff9b::192.168.0.1]
    [64:ff9b::0.0.0.0] [64:ff9b::100.64.0.1] [64:ff9b::224.0.0.1] [64:ff9b:1::1] [64:ff9b:1:ffff::8.8.8.8] [64:ff9b:0:0:0:1::8.8.8.8]
    [2002::] [2002:7f00:1::] [2002:7f00:1::1] [2002:a00:1::1] [2002:c0a8:1::1] [2002:a9fe:a9fe::1] [2002:808:808::1]
    [2001::] [2001:0:4136:e378:8000:63bf:3fff:fdd2] [2001::1] [2001:1::1] [2001:2::] [2001:2:0:1::1] [2001:3::1] [2001:4:112::1]
    [2001:10::1] [2001:1f::1] [2001:20::1] [2001:2f:ffff::1] [2001:30::1] [2001:1ff:ffff::1]
    [2001:db8::] [2001:db8::1] [2001:0db8:ffff::1] [3fff::] [3fff::1] [3fff:fff:ffff::1]
    [fc00::] [fc00::1] [fd00::1] [fd00:ec2::254] [fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff] [fe80::] [fe80::1] [febf::1] [fec0::1]
    [feff::1] [ff00::] [ff01::1] [ff02::1] [ff05::2] [ff0e::1] [100::] [100::1] [100:0:0:1::1] [200::1] [400::1] [1000::1]
    [4000::1] [5f00::1] [6000::1] [8000::1] [c000::1] [e000::1] [f000::1] [f800::1] [ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]
    [0:0:0:0:0:0:127.0.0.1] [::FFFF:C0A8:0001] [::ffff:0a00:0001]";

/// Hosts of the public internet.
const OUTSIDE: &str = "
    partner.example hooks.partner.example partner.example. xn--mnchen-3ya.example local.partner.example internal.example
    localhost.partner.example homes.example mylocal.lanes.example
    1.1.1.1 8.8.8.8 9.255.255.255 11.0.0.0 100.63.255.255 100.128.0.0 126.255.255.255 128.0.0.0 169.253.255.255 169.255.0.0
    172.15.255.255 172.32.0.0 191.255.255.255 192.0.1.0 192.0.3.0 192.167.255.255 192.169.0.0 198.17.255.255 198.20.0.0
    198.51.99.255 198.51.101.0 203.0.112.255 203.0.114.0 223.255.255.255 0x08080808 134744072
    [2606:4700::1] [2a00:1450:4001::1] [2001:200::1] [2001:4860:4860::8888] [2003::1] [2400:cb00::1] [3ffe::1] [2001:db7::1]
    [::ffff:8.8.8.8] [64:ff9b::8.8.8.8] [64:ff9b::808:808]";

fn words(text: &str) -> Vec<&str> {
    text.split_whitespace().collect()
}

#[test]
fn more_than_two_hundred_forms_of_what_is_inside_are_refused() {
    let hosts = words(INSIDE);
    assert!(hosts.len() > 200, "{}", hosts.len());
    for host in hosts {
        for url in [format!("https://{host}/hook"), format!("https://{host}:8443")] {
            let refused = check(&url, false);
            // What the parser does not take at all leads nowhere either.
            assert!(
                matches!(refused, Err(Refused::Inside | Refused::NoUrl)),
                "{url} {refused:?}"
            );
        }
    }
}

#[test]
fn what_is_outside_is_called() {
    for host in words(OUTSIDE) {
        for url in [
            format!("https://{host}/hook"),
            format!("https://{host}:8443/?a=b"),
        ] {
            assert!(check(&url, false).is_ok(), "{url}");
        }
    }
}

#[test]
fn a_url_is_https_on_a_port_of_its_own_with_nothing_hidden_in_it() {
    for (url, refused) in [
        ("", Refused::NoUrl),
        ("partner.example", Refused::NoUrl),
        ("/hook", Refused::NoUrl),
        ("//partner.example/", Refused::NoUrl),
        ("https://", Refused::NoUrl),
        ("https:///", Refused::NoUrl),
        ("https://partner example/", Refused::NoUrl),
        ("https://partner.example/\n", Refused::NoUrl),
        ("https://partner.example\t", Refused::NoUrl),
        ("https:\\\\127.0.0.1\\", Refused::NoUrl),
        ("https://partner.example\\@127.0.0.1/", Refused::NoUrl),
        ("https://127.0.0.1\\.partner.example/", Refused::NoUrl),
        ("https://1.2.3.4.5/", Refused::NoUrl),
        ("https://256.1.1.1/", Refused::NoUrl),
        ("https://0x100000000/", Refused::NoUrl),
        ("https://[::1/", Refused::NoUrl),
        ("https://[fe80::1%25eth0]/", Refused::NoUrl),
        ("https://partner.example:99999/", Refused::NoUrl),
        ("http://partner.example/", Refused::Scheme),
        ("HTTP://partner.example/", Refused::Scheme),
        ("ftp://partner.example/", Refused::Scheme),
        ("file:///etc/passwd", Refused::Scheme),
        ("gopher://partner.example/", Refused::Scheme),
        ("data:text/plain,a", Refused::Scheme),
        ("javascript:alert(1)", Refused::Scheme),
        ("ws://partner.example/", Refused::Scheme),
        ("https://user@partner.example/", Refused::Userinfo),
        ("https://user:password@partner.example/", Refused::Userinfo),
        ("https://:password@partner.example/", Refused::Userinfo),
        ("https://partner.example@127.0.0.1/", Refused::Userinfo),
        ("https://partner.example/#fragment", Refused::Fragment),
        ("https://partner.example#@127.0.0.1/", Refused::Fragment),
        ("https://partner.example:0/", Refused::Port),
        ("https://partner.example:22/", Refused::Port),
        ("https://partner.example:25/", Refused::Port),
        ("https://partner.example:80/", Refused::Port),
        ("https://partner.example:1023/", Refused::Port),
        (
            &format!("https://partner.example/{}", "a".repeat(2_000)),
            Refused::TooLong,
        ),
    ] {
        assert_eq!(check(url, false).unwrap_err(), refused, "{url}");
    }
    for url in [
        "https://partner.example",
        "https://partner.example:443/",
        "https://partner.example:1024/",
        "https://partner.example/a/b?c=d",
        "HTTPS://PARTNER.EXAMPLE/",
    ] {
        assert!(check(url, false).is_ok(), "{url}");
    }
}

#[test]
fn in_development_what_is_inside_is_called_and_without_encryption() {
    for url in [
        "http://127.0.0.1:80/",
        "http://localhost:3000/",
        "https://10.0.0.1/",
        "http://[::1]/",
    ] {
        assert!(check(url, true).is_ok(), "{url}");
    }
    for url in [
        "ftp://127.0.0.1/",
        "http://user@localhost/",
        "http://localhost/#a",
        "localhost",
    ] {
        assert!(check(url, true).is_err(), "{url}");
    }
}

proptest::proptest! {
    #[test]
    fn no_text_makes_it_panic(text in ".*", inside in proptest::bool::ANY) {
        drop(check(&text, inside));
        drop(check(&format!("https://{text}/"), inside));
    }

    #[test]
    fn an_address_inside_is_refused_in_each_way_of_writing_it(bits in proptest::num::u32::ANY) {
        let address = Ipv4Addr::from(bits);
        let [a, b, c, d] = address.octets();
        let wanted = is_public(IpAddr::V4(address));
        for host in [
            format!("{a}.{b}.{c}.{d}"),
            format!("{bits}"),
            format!("0x{bits:x}"),
            format!("0{bits:o}"),
            format!("0x{a:x}.0{b:o}.{}", (u32::from(c) << 8) | u32::from(d)),
            format!("[::ffff:{a}.{b}.{c}.{d}]"),
            format!("[64:ff9b::{a}.{b}.{c}.{d}]"),
        ] {
            proptest::prop_assert_eq!(check(&format!("https://{host}/"), false).is_ok(), wanted, "{}", host);
        }
    }
}
