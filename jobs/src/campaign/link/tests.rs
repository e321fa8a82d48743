use entity::clock::Timestamp;
use entity::id::TypedId;
use entity::message::MessageState;
use proptest::prelude::*;
use uuid::Uuid;

use super::*;

fn message(token: &[u8]) -> Model {
    let id = |bits| Uuid::from_u128(bits);
    Model {
        employer_id: EmployerId::from_uuid(id(1)),
        id: MessageId::from_uuid(id(2)),
        campaign_id: TypedId::from_uuid(id(3)),
        member_id: TypedId::from_uuid(id(4)),
        cause: "run:1970-01-01T00:00:00+00:00".to_owned(),
        achievement_id: None,
        sensitive: false,
        triggered_at: Timestamp(0),
        expires_at: Timestamp(1),
        event_type: None,
        event_properties: None,
        state: MessageState::Sent,
        due_at: None,
        waits_for: None,
        reason: None,
        lease: None,
        tries: 1,
        slot_category: None,
        slot_on: None,
        answer: None,
        token: token.to_vec(),
        settled_at: Some(Timestamp(1)),
        converted_at: None,
    }
}

#[test]
fn a_link_leads_to_its_own_message_and_to_no_other() {
    let own = message(b"0123456789abcdef");
    let read = read_token(&token(&own)).unwrap();
    assert_eq!((read.employer, read.message), (own.employer_id, own.id));
    assert!(read.is_of(&own));
    assert!(!read.is_of(&message(b"0123456789abcdeF")));
    assert!(!read.is_of(&message(b"0123456789abcde")));
    let other = Model {
        id: MessageId::from_uuid(Uuid::from_u128(9)),
        ..own.clone()
    };
    assert!(!read.is_of(&other));
}

#[test]
fn a_link_is_one_segment_of_an_address() {
    let link = unsubscribe("https://plaudit.example/", &message(&[0xFF; 16]));
    let last = link.strip_prefix("https://plaudit.example/unsubscribe/").unwrap();
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    assert!(last.bytes().all(plain), "{link}");
}

#[test]
fn what_is_no_link_is_none() {
    let good = token(&message(b"0123456789abcdef"));
    let (start, _) = good.rsplit_once('.').unwrap();
    for bad in [
        "",
        ".",
        "..",
        "a.b.c",
        start,
        &format!("{start}."),
        &"x".repeat(600),
    ] {
        assert_eq!(read_token(bad), None, "{bad}");
    }
}

#[test]
fn an_id_under_which_mail_is_sent_reads_back() {
    let own = message(b"x");
    let id = message_id(own.employer_id, own.id, "mail.example");
    assert!(id.starts_with('<') && id.ends_with("@mail.example>"), "{id}");
    let both = Some((own.employer_id, own.id));
    assert_eq!(read_message_id(&id), both);
    assert_eq!(read_message_id(id.trim_matches(['<', '>'])), both);
    for bad in [
        "",
        "<>",
        "@",
        "<a@b>",
        "<a.b@c>",
        &id.replace('@', "@@"),
        &id.replace("mail.example", ""),
    ] {
        assert_eq!(read_message_id(bad), None, "{bad}");
    }
}

proptest! {
    #[test]
    fn no_text_makes_the_readers_panic(text in ".*") {
        let _ = (read_token(&text), read_message_id(&text));
    }
}
