//! Registering members: who is new, who has changed, and what they have consented to.

use std::collections::{BTreeSet, HashMap, HashSet};

use chrono::NaiveDate;
use entity::clock::Timestamp;
use entity::consent::{self, Consent, Purpose};
use entity::employer::Enrolment;
use entity::feed::{NewEntry, News};
use entity::id::{EmployerId, MemberId, PartnerId};
use entity::member::{self, Model};
use entity::{db, employer, partner};
use sea_orm::ConnectionTrait;
use serde_json::{Value, json};

use crate::app::App;
use crate::auth::access;
use crate::auth::viewer::{Permit, Viewer};
use crate::domain::audit::{Change, What};
use crate::domain::{Error, Fault, FaultCode, Outcome, redemption, tenant};
use crate::validate;

/// Members of one call.
pub const MEMBERS_MAX: usize = 1_000;
/// The largest attributes, in bytes of JSON.
const ATTRIBUTES_MAX: usize = 16 * 1024;
/// Tries of a transaction that was in another one's way.
const ATTEMPTS: u32 = 5;

/// A member as the caller knows it. A field that is left out stays as it is; `Some(None)` empties it.
#[derive(Debug, Clone)]
pub struct Register {
    /// The employer's own name for the member.
    pub external_id: String,
    /// IANA zone.
    pub time_zone: Option<Option<String>>,
    /// BCP 47 language tag.
    pub locale: Option<Option<String>>,
    /// E-mail address.
    pub email: Option<Option<String>>,
    /// Events before this local date are refused.
    pub eligible_from: Option<Option<NaiveDate>>,
    /// Events after this local date are refused.
    pub eligible_until: Option<Option<NaiveDate>>,
    /// What conditions may ask.
    pub attributes: Option<Value>,
    /// What the member has said.
    pub consents: Vec<Word>,
}

/// What a member has said.
#[derive(Debug, Clone)]
pub struct Word {
    /// What about.
    pub purpose: Purpose,
    /// The key of the partner; none: all of them.
    pub partner: Option<String>,
    /// Yes or no.
    pub given: bool,
    /// The version of the wording.
    pub wording: Option<String>,
}

/// What became of one member of the call.
#[derive(Debug)]
pub enum Registered {
    /// It is new.
    Created(Model),
    /// It was known and has changed.
    Updated(Model),
    /// It was known and is as it was.
    Unchanged(Model),
    /// It was refused; nothing has happened.
    Rejected(Fault),
}

/// Registers members, or changes what is known of them. A member whose form was wrong already comes as its fault. One member that is refused does not stop the others. The results are in the
/// order of the input.
pub async fn register(
    app: &App,
    permit: Permit<access::RegisterMembers>,
    employer: Option<&str>,
    members: &[Result<Register, Fault>],
) -> Outcome<Vec<Registered>> {
    if members.is_empty() || members.len() > MEMBERS_MAX {
        return Err(Fault::new(
            FaultCode::TooMany,
            &["members"],
            format!("1 to {MEMBERS_MAX} members"),
        )
        .into());
    }
    let employer = tenant::resolve(app.db.read(), permit.viewer(), employer).await?;
    let mut attempt = 1;
    loop {
        match register_once(app, permit.viewer(), &employer, members).await {
            Err(Error::Db(error)) if db::is_retryable(&error) && attempt < ATTEMPTS => attempt += 1,
            Ok(None) if attempt < ATTEMPTS => attempt += 1,
            Ok(None) => return Err(Error::Busy),
            Ok(Some(results)) => return Ok(results),
            Err(error) => return Err(error),
        }
    }
}

