//! Who is not written to any more: by the link in a mail, by what mail servers report, or because a person says so.
//!
//! A member who unsubscribes says so like anything else that it consents to: it stops advertising, and it can take that back. An address that
//! is suppressed gets no mail at all.

mod report;

use entity::clock::Timestamp;
use entity::consent::{self, Consent, Purpose};
use entity::id::{EmployerId, MemberId};
use entity::message::read;
use entity::suppression::{self, Suppression, SuppressionReason, address_digest};
use entity::{employer, member};
use jobs::campaign::link::{self, Token};
use sea_orm::ConnectionTrait;
use serde_json::json;

use super::audit::{Change, What};
use super::message::owner;
use super::{Fault, Outcome, retrying, tenant};
use crate::app::App;
use crate::auth::access;
use crate::auth::viewer::Permit;
use crate::validate;

pub use report::{EVENTS_MAX, Happened, Reported, Verdict, record_events};

/// What stands for the wording of a member's word that it has given by the link in a mail.
const BY_LINK: &str = "unsubscribe";
/// The same, for one whose complaint its mail server has passed on.
const BY_COMPLAINT: &str = "complaint";

/// Who has written the mail in which a link stands; none: there is no such link. Changes nothing.
pub async fn sender(app: &App, token: &str) -> Outcome<Option<employer::Model>> {
    let Some(token) = link::read_token(token) else {
        return Ok(None);
    };
    let db = app.db.read();
    match addressee(db, &token).await? {
        Some(_) => Ok(Some(owner(db, token.employer).await?)),
        None => Ok(None),
    }
}

/// Records that the member of a message wants no more advertising; says who has written to it. None: there is no such link.
pub async fn unsubscribe(app: &App, token: &str) -> Outcome<Option<employer::Model>> {
    let Some(token) = link::read_token(token) else {
        return Ok(None);
    };
    retrying(|| unsubscribe_once(app, &token)).await
}

async fn unsubscribe_once(app: &App, token: &Token) -> Outcome<Option<employer::Model>> {
    let txn = app.db.write_txn().await?;
    let Some(member) = addressee(&*txn, token).await? else {
        return Ok(None);
    };
    let employer = owner(&*txn, token.employer).await?;
    // Whoever decides about messages of the member holds this lock: what is decided after the answer knows of the word.
    let locked = member::lock(&*txn, &[(employer.id, member)]).await?;
    if locked.iter().any(|row| row.erased_at.is_some()) {
        return Ok(None);
    }
    let now = employer.now(app.clock.now()).into();
    say_no(&*txn, &[(employer.id, member, now)], BY_LINK).await?;
    txn.commit().await?;
    Ok(Some(employer))
}

/// The member to whom the message of a link was written; none: somebody has made it up, or the member was erased.
async fn addressee(connection: &impl ConnectionTrait, token: &Token) -> Outcome<Option<MemberId>> {
    let found = read::find(connection, token.employer, token.message).await?;
    let Some(message) = found.filter(|message| token.is_of(message)) else {
        return Ok(None);
    };
    let member = member::find(connection, message.employer_id, message.member_id).await?;
    Ok(member
        .filter(|member| member.erased_at.is_none())
        .map(|member| member.id))
}

/// Records that these members are not to be mailed; whoever has said so already has said it. The caller holds their locks.
async fn say_no(
    connection: &impl ConnectionTrait,
    members: &[(EmployerId, MemberId, Timestamp)],
    wording: &str,
) -> Outcome<()> {
    let keys: Vec<_> = members
        .iter()
        .map(|(employer, member, _)| (*employer, *member))
        .collect();
    let said = consent::list(connection, Purpose::Email, &keys).await?;
    let has_said = |employer: EmployerId, member: MemberId| {
        said.iter()
            .any(|word| (word.employer_id, word.member_id) == (employer, member) && !word.given)
    };
    let words: Vec<Consent> = members
        .iter()
        .filter(|(employer, member, _)| !has_said(*employer, *member))
        .map(|(employer, member, now)| Consent {
            employer_id: *employer,
            member_id: *member,
            purpose: Purpose::Email,
            partner_id: None,
            given: false,
            wording: Some(wording.to_owned()),
            recorded_at: *now,
        })
        .collect();
    if !words.is_empty() {
        consent::record(connection, &words).await?;
    }
    Ok(())
}

/// Lets nothing more be written to an address.
pub async fn suppress(
    app: &App,
    permit: Permit<access::SuppressAddress>,
    employer: Option<&str>,
    address: &str,
) -> Outcome<()> {
    check_address(address)?;
    let txn = Change::begin(app, &permit).await?;
    let employer = tenant::resolve(&*txn, permit.viewer(), employer).await?;
    let row = Suppression {
        employer_id: employer.id,
        address_digest: address_digest(employer.id, address),
        reason: SuppressionReason::Manual,
        recorded_at: employer.now(app.clock.now()).into(),
    };
    let facts = json!({"addressDigest": hex(&row.address_digest), "reason": row.reason.as_str()});
    if suppression::record(&*txn, &[row]).await? == 0 {
        // It was before: nothing is changed, and nothing told.
        return Ok(());
    }
    let what = What::other("suppression", None, Some(facts));
    txn.commit(app, Some(&employer), what).await
}

/// Lets an address be written to again.
pub async fn lift(
    app: &App,
    permit: Permit<access::LiftSuppression>,
    employer: Option<&str>,
    address: &str,
) -> Outcome<()> {
    check_address(address)?;
    let txn = Change::begin(app, &permit).await?;
    let employer = tenant::resolve(&*txn, permit.viewer(), employer).await?;
    if !suppression::lift(&*txn, employer.id, address).await? {
        return Ok(());
    }
    let facts = json!({"addressDigest": hex(&address_digest(employer.id, address))});
    let what = What::other("suppression", Some(facts), None);
    txn.commit(app, Some(&employer), what).await
}

fn check_address(address: &str) -> Outcome<()> {
    if validate::is_email(address) {
        Ok(())
    } else {
        Err(Fault::invalid(&["address"], "not an e-mail address").into())
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
