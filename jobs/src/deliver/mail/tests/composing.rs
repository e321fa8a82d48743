//! What a mail looks like, whatever is put into it.

use super::super::compose::{address, compose};
use super::*;

fn composed(mail: &Mail) -> String {
    let composed = compose(mail, None).unwrap_or_else(|reason| panic!("{reason}"));
    String::from_utf8(composed.bytes).unwrap()
}

/// The names of the headers, as a server reads them.
fn headers(message: &str) -> Vec<String> {
    let (head, _) = message.split_once("\r\n\r\n").unwrap();
    head.split("\r\n")
        .filter(|line| !line.starts_with([' ', '\t']))
        .map(|line| {
            line.split_once(':')
                .unwrap_or_else(|| panic!("no header: {line}"))
                .0
                .to_owned()
        })
        .collect()
}

const PLAIN: &[&str] = &[
    "From",
    "To",
    "Subject",
    "Date",
    "Message-ID",
    "Auto-Submitted",
    "MIME-Version",
    "Content-Type",
    "Content-Transfer-Encoding",
];

#[test]
fn a_mail_says_who_writes_to_whom_what_it_is_and_how_to_end_it() {
    let mut mail = mail();
    assert_eq!(headers(&composed(&mail)), PLAIN);
    mail.html = Some("<p>Hello Maria</p>".to_owned());
    mail.unsubscribe_url = Some("https://acme.example/unsubscribe/abc?d=e".to_owned());
    let message = composed(&mail);
    for line in [
        "From: Acme <hello@acme.example>",
        "To: maria@example.com",
        "Subject: A pillow for five days",
        "Date: Sat, 21 Nov 2026 12:00:00 +0000",
        "Message-ID: <msg_1@acme.example>",
        "Auto-Submitted: auto-generated",
        "List-Unsubscribe: <https://acme.example/unsubscribe/abc?d=e>",
        "List-Unsubscribe-Post: List-Unsubscribe=One-Click",
    ] {
        assert!(message.contains(&format!("{line}\r\n")), "{line}: {message}");
    }
    assert!(message.contains("multipart/alternative"));
    let (text, html) = (
        message.find("text/plain").unwrap(),
        message.find("text/html").unwrap(),
    );
    assert!(text < html, "the last part is the one that is shown");
}

#[test]
fn nothing_that_is_put_in_becomes_a_header_a_line_or_a_part() {
    for evil in [
        "\r\nBcc: everyone@acme.example",
        "\nBcc: everyone@acme.example",
        "\rBcc: everyone@acme.example",
        "\r\n\r\n<script>",
        "\u{2028}Bcc: a@b.example",
        "=?utf-8?q?=0D=0ABcc:_a@b.example?=",
        "\0",
    ] {
        let mut one = mail();
        one.subject = format!("Hello{evil}");
        one.text = format!("Hello{evil}");
        let message = composed(&one);
        assert_eq!(headers(&message), PLAIN, "{message}");
        assert!(!message.contains('\0'));
        let mut two = mail();
        two.from = format!("Acme{evil} <hello@acme.example>");
        if let Ok(composed) = compose(&two, None) {
            let message = String::from_utf8(composed.bytes).unwrap();
            assert_eq!(headers(&message), PLAIN, "{message}");
        }
        for change in [
            |mail: &mut Mail, evil: &str| mail.to = format!("maria{evil}@example.com"),
            |mail: &mut Mail, evil: &str| mail.to = format!("maria@example.com{evil}"),
            |mail: &mut Mail, evil: &str| mail.message_id = format!("a{evil}@acme.example"),
            |mail: &mut Mail, evil: &str| mail.message_id = format!("a@acme.example{evil}"),
        ] {
            let mut three = mail();
            change(&mut three, evil);
            let is_refused = match compose(&three, None) {
                Err(_) => true,
                // What is odd but holds no line break stands where it was put.
                Ok(composed) => {
                    headers(&String::from_utf8(composed.bytes).unwrap()) == PLAIN && evil.starts_with('=')
                }
            };
            assert!(is_refused, "{evil:?}");
        }
        let mut four = mail();
        four.unsubscribe_url = Some(format!("https://acme.example/{evil}"));
        if let Ok(composed) = compose(&four, None) {
            let message = String::from_utf8(composed.bytes).unwrap();
            assert_eq!(headers(&message).len(), PLAIN.len() + 2, "{message}");
        }
    }
    for bad in [
        "javascript:alert(1)",
        "mailto:a@b.example",
        "not an address",
        "https://a.example/>, <https://b.example",
    ] {
        let mut mail = mail();
        mail.unsubscribe_url = Some(bad.to_owned());
        let fine = compose(&mail, None).is_ok_and(|composed| {
            String::from_utf8(composed.bytes)
                .unwrap()
                .contains("List-Unsubscribe: <https://a.example/%3E,%20%3Chttps://b.example>")
        });
        assert!(compose(&mail, None).is_err() || fine, "{bad}");
    }
}