async fn register_once(
    app: &App,
    viewer: &Viewer,
    employer: &employer::Model,
    members: &[Result<Register, Fault>],
) -> Outcome<Option<Vec<Registered>>> {
    let now = Timestamp::from(employer.now(app.clock.now()));
    let (owner, employer) = (employer, employer.id);
    let txn = Change::by::<access::RegisterMembers>(app, viewer).await?;
    let partners = partners(&*txn, members).await?;
    let before = lock_known(&*txn, employer, members).await?;
    let words = words(&*txn, employer, before.values()).await?;

    let mut seen = HashSet::new();
    let (mut created, mut updated, mut said, mut results) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for member in members {
        let member = match member {
            Ok(member) => member,
            Err(fault) => {
                results.push(Registered::Rejected(fault.clone()));
                continue;
            }
        };
        let known = before.get(&member.external_id);
        let row = merged(
            known
                .cloned()
                .unwrap_or_else(|| blank(app, owner, &member.external_id, now)),
            member,
        );
        let twice = || {
            (!seen.insert(member.external_id.clone()))
                .then(|| Fault::invalid(&["externalId"], "named twice in this call"))
        };
        if let Some(fault) = check(member, &row, &partners).or_else(twice) {
            results.push(Registered::Rejected(fault));
            continue;
        }
        let consents: Vec<Consent> = member
            .consents
            .iter()
            .map(|word| Consent {
                employer_id: employer,
                member_id: row.id,
                purpose: word.purpose,
                partner_id: word.partner.as_ref().and_then(|key| partners.get(key).copied()),
                given: word.given,
                wording: word.wording.clone(),
                recorded_at: now,
            })
            .filter(|word| is_news(words.get(&(word.member_id, word.purpose, word.partner_id)), word))
            .collect();
        let touched = known != Some(&row) || !consents.is_empty();
        said.extend(consents);
        let row = if touched {
            Model {
                updated_at: now,
                ..row
            }
        } else {
            row
        };
        results.push(match known {
            None => {
                created.push(row.clone());
                Registered::Created(row)
            }
            Some(_) if touched => {
                updated.push(row.clone());
                Registered::Updated(row)
            }
            Some(_) => Registered::Unchanged(row),
        });
    }
    if !created.is_empty() {
        member::insert_missing(&*txn, &created).await?;
        let keys: Vec<_> = created
            .iter()
            .map(|row| (employer, row.external_id.clone()))
            .collect();
        let ours: HashSet<MemberId> = created.iter().map(|row| row.id).collect();
        if member::list_by_external_ids(&*txn, &keys)
            .await?
            .iter()
            .any(|row| !ours.contains(&row.id))
        {
            // Another call has registered one of them in between: what is known of it must be read first.
            return Ok(None);
        }
    }
    if !updated.is_empty() {
        member::update(&*txn, &updated).await?;
    }
    let mut entries = Vec::new();
    if !said.is_empty() {
        consent::record(&*txn, &said).await?;
        entries = tell_gifts(app, &*txn, owner.default_partner_sharing, &said, now).await?;
    }
    let touched: Vec<MemberId> = created.iter().chain(&updated).map(|row| row.id).collect();
    if touched.is_empty() {
        // Nothing was changed, and nothing is told.
        return Ok(Some(results));
    }
    let counts = json!({"created": created.len(), "updated": updated.len(), "consents": said.len()});
    let what = What::other("members", None, Some(counts)).of(touched);
    let txn = txn.enter(app, Some(owner), what).await?;
    redemption::finish(app, txn, entries).await?;
    Ok(Some(results))
}

