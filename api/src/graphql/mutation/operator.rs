//! What the operator sets up.

use async_graphql::{Context, ID, InputObject, Object, SimpleObject};
use chrono::TimeDelta;
use entity::id::QueuedEventId;

use crate::auth::access;
use crate::auth::guard::Requires;
use crate::domain;
use crate::graphql::error::{ApiError, UserError, settle};
use crate::graphql::object::employer::Enrolment;
use crate::graphql::object::{Client, Employer, Partner};
use crate::graphql::scalar::{Duration, TimeZone};
use crate::graphql::{app, permit};

/// For how long a replaced secret is still taken unless something else is said: time to roll out the new one.
const OVERLAP: Duration = Duration(TimeDelta::days(1));

/// A new employer.
#[derive(InputObject)]
pub struct CreateEmployerInput {
    /// Its short name: 1 to 63 of a-z, 0-9, `.`, `_`, `-`, the first a letter or digit; unique among all employers.
    key: String,
    /// Its name for people, 1 to 200 characters.
    name: String,
    /// The zone of local dates where neither the event nor the member has one.
    #[graphql(default_with = "Some(TimeZone(chrono_tz::Tz::UTC))")]
    time_zone: Option<TimeZone>,
    /// How its members come to be known.
    #[graphql(default_with = "Some(Enrolment::Roster)")]
    enrolment: Option<Enrolment>,
    /// Counts of fewer people than this are not shown for sensitive incentives; from 1 to 1,000,000.
    #[graphql(default_with = "Some(10)")]
    minimum_group_size: Option<i32>,
    /// What its members consent to until they say otherwise; to nothing unless given.
    consent_defaults: Option<ConsentDefaultsInput>,
    /// Whether it has a clock of its own that `advanceClock` sets forward: to try in a minute what takes thirty days. For good.
    #[graphql(default_with = "Some(false)")]
    sandbox: Option<bool>,
}

/// What members consent to until they say otherwise.
#[derive(InputObject)]
pub struct ConsentDefaultsInput {
    /// Whether partners may learn of what members achieve.
    #[graphql(default_with = "Some(false)")]
    partner_sharing: Option<bool>,
    /// Whether members may be mailed.
    #[graphql(default_with = "Some(false)")]
    email: Option<bool>,
}

/// What came of `createEmployer`.
#[derive(SimpleObject)]
pub struct CreateEmployerPayload {
    /// The employer, with the stock menu of event types.
    employer: Option<Employer>,
    /// What the caller can mend.
    user_errors: Vec<UserError>,
}

/// A new partner.
#[derive(InputObject)]
pub struct CreatePartnerInput {
    /// Its short name, of the form of an employer's key; unique among all partners.
    key: String,
    /// Its name for people, 1 to 200 characters.
    name: String,
}

/// What came of `createPartner`.
#[derive(SimpleObject)]
pub struct CreatePartnerPayload {
    /// The partner, with an empty feed.
    partner: Option<Partner>,
    /// What the caller can mend.
    user_errors: Vec<UserError>,
}

/// A new OAuth client of an employer, of a partner or, with neither, of the operator.
#[derive(InputObject)]
pub struct CreateClientInput {
    /// Its name for people, 1 to 200 characters.
    name: String,
    /// The key of the employer whose it is.
    employer: Option<String>,
    /// The key of the partner whose it is.
    partner: Option<String>,
    /// The scopes it may ask for.
    scopes: Vec<String>,
}

/// What came of a mutation that gives a client its secret.
#[derive(SimpleObject)]
pub struct CreateClientPayload {
    /// The client.
    client: Option<Client>,
    /// Its secret, shown here and never again.
    client_secret: Option<String>,
    /// What the caller can mend.
    user_errors: Vec<UserError>,
}

/// A new secret for a client.
#[derive(InputObject)]
pub struct RotateClientSecretInput {
    /// The client.
    client_id: String,
    /// For how long the secret before is still taken, at most 30 days.
    #[graphql(default_with = "Some(OVERLAP)")]
    overlap: Option<Duration>,
}

/// What came of `rotateClientSecret`.
#[derive(SimpleObject)]
pub struct RotateClientSecretPayload {
    /// The client.
    client: Option<Client>,
    /// Its new secret, shown here and never again.
    client_secret: Option<String>,
    /// What the caller can mend.
    user_errors: Vec<UserError>,
}

/// A client to be revoked.
#[derive(InputObject)]
pub struct RevokeClientInput {
    /// The client.
    client_id: String,
}

/// What came of `revokeClient`.
#[derive(SimpleObject)]
pub struct RevokeClientPayload {
    /// The client.
    client: Option<Client>,
    /// What the caller can mend.
    user_errors: Vec<UserError>,
}

/// Dead events to be queued again.
#[derive(InputObject)]
pub struct ReplayDeadEventsInput {
    /// Their ids, 1 to 1,000. Those that are not dead any more are passed over.
    ids: Vec<ID>,
}

