//! What can be wrong with a campaign.

use chrono::TimeDelta;
use entity::campaign::Model;
use entity::event_type;
use entity::id::EmployerId;
use jobs::campaign::SegmentDefinition;
use jobs::campaign::schedule::Schedule as Cron;
use jobs::campaign::template::{Form, Template};
use jobs::campaign::timing::Quiet;
use jobs::deliver::egress::address::Refused;
use jobs::rules::definition::TriggerDefinition;
use jobs::rules::pattern;
use sea_orm::ConnectionTrait;
use serde::Serialize;
use serde_json::Value;

use super::{Create, Schedule};
use crate::app::App;
use crate::domain::{Error, Fault, Outcome};
use crate::validate;

/// The most that a cap may allow.
const CAP_MAX: i64 = 1_000;
/// How long a message may wait, in seconds: a minute to ninety days.
const TIME_TO_LIVE: std::ops::RangeInclusive<i64> = 60..=90 * 86_400;
/// How long ago what a segment asks for may have happened, and how long a conversion may take, in seconds: as above.
const WINDOW: std::ops::RangeInclusive<i64> = 60..=90 * 86_400;
/// How long a content source may take, in milliseconds.
const CONTENT_MILLIS: std::ops::RangeInclusive<i64> = 100..=10_000;
/// The largest part of the members that get nothing, to compare with.
const HELD_OUT_MAX: i32 = 90;

/// What can be wrong with what stays as it is, but for the triggers.
pub(super) fn once(input: &Create, faults: &mut Vec<Fault>) {
    if !WINDOW.contains(&input.conversion_window.num_seconds()) {
        faults.push(Fault::invalid(&["conversionWindow"], "from PT1M to P90D"));
    }
    if !(0..=HELD_OUT_MAX).contains(&input.held_out_percent) {
        faults.push(Fault::invalid(
            &["heldOutPercent"],
            format!("from 0 to {HELD_OUT_MAX}"),
        ));
    }
    if input.transactional {
        let asked_for = "what a transactional campaign says was asked for";
        if input.held_out_percent != 0 {
            faults.push(Fault::invalid(
                &["heldOutPercent"],
                format!("{asked_for}: nobody is left out to compare with"),
            ));
        }
        if input.schedule.is_some() {
            faults.push(Fault::invalid(
                &["schedule"],
                format!("{asked_for}: it has no schedule"),
            ));
        }
    }
    let Some(schedule) = &input.schedule else {
        return;
    };
    if let Err(fault) = Cron::parse(&schedule.cron) {
        faults.push(Fault::invalid(&["schedule", "cron"], fault));
    }
    if !WINDOW.contains(&schedule.within.num_seconds()) {
        faults.push(Fault::invalid(
            &["schedule", "segment", "within"],
            "from PT1M to P90D",
        ));
    }
}

/// What can be wrong with the triggers in the light of the employer's menu.
pub(super) async fn triggers(
    connection: &impl ConnectionTrait,
    employer: EmployerId,
    input: &Create,
    faults: &mut Vec<Fault>,
) -> Outcome<()> {
    let did = input.schedule.as_ref().map(|schedule| &schedule.did);
    let triggers: [(&[&str], _); 2] = [
        (&["until"], input.until.as_ref()),
        (&["schedule", "segment", "did"], did),
    ];
    if triggers.iter().all(|(_, trigger)| trigger.is_none()) {
        return Ok(());
    }
    let menu = event_type::list(connection, employer).await?;
    let find = |key: &str| menu.iter().find(|event_type| event_type.key == key);
    let schema = |key: &str| find(key).map(|item| item.properties_schema.clone().unwrap_or(Value::Null));
    for (path, trigger) in triggers {
        let Some(trigger) = trigger else { continue };
        let found = pattern::check_trigger(trigger, &schema);
        faults.extend(found.into_iter().map(|fault| Fault::from(fault).under(path)));
        if validate::has_nul(&stored(trigger)?) {
            faults.push(Fault::invalid(path, "no text has a zero character"));
        }
        let is_sensitive = find(&trigger.event_type).is_some_and(|event_type| event_type.sensitive);
        if is_sensitive && path == ["until"] {
            // Whoever sees for whom a campaign has ended would know of whom the event is.
            let message = "a sensitive event type ends no campaign: administrators would see for whom";
            faults.push(Fault::invalid(&["eventType"], message).under(path));
        }
    }
    Ok(())
}

