//! What a mobile backend sends: members and events.

use async_graphql::{Context, Enum, ID, InputObject, MaybeUndefined, Object, SimpleObject};
use entity::consent::Purpose;

use crate::auth::access;
use crate::auth::guard::Requires;
use crate::domain::member::{Register, Registered};
use crate::domain::{self, Fault, FaultCode, tenant};
use crate::graphql::error::{ApiError, UserError, settle};
use crate::graphql::mutation::given;
use crate::graphql::object::Member;
use crate::graphql::scalar::{Date, DateTime, Json, PerItem, TimeZone};
use crate::graphql::{app, permit};
use crate::intake::check::Candidate;
use crate::intake::{EVENTS_MAX, Status};

/// What a consent is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "Purpose")]
pub enum ConsentPurpose {
    /// Partners may learn of what the member achieves.
    PartnerSharing,
    /// The member may be mailed.
    Email,
}

/// Members to be registered or changed.
#[derive(InputObject)]
pub struct RegisterMembersInput {
    /// The key of the employer; the token's own unless given. The operator must give it.
    employer: Option<String>,
    /// The members, 1 to 1,000, each at most once.
    members: Vec<MemberInput>,
}

/// A member. What is left out stays as it is; `null` empties it.
#[derive(InputObject)]
pub struct MemberInput {
    /// The employer's own name for the member, 1 to 255 characters; unique within the employer.
    external_id: String,
    /// The zone of the member's local dates; the employer's when empty.
    time_zone: MaybeUndefined<PerItem<TimeZone>>,
    /// BCP 47 language tag, such as `de-CH`.
    locale: MaybeUndefined<String>,
    /// E-mail address.
    email: MaybeUndefined<String>,
    /// Events before this local date are refused.
    eligible_from: MaybeUndefined<PerItem<Date>>,
    /// Events after this local date are refused.
    eligible_until: MaybeUndefined<PerItem<Date>>,
    /// What conditions may ask of the member: a JSON object of at most 16 KiB. Replaces what was there.
    attributes: Option<Json>,
    /// What the member has said. What is left out stays as it is.
    consents: Option<Vec<ConsentInput>>,
}

/// A member's word, from now on.
#[derive(InputObject)]
pub struct ConsentInput {
    /// What for.
    purpose: ConsentPurpose,
    /// The key of the partner; all of them unless given. A word about one partner stands above the word about all.
    partner: Option<String>,
    /// Yes or no.
    given: bool,
}

/// What came of `registerMembers`.
#[derive(SimpleObject)]
pub struct RegisterMembersPayload {
    /// One result a member, in the order of the input.
    results: Option<Vec<MemberResult>>,
    /// What the caller can mend about the call as a whole.
    user_errors: Vec<UserError>,
}

/// What became of one member of the call.
#[derive(SimpleObject)]
pub struct MemberResult {
    /// As it was sent.
    external_id: String,
    /// What became of it.
    status: MemberStatus,
    /// The member as it is now; null when it was rejected.
    member: Option<Member>,
    /// Why it was rejected; null otherwise.
    error: Option<UserError>,
}

/// What became of one member of the call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
pub enum MemberStatus {
    /// It is new.
    Created,
    /// It was known and has changed.
    Updated,
    /// It was known and is as it was.
    Unchanged,
    /// It was refused; nothing has happened.
    Rejected,
}

/// Where an event comes from when nothing is said.
const DEFAULT_SOURCE: &str = "default";

/// Events to be recorded.
#[derive(InputObject)]
pub struct RecordEventsInput {
    /// The key of the employer; the token's own unless given. The operator must give it.
    employer: Option<String>,
    /// The events, 1 to 1,000.
    events: Vec<EventInput>,
}

/// A fact about one member.
#[derive(InputObject)]
pub struct EventInput {
    /// The sender's own id, 1 to 255 characters; reuse it when you retry. Unique with `source` within the employer.
    id: ID,
    /// Where it comes from, 1 to 255 characters.
    #[graphql(default_with = "Some(DEFAULT_SOURCE.to_owned())")]
    source: Option<String>,
    /// The key of the event type.
    r#type: String,
    /// The member's external id.
    member: String,
    /// When it happened.
    occurred_at: PerItem<DateTime>,
    /// The zone where it happened; the member's unless given, else the employer's.
    time_zone: Option<PerItem<TimeZone>>,
    /// A JSON object of at most 16 KiB that fits the event type's schema.
    properties: Option<Json>,
}

/// What came of `recordEvents`.
#[derive(SimpleObject)]
pub struct RecordEventsPayload {
    /// One result an event, in the order of the input. What is accepted is durable.
    results: Option<Vec<EventResult>>,
    /// What the caller can mend about the call as a whole.
    user_errors: Vec<UserError>,
}

/// What became of one event.
#[derive(SimpleObject)]
pub struct EventResult {
    /// The sender's own id.
    id: ID,
    /// What became of it.
    status: EventStatus,
    /// Why it was rejected; null otherwise.
    error: Option<UserError>,
}

/// What became of one event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
pub enum EventStatus {
    /// It is stored, and will be evaluated.
    Accepted,
    /// The same event was accepted before; nothing has happened. A success.
    Duplicate,
    /// It was refused; nothing has happened.
    Rejected,
}