#[test]
fn every_line_ends_in_cr_lf_is_short_and_no_line_of_a_body_ends_the_data() {
    let mut mail = mail();
    mail.subject = "Größe ".repeat(30);
    mail.text = format!("a\nb\r\nc\rd\n.\n..\n.\r\n{}\n\nFrom me\n.", "ü".repeat(3_000));
    mail.html = Some(format!("<p>{}</p>\n.\n", "x".repeat(3_000)));
    let message = composed(&mail);
    let bytes = message.as_bytes();
    for (place, byte) in bytes.iter().enumerate() {
        match byte {
            b'\n' => assert_eq!(bytes[place - 1], b'\r'),
            b'\r' => assert_eq!(bytes[place + 1], b'\n'),
            _ => assert!(byte.is_ascii()),
        }
    }
    assert!(message.lines().all(|line| line.len() <= 200), "{message}");
    assert!(message.ends_with("\r\n"));
}

#[tokio::test]
async fn a_line_with_a_dot_alone_arrives_as_it_was() {
    let scripted = Scripted::start(&[]).await;
    let mut one = mail();
    one.text = "a\n.\n..b\n.".to_owned();
    assert_eq!(
        mailer(&scripted, Encryption::Opportunistic).send(&one).await,
        Outcome::Accepted
    );
    assert!(
        scripted.messages()[0].contains("\r\na\r\n.\r\n..b\r\n.\r\n"),
        "{}",
        scripted.messages()[0]
    );
}

#[test]
fn addresses_are_those_that_a_server_takes() {
    for good in [
        "maria@example.com",
        "maria.o'neil+news@mail.example.co.uk",
        "a@b.example",
    ] {
        assert_eq!(address(good).unwrap().to_string(), good);
    }
    assert_eq!(
        address("maria@bücher.example").unwrap().to_string(),
        "maria@xn--bcher-kva.example"
    );
    for bad in [
        "",
        "maria",
        "@example.com",
        "maria@",
        "maria @example.com",
        "maria@exa mple.com",
        "maria@example.com,anna@example.com",
        "<maria@example.com>",
        "Maria <maria@example.com>",
        "\"a b\"@example.com",
        "märia@example.com",
        "maria@example.com\r\n",
        "maria@example.com\0",
        &format!("{}@example.com", "a".repeat(300)),
    ] {
        assert!(address(bad).is_none(), "{bad}");
    }
}

#[test]
fn a_mail_and_its_content_are_not_shown_by_accident() {
    let shown = format!("{:?}", mail());
    assert!(!shown.contains("maria") && !shown.contains("pillow"), "{shown}");
}

#[test]
fn the_sender_keeps_its_address_under_another_name() {
    let mailer = Mailer::folder("/nowhere")
        .with_from("Plaudit <hello@plaudit.example>")
        .unwrap();
    assert_eq!(mailer.sender(None), "Plaudit <hello@plaudit.example>");
    assert_eq!(mailer.sender(Some("Acme")), "Acme <hello@plaudit.example>");
    for name in [
        "Acme, Inc. <x@y.example>",
        "A\"b\\c",
        "Größe\r\nBcc: a@b.example",
        "",
        "@",
    ] {
        let mut mail = mail();
        mail.from = mailer.sender(Some(name));
        let message = composed(&mail);
        assert_eq!(headers(&message), PLAIN, "{message}");
        assert!(
            message.contains("<hello@plaudit.example>") || message.contains("From: hello@plaudit.example"),
            "{message}"
        );
    }
    assert_eq!(mailer.message_id("msg_7"), "msg_7@plaudit.example");
}
