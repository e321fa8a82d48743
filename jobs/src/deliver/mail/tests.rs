//! The dialogue, against a server of the test that can fail at every place.

mod composing;
mod script;

use std::time::Duration;

use script::{Scripted, Then};

use super::*;

fn mail() -> Mail {
    Mail {
        from: "Acme <hello@acme.example>".to_owned(),
        to: "maria@example.com".to_owned(),
        subject: "A pillow for five days".to_owned(),
        text: "Hello Maria\n".to_owned(),
        html: None,
        message_id: "msg_1@acme.example".to_owned(),
        date: "2026-11-21T12:00:00Z".parse().unwrap(),
        unsubscribe_url: None,
    }
}

fn mailer(scripted: &Scripted, encryption: Encryption) -> Mailer {
    with(scripted, encryption, "")
}

fn with(scripted: &Scripted, encryption: Encryption, login: &str) -> Mailer {
    let tls = match encryption {
        Encryption::Opportunistic => "?tls=opportunistic",
        Encryption::Required | Encryption::Implicit => "",
    };
    let url = format!("smtp://{login}127.0.0.1:{}{tls}", scripted.port);
    Mailer::smtp(Server::parse(&url).unwrap()).unwrap()
}

/// What becomes of a mail when the server does this, and how many messages it has taken.
async fn outcome(script: &'static [(&'static str, Then)]) -> (Outcome, usize) {
    let scripted = Scripted::start(script).await;
    let outcome = mailer(&scripted, Encryption::Opportunistic).send(&mail()).await;
    (outcome, scripted.messages().len())
}

const fn deferred(code: Option<u16>, reason: &'static str) -> Outcome {
    Outcome::Deferred { code, reason }
}

const fn refused(code: u16, reason: &'static str) -> Outcome {
    Outcome::Refused {
        code: Some(code),
        reason,
    }
}

use Then::{Close, Hang, Say};

#[tokio::test]
async fn a_mail_that_the_server_takes_is_accepted() {
    let scripted = Scripted::start(&[]).await;
    let mailer = mailer(&scripted, Encryption::Opportunistic);
    assert_eq!(mailer.send(&mail()).await, Outcome::Accepted);
    let said = scripted.commands();
    assert_eq!(said[1], "MAIL FROM:<hello@acme.example>");
    assert_eq!(said[2], "RCPT TO:<maria@example.com>");
    assert!(scripted.messages()[0].contains("\r\nMessage-ID: <msg_1@acme.example>\r\n"));
}

#[tokio::test]
async fn answers_of_several_lines_are_one_answer() {
    let script: &[(&str, Then)] = &[
        ("greeting", Say("220-hello\r\n220-from\r\n220 here\r\n")),
        (
            "EHLO",
            Say("250-here\r\n250-SIZE 1000000\r\n250-8BITMIME\r\n250 HELP\r\n"),
        ),
        ("MAIL", Say("250-fine\r\n250 really\r\n")),
        (".", Say("250-queued\r\n250-as\r\n250 17\r\n")),
    ];
    assert_eq!(outcome(script).await, (Outcome::Accepted, 1));
}

#[tokio::test]
async fn wherever_the_connection_ends_before_the_data_is_over_the_mail_may_be_sent_again() {
    for (stage, reason) in [
        ("greeting", "BAD_ANSWER"),
        ("EHLO", "BAD_ANSWER"),
        ("MAIL", "BAD_ANSWER"),
        ("RCPT", "BAD_ANSWER"),
        ("DATA", "BAD_ANSWER"),
    ] {
        let (found, messages) = outcome(Vec::leak(vec![(stage, Close)])).await;
        // Which of the two it is depends on whether the end arrives as an end or as a reset.
        let or_reset = [
            deferred(None, reason),
            deferred(None, "BROKEN_OFF"),
            deferred(None, "CONNECTION_FAILED"),
        ];
        assert!(or_reset.contains(&found), "{stage}: {found:?}");
        assert_eq!(messages, 0);
    }
    let nobody = "smtp://127.0.0.1:1?tls=opportunistic";
    let nobody = Mailer::smtp(Server::parse(nobody).unwrap()).unwrap();
    assert_eq!(nobody.send(&mail()).await, deferred(None, "CONNECTION_FAILED"));
}