/// What was given to these members and waits untold: the partners that fulfil it are told where by now they may know.
async fn tell_gifts(
    app: &App,
    connection: &impl ConnectionTrait,
    default: bool,
    said: &[Consent],
    now: Timestamp,
) -> Outcome<Vec<NewEntry>> {
    let agreed = said
        .iter()
        .filter(|word| word.given && word.purpose == Purpose::PartnerSharing);
    let members: BTreeSet<_> = agreed.map(|word| (word.employer_id, word.member_id)).collect();
    if members.is_empty() {
        return Ok(Vec::new());
    }
    let untold = entity::redemption::list_untold(connection, &members).await?;
    if untold.is_empty() {
        return Ok(Vec::new());
    }
    let members: Vec<_> = members.into_iter().collect();
    let words = consent::list(connection, Purpose::PartnerSharing, &members).await?;
    let partners: BTreeSet<PartnerId> = untold.iter().map(|row| row.partner_id).collect();
    let partners: HashMap<_, _> = partner::list_by_ids(connection, partners.into_iter().collect())
        .await?
        .into_iter()
        .map(|row| (row.id, row))
        .collect();
    let (mut told, mut entries) = (Vec::new(), Vec::new());
    for row in untold {
        let own: Vec<&Consent> = words
            .iter()
            .filter(|word| word.member_id == row.member_id)
            .collect();
        let allowed = consent::allows(&own, row.partner_id, default);
        let Some(partner) = partners.get(&row.partner_id).filter(|_| allowed) else {
            continue;
        };
        let name = partner::member_ref(partner.pairwise_key.expose(), row.employer_id, row.member_id);
        told.push((row.employer_id, row.id, partner.id, name.clone()));
        entries.push(NewEntry {
            partner_id: partner.id,
            id: app.ids.next(),
            employer_id: row.employer_id,
            news: News::Requested(row.id),
            member_ref: name,
            recorded_at: now,
        });
    }
    if !told.is_empty() {
        entity::redemption::set_told(connection, &told).await?;
    }
    Ok(entries)
}

/// The members of the call that are known already, locked in the order in which the evaluator locks them, by external id.
async fn lock_known(
    connection: &impl ConnectionTrait,
    employer: EmployerId,
    members: &[Result<Register, Fault>],
) -> Outcome<HashMap<String, Model>> {
    let keys: Vec<(EmployerId, String)> = members
        .iter()
        .flatten()
        .filter(|member| validate::is_external_id(&member.external_id))
        .map(|member| (employer, member.external_id.clone()))
        .collect();
    let mut ids: Vec<(EmployerId, MemberId)> = member::list_by_external_ids(connection, &keys)
        .await?
        .into_iter()
        .map(|row| (employer, row.id))
        .collect();
    ids.sort_unstable();
    ids.dedup();
    if ids.is_empty() {
        return Ok(HashMap::new());
    }
    member::lock(connection, &ids).await?;
    Ok(member::list_by_ids(connection, &ids)
        .await?
        .into_iter()
        .map(|row| (row.external_id.clone(), row))
        .collect())
}

type Words = HashMap<(MemberId, Purpose, Option<PartnerId>), Consent>;

/// Whether a word says anything that was not said before: another answer, or the same to another wording.
fn is_news(before: Option<&Consent>, word: &Consent) -> bool {
    before.is_none_or(|before| {
        before.given != word.given || (word.wording.is_some() && word.wording != before.wording)
    })
}

/// What these members have said so far.
async fn words<'a>(
    connection: &impl ConnectionTrait,
    employer: EmployerId,
    members: impl Iterator<Item = &'a Model>,
) -> Outcome<Words> {
    let ids: Vec<(EmployerId, MemberId)> = members.map(|row| (employer, row.id)).collect();
    let mut words = Words::new();
    for purpose in [Purpose::PartnerSharing, Purpose::Email] {
        let said = consent::list(connection, purpose, &ids).await?;
        words.extend(
            said.into_iter()
                .map(|word| ((word.member_id, word.purpose, word.partner_id), word)),
        );
    }
    Ok(words)
}

/// The partners that the consents of the call name, by key.
async fn partners(
    connection: &impl ConnectionTrait,
    members: &[Result<Register, Fault>],
) -> Outcome<HashMap<String, PartnerId>> {
    let mut keys: Vec<String> = members
        .iter()
        .flatten()
        .flat_map(|member| &member.consents)
        .filter_map(|word| word.partner.clone())
        .collect();
    keys.retain(|key| !key.contains('\0'));
    keys.sort_unstable();
    keys.dedup();
    if keys.is_empty() {
        return Ok(HashMap::new());
    }
    Ok(partner::list_by_keys(connection, keys)
        .await?
        .into_iter()
        .map(|row| (row.key, row.id))
        .collect())
}

