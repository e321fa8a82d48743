//! What an employer sets up beside its programs and incentives: event types, and what partners may know; and its clock.

use async_graphql::{Context, InputObject, Object, SimpleObject};
use chrono::TimeDelta;

use crate::auth::access;
use crate::auth::guard::Requires;
use crate::domain;
use crate::domain::stock_menu::{MAX_FUTURE_SECONDS, MAX_LATE_SECONDS};
use crate::graphql::error::{ApiError, UserError, settle};
use crate::graphql::object::employer::{Grant, grants};
use crate::graphql::object::{Employer, EventType};
use crate::graphql::scalar::{DateTime, Duration, Json};
use crate::graphql::{app, permit};

const MAX_LATE: Duration = Duration(TimeDelta::seconds(MAX_LATE_SECONDS));
const MAX_FUTURE: Duration = Duration(TimeDelta::seconds(MAX_FUTURE_SECONDS));
const RETENTION: Duration = Duration(TimeDelta::zero());

/// A new event type.
#[derive(InputObject)]
pub struct CreateEventTypeInput {
    /// The key of the employer; the token's own unless given. The operator must give it.
    employer: Option<String>,
    /// Its short name, of the form of an employer's key; unique within the employer.
    key: String,
    /// Its name for people, 1 to 200 characters.
    name: String,
    /// What it means, at most 2,000 characters.
    description: Option<String>,
    /// JSON Schema of the properties, drafts 6 to 2020-12; without one anything goes. At most 64 KiB, and with references followed at
    /// most 2,000 objects, nested at most 64 levels deep. A `$ref` leads to a place in the schema itself, and never in a circle. At most
    /// 20 patterns, without look-around and back-references.
    properties_schema: Option<Json>,
    /// Health data and the like: never shown by person to the employer's administrators.
    #[graphql(default_with = "Some(false)")]
    sensitive: Option<bool>,
    /// How long after it happened an event is still accepted, at most 400 days.
    #[graphql(default_with = "Some(MAX_LATE)")]
    max_late: Option<Duration>,
    /// How far in the future an event may claim to happen, at most a day.
    #[graphql(default_with = "Some(MAX_FUTURE)")]
    max_future: Option<Duration>,
    /// How long after it happened an evaluated event is kept with its properties, as `Member.events` shows it. Must be none for a
    /// sensitive type.
    #[graphql(default_with = "Some(RETENTION)")]
    retention: Option<Duration>,
}

impl From<CreateEventTypeInput> for domain::event_type::Create {
    fn from(input: CreateEventTypeInput) -> Self {
        Self {
            employer: input.employer,
            key: input.key,
            name: input.name,
            description: input.description,
            properties_schema: input.properties_schema.map(|schema| schema.0),
            sensitive: input.sensitive.unwrap_or(false),
            max_late: input.max_late.unwrap_or(MAX_LATE).0.num_seconds(),
            max_future: input.max_future.unwrap_or(MAX_FUTURE).0.num_seconds(),
            retention: input.retention.unwrap_or(RETENTION).0.num_seconds(),
        }
    }
}

/// What a partner may know from now on.
#[derive(InputObject)]
pub struct GrantPartnerInput {
    /// The key of the employer; the token's own unless given. The operator must give it.
    pub employer: Option<String>,
    /// The key of the partner.
    pub partner: String,
    /// The keys of the programs, 1 to 100.
    pub programs: Vec<String>,
    /// Whether the partner is also told of what was achieved before and still stands, of those members who share with it: in the
    /// background, as `Grant.backfill` shows. Of what it was told already it is not told again.
    #[graphql(default_with = "Some(false)")]
    pub backfill: Option<bool>,
}

impl From<GrantPartnerInput> for domain::grant::Give {
    fn from(input: GrantPartnerInput) -> Self {
        Self {
            employer: input.employer,
            partner: input.partner,
            programs: input.programs,
            backfill: input.backfill.unwrap_or(false),
        }
    }
}

/// What a partner may know no longer.
#[derive(InputObject)]
pub struct RevokeGrantInput {
    /// The key of the employer; the token's own unless given. The operator must give it.
    pub employer: Option<String>,
    /// The key of the partner.
    pub partner: String,
    /// The keys of the programs.
    pub programs: Vec<String>,
}

/// An instant to which a sandbox sets its clock forward.
#[derive(InputObject)]
pub struct AdvanceClockInput {
    /// The key of the employer; the token's own unless given. The operator must give it.
    employer: Option<String>,
    /// The instant that is `now` to the employer from now on: after its present one, and at most 3,653 days ahead of the real one.
    to: DateTime,
}