#[tokio::test]
async fn when_the_end_of_the_data_is_not_answered_nobody_knows() {
    for script in [
        &[(".", Close)] as &[(&str, Then)],
        &[(".", Say("nonsense\r\n")), ("QUIT", Close)],
        &[(".", Say("354 more\r\n"))],
        &[(".", Say("25")), ("QUIT", Close)],
        &[(".", Say("250-and so on\r\n"))],
    ] {
        let script: &'static [(&str, Then)] = Vec::leak(script.to_vec());
        let scripted = Scripted::start_and_close_after_data(script).await;
        let found = mailer(&scripted, Encryption::Opportunistic).send(&mail()).await;
        assert_eq!(
            (found, scripted.messages().len()),
            (Outcome::Unknown, 1),
            "{script:?}"
        );
    }
}

#[tokio::test]
async fn a_refusal_is_an_answer_and_is_judged_by_what_it_answers() {
    for (stage, answer, expected) in [
        // Of us, not of the message: the message waits, whatever the class.
        ("greeting", "421 not now\r\n", deferred(Some(421), "REFUSED")),
        ("greeting", "554 not you\r\n", deferred(Some(554), "REFUSED")),
        ("EHLO", "450 not now\r\n", deferred(Some(450), "REFUSED")),
        ("EHLO", "550 not you\r\n", deferred(Some(550), "REFUSED")),
        ("MAIL", "530 log in first\r\n", deferred(Some(530), "REFUSED")),
        ("RCPT", "503 what?\r\n", deferred(Some(503), "REFUSED")),
        // Of the message: not now, or never.
        ("MAIL", "451 not now\r\n", deferred(Some(451), "NOT_NOW")),
        ("MAIL", "550 never\r\n", refused(550, "SENDER_REFUSED")),
        ("RCPT", "451 not now\r\n", deferred(Some(451), "NOT_NOW")),
        (
            "RCPT",
            "450-full\r\n450 today\r\n",
            deferred(Some(450), "NOT_NOW"),
        ),
        ("RCPT", "550 nobody here\r\n", refused(550, "RECIPIENT_REFUSED")),
        ("RCPT", "501 no address\r\n", refused(501, "RECIPIENT_REFUSED")),
        ("DATA", "452 no room\r\n", deferred(Some(452), "NOT_NOW")),
        ("DATA", "554 never\r\n", refused(554, "CONTENT_REFUSED")),
        (".", "421 closing\r\n", deferred(Some(421), "NOT_NOW")),
        (".", "451 not now\r\n", deferred(Some(451), "NOT_NOW")),
        (".", "552 too large\r\n", refused(552, "CONTENT_REFUSED")),
        (".", "554 never\r\n", refused(554, "CONTENT_REFUSED")),
    ] {
        let (found, _) = outcome(Vec::leak(vec![(stage, Say(answer))])).await;
        assert_eq!(found, expected, "{stage} {answer}");
    }
}

#[tokio::test]
async fn answers_that_make_no_sense_before_the_data_leave_the_mail_unsent() {
    for (stage, answer) in [
        ("greeting", "SSH-2.0-x\r\n"),
        ("EHLO", "999 what\r\n"),
        ("MAIL", "\r\n"),
        ("RCPT", "250\0\u{7}x\r\n"),
        // "Fine", but not "go ahead".
        ("DATA", "250 fine\r\n"),
    ] {
        let (found, messages) = outcome(Vec::leak(vec![(stage, Say(answer)), ("QUIT", Close)])).await;
        assert!(
            matches!(found, Outcome::Deferred { code: None, .. }),
            "{stage} {answer}: {found:?}"
        );
        assert_eq!(messages, 0);
    }
}