/// What came of `replayDeadEvents`.
#[derive(SimpleObject)]
pub struct ReplayDeadEventsPayload {
    /// How many were queued.
    replayed_count: Option<i32>,
    /// What the caller can mend.
    user_errors: Vec<UserError>,
}

/// What the operator sets up.
#[derive(Default)]
pub struct OperatorMutation;

/// What the operator sets up.
#[Object]
impl OperatorMutation {
    /// Creates an employer with the stock menu of event types. Scope: `operator`.
    #[graphql(guard = "Requires::<access::CreateEmployer>::new()")]
    async fn create_employer(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "The employer.")] input: CreateEmployerInput,
    ) -> Result<CreateEmployerPayload, ApiError> {
        let defaults = input.consent_defaults.as_ref();
        let create = domain::employer::Create {
            key: input.key,
            name: input.name,
            time_zone: input
                .time_zone
                .map_or(chrono_tz::Tz::UTC, |zone| zone.0)
                .name()
                .to_owned(),
            enrolment: input.enrolment.unwrap_or(Enrolment::Roster).into(),
            minimum_group_size: input.minimum_group_size.unwrap_or(10),
            default_partner_sharing: defaults.and_then(|defaults| defaults.partner_sharing) == Some(true),
            default_email: defaults.and_then(|defaults| defaults.email) == Some(true),
            sandbox: input.sandbox == Some(true),
        };
        let (made, user_errors) =
            settle(domain::employer::create(app(context)?, permit(context)?, create).await)?;
        Ok(CreateEmployerPayload {
            employer: made.map(Employer),
            user_errors,
        })
    }

    /// Creates a partner with an empty feed. Scope: `operator`.
    #[graphql(guard = "Requires::<access::CreatePartner>::new()")]
    async fn create_partner(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "The partner.")] input: CreatePartnerInput,
    ) -> Result<CreatePartnerPayload, ApiError> {
        let outcome = domain::partner::create(app(context)?, permit(context)?, input.key, input.name).await;
        let (made, user_errors) = settle(outcome)?;
        Ok(CreatePartnerPayload {
            partner: made.map(Partner),
            user_errors,
        })
    }

    /// Creates an OAuth client. Its secret is shown once. Scope: `operator`.
    #[graphql(guard = "Requires::<access::CreateClient>::new()")]
    async fn create_client(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "The client.")] input: CreateClientInput,
    ) -> Result<CreateClientPayload, ApiError> {
        let create = domain::client::Create {
            name: input.name,
            employer: input.employer,
            partner: input.partner,
            scopes: input.scopes,
        };
        let (made, user_errors) =
            settle(domain::client::create(app(context)?, permit(context)?, create).await)?;
        let client_secret = made.as_ref().map(|made| made.secret.expose().to_owned());
        Ok(CreateClientPayload {
            client: made.map(|made| Client(made.client)),
            client_secret,
            user_errors,
        })
    }

    /// Gives a client a new secret; the one before is taken a while longer. Scope: `operator`.
    #[graphql(guard = "Requires::<access::RotateClientSecret>::new()")]
    async fn rotate_client_secret(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "The client, and for how long.")] input: RotateClientSecretInput,
    ) -> Result<RotateClientSecretPayload, ApiError> {
        let outcome = domain::client::rotate_secret(
            app(context)?,
            permit(context)?,
            &input.client_id,
            input.overlap.unwrap_or(OVERLAP).0,
        )
        .await;
        let (made, user_errors) = settle(outcome)?;
        let client_secret = made.as_ref().map(|made| made.secret.expose().to_owned());
        Ok(RotateClientSecretPayload {
            client: made.map(|made| Client(made.client)),
            client_secret,
            user_errors,
        })
    }

    /// Revokes a client for good: within 5 seconds its tokens are refused and its sockets closed. Scope: `operator`.
    #[graphql(guard = "Requires::<access::RevokeClient>::new()")]
    async fn revoke_client(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "The client.")] input: RevokeClientInput,
    ) -> Result<RevokeClientPayload, ApiError> {
        let outcome = domain::client::revoke(app(context)?, permit(context)?, &input.client_id).await;
        let (made, user_errors) = settle(outcome)?;
        Ok(RevokeClientPayload {
            client: made.map(Client),
            user_errors,
        })
    }

    /// Queues events again that could not be evaluated. Scope: `operator`.
    #[graphql(guard = "Requires::<access::ReplayDeadEvents>::new()")]
    async fn replay_dead_events(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "The events.")] input: ReplayDeadEventsInput,
    ) -> Result<ReplayDeadEventsPayload, ApiError> {
        // An id of another kind names no dead event, like one that was replayed already.
        let ids: Vec<QueuedEventId> = input.ids.iter().filter_map(|id| id.parse().ok()).collect();
        let outcome = domain::dead_event::replay(app(context)?, permit(context)?, ids).await;
        let (count, user_errors) = settle(outcome)?;
        Ok(ReplayDeadEventsPayload {
            replayed_count: count.and_then(|count| i32::try_from(count).ok()),
            user_errors,
        })
    }
}
