use serde_json::json;

use super::*;

fn maria() -> serde_json::Value {
    json!({
        "member": {"ref": "maria", "attributes": {"name": "Maria <3", "plan": null, "children": ["Noah", "Lena"]}},
        "event": {"type": "order.completed", "properties": {"total": 1250, "currency": "EUR"}},
        "employer": {"name": "Acme"},
        "unsubscribeUrl": "https://acme.example/u?a=1&b=2",
    })
}

fn text(source: &str) -> String {
    Template::render(source, Form::Text, &maria()).unwrap()
}

#[test]
fn a_member_reads_their_name_and_what_is_not_known_is_empty() {
    assert_eq!(text("Hello {{ member.attributes.name }}!"), "Hello Maria <3!");
    assert_eq!(
        text("[{{ member.attributes.plan }}{{ event.properties.shop.city }}]"),
        "[]"
    );
    assert_eq!(text("{{ achievement.title|default('soon') }}"), "soon");
    assert_eq!(
        text(
            "{% for child in member.attributes.children %}{{ child|upper }}{% if not loop.last %}, {% endif %}{% endfor %}"
        ),
        "NOAH, LENA"
    );
    assert_eq!(
        text(
            "{% if event.properties.total >= 1000 and member.attributes.plan is undefined %}much{% else %}little{% endif %}"
        ),
        "much"
    );
    assert_eq!(
        text("{{ event.properties.total / 100 }} {{ member.ref|urlencode }}"),
        "12.5 maria"
    );
}

#[test]
fn a_page_escapes_what_it_shows_and_nothing_can_turn_that_off() {
    let html = |source| Template::render(source, Form::Html, &maria());
    assert_eq!(
        html("<b>{{ member.attributes.name }}</b>").unwrap(),
        "<b>Maria &lt;3</b>"
    );
    assert_eq!(
        html("<a href=\"{{ unsubscribeUrl }}\">").unwrap(),
        "<a href=\"https:&#x2f;&#x2f;acme.example&#x2f;u?a=1&amp;b=2\">"
    );
    assert_eq!(html("{{ member.attributes.name|upper }}").unwrap(), "MARIA &lt;3");
    for way in [
        "{{ member.attributes.name|safe }}",
        "{% autoescape false %}{{ member }}{% endautoescape %}",
    ] {
        assert!(
            html(way).is_err() && Template::check(way, Form::Html).is_err(),
            "{way}"
        );
    }
}

#[test]
fn a_subject_is_one_line_whatever_is_put_in() {
    let subject = |name: &str| {
        let values = json!({"member": {"attributes": {"name": name}}});
        Template::render("For {{ member.attributes.name }}", Form::Subject, &values).unwrap()
    };
    assert_eq!(subject("Maria"), "For Maria");
    assert_eq!(
        subject("a\r\nBcc: everyone@acme.example"),
        "For a Bcc: everyone@acme.example"
    );
    assert_eq!(subject("a\0\u{7}\t\u{2028} b \u{85}"), "For a b");
    let long = subject(&"ä".repeat(3_000));
    assert!(long.len() <= 998 && long.len() > 990 && long.ends_with('ä'));
    let words = subject(&"ab ".repeat(3_000));
    assert!(words.len() <= 998 && !words.ends_with(' '));
}

#[test]
fn a_text_has_line_breaks_of_one_kind_and_no_other_control_characters() {
    assert_eq!(
        Form::Text.clean("a\r\nb\rc\n\td\0\u{1b}[1m").unwrap(),
        "a\nb\nc\n\td[1m"
    );
}