/// What can be wrong with what is said, and with the limits.
pub(super) fn wording(app: &App, campaign: &Model, faults: &mut Vec<Fault>) {
    validate::name(&["name"], &campaign.name, faults);
    validate::category(&["category"], &campaign.category, faults);
    templates(
        (
            &campaign.subject,
            &campaign.body_text,
            campaign.body_html.as_deref(),
        ),
        campaign.neutral_subject.as_deref(),
        faults,
    );
    if let Some(url) = &campaign.content_url {
        if let Err(refused) = app.jobs.outbound.egress.check(url) {
            let message = match refused {
                Refused::Inside => "its host is not an address on the public internet".to_owned(),
                other => other.to_string(),
            };
            faults.push(Fault::invalid(&["contentSource", "url"], message));
        }
        let millis = campaign.content_timeout_millis.unwrap_or_default();
        if !CONTENT_MILLIS.contains(&millis) {
            faults.push(Fault::invalid(
                &["contentSource", "timeout"],
                "from PT1S to PT10S",
            ));
        }
    }
    if let Some(most) = campaign.cap_at_most {
        at_most(&["cap", "atMost"], most, faults);
    }
    if let (Some(from), Some(to)) = (&campaign.quiet_from, &campaign.quiet_to)
        && Quiet::parse(from, to).is_none()
    {
        let message = "two different local times as HH:MM, from 00:00 to 23:59";
        faults.push(Fault::invalid(&["quietHours"], message));
    }
    if !TIME_TO_LIVE.contains(&campaign.time_to_live_seconds) {
        faults.push(Fault::invalid(&["timeToLive"], "from PT1M to P90D"));
    }
}

/// What can be wrong with the templates, and with the subject that is none.
pub(super) fn templates(
    (subject, text, html): (&str, &str, Option<&str>),
    neutral_subject: Option<&str>,
    faults: &mut Vec<Fault>,
) {
    let templates = [
        ("subject", Some(subject), Form::Subject),
        ("text", Some(text), Form::Text),
        ("html", html, Form::Html),
    ];
    for (field, source, form) in templates {
        let Some(source) = source else { continue };
        if source.trim().is_empty() {
            faults.push(Fault::invalid(&[field], "there is nothing in it"));
        } else if source.contains('\0') {
            faults.push(Fault::invalid(&[field], "no text has a zero character"));
        } else if let Err(fault) = Template::check(source, form) {
            faults.push(Fault::invalid(&[field], fault));
        }
    }
    if let Some(neutral) = neutral_subject {
        validate::name(&["neutralSubject"], neutral, faults);
        if neutral.contains("{{") || neutral.contains("{%") {
            let message = "it is shown as it is: a template could name what it is to keep back";
            faults.push(Fault::invalid(&["neutralSubject"], message));
        }
    }
}

/// How many a cap allows.
pub(super) fn at_most(path: &[&str], at_most: i64, faults: &mut Vec<Fault>) {
    if !(1..=CAP_MAX).contains(&at_most) {
        faults.push(Fault::invalid(path, "from 1 to 1,000"));
    }
}

/// A trigger as it is stored.
pub(super) fn stored(trigger: &TriggerDefinition) -> Outcome<Value> {
    write(trigger)
}

/// The cron expression and the segment of a schedule as they are stored.
pub(super) fn segment(schedule: &Schedule) -> Outcome<(String, Value)> {
    let segment = SegmentDefinition {
        did: schedule.did.clone(),
        within_seconds: TimeDelta::num_seconds(&schedule.within),
        engaged: schedule.engaged,
    };
    Ok((schedule.cron.clone(), write(&segment)?))
}

fn write(definition: &impl Serialize) -> Outcome<Value> {
    serde_json::to_value(definition).map_err(|_| Error::Internal("a definition could not be written"))
}
