//! Real mails over real connections to a stock mail server (aiosmtpd), and what arrives there. `.ci/test` installs what they need.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use jobs::deliver::mail::{Dkim, Mail, Mailer, Outcome, Server};
use serde_json::Value;

const PYTHON: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../target/python/bin/python");
const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../api/tests/clients/smtp.py");
/// For what comes at once, on a machine that is busy.
const SOON: Duration = Duration::from_secs(30);

/// A mail server as a process; it ends with its standard input.
struct Post {
    child: Child,
    said: Receiver<String>,
    port: u16,
    _stdin: ChildStdin,
}

impl Post {
    fn start(arguments: &[&str]) -> Self {
        assert!(
            Path::new(PYTHON).is_file(),
            "the mail server is not installed: .ci/test does so, into target/python"
        );
        let mut child = Command::new(PYTHON)
            .arg(SCRIPT)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("python starts");
        let (tell, said) = channel();
        let out = BufReader::new(child.stdout.take().expect("its output is a pipe"));
        std::thread::spawn(move || {
            out.lines()
                .map_while(Result::ok)
                .try_for_each(|line| tell.send(line))
        });
        let stdin = child.stdin.take().expect("its input is a pipe");
        let port = said.recv_timeout(SOON).expect("it says where it listens");
        Self {
            port: port.parse().expect("a port"),
            child,
            said,
            _stdin: stdin,
        }
    }

    /// A way to it; it has a name of its own, as certificates have names.
    fn server(&self, scheme: &str, login: &str, query: &str) -> Server {
        let url = format!("{scheme}://{login}localhost:{}{query}", self.port);
        Server::parse(&url).expect("an address of a server")
    }

    fn plain(&self) -> Mailer {
        Mailer::smtp(self.server("smtp", "", "?tls=opportunistic")).expect("a mailer")
    }

    /// What it was given next.
    fn given(&self) -> Value {
        let line = self.said.recv_timeout(SOON).expect("it was given a message");
        serde_json::from_str(&line).expect("JSON")
    }
}

impl Drop for Post {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn mail(to: &str) -> Mail {
    Mail {
        from: "Acme Größe <hello@acme.example>".to_owned(),
        to: format!("{to}@example.com"),
        subject: "Für dich: ein Kissen für fünf Tage in Folge, und noch ein paar Worte mehr als in eine Zeile passen".to_owned(),
        text: "Hallo Maria,\n\n.\n.. danke für fünf Tage.\nFrom here on: more\n".to_owned(),
        html: Some("<p>Hallo <b>Maria</b></p>\n.\n".to_owned()),
        message_id: format!("msg_{to}@acme.example"),
        date: "2026-11-21T12:00:00Z".parse().expect("an instant"),
        unsubscribe_url: Some("https://plaudit.example/unsubscribe/abc.def-ghi_jkl".to_owned()),
    }
}

fn header<'a>(given: &'a Value, name: &str) -> Vec<&'a str> {
    let headers = given["headers"].as_array().expect("headers");
    headers
        .iter()
        .filter(|header| {
            header[0]
                .as_str()
                .is_some_and(|found| found.eq_ignore_ascii_case(name))
        })
        .filter_map(|header| header[1].as_str())
        .collect()
}

fn openssl(arguments: &[&str]) -> Vec<u8> {
    let done = Command::new("openssl")
        .args(arguments)
        .output()
        .expect("openssl is installed: .ci/test does so");
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    done.stdout
}

/// A key and a certificate that it has signed itself: the paths, and the certificate.
fn certificate(folder: &Path) -> (String, String, String) {
    let path = |name: &str| folder.join(name).display().to_string();
    let (key, certificate) = (path("key.pem"), path("certificate.pem"));
    openssl(&[
        "req",
        "-x509",
        "-newkey",
        "rsa:2048",
        "-nodes",
        "-days",
        "2",
        "-subj",
        "/CN=localhost",
        "-addext",
        "subjectAltName=DNS:localhost",
        "-addext",
        "basicConstraints=critical,CA:FALSE",
        "-keyout",
        &key,
        "-out",
        &certificate,
    ]);
    let text = std::fs::read_to_string(&certificate).expect("openssl has written it");
    (certificate, key, text)
}

