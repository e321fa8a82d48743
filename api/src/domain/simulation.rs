//! Dry runs: what a draft of an incentive would make of sample events. The checks, the rules and the explanations are those by which
//! real events are judged; nothing is written.

use std::collections::{BTreeMap, HashMap};

use chrono_tz::Tz;
use entity::id::MemberId;
use entity::member;
use jobs::catalogue::{Catalogue, Compiled, Employers};
use jobs::judge::{self, AWARDS_MAX, Happening, Simulated};
use jobs::rules::definition::StructureDefinition;
use sea_orm::DbErr;
use serde_json::Value;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use super::incentive::{self, Create, Draft};
use super::{Error, Fault, FaultCode, Outcome};
use crate::app::App;
use crate::auth::access::{self, Operation};
use crate::auth::viewer::{Permit, Viewer};
use crate::intake::Menu;
use crate::intake::check::{self, Candidate, WellFormed};
use crate::validate;

/// Sample events of one dry run.
pub const EVENTS_MAX: usize = 10_000;
/// Faults that are told at once.
const FAULTS_MAX: usize = 100;
/// Dry runs that are under way in this process at once; others wait for their turn, within the time of their request.
static TURNS: Semaphore = Semaphore::const_new(2);

/// A dry run.
#[derive(Debug)]
pub struct Simulate {
    /// The key of the employer.
    pub employer: Option<String>,
    /// The draft.
    pub incentive: Create,
    /// The sample events.
    pub events: Vec<Candidate>,
    /// The zone of the events that name none.
    pub time_zone: Option<Tz>,
}

/// Something that a member would earn.
pub struct Award {
    /// The member's external id.
    pub member: String,
    /// What would be earned, and why.
    pub simulated: Simulated,
}

/// What one member has done in the sample.
struct Sample<'a> {
    id: MemberId,
    known: Option<&'a member::Model>,
    events: Vec<(&'a Candidate, &'a WellFormed)>,
}

/// Judges sample events by a draft of an incentive; the awards are by member, day and ordinal.
pub async fn simulate(app: &App, permit: Permit<access::Simulate>, input: Simulate) -> Outcome<Vec<Award>> {
    let Simulate {
        employer,
        incentive,
        events,
        time_zone,
    } = input;
    if events.len() > EVENTS_MAX {
        let message = format!("at most {EVENTS_MAX} events");
        return Err(Fault::new(FaultCode::TooMany, &["events"], message).into());
    }
    let db = app.db.read();
    let draft = drafted(app, permit.viewer(), employer, incentive).await?;
    let employer_id = draft.employer.id;
    let gone = Error::Internal("an employer is gone");
    let menu = app.intake.menu(db, employer_id).await?.ok_or(gone)?;
    let known = registered(app, permit.viewer(), &draft, &events).await?;
    let employers = app.jobs.catalogues.load(db, vec![employer_id]).await?;
    let turn = TURNS.acquire().await.map_err(|_| Error::Busy)?;
    let ids = app.ids.clone();
    let unwanted = CancellationToken::new();
    // Whoever has gone away, or was told that it took too long, does not keep a thread busy.
    let _wanted = unwanted.clone().drop_guard();
    // Ten thousand events take a while, in which this thread has others to serve.
    let judged = tokio::task::spawn_blocking(move || {
        let _turn = turn;
        let forms = checked(&events, &menu, time_zone)?;
        let mut samples: BTreeMap<&str, Sample<'_>> = BTreeMap::new();
        for (candidate, form) in events.iter().zip(&forms) {
            let Some(form) = form else { continue };
            let known = known.get(&candidate.member);
            let sample = samples.entry(&candidate.member).or_insert_with(|| Sample {
                id: known.map_or_else(|| ids.next(), |member| member.id),
                known,
                events: Vec::new(),
            });
            sample.events.push((candidate, form));
        }
        judge_all(&employers, draft, &samples, &unwanted)
    });
    judged
        .await
        .map_err(|_| Error::Internal("a dry run did not come to its end"))?
}

/// The draft, checked as if it were to be created.
async fn drafted(app: &App, viewer: &Viewer, employer: Option<String>, mut input: Create) -> Outcome<Draft> {
    if let (Some(outer), Some(inner)) = (&employer, &input.employer)
        && outer != inner
    {
        return Err(Fault::invalid(&["incentive", "employer"], "not the employer of the dry run").into());
    }
    let is_named_outside = employer.is_some() || input.employer.is_none();
    input.employer = employer.or(input.employer);
    if let StructureDefinition::Achievements(_) = input.rule.definition.structure {
        let path = ["incentive", "structure", "achievements"];
        return Err(Fault::invalid(&path, "sample events cannot earn what is earned by achievements").into());
    }
    let draft = async {
        incentive::check_form(&input)?;
        incentive::draft(app, app.db.read(), viewer, input).await
    };
    draft.await.map_err(|error| match error {
        Error::Refused(faults) => {
            let faults = faults.into_iter().map(|fault| {
                let is_outside = is_named_outside && fault.path == ["employer"];
                if is_outside {
                    fault
                } else {
                    fault.under(&["incentive"])
                }
            });
            Error::Refused(faults.collect())
        }
        error => error,
    })
}

