use entity::clock::Timestamp;
use entity::id::TypedId;
use serde_json::json;
use uuid::Uuid;

use super::*;

fn campaign() -> Model {
    Model {
        employer_id: TypedId::from_uuid(Uuid::from_u128(1)),
        id: TypedId::from_uuid(Uuid::from_u128(2)),
        program_id: None,
        key: "welcome".to_owned(),
        name: "Welcome".to_owned(),
        version: 1,
        subject: "Hello {{ member.name }}".to_owned(),
        neutral_subject: None,
        body_text: "A gift, {{ member.name }}".to_owned(),
        body_html: Some("<html><BODY class=\"a\"><p>A gift, {{ member.name }}</p></body></html>".to_owned()),
        content_url: None,
        content_timeout_millis: None,
        category: "marketing".to_owned(),
        transactional: false,
        cap_at_most: None,
        cap_per: None,
        cap_over: None,
        quiet_from: None,
        quiet_to: None,
        until: None,
        conversion_seconds: 1,
        held_out_percent: 0,
        time_to_live_seconds: 1,
        schedule: None,
        segment: None,
        next_run_at: None,
        created_at: Timestamp(0),
        paused_at: None,
        archived_at: None,
    }
}

fn said(campaign: &Model, content: &Content, is_sensitive: bool) -> Wording {
    let values = json!({"member": {"name": "Ada & Bea"}});
    wording(campaign, "Acme", &values, content, is_sensitive).unwrap()
}

#[test]
fn a_message_says_what_its_templates_say() {
    let said = said(&campaign(), &Content::default(), false);
    assert_eq!(said.subject, "Hello Ada & Bea");
    assert_eq!(said.text, "A gift, Ada & Bea");
    assert!(said.html.unwrap().contains("A gift, Ada &amp; Bea"));
}

#[test]
fn content_from_elsewhere_takes_the_place_of_a_template_and_is_none_itself() {
    let content = Content {
        subject: Some("For {{ you }}\nonly".to_owned()),
        text: None,
        html: Some("<b>New</b>".to_owned()),
    };
    let said = said(&campaign(), &content, false);
    assert_eq!(said.subject, "For {{ you }} only");
    assert_eq!(said.text, "A gift, Ada & Bea");
    assert_eq!(said.html.as_deref(), Some("<b>New</b>"));
}

#[test]
fn what_is_sensitive_is_neither_in_the_subject_nor_in_what_a_list_of_mail_shows() {
    let shown = 200;
    for neutral in [None, Some("News from us")] {
        let campaign = Model {
            neutral_subject: neutral.map(str::to_owned),
            ..campaign()
        };
        let said = said(&campaign, &Content::default(), true);
        assert_eq!(said.subject, neutral.unwrap_or("A message from Acme"));
        let beginning: String = said.text.chars().take(shown).collect();
        assert!(!beginning.contains("gift"), "{beginning}");
        assert!(said.text.ends_with("A gift, Ada & Bea"));
        let html = said.html.unwrap();
        let (head, body) = html.split_once("<BODY class=\"a\">").unwrap();
        assert_eq!(head, "<html>");
        // What a list of mail takes for text: what is between the tags.
        let seen: String = body
            .split('<')
            .filter_map(|part| part.split_once('>'))
            .map(|(_, text)| text)
            .collect();
        let beginning: String = seen.chars().take(shown).collect();
        assert!(!beginning.contains("gift"), "{beginning}");
        assert!(seen.contains("A gift"));
    }
}

#[test]
fn a_page_without_a_body_begins_with_the_opening() {
    let campaign = Model {
        body_html: Some("<p>A gift</p>".to_owned()),
        ..campaign()
    };
    let html = said(&campaign, &Content::default(), true).html.unwrap();
    assert!(html.starts_with("<div style=\"display:none") && html.ends_with("<p>A gift</p>"));
}

#[test]
fn a_fault_says_which_template_and_quotes_no_value() {
    let campaign = Model {
        body_text: "{% for one in member.list %}{% for two in member.list %}{{ one }}{{ two }}{% endfor %}{% endfor %}".to_owned(),
        ..campaign()
    };
    let values = json!({"member": {"list": vec!["Ada"; 1_000]}});
    let fault = wording(&campaign, "Acme", &values, &Content::default(), false).unwrap_err();
    assert!(fault.starts_with("text: ") && !fault.contains("Ada"), "{fault}");
}