#[tokio::test]
async fn a_server_that_answers_before_it_is_asked_is_not_believed() {
    // The answer to the end of the data, before there is any.
    let early: &[(&str, Then)] = &[("DATA", Say("354 go\r\n250 queued\r\n"))];
    let (found, messages) = outcome(early).await;
    assert_eq!((found, messages), (deferred(None, "BROKEN_OFF"), 0));
    let early: &[(&str, Then)] = &[("MAIL", Say("250 fine\r\n250 fine\r\n354 go\r\n250 queued\r\n"))];
    assert_eq!(outcome(early).await.1, 0);
}

#[tokio::test(start_paused = true)]
async fn every_step_has_its_deadline() {
    for (stage, seconds) in [
        ("greeting", 30),
        ("EHLO", 30),
        ("MAIL", 30),
        ("RCPT", 30),
        ("DATA", 30),
    ] {
        let began = tokio::time::Instant::now();
        let (found, messages) = outcome(Vec::leak(vec![(stage, Hang)])).await;
        assert_eq!((found, messages), (deferred(None, "TIMEOUT"), 0), "{stage}");
        assert_eq!(began.elapsed().as_secs(), seconds, "{stage}");
    }
    let began = tokio::time::Instant::now();
    assert_eq!(outcome(&[(".", Hang)]).await, (Outcome::Unknown, 1));
    assert_eq!(began.elapsed().as_secs(), 60);
}

#[tokio::test(start_paused = true)]
async fn data_that_the_server_does_not_read_to_its_end_was_not_taken() {
    let scripted = Scripted::start(&[("body", Hang)]).await;
    let url = format!("smtp://127.0.0.1:{}?tls=opportunistic", scripted.port);
    let pool = Pool::new(Server::parse(&url).unwrap()).unwrap();
    let mut composed = compose::compose(&mail(), None).unwrap();
    // More than any buffer of a connection that nobody reads.
    composed.bytes = b"x\r\n".repeat(10_000_000);
    assert_eq!(pool.send(&composed).await, deferred(None, "TIMEOUT"));
    assert_eq!(scripted.messages().len(), 0);
}

#[tokio::test]
async fn without_encryption_that_was_demanded_nothing_is_sent_in_clear() {
    let scripted = Scripted::start(&[]).await;
    let found = mailer(&scripted, Encryption::Required).send(&mail()).await;
    assert_eq!(found, deferred(None, "TLS_NOT_OFFERED"));
    assert!(
        scripted
            .commands()
            .iter()
            .all(|command| !command.contains("maria"))
    );
    // What the server says to STARTTLS does not matter when it is not "go ahead".
    for answer in ["454 not now\r\n", "502 what?\r\n", "220 go\r\n220 plain text\r\n"] {
        let script = Vec::leak(vec![
            ("EHLO", Say("250-here\r\n250 STARTTLS\r\n")),
            ("STARTTLS", Say(answer)),
        ]);
        let scripted = Scripted::start(script).await;
        for encryption in [Encryption::Required, Encryption::Opportunistic] {
            let found = with(&scripted, encryption, "me:secret@").send(&mail()).await;
            assert!(
                matches!(
                    found,
                    Outcome::Deferred {
                        reason: "TLS_FAILED",
                        ..
                    }
                ),
                "{answer}: {found:?}"
            );
        }
        let commands = scripted.commands();
        assert!(
            commands
                .iter()
                .all(|command| !command.contains("maria") && !command.starts_with("AUTH"))
        );
    }
}