/// The registered members that the samples name, by their external ids. Conditions ask for their attributes, so whoever may not read
/// members learns of none: then all of them are nobody in particular.
async fn registered(
    app: &App,
    viewer: &Viewer,
    draft: &Draft,
    events: &[Candidate],
) -> Result<HashMap<String, member::Model>, DbErr> {
    if !access::ReadMember::NEEDS.are_met_by(viewer.scopes) {
        return Ok(HashMap::new());
    }
    let mut wanted: Vec<_> = events
        .iter()
        .filter(|event| validate::is_external_id(&event.member))
        .map(|event| (draft.employer.id, event.member.clone()))
        .collect();
    wanted.sort_unstable();
    wanted.dedup();
    if wanted.is_empty() {
        return Ok(HashMap::new());
    }
    let rows = member::peek_by_external_ids(app.db.read(), &wanted).await?;
    Ok(rows
        .into_iter()
        .map(|row| (row.external_id.clone(), row))
        .collect())
}

/// The events that are right in form and fit their types; none in the place of one that is there already.
fn checked(events: &[Candidate], menu: &Menu, zone: Option<Tz>) -> Outcome<Vec<Option<WellFormed>>> {
    let mut faults = Vec::new();
    let mut forms = Vec::with_capacity(events.len());
    let mut seen: HashMap<(&str, &str), [u8; 32]> = HashMap::new();
    for (place, event) in events.iter().enumerate() {
        let known = seen.get(&(event.source.as_str(), event.id.as_str()));
        match check_one(event, menu, known) {
            Ok(form) => {
                if let Some(form) = &form {
                    seen.insert((&event.source, &event.id), form.digest);
                }
                forms.push(form.map(|form| WellFormed {
                    time_zone: form.time_zone.or(zone),
                    ..form
                }));
            }
            Err(fault) => faults.push(fault.under(&["events", &place.to_string()])),
        }
        if faults.len() == FAULTS_MAX {
            break;
        }
    }
    super::require_none(faults)?;
    Ok(forms)
}

/// The checks of the intake, but for those that are about now. `known` is the body of an earlier event of the same identity.
fn check_one(event: &Candidate, menu: &Menu, known: Option<&[u8; 32]>) -> Result<Option<WellFormed>, Fault> {
    let form = check::form(event)?;
    if !validate::is_external_id(&event.member) {
        let message = "1 to 255 characters, none of them a control character";
        return Err(Fault::invalid(&["member"], message));
    }
    check::item(event, menu)?.check_properties(event.properties())?;
    match known {
        None => Ok(Some(form)),
        Some(digest) if *digest == form.digest => Ok(None),
        Some(_) => Err(Fault::new(
            FaultCode::Conflict,
            &["id"],
            "this id was used for another event",
        )),
    }
}

fn judge_all(
    employers: &Employers,
    draft: Draft,
    samples: &BTreeMap<&str, Sample<'_>>,
    unwanted: &CancellationToken,
) -> Outcome<Vec<Award>> {
    let gone = Error::Internal("an employer is gone");
    let catalogue = employers.get(draft.employer.id).ok_or(gone)?;
    let compiled = Compiled::draft(draft.incentive, draft.program, draft.first);
    let unjudged = |reason: String| Error::from(Fault::invalid(&["incentive"], reason));
    let mut awards = Vec::new();
    for (name, sample) in samples {
        let samples = sample.read(catalogue, &compiled).map_err(unjudged)?;
        let mut earned = judge::simulate(
            catalogue,
            &compiled,
            sample.id,
            samples,
            sample.attributes(),
            unwanted,
        )
        .map_err(unjudged)?;
        if awards.len() + earned.len() > AWARDS_MAX {
            return Err(unjudged(format!("this would be more than {AWARDS_MAX} awards")));
        }
        earned.sort_by_key(|one| (one.award.earned_on, one.award.ordinal));
        awards.extend(earned.into_iter().map(|simulated| Award {
            member: (*name).to_owned(),
            simulated,
        }));
    }
    Ok(awards)
}

impl Sample<'_> {
    /// The member's attributes; nobody in particular has none.
    fn attributes(&self) -> &Value {
        self.known.map_or(&Value::Null, |member| &member.attributes)
    }

    /// What the member's events count for, and refund.
    fn read(&self, catalogue: &Catalogue, compiled: &Compiled) -> Result<judge::Samples, String> {
        let employer = &catalogue.employer;
        let attributes = self.attributes();
        let mut samples = judge::Samples::default();
        for (candidate, form) in &self.events {
            let local = check::local(form, self.known, employer);
            let unreadable = |_| "an event has no local date".to_owned();
            let happening = Happening {
                employer: employer.id,
                member: self.id,
                event_type: &candidate.event_type,
                source: &candidate.source,
                event_id: &candidate.id,
                occurred_at: form.occurred_at.into(),
                local_time: local.time.parse().map_err(unreadable)?,
                time_zone: local.zone.name(),
                properties: candidate.properties(),
            };
            let counted = happening.counts_for(catalogue, compiled, attributes)?;
            samples.contributions.extend(counted);
            samples.refunds.extend(happening.refunds(compiled)?);
        }
        Ok(samples)
    }
}