/// A member of whom nothing is known yet.
fn blank(app: &App, employer: &employer::Model, external_id: &str, now: Timestamp) -> Model {
    // Where events enrol members, being known does not mean to have registered: an event says so.
    let is_engaged = employer.enrolment == Enrolment::Roster;
    Model {
        employer_id: employer.id,
        id: app.ids.next(),
        external_id: external_id.to_owned(),
        time_zone: None,
        locale: None,
        email: None,
        eligible_from: None,
        eligible_until: None,
        attributes: Value::Object(serde_json::Map::new()),
        created_at: now,
        updated_at: now,
        erased_at: None,
        engaged_at: is_engaged.then_some(now),
    }
}

/// What is known of a member after the call.
fn merged(known: Model, member: &Register) -> Model {
    Model {
        time_zone: member.time_zone.clone().unwrap_or(known.time_zone),
        locale: member.locale.clone().unwrap_or(known.locale),
        email: member.email.clone().unwrap_or(known.email),
        eligible_from: member.eligible_from.unwrap_or(known.eligible_from),
        eligible_until: member.eligible_until.unwrap_or(known.eligible_until),
        attributes: member.attributes.clone().unwrap_or(known.attributes),
        ..known
    }
}

/// The first thing wrong with a member of the call; `row` is what would be known of it afterwards.
fn check(member: &Register, row: &Model, partners: &HashMap<String, PartnerId>) -> Option<Fault> {
    let mut faults = Vec::new();
    if !validate::is_external_id(&member.external_id) {
        faults.push(Fault::invalid(
            &["externalId"],
            "1 to 255 characters, none of them a control character",
        ));
    }
    if let Some(zone) = &row.time_zone {
        validate::zone(&["timeZone"], zone, &mut faults);
    }
    if row.locale.as_ref().is_some_and(|locale| {
        locale.is_empty()
            || locale.len() > 35
            || !locale
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    }) {
        faults.push(Fault::invalid(&["locale"], "a BCP 47 language tag such as de-CH"));
    }
    if row.email.as_ref().is_some_and(|email| !validate::is_email(email)) {
        faults.push(Fault::invalid(&["email"], "not an e-mail address"));
    }
    validate::dates(
        [&["eligibleFrom"], &["eligibleUntil"]],
        row.eligible_from,
        row.eligible_until,
        &mut faults,
    );
    if !row.attributes.is_object()
        || validate::has_nul(&row.attributes)
        || row.attributes.to_string().len() > ATTRIBUTES_MAX
    {
        faults.push(Fault::invalid(
            &["attributes"],
            "a JSON object of at most 16 KiB, without zero characters",
        ));
    }
    let mut about = HashSet::new();
    for (index, word) in member.consents.iter().enumerate() {
        let (purpose, partner) = (&word.purpose, &word.partner);
        let path = |field: &str| ["consents".to_owned(), index.to_string(), field.to_owned()];
        let at = |field: &str, message: &str| {
            let path = path(field);
            Fault::invalid(&path.each_ref().map(String::as_str), message)
        };
        if *purpose == Purpose::Email && partner.is_some() {
            faults.push(at("partner", "mail is the employer's own; it has no partner"));
        } else if partner.as_ref().is_some_and(|key| !partners.contains_key(key)) {
            faults.push(Fault {
                code: FaultCode::NotFound,
                ..at("partner", "there is no partner of this key")
            });
        } else if !about.insert((*purpose, partner.as_ref())) {
            faults.push(at("purpose", "said twice in this call"));
        }
        if let Some(wording) = &word.wording {
            let path = path("wording");
            validate::name(&path.each_ref().map(String::as_str), wording, &mut faults);
        }
    }
    faults.into_iter().next()
}