#[tokio::test]
async fn what_arrives_is_what_was_sent_with_one_click_to_end_it() {
    let post = Post::start(&[]);
    let mailer = post.plain();
    assert_eq!(mailer.send(&mail("maria")).await, Outcome::Accepted);
    let given = post.given();
    assert_eq!(given["from"], "hello@acme.example");
    assert_eq!(given["to"], serde_json::json!(["maria@example.com"]));
    let sent = mail("maria");
    for (name, value) in [
        ("From", sent.from.as_str()),
        ("To", "maria@example.com"),
        ("Subject", &sent.subject),
        ("Date", "Sat, 21 Nov 2026 12:00:00 +0000"),
        ("Message-ID", "<msg_maria@acme.example>"),
        ("Auto-Submitted", "auto-generated"),
        (
            "List-Unsubscribe",
            "<https://plaudit.example/unsubscribe/abc.def-ghi_jkl>",
        ),
        ("List-Unsubscribe-Post", "List-Unsubscribe=One-Click"),
        ("MIME-Version", "1.0"),
    ] {
        assert_eq!(header(&given, name), [value]);
    }
    assert_eq!(given["type"], "multipart/alternative");
    let html = sent.html.expect("a page");
    assert_eq!(
        given["parts"],
        serde_json::json!([["text/plain", sent.text], ["text/html", html]])
    );
    // Sent again, it is the same message.
    assert_eq!(mailer.send(&mail("maria")).await, Outcome::Accepted);
    assert_eq!(header(&post.given(), "Message-ID"), ["<msg_maria@acme.example>"]);
    // What nobody can end says nothing of it.
    let mut receipt = mail("maria");
    (receipt.unsubscribe_url, receipt.html) = (None, None);
    assert_eq!(mailer.send(&receipt).await, Outcome::Accepted);
    let given = post.given();
    assert_eq!(given["type"], "text/plain");
    assert!(
        header(&given, "List-Unsubscribe").is_empty() && header(&given, "List-Unsubscribe-Post").is_empty()
    );
}

#[tokio::test]
async fn each_answer_of_the_server_has_its_outcome_and_the_connection_goes_on() {
    let post = Post::start(&[]);
    let mailer = post.plain();
    let deferred = |code| Outcome::Deferred {
        code: Some(code),
        reason: "NOT_NOW",
    };
    let refused = |code, reason| Outcome::Refused {
        code: Some(code),
        reason,
    };
    for (to, expected, was_given) in [
        ("busy", deferred(451), false),
        ("gone", refused(550, "RECIPIENT_REFUSED"), false),
        ("full", deferred(452), true),
        ("spam", refused(554, "CONTENT_REFUSED"), true),
        ("maria", Outcome::Accepted, true),
        // Taken, and then nothing: it may not be sent again, and indeed it was taken.
        ("drop", Outcome::Unknown, true),
        ("maria", Outcome::Accepted, true),
    ] {
        assert_eq!(mailer.send(&mail(to)).await, expected, "{to}");
        if was_given {
            let given = post.given();
            assert_eq!(given["to"], serde_json::json!([format!("{to}@example.com")]));
            let is_taken = matches!(expected, Outcome::Accepted | Outcome::Unknown);
            assert_eq!(given["accepted"], is_taken, "{to}");
        }
    }
}