/// What a mobile backend sends.
#[derive(Default)]
pub struct IntakeMutation;

/// What a mobile backend sends.
#[Object]
impl IntakeMutation {
    /// Registers members, or changes what is known of them. One that is rejected does not stop the others.
    /// Scope: `members:write` or `operator`.
    #[graphql(guard = "Requires::<access::RegisterMembers>::new()")]
    async fn register_members(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "The members.")] input: RegisterMembersInput,
    ) -> Result<RegisterMembersPayload, ApiError> {
        let external_ids: Vec<String> = input
            .members
            .iter()
            .map(|member| member.external_id.clone())
            .collect();
        let members: Vec<Result<Register, Fault>> =
            input.members.into_iter().map(MemberInput::register).collect();
        let employer = input.employer.as_deref();
        let outcome = domain::member::register(app(context)?, permit(context)?, employer, &members).await;
        let (results, user_errors) = settle(outcome)?;
        let result = |(external_id, registered): (String, Registered)| {
            let (status, member, error) = match registered {
                Registered::Created(row) => (MemberStatus::Created, Some(Member(row)), None),
                Registered::Updated(row) => (MemberStatus::Updated, Some(Member(row)), None),
                Registered::Unchanged(row) => (MemberStatus::Unchanged, Some(Member(row)), None),
                Registered::Rejected(fault) => (MemberStatus::Rejected, None, Some(fault.into())),
            };
            MemberResult {
                external_id,
                status,
                member,
                error,
            }
        };
        let results = results.map(|results| external_ids.into_iter().zip(results).map(result).collect());
        Ok(RegisterMembersPayload { results, user_errors })
    }

    /// Records events. Each has a result of its own; the answer comes after what was accepted is durable, and a retry with the same
    /// ids is safe. Any number of requests may be under way for one member. Scope: `events:write` or `operator`.
    #[graphql(guard = "Requires::<access::RecordEvents>::new()")]
    async fn record_events(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "The events.")] input: RecordEventsInput,
    ) -> Result<RecordEventsPayload, ApiError> {
        let app = app(context)?;
        let permit = permit::<access::RecordEvents>(context)?;
        let outcome = async {
            if input.events.is_empty() || input.events.len() > EVENTS_MAX {
                return Err(Fault::new(
                    FaultCode::TooMany,
                    &["events"],
                    format!("1 to {EVENTS_MAX} events"),
                )
                .into());
            }
            let employer =
                tenant::resolve_id(app.db.read(), permit.viewer(), input.employer.as_deref()).await?;
            app.intake
                .offer(
                    employer,
                    input.events.into_iter().map(EventInput::candidate).collect(),
                )
                .await
        };
        let (results, user_errors) = settle(outcome.await)?;
        let result = |item: crate::intake::ItemResult| {
            let (status, error) = match item.status {
                Status::Accepted => (EventStatus::Accepted, None),
                Status::Duplicate => (EventStatus::Duplicate, None),
                Status::Rejected(fault) => (EventStatus::Rejected, Some(fault.into())),
            };
            EventResult {
                id: item.id.into(),
                status,
                error,
            }
        };
        Ok(RecordEventsPayload {
            results: results.map(|results| results.into_iter().map(result).collect()),
            user_errors,
        })
    }
}

impl EventInput {
    fn candidate(self) -> Candidate {
        Candidate {
            id: self.id.0,
            source: self.source.unwrap_or_else(|| DEFAULT_SOURCE.to_owned()),
            event_type: self.r#type,
            member: self.member,
            occurred_at: self.occurred_at.0.map(|instant| instant.0),
            time_zone: self
                .time_zone
                .map_or(Ok(None), |zone| zone.0.map(|zone| Some(zone.0))),
            properties: Ok(self
                .properties
                .map_or_else(|| serde_json::json!({}), |properties| properties.0)),
        }
    }
}

impl MemberInput {
    fn register(self) -> Result<Register, Fault> {
        Ok(Register {
            external_id: self.external_id,
            time_zone: item(self.time_zone, "timeZone")?
                .map(|zone| zone.map(|zone| zone.0.name().to_owned())),
            locale: given(self.locale),
            email: given(self.email),
            eligible_from: item(self.eligible_from, "eligibleFrom")?.map(|date| date.map(|date| date.0)),
            eligible_until: item(self.eligible_until, "eligibleUntil")?.map(|date| date.map(|date| date.0)),
            attributes: self.attributes.map(|attributes| attributes.0),
            consents: self
                .consents
                .unwrap_or_default()
                .into_iter()
                .map(|consent| (consent.purpose.into(), consent.partner, consent.given))
                .collect(),
        })
    }
}

/// As [`given`], for a value that may be malformed.
#[expect(clippy::option_option, reason = "three cases: leave as it is, empty, set")]
fn item<T>(value: MaybeUndefined<PerItem<T>>, field: &str) -> Result<Option<Option<T>>, Fault> {
    match given(value) {
        None => Ok(None),
        Some(None) => Ok(Some(None)),
        Some(Some(PerItem(Ok(value)))) => Ok(Some(Some(value))),
        Some(Some(PerItem(Err(message)))) => Err(Fault::invalid(&[field], message)),
    }
}