#[test]
fn a_wrong_template_is_refused_when_it_is_saved_and_the_place_is_named() {
    for (source, words) in [
        ("Hello {{ member.name", "line 1"),
        ("a\nb\n{% if member %}", "line 3"),
        ("{{ order.total }}", "`order` is not known"),
        ("{% for order in orders %}{% endfor %}", "`orders` is not known"),
        (
            "{% for x in member.list %}{% endfor %}{{ x }}",
            "`x` is not known",
        ),
        ("{{ member.name|shout }}", "the filter `shout` is not known"),
        ("{{ 1 is even }}", "the test `even` is not known"),
        ("{{ range(10) }}", "a call"),
        ("{{ member.name.upper() }}", "a call"),
        ("{% set a = 1 %}", "`set`"),
        ("{% set a %}x{% endset %}", "`set`"),
        ("{% with a = 1 %}{% endwith %}", "`with`"),
        ("{% filter upper %}x{% endfilter %}", "`filter`"),
        (
            "{% for a in member recursive %}{{ loop(a) }}{% endfor %}",
            "recursive",
        ),
        ("{{ 'x' * 100000 }}", "multiplication"),
        ("{{ 10 ** 10 }}", "multiplication"),
        ("{% include 'a' %}", "line 1"),
        ("{% extends 'a' %}", "line 1"),
        ("{% macro a() %}{% endmacro %}", "line 1"),
        ("{% import 'a' as b %}", "line 1"),
    ] {
        let error = Template::check(source, Form::Text).unwrap_err();
        assert!(error.contains(words), "{source}: {error}");
        assert!(
            Template::render(source, Form::Text, &maria()).is_err(),
            "{source}"
        );
    }
    assert!(Template::check(&"a".repeat(64 * 1_024), Form::Html).is_ok());
    assert!(Template::check(&"a".repeat(64 * 1_024 + 1), Form::Html).is_err());
    assert!(Template::check(&"a".repeat(999), Form::Subject).is_err());
}

#[test]
fn what_would_take_for_ever_or_fill_the_memory_is_an_error_and_a_deep_one_too() {
    let many: Vec<u32> = (0..1_000).collect();
    let values = json!({"member": {"list": many, "word": "a".repeat(1_000)}});
    let render = |source: &str| Template::render(source, Form::Text, &values);
    let each = "{% for a in member.list %}";
    let nested = format!("{each}{each}{each}{{% endfor %}}{{% endfor %}}{{% endfor %}}");
    assert!(render(&nested).unwrap_err().contains("too many steps"));
    let wide = format!("{each}{{{{ member.word }}}}{{% endfor %}}");
    assert!(render(&wide).unwrap_err().contains("longer than"));
    for deep in [
        format!("{{{{ {}1{} }}}}", "(".repeat(5_000), ")".repeat(5_000)),
        format!("{{{{ member{} }}}}", " ~ member".repeat(5_000)),
        format!("{{{{ {}1 }}}}", "not ".repeat(5_000)),
        format!("{{{{ member{} }}}}", "|upper".repeat(5_000)),
        format!("{{% if a %}}{}{{% endif %}}", "{% elif a %}".repeat(5_000)),
        "{% if member %}".repeat(4_000),
    ] {
        assert!(Template::check(&deep, Form::Text).is_err());
        assert!(render(&deep).is_err());
    }
}

#[test]
fn no_error_holds_data() {
    let values = json!({"member": {"attributes": {"secret": "canary"}}, "event": {"list": ["canary"]}});
    for source in [
        "{{ member.attributes.secret / 2 }}",
        "{{ -member.attributes.secret }}",
        "{% for a, b in event.list %}{% endfor %}",
        "{{ member.attributes.secret|round }}",
        "{{ member.attributes.secret - 1 }}",
        "{{ event.list|urlencode }}",
        "{{ 1 in 7 }}",
    ] {
        let error = Template::render(source, Form::Text, &values).unwrap_err();
        assert!(!error.contains("canary"), "{error}");
    }
}

#[test]
fn an_event_is_kept_only_for_templates_that_name_it() {
    assert!(Template::needs_event("{{ event.properties.total }}"));
    assert!(Template::needs_event(
        "{% if member.a %}{% for a in event.list %}{% endfor %}{% endif %}"
    ));
    assert!(Template::needs_event("{{ broken"));
    assert!(!Template::needs_event(
        "{{ member.event }} {{ achievement.title }} the event"
    ));
    assert!(!Template::needs_event(
        "{% for event in member.events %}{{ event.name }}{% endfor %}"
    ));
}