#[tokio::test]
async fn answers_that_were_put_behind_the_start_of_encryption_are_not_taken_for_the_servers() {
    let injected = "220 go\r\n250-here\r\n250 AUTH PLAIN\r\n235 welcome\r\n250 fine\r\n250 fine\r\n354 go\r\n250 queued\r\n";
    let script = Vec::leak(vec![
        ("EHLO", Say("250-here\r\n250 STARTTLS\r\n")),
        ("STARTTLS", Say(injected)),
    ]);
    let scripted = Scripted::start(script).await;
    let found = with(&scripted, Encryption::Required, "me:secret@")
        .send(&mail())
        .await;
    assert_eq!(found, deferred(None, "TLS_FAILED"));
    assert_eq!(
        scripted.commands().last().unwrap(),
        "STARTTLS",
        "not even a handshake was begun"
    );
}

#[tokio::test]
async fn name_and_password_never_go_in_clear() {
    let script = Vec::leak(vec![("EHLO", Say("250-here\r\n250 AUTH PLAIN LOGIN\r\n"))]);
    let scripted = Scripted::start(script).await;
    let found = with(&scripted, Encryption::Opportunistic, "me:secret@")
        .send(&mail())
        .await;
    assert_eq!(found, deferred(None, "TLS_NOT_OFFERED"));
    assert!(
        scripted
            .commands()
            .iter()
            .all(|command| !command.starts_with("AUTH"))
    );
}

#[tokio::test]
async fn a_connection_is_used_again_and_replaced_when_the_server_has_left() {
    let scripted = Scripted::start(&[]).await;
    let again = mailer(&scripted, Encryption::Opportunistic);
    for _ in 0..3 {
        assert_eq!(again.send(&mail()).await, Outcome::Accepted);
    }
    assert_eq!(scripted.connections(), 1);
    // After a refusal too: the server has answered, and both know where they are.
    let picky = Scripted::start(&[("RCPT", Say("550 nobody\r\n"))]).await;
    let refusing = mailer(&picky, Encryption::Opportunistic);
    for _ in 0..2 {
        assert_eq!(refusing.send(&mail()).await, refused(550, "RECIPIENT_REFUSED"));
    }
    assert_eq!(picky.connections(), 1);
    // A server that has gone meanwhile costs a connection, and no message.
    let leaving = Scripted::start(&[("RSET", Say("421 closing\r\n"))]).await;
    let left = mailer(&leaving, Encryption::Opportunistic);
    for _ in 0..3 {
        assert_eq!(left.send(&mail()).await, Outcome::Accepted);
    }
    assert_eq!((leaving.connections(), leaving.messages().len()), (3, 3));
}

#[tokio::test]
async fn no_more_connections_are_open_at_once_than_there_may_be() {
    let scripted = Scripted::start(&[]).await;
    let server = Server::parse(&format!("smtp://127.0.0.1:{}?tls=opportunistic", scripted.port)).unwrap();
    let mailer = Mailer::smtp(server.limited(2, |_| {})).unwrap();
    let sends = (0..20).map(|_| async { mailer.send(&mail()).await });
    let found = futures_util::future::join_all(sends).await;
    assert!(found.iter().all(|outcome| *outcome == Outcome::Accepted));
    assert!(scripted.connections() <= 2);
}

