//! How a message would look.

use entity::campaign::Model;
use entity::employer;
use entity::id::EmployerId;
use jobs::campaign::Campaign;
use jobs::campaign::compose::{self, Occasion, Words, compose};
use serde_json::{Map, Value, json};

use super::check;
use crate::app::App;
use crate::auth::access;
use crate::auth::viewer::Permit;
use crate::domain::{Error, Fault, Outcome, require_none, tenant};

/// What is to be looked at.
#[derive(Debug, Clone)]
pub struct Preview {
    /// The key of the employer.
    pub employer: Option<String>,
    /// The key of a campaign whose templates stand in for those that are not given.
    pub campaign: Option<String>,
    /// The template of the subject.
    pub subject: Option<String>,
    /// The subject where the trigger is sensitive.
    pub neutral_subject: Option<String>,
    /// The template of the text.
    pub text: Option<String>,
    /// The template of the page.
    pub html: Option<String>,
    /// What the templates are filled in with.
    pub sample: Option<Value>,
    /// As if the trigger were sensitive.
    pub sensitive: bool,
}

/// Fills in templates with a sample; nothing is written, nobody is asked, and no member is looked at.
pub async fn preview(app: &App, permit: Permit<access::PreviewCampaign>, input: Preview) -> Outcome<Words> {
    let db = app.db.read();
    let employer = tenant::resolve(db, permit.viewer(), input.employer.as_deref()).await?;
    let base = match &input.campaign {
        Some(key) => Some(super::require(db, employer.id, key).await?),
        None => None,
    };
    let mut faults = Vec::new();
    let given = |field: &str, given: Option<String>, stored: Option<&String>, faults: &mut Vec<Fault>| {
        let text = given.or_else(|| stored.cloned());
        text.unwrap_or_else(|| {
            let message = "give it, or say which campaign's is meant";
            faults.push(Fault::invalid(&[field], message));
            String::new()
        })
    };
    let subject = base.as_ref().map(|base| &base.subject);
    let subject = given("subject", input.subject, subject, &mut faults);
    let text = base.as_ref().map(|base| &base.body_text);
    let text = given("text", input.text, text, &mut faults);
    require_none(faults)?;
    let (stored_html, stored_neutral) = base
        .as_ref()
        .map(|base| (base.body_html.clone(), base.neutral_subject.clone()))
        .unwrap_or_default();
    let draft = Model {
        subject,
        body_text: text,
        body_html: input.html.or(stored_html),
        neutral_subject: input.neutral_subject.or(stored_neutral),
        ..base.unwrap_or_else(|| blank(app, employer.id))
    };
    let mut faults = Vec::new();
    let html = draft.body_html.as_deref();
    let neutral = draft.neutral_subject.as_deref();
    check::templates((&draft.subject, &draft.body_text, html), neutral, &mut faults);
    require_none(faults)?;
    let url = (!draft.transactional).then(|| sample_url(app));
    let values = values(&draft, &employer, input.sample, url.as_deref())?;
    let campaign = Campaign::read(draft).map_err(|_| Error::Internal("a campaign cannot be read"))?;
    let occasion = Occasion {
        values: &values,
        content: None,
        is_sensitive: input.sensitive,
        employer: &employer.name,
        unsubscribe_url: url.as_deref(),
    };
    compose(&campaign, &occasion).map_err(|fault| Fault::invalid(&["sample"], fault).into())
}

/// An address as those at which members unsubscribe, which leads nowhere.
fn sample_url(app: &App) -> String {
    format!("{}/unsubscribe/sample", app.jobs.public_url)
}

/// What the templates are filled in with: of the sample, or what stands in for it.
fn values(
    draft: &Model,
    employer: &employer::Model,
    sample: Option<Value>,
    unsubscribe_url: Option<&str>,
) -> Outcome<Value> {
    let mut given = match sample {
        None => Map::new(),
        Some(Value::Object(given)) => given,
        Some(_) => return Err(Fault::invalid(&["sample"], "a JSON object").into()),
    };
    let mut part = |name: &str, otherwise: Value| given.remove(name).unwrap_or(otherwise);
    let achievement = json!({"title": "An achievement", "earnedOn": "2030-01-31", "ordinal": 1});
    let known = (
        part(
            "member",
            json!({"externalId": "ada", "locale": "en", "attributes": {}}),
        ),
        part("event", json!({"type": "order.completed", "properties": {}})),
        part("achievement", achievement),
    );
    let values = compose::values(draft, employer, known, unsubscribe_url);
    if given.is_empty() {
        Ok(values)
    } else {
        let message = "a sample has `member`, `event` and `achievement`, and nothing else";
        Err(Fault::invalid(&["sample"], message).into())
    }
}

/// A campaign of which nothing is said.
fn blank(app: &App, employer: EmployerId) -> Model {
    Model {
        employer_id: employer,
        id: app.ids.next(),
        program_id: None,
        key: "sample".to_owned(),
        name: "Sample".to_owned(),
        version: 1,
        subject: String::new(),
        neutral_subject: None,
        body_text: String::new(),
        body_html: None,
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
        created_at: app.clock.now().into(),
        paused_at: None,
        archived_at: None,
    }
}
