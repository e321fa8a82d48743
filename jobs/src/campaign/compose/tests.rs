//! What a mail says and what it does not show.

use entity::campaign::Model;
use serde_json::json;

use super::*;
use crate::campaign::sample::plain;

fn campaign() -> Campaign {
    Campaign::read(Model {
        subject: "Well done: {{ achievement.title }}".to_owned(),
        body_text: "You have earned {{ achievement.title }}.".to_owned(),
        body_html: Some("<html><BODY class=\"a\"><p>{{ achievement.title }}</p></BODY></html>".to_owned()),
        ..plain()
    })
    .expect("a campaign")
}

const URL: &str = "https://plaudit.test/unsubscribe/x";

fn composed(content: Option<&Content>, is_sensitive: bool, url: Option<&str>) -> Words {
    let values = json!({"achievement": {"title": "Pregnancy <pillow>"}});
    let occasion = Occasion {
        values: &values,
        content,
        is_sensitive,
        employer: "Acme",
        unsubscribe_url: url,
    };
    compose(&campaign(), &occasion).expect("words")
}

#[test]
fn a_mail_says_what_its_templates_say_and_how_to_get_no_more_of_them() {
    let words = composed(None, false, Some(URL));
    assert_eq!(words.subject, "Well done: Pregnancy <pillow>");
    assert!(
        words.text.starts_with("You have earned Pregnancy <pillow>."),
        "{}",
        words.text
    );
    assert!(words.text.contains(URL));
    let html = words.html.expect("HTML");
    assert!(html.contains("Pregnancy &lt;pillow&gt;"), "{html}");
    let link = html.find(URL).expect("a link");
    assert!(link < html.find("</BODY>").expect("an end"), "{html}");
    assert!(!composed(None, false, None).text.contains("no more"));
}

#[test]
fn nothing_of_a_sensitive_trigger_shows_in_the_subject_or_in_the_first_two_hundred_characters() {
    let words = composed(None, true, Some(URL));
    assert_eq!(words.subject, "A message from Acme");
    let first: String = words.text.chars().take(200).collect();
    assert!(!first.contains("Pregnancy"), "{first}");
    assert!(words.text.contains("Pregnancy"), "the mail itself says it");
    let html = words.html.expect("HTML");
    let (opening, title) = (
        html.find("for you alone").expect("an opening"),
        html.find("Pregnancy"),
    );
    assert!(title.expect("the title") > opening + 200, "{html}");
    assert!(opening > html.find("class=\"a\"").expect("a body"), "{html}");
}

#[test]
fn what_the_content_source_has_written_stands_in_the_place_of_the_templates_but_never_in_a_sensitive_subject()
{
    let content = Content {
        subject: Some("Sandwiches for you".to_owned()),
        text: Some("Two for one".to_owned()),
        html: None,
    };
    let words = composed(Some(&content), false, None);
    assert_eq!(
        (words.subject.as_str(), words.text.as_str()),
        ("Sandwiches for you", "Two for one")
    );
    assert!(
        words.html.is_some_and(|html| html.contains("pillow")),
        "what it did not write stays"
    );
    assert_eq!(
        composed(Some(&content), true, None).subject,
        "A message from Acme"
    );
}
