//! What mail servers and providers report: bounces and complaints.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use entity::clock::Timestamp;
use entity::id::{EmployerId, MemberId, MessageId};
use entity::message::read;
use entity::suppression::{self, Suppression, SuppressionReason, address_digest};
use entity::{employer, member};
use jobs::campaign::link;
use sea_orm::ConnectionTrait;

use super::{BY_COMPLAINT, say_no};
use crate::app::App;
use crate::auth::access;
use crate::auth::viewer::{Permit, Viewer};
use crate::domain::{Error, Fault, FaultCode, Outcome, retrying, tenant};
use crate::validate;

/// Events of one call.
pub const EVENTS_MAX: usize = 1_000;

/// What has happened to a mail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Happened {
    /// It could not be delivered: for good, or for now.
    Bounced {
        /// For good.
        permanently: bool,
    },
    /// Whoever got it has complained.
    Complained,
}

/// Something that was reported of a mail.
#[derive(Debug, Clone)]
pub struct Reported {
    /// What.
    pub happened: Happened,
    /// The id under which the mail was sent.
    pub message_id: Option<String>,
    /// The address it was sent to.
    pub address: Option<String>,
}

/// What became of a report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// The address is not written to any more.
    Suppressed,
    /// Nothing follows from it: a bounce that is not for good, or a member of whom no address is known any more.
    Ignored,
    /// It was not taken.
    Rejected(Fault),
}

/// A report of which it is known whom it is about.
struct About {
    employer: EmployerId,
    member: Option<MemberId>,
    address: Option<String>,
    happened: Happened,
}

/// Takes reports of bounces and complaints: the addresses are not written to any more, and whoever has complained about a mail has said no to
/// advertising. Taken twice they change nothing. The results are in the order of the reports.
pub async fn record_events(
    app: &App,
    permit: Permit<access::RecordMailEvents>,
    employer: Option<&str>,
    events: &[Reported],
) -> Outcome<Vec<Verdict>> {
    if events.is_empty() || events.len() > EVENTS_MAX {
        let message = format!("1 to {EVENTS_MAX} events");
        return Err(Fault::new(FaultCode::TooMany, &["events"], message).into());
    }
    let viewer = permit.viewer();
    let db = app.db.read();
    let own = match (viewer.employer(), employer) {
        // The operator may leave it to the ids of the mails to say whose they are.
        (None, None) => None,
        (_, named) => Some(tenant::resolve_id(db, viewer, named).await?),
    };
    let members = addressees(db, viewer, own, events).await?;
    let about: Vec<Result<About, Fault>> = events.iter().map(|event| about(event, own, &members)).collect();
    retrying(|| record_once(app, &about)).await
}

/// To whom the mails were sent that the reports name, as far as this viewer may know of them.
async fn addressees(
    connection: &impl ConnectionTrait,
    viewer: &Viewer,
    own: Option<EmployerId>,
    events: &[Reported],
) -> Outcome<HashMap<(EmployerId, MessageId), MemberId>> {
    if viewer.partner().is_some() {
        return Ok(HashMap::new());
    }
    let wanted: BTreeSet<(EmployerId, MessageId)> = events
        .iter()
        .filter_map(|event| link::read_message_id(event.message_id.as_deref()?))
        .filter(|(employer, _)| own.is_none_or(|own| own == *employer))
        .collect();
    if wanted.is_empty() {
        return Ok(HashMap::new());
    }
    let wanted: Vec<_> = wanted.into_iter().collect();
    let found = read::list_by_ids(connection, &wanted).await?;
    Ok(found
        .into_iter()
        .map(|row| ((row.employer_id, row.id), row.member_id))
        .collect())
}

