//! What a mobile backend sends: members and events.

mod event;

use async_graphql::{Context, Enum, InputObject, MaybeUndefined, Object, SimpleObject};

use crate::auth::access;
use crate::auth::guard::Requires;
use crate::domain::member::{Register, Registered, Word};
use crate::domain::{self, Fault, FaultCode, tenant};
use crate::graphql::error::{ApiError, UserError, settle};
use crate::graphql::mutation::given;
use crate::graphql::object::Member;
use crate::graphql::object::sharing::ConsentPurpose;
use crate::graphql::scalar::{Date, Json, PerItem, TimeZone};
use crate::graphql::{app, permit};
use crate::intake::EVENTS_MAX;
use crate::intake::retract::{self, Retract};
pub use event::EventInput;
use event::{
    EventResult, RecordEventsInput, RecordEventsPayload, RetractEventsInput, RetractEventsPayload,
    RetractionInput,
};

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
    /// The version of the wording that the member has answered to, 1 to 200 characters. The same answer to another wording is kept as a
    /// further word; unless given, the same answer again changes nothing.
    wording: Option<String>,
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
        Ok(RecordEventsPayload {
            results: results.map(|results| results.into_iter().map(EventResult::from).collect()),
            user_errors,
        })
    }

    /// Takes events back, whatever they have counted for. Each has a result of its own, and a retry is safe: taking back what is taken
    /// back changes nothing. A retraction may arrive before its event, which then is accepted and counts for nothing; it works as long
    /// as the event could still be reported. What was earned and no longer holds is revoked or kept, as the outcome's `onRetraction`
    /// says, and the partners' feeds tell what is revoked. Scope: `events:write` or `operator`.
    #[graphql(guard = "Requires::<access::RetractEvents>::new()")]
    async fn retract_events(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "The events.")] input: RetractEventsInput,
    ) -> Result<RetractEventsPayload, ApiError> {
        let events: Vec<Retract> = input.events.into_iter().map(RetractionInput::retract).collect();
        let employer = input.employer.as_deref();
        let outcome = retract::retract(app(context)?, permit(context)?, employer, &events).await;
        let (results, user_errors) = settle(outcome)?;
        Ok(RetractEventsPayload {
            results: results.map(|results| results.into_iter().map(EventResult::from).collect()),
            user_errors,
        })
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
                .map(|consent| Word {
                    purpose: consent.purpose.into(),
                    partner: consent.partner,
                    given: consent.given,
                    wording: consent.wording,
                })
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