/// What came of `createEventType`.
#[derive(SimpleObject)]
pub struct CreateEventTypePayload {
    /// The event type.
    event_type: Option<EventType>,
    /// What the caller can mend.
    user_errors: Vec<UserError>,
}

/// What came of `grantPartner`.
#[derive(SimpleObject)]
pub struct GrantPartnerPayload {
    /// The partner's grants for these programs.
    grants: Option<Vec<Grant>>,
    /// What the caller can mend.
    user_errors: Vec<UserError>,
}

/// What came of `revokeGrant`.
#[derive(SimpleObject)]
pub struct RevokeGrantPayload {
    /// The partner's grants for these programs, ended.
    grants: Option<Vec<Grant>>,
    /// What the caller can mend.
    user_errors: Vec<UserError>,
}

/// What came of `advanceClock`.
#[derive(SimpleObject)]
pub struct AdvanceClockPayload {
    /// The employer, at its new instant.
    employer: Option<Employer>,
    /// What the caller can mend.
    user_errors: Vec<UserError>,
}

/// What an employer sets up.
#[derive(Default)]
pub struct EmployerMutation;

/// What an employer sets up.
#[Object]
impl EmployerMutation {
    /// Adds an event type to the employer's menu; the stock menu is there already. Scope: `programs:write` or `operator`.
    #[graphql(guard = "Requires::<access::CreateEventType>::new()")]
    async fn create_event_type(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "The event type.")] input: CreateEventTypeInput,
    ) -> Result<CreateEventTypePayload, ApiError> {
        let outcome = domain::event_type::create(app(context)?, permit(context)?, input.into()).await;
        let (made, user_errors) = settle(outcome)?;
        Ok(CreateEventTypePayload {
            event_type: made.map(EventType),
            user_errors,
        })
    }

    /// Lets a partner know of what is achieved in programs from now on, and if `backfill` says so of what was achieved before. A grant
    /// that is in force stays as it is. Scope: `programs:write` or `operator`.
    #[graphql(guard = "Requires::<access::GrantPartner>::new()")]
    async fn grant_partner(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "The partner and the programs.")] input: GrantPartnerInput,
    ) -> Result<GrantPartnerPayload, ApiError> {
        let outcome = domain::grant::give(app(context)?, permit(context)?, input.into()).await;
        let (grants, user_errors) = shown(context, outcome).await?;
        Ok(GrantPartnerPayload { grants, user_errors })
    }

    /// Ends grants: once this is answered, nothing more of these programs enters the partner's feed. What it was told before stays in the
    /// feed, and the partner can read it there and by `node`. Scope: `programs:write` or `operator`.
    #[graphql(guard = "Requires::<access::RevokeGrant>::new()")]
    async fn revoke_grant(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "The partner and the programs.")] input: RevokeGrantInput,
    ) -> Result<RevokeGrantPayload, ApiError> {
        let (employer, partner) = (input.employer.as_deref(), input.partner.as_str());
        let outcome = domain::grant::revoke(
            app(context)?,
            permit(context)?,
            employer,
            partner,
            &input.programs,
        )
        .await;
        let (grants, user_errors) = shown(context, outcome).await?;
        Ok(RevokeGrantPayload { grants, user_errors })
    }

    /// Sets the clock of a sandbox forward: what would have happened by then happens now, through the same code as in production.
    /// Tokens keep to the real clock. Scope: `programs:write` or `operator`.
    #[graphql(guard = "Requires::<access::AdvanceClock>::new()")]
    async fn advance_clock(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "The instant.")] input: AdvanceClockInput,
    ) -> Result<AdvanceClockPayload, ApiError> {
        let employer = input.employer.as_deref();
        let outcome =
            domain::employer::advance_clock(app(context)?, permit(context)?, employer, input.to.0).await;
        let (employer, user_errors) = settle(outcome)?;
        Ok(AdvanceClockPayload {
            employer: employer.map(Employer),
            user_errors,
        })
    }
}

async fn shown(
    context: &Context<'_>,
    outcome: domain::Outcome<Vec<entity::grant::Model>>,
) -> Result<(Option<Vec<Grant>>, Vec<UserError>), ApiError> {
    let (rows, user_errors) = settle(outcome)?;
    let shown = match rows {
        Some(rows) => match rows.first().map(|row| row.employer_id) {
            Some(employer) => Some(grants(app(context)?.db.read(), employer, rows).await?),
            None => Some(Vec::new()),
        },
        None => None,
    };
    Ok((shown, user_errors))
}