fn about(
    event: &Reported,
    own: Option<EmployerId>,
    members: &HashMap<(EmployerId, MessageId), MemberId>,
) -> Result<About, Fault> {
    if let Some(address) = &event.address
        && !validate::is_email(address)
    {
        return Err(Fault::invalid(&["address"], "not an e-mail address"));
    }
    let (employer, member) = match (&event.message_id, own) {
        (Some(id), _) => {
            let named = link::read_message_id(id);
            let found = named.and_then(|key| Some((key.0, members.get(&key)?)));
            let unknown = || Fault::not_found(&["messageId"], "no mail was sent under this id");
            let (employer, member) = found.ok_or_else(unknown)?;
            (employer, Some(*member))
        }
        (None, Some(own)) if event.address.is_some() => (own, None),
        (None, None) if event.address.is_some() => {
            let message = "say which employer, or under which id the mail was sent";
            return Err(Fault::invalid(&["messageId"], message));
        }
        (None, _) => {
            let message = "say under which id the mail was sent, or to which address";
            return Err(Fault::invalid(&["messageId"], message));
        }
    };
    Ok(About {
        employer,
        member,
        address: event.address.clone(),
        happened: event.happened,
    })
}

async fn record_once(app: &App, about: &[Result<About, Fault>]) -> Outcome<Vec<Verdict>> {
    let matters = |about: &&About| about.happened != Happened::Bounced { permanently: false };
    let members: BTreeSet<_> = about
        .iter()
        .flatten()
        .filter(matters)
        .filter_map(|about| Some((about.employer, about.member?)))
        .collect();
    let members: Vec<_> = members.into_iter().collect();
    let txn = app.db.write_txn().await?;
    let known = if members.is_empty() {
        Vec::new()
    } else {
        // Under the lock under which their messages are decided.
        member::lock(&*txn, &members).await?;
        member::list_by_ids(&*txn, &members).await?
    };
    let known: HashMap<_, _> = known
        .into_iter()
        .filter(|row| row.erased_at.is_none())
        .map(|row| ((row.employer_id, row.id), row))
        .collect();
    let nows = clocks(app, &*txn, about).await?;
    let mut rows = BTreeMap::new();
    let mut complained = BTreeMap::new();
    let mut results = Vec::with_capacity(about.len());
    for about in about {
        let about = match about {
            Ok(about) => about,
            Err(fault) => {
                results.push(Verdict::Rejected(fault.clone()));
                continue;
            }
        };
        let member = about
            .member
            .and_then(|member| known.get(&(about.employer, member)));
        let address = about
            .address
            .as_deref()
            .or_else(|| member.and_then(|member| member.email.as_deref()));
        let (true, Some(address), Some(now)) = (matters(&about), address, nows.get(&about.employer)) else {
            results.push(Verdict::Ignored);
            continue;
        };
        let reason = match about.happened {
            Happened::Complained => SuppressionReason::Complaint,
            Happened::Bounced { .. } => SuppressionReason::Bounce,
        };
        let digest = address_digest(about.employer, address);
        rows.entry((about.employer, digest)).or_insert((reason, *now));
        if let (Happened::Complained, Some(member)) = (about.happened, member) {
            complained.insert((about.employer, member.id), *now);
        }
        results.push(Verdict::Suppressed);
    }
    let rows: Vec<Suppression> = rows
        .into_iter()
        .map(|((employer, digest), (reason, now))| Suppression {
            employer_id: employer,
            address_digest: digest,
            reason,
            recorded_at: now,
        })
        .collect();
    if !rows.is_empty() {
        suppression::record(&*txn, &rows).await?;
    }
    let complained: Vec<_> = complained
        .into_iter()
        .map(|((employer, member), now)| (employer, member, now))
        .collect();
    if !complained.is_empty() {
        say_no(&*txn, &complained, BY_COMPLAINT).await?;
    }
    txn.commit().await?;
    Ok(results)
}

/// What the clocks of the employers show that the reports are about.
async fn clocks(
    app: &App,
    connection: &impl ConnectionTrait,
    about: &[Result<About, Fault>],
) -> Outcome<HashMap<EmployerId, Timestamp>> {
    let ids: BTreeSet<EmployerId> = about.iter().flatten().map(|about| about.employer).collect();
    if ids.is_empty() {
        return Ok(HashMap::new());
    }
    let now = app.clock.now();
    let employers = employer::list_by_ids(connection, ids.into_iter().collect()).await;
    Ok(employers
        .map_err(Error::Db)?
        .into_iter()
        .map(|employer| (employer.id, employer.now(now).into()))
        .collect())
}