#[tokio::test]
async fn after_starttls_or_from_the_first_byte_on_it_is_encrypted_and_only_then_we_log_in() {
    let folder = tempfile::tempdir().expect("there is room for a folder");
    let (certificate, key, pem) = certificate(folder.path());
    for (flag, scheme) in [("--starttls", "smtp"), ("--tls", "smtps")] {
        let post = Post::start(&[flag, &certificate, &key, "--auth", "me", "p:ss wörd"]);
        let trusting = |login: &str| {
            let server = post
                .server(scheme, login, "")
                .trusting(&pem)
                .expect("a certificate");
            Mailer::smtp(server).expect("a mailer")
        };
        let mailer = trusting("me:p%3Ass%20w%C3%B6rd@");
        for _ in 0..2 {
            assert_eq!(mailer.send(&mail("maria")).await, Outcome::Accepted, "{scheme}");
            let given = post.given();
            assert_eq!(
                (&given["tls"], &given["authenticated"]),
                (&Value::Bool(true), &Value::Bool(true))
            );
        }
        let refused = Outcome::Deferred {
            code: Some(535),
            reason: "LOGIN_REFUSED",
        };
        assert_eq!(
            trusting("me:wrong@").send(&mail("maria")).await,
            refused,
            "{scheme}"
        );
        // Whoever does not log in is told to, which says nothing of the message.
        let outcome = trusting("").send(&mail("maria")).await;
        assert!(
            matches!(outcome, Outcome::Deferred { code: Some(530), .. }),
            "{scheme}: {outcome:?}"
        );
        // A certificate that nobody vouches for.
        let stranger = Mailer::smtp(post.server(scheme, "me:p%3Ass%20w%C3%B6rd@", "")).expect("a mailer");
        let outcome = stranger.send(&mail("maria")).await;
        assert!(
            matches!(outcome, Outcome::Deferred { code: None, .. }),
            "{scheme}: {outcome:?}"
        );
        // And one of another name: the same place, by its number.
        let url = format!("{scheme}://me:x@127.0.0.1:{}", post.port);
        let server = Server::parse(&url)
            .expect("an address")
            .trusting(&pem)
            .expect("a certificate");
        let outcome = Mailer::smtp(server).expect("a mailer").send(&mail("maria")).await;
        assert!(
            matches!(outcome, Outcome::Deferred { code: None, .. }),
            "{scheme}: {outcome:?}"
        );
    }
}

#[tokio::test]
async fn a_signature_holds_and_covers_how_to_end_such_mail() {
    let folder = tempfile::tempdir().expect("there is room for a folder");
    let path = |name: &str| folder.path().join(name).display().to_string();
    let record = |name: &str| {
        let key = path(name);
        openssl(&[
            "genpkey",
            "-algorithm",
            "RSA",
            "-pkeyopt",
            "rsa_keygen_bits:2048",
            "-out",
            &key,
        ]);
        let public = openssl(&["rsa", "-in", &key, "-pubout"]);
        let public = String::from_utf8(public).expect("PEM");
        let inside: String = public.lines().filter(|line| !line.starts_with('-')).collect();
        (
            std::fs::read_to_string(&key).expect("a key"),
            format!("v=DKIM1; k=rsa; p={inside}"),
        )
    };
    let (pem, published) = record("key.pem");
    let (_, other) = record("other.pem");
    let dkim = Dkim::new("acme.example", "mail2026", &pem).expect("a key");
    for (record, holds) in [(&published, true), (&other, false)] {
        let post = Post::start(&["--dkim", record]);
        let mailer = post.plain().with_dkim(dkim.clone());
        for mut sent in [mail("maria"), mail("anna")] {
            if sent.to.starts_with("anna") {
                (sent.html, sent.text) = (None, "Two  spaces \n\ttab\t \n\n\n".to_owned());
            }
            assert_eq!(mailer.send(&sent).await, Outcome::Accepted);
            let given = post.given();
            assert_eq!(given["dkim"], holds);
            let signature = header(&given, "DKIM-Signature").concat();
            for word in [
                "d=acme.example",
                "s=mail2026",
                "a=rsa-sha256",
                "List-Unsubscribe:List-Unsubscribe-Post",
                "From:From:",
            ] {
                assert!(signature.contains(word), "{word}: {signature}");
            }
        }
        // A key answers for its own domain alone.
        let mut foreign = mail("maria");
        foreign.from = "hello@other.example".to_owned();
        assert_eq!(mailer.send(&foreign).await, Outcome::Accepted);
        assert!(header(&post.given(), "DKIM-Signature").is_empty());
    }
    // An older form of the same key, and what is no key.
    let old = openssl(&["rsa", "-in", &path("key.pem"), "-traditional"]);
    assert!(Dkim::new("acme.example", "mail2026", &String::from_utf8(old).expect("PEM")).is_ok());
    for (selector, key) in [
        ("mail 2026", pem.as_str()),
        ("", &pem),
        ("a..b", &pem),
        ("a", ""),
        ("a", "nonsense"),
        ("a", &other),
    ] {
        assert!(Dkim::new("acme.example", selector, key).is_err(), "{selector}");
    }
}