#[tokio::test(start_paused = true)]
async fn who_waits_for_a_connection_does_not_wait_for_ever() {
    let scripted = Scripted::start(&[("MAIL", Hang)]).await;
    let server = Server::parse(&format!("smtp://127.0.0.1:{}?tls=opportunistic", scripted.port)).unwrap();
    let mailer = Mailer::smtp(server.limited(1, |limits| limits.turn = Duration::from_secs(3))).unwrap();
    let (first, second) = (mail(), mail());
    let (first, second) = tokio::join!(mailer.send(&first), mailer.send(&second));
    assert_eq!(first, deferred(None, "TIMEOUT"));
    assert_eq!(second, deferred(None, "NO_CONNECTION_FREE"));
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_nobody_uses_is_ended() {
    let scripted = Scripted::start(&[]).await;
    let mailer = mailer(&scripted, Encryption::Opportunistic);
    assert_eq!(mailer.send(&mail()).await, Outcome::Accepted);
    assert_eq!(scripted.until("QUIT").await, "QUIT");
    assert_eq!(mailer.send(&mail()).await, Outcome::Accepted);
    assert_eq!(scripted.connections(), 2);
}

#[tokio::test]
async fn what_cannot_be_sent_to_anybody_is_refused_before_a_server_is_asked() {
    let scripted = Scripted::start(&[]).await;
    let mailer = mailer(&scripted, Encryption::Opportunistic);
    let mut wrong = mail();
    wrong.to = "maria@example.com>\r\nRCPT TO:<everyone@example.com".to_owned();
    let expected = Outcome::Refused {
        code: None,
        reason: "BAD_ADDRESS",
    };
    assert_eq!(mailer.send(&wrong).await, expected);
    assert_eq!(scripted.connections(), 0);
}

#[tokio::test]
async fn with_neither_server_nor_folder_mail_waits() {
    let mailer = Mailer::nowhere();
    assert!(mailer.goes_nowhere());
    assert_eq!(mailer.send(&mail()).await, deferred(None, "NO_MAIL_SERVER"));
}

#[tokio::test]
async fn in_a_folder_each_mail_is_a_whole_file_under_its_id_and_sent_again_it_is_the_same_file() {
    let folder = tempfile::tempdir().unwrap();
    let mailer = Mailer::folder(folder.path().join("mail"));
    for id in [
        "msg_1@acme.example",
        "msg_1@acme.example",
        "../msg/2@acme.example",
    ] {
        let mut mail = mail();
        mail.message_id = id.to_owned();
        assert_eq!(mailer.send(&mail).await, Outcome::Accepted);
    }
    let mut names: Vec<String> = std::fs::read_dir(folder.path().join("mail"))
        .unwrap()
        .map(|file| file.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    assert_eq!(names, [".._msg_2@acme.example.eml", "msg_1@acme.example.eml"]);
    let text = std::fs::read_to_string(folder.path().join("mail/msg_1@acme.example.eml")).unwrap();
    assert!(text.contains("Subject: A pillow for five days\r\n") && text.contains("Hello Maria"));
    // A folder that cannot be one.
    let file = folder.path().join("mail/msg_1@acme.example.eml");
    let mailer = Mailer::folder(file);
    assert_eq!(mailer.send(&mail()).await, deferred(None, "FOLDER_FAILED"));
}

#[test]
fn an_address_of_a_server_says_how_to_get_there_and_is_never_repeated() {
    let parse = |url: &str| Server::parse(url);
    let server = parse("smtp://me%40acme.example:p%3Ass@mail.example").unwrap();
    assert_eq!(
        (server.host.as_str(), server.port, server.encryption),
        ("mail.example", 587, Encryption::Required)
    );
    assert!(server.credentials == Some(("me@acme.example", "p:ss").into()));
    assert!(!format!("{server:?}").contains("p:ss"));
    let server = parse("smtps://mail.example").unwrap();
    assert_eq!((server.port, server.encryption), (465, Encryption::Implicit));
    let server = parse("smtp://[::1]:2525?tls=opportunistic").unwrap();
    assert_eq!(
        (server.host.as_str(), server.port, server.encryption),
        ("::1", 2525, Encryption::Opportunistic)
    );
    for bad in [
        "",
        "mail.example",
        "http://mail.example",
        "smtp://",
        "smtp://mail.example/inbox",
        "smtp://mail.example?tls=none",
        "smtp://mail.example?tls=opportunistic&tls=opportunistic",
        "smtp://mail.example?pool=2",
        "smtps://mail.example?tls=opportunistic",
        "smtp://me@mail.example",
        "smtp://:secret@mail.example",
        "smtp://me:secret%0d%0a@mail.example",
    ] {
        let error = parse(bad).unwrap_err();
        assert!(
            error.contains("PLAUDIT_SMTP_URL") && !error.contains("secret"),
            "{bad}: {error}"
        );
    }
}
