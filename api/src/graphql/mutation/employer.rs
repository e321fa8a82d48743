//! What an employer sets up.

mod input;

use async_graphql::{Context, Object, SimpleObject};

use crate::auth::access;
use crate::auth::guard::Requires;
use crate::domain;
use crate::graphql::error::{ApiError, UserError, settle};
use crate::graphql::object::employer::{Grant, grants};
use crate::graphql::object::{EventType, Incentive, Program};
use crate::graphql::{app, permit};
use input::{
    CreateEventTypeInput, CreateIncentiveInput, CreateProgramInput, GrantPartnerInput, ProgramKeyInput,
    RevokeGrantInput,
};

/// What came of `createEventType`.
#[derive(SimpleObject)]
pub struct CreateEventTypePayload {
    /// The event type.
    event_type: Option<EventType>,
    /// What the caller can mend.
    user_errors: Vec<UserError>,
}

/// What came of `createProgram`.
#[derive(SimpleObject)]
pub struct CreateProgramPayload {
    /// The program, in `DRAFT`.
    program: Option<Program>,
    /// What the caller can mend.
    user_errors: Vec<UserError>,
}

/// What came of a change of a program.
#[derive(SimpleObject)]
pub struct ProgramPayload {
    /// The program as it is now.
    program: Option<Program>,
    /// What the caller can mend.
    user_errors: Vec<UserError>,
}

/// What came of `createIncentive`.
#[derive(SimpleObject)]
pub struct CreateIncentivePayload {
    /// The incentive, in version 1.
    incentive: Option<Incentive>,
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

    /// Creates a program, in `DRAFT`. Scope: `programs:write` or `operator`.
    #[graphql(guard = "Requires::<access::CreateProgram>::new()")]
    async fn create_program(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "The program.")] input: CreateProgramInput,
    ) -> Result<CreateProgramPayload, ApiError> {
        let (made, user_errors) =
            settle(domain::program::create(app(context)?, permit(context)?, input.into()).await)?;
        Ok(CreateProgramPayload {
            program: made.map(Program),
            user_errors,
        })
    }

    /// Takes a draft into force: events accepted from now on are evaluated, also those that happened before, within the program's
    /// dates. Scope: `programs:write` or `operator`.
    #[graphql(guard = "Requires::<access::ActivateProgram>::new()")]
    async fn activate_program(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "The program.")] input: ProgramKeyInput,
    ) -> Result<ProgramPayload, ApiError> {
        let outcome = domain::program::activate(
            app(context)?,
            permit(context)?,
            input.employer.as_deref(),
            &input.program,
        )
        .await;
        let (made, user_errors) = settle(outcome)?;
        Ok(ProgramPayload {
            program: made.map(Program),
            user_errors,
        })
    }

    /// Creates an incentive, in version 1. Scope: `programs:write` or `operator`.
    #[graphql(guard = "Requires::<access::CreateIncentive>::new()")]
    async fn create_incentive(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "The incentive.")] input: CreateIncentiveInput,
    ) -> Result<CreateIncentivePayload, ApiError> {
        let outcome = match input.create() {
            Ok(create) => domain::incentive::create(app(context)?, permit(context)?, create).await,
            Err(fault) => Err(fault.into()),
        };
        let (made, user_errors) = settle(outcome)?;
        Ok(CreateIncentivePayload {
            incentive: made.map(Incentive),
            user_errors,
        })
    }

    /// Lets a partner know of what is achieved in programs from now on. A grant that is in force stays as it is.
    /// Scope: `programs:write` or `operator`.
    #[graphql(guard = "Requires::<access::GrantPartner>::new()")]
    async fn grant_partner(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "The partner and the programs.")] input: GrantPartnerInput,
    ) -> Result<GrantPartnerPayload, ApiError> {
        let (employer, partner) = (input.employer.as_deref(), input.partner.as_str());
        let outcome = domain::grant::give(
            app(context)?,
            permit(context)?,
            employer,
            partner,
            &input.programs,
        )
        .await;
        let (grants, user_errors) = shown(context, outcome).await?;
        Ok(GrantPartnerPayload { grants, user_errors })
    }

    /// Ends grants: nothing more of these programs enters the partner's feed. Scope: `programs:write` or `operator`.
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
