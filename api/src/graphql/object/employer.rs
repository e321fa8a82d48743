//! Employers.

use async_graphql::connection::Connection;
use async_graphql::{Context, Enum, ID, Object, SimpleObject};
use chrono::Days;
use entity::{backfill, employer, grant, program, refusal};

use super::campaign::EmployerMessageCap;
use super::report::Report;
use super::{AuditEntry, EventType, Member, Program};
use crate::auth::access;
use crate::auth::guard::Requires;
use crate::domain;
use crate::graphql::connection::{Arguments, Cursor, connection};
use crate::graphql::error::ApiError;
use crate::graphql::loader::each::{EventTypes, Programs};
use crate::graphql::loader::load;
use crate::graphql::scalar::{BigInt, Date, DateTime, TimeZone, stored_zone};
use crate::graphql::{app, permit};

/// How the members of an employer come to be known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "employer::Enrolment")]
pub enum Enrolment {
    /// Only registered members count: events of others are refused.
    Roster,
    /// An event enrols its member.
    Open,
}

/// What members of an employer consent to until they say otherwise.
#[derive(SimpleObject)]
pub struct ConsentDefaults {
    /// Whether partners may learn of what members achieve.
    partner_sharing: bool,
    /// Whether members may be mailed.
    email: bool,
}

/// How many events of one type were refused on one day for one reason.
#[derive(SimpleObject)]
pub struct RefusedEvents {
    /// The day of the refusal, in UTC; of a sandbox by its own clock.
    on: Date,
    /// The key of the event type; null when the employer has no such type.
    event_type: Option<String>,
    /// The code the sender got.
    code: String,
    /// How many.
    count: BigInt,
}

/// What a partner may know.
#[derive(SimpleObject)]
pub struct Grant {
    /// The key of the partner.
    partner: String,
    /// The key of the program.
    program: String,
    /// Since when; what was recorded before is in the partner's feed by a back-fill only.
    granted_at: DateTime,
    /// Until when; null: still.
    revoked_at: Option<DateTime>,
    /// How far the partner was told of what was achieved before; null: nobody has asked for that.
    backfill: Option<Backfill>,
}

/// How far a back-fill has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "backfill::BackfillState")]
pub enum BackfillState {
    /// There is more to look at.
    Running,
    /// Everything was looked at.
    Done,
    /// The grant was revoked before everything was looked at.
    Stopped,
}

/// Telling a partner what was achieved before it was granted the program.
#[derive(SimpleObject)]
pub struct Backfill {
    /// How far it has come.
    state: BackfillState,
    /// How many achievements were looked at.
    done: BigInt,
    /// How many of them the partner was told: those of members who share with it, of which it was not told before.
    told: BigInt,
    /// When it was asked for.
    started_at: DateTime,
    /// When it was done or stopped; null: it goes on.
    ended_at: Option<DateTime>,
}

impl From<backfill::Model> for Backfill {
    fn from(row: backfill::Model) -> Self {
        Self {
            state: row.state.into(),
            done: BigInt(row.done),
            told: BigInt(row.told),
            started_at: row.started_at.into(),
            ended_at: row.ended_at.map(Into::into),
        }
    }
}

/// An employer: the tenant to which programs, members and all that follows from them belong.
pub struct Employer(pub employer::Model);

/// An employer: the tenant to which programs, members and all that follows from them belong.
#[Object]
impl Employer {
    /// Its global id.
    pub async fn id(&self) -> ID {
        self.0.id.to_string().into()
    }

    /// Its short name, unique among all employers.
    async fn key(&self) -> &str {
        &self.0.key
    }

    /// Its name for people.
    async fn name(&self) -> &str {
        &self.0.name
    }

    /// The zone of local dates where neither the event nor the member has one.
    async fn time_zone(&self) -> TimeZone {
        stored_zone(&self.0.time_zone)
    }

    /// How its members come to be known.
    async fn enrolment(&self) -> Enrolment {
        self.0.enrolment.into()
    }

    /// Counts of fewer people than this are not shown for sensitive incentives.
    async fn minimum_group_size(&self) -> i32 {
        self.0.minimum_group_size
    }

    /// What its members consent to until they say otherwise.
    async fn consent_defaults(&self) -> ConsentDefaults {
        ConsentDefaults {
            partner_sharing: self.0.default_partner_sharing,
            email: self.0.default_email,
        }
    }

    /// How many messages of all its campaigns a member gets at most, but for transactional ones; null: any number.
    async fn message_cap(&self) -> Option<EmployerMessageCap> {
        EmployerMessageCap::of(&self.0)
    }

    /// When it was created.
    async fn created_at(&self) -> DateTime {
        self.0.created_at.into()
    }

    /// Whether it has a clock of its own, that `advanceClock` sets forward.
    async fn sandbox(&self) -> bool {
        self.0.sandbox
    }

    /// The present instant to the employer, by which its events, programs and incentives are judged: of a sandbox by its own clock.
    async fn now(&self, context: &Context<'_>) -> Result<DateTime, ApiError> {
        Ok(DateTime(self.0.now(app(context)?.clock.now())))
    }

    /// The menu of events, by key.
    async fn event_types(&self, context: &Context<'_>) -> Result<Vec<EventType>, ApiError> {
        let rows = load(context, EventTypes(self.0.id)).await?;
        Ok(rows.into_iter().flatten().map(EventType).collect())
    }

    /// The programs, by key.
    async fn programs(&self, context: &Context<'_>) -> Result<Vec<Program>, ApiError> {
        let rows = load(context, Programs(self.0.id)).await?;
        Ok(rows.into_iter().flatten().map(Program).collect())
    }

    /// Which partner may know of which program, ended grants too, in the order of their making.
    async fn grants(&self, context: &Context<'_>) -> Result<Vec<Grant>, ApiError> {
        let db = app(context)?.db.read();
        grants(db, self.0.id, grant::list(db, self.0.id).await?).await
    }

    /// Events that were refused since a day (UTC; the last 30 days unless given), newest day first.
    async fn refused_events(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "The first day counted, in UTC.")] since: Option<Date>,
    ) -> Result<Vec<RefusedEvents>, ApiError> {
        let app = app(context)?;
        let month_ago = self
            .0
            .now(app.clock.now())
            .date_naive()
            .checked_sub_days(Days::new(30))
            .unwrap_or_default();
        let rows = refusal::list(app.db.read(), self.0.id, since.map_or(month_ago, |since| since.0)).await?;
        let shown = |row: refusal::Refusal| RefusedEvents {
            on: Date(row.refused_on),
            event_type: Some(row.event_type).filter(|key| !key.is_empty()),
            code: row.code,
            count: BigInt(row.count),
        };
        Ok(rows.into_iter().map(shown).collect())
    }

    /// The members, in the order of their registration. Scope: `members:read` or `member:any`.
    #[graphql(guard = "Requires::<access::ListMembers>::new()")]
    async fn members(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "At most so many, 1 to 100; 20 unless given.")] first: Option<i32>,
        #[graphql(desc = "Only those after this cursor.")] after: Option<String>,
    ) -> Result<Connection<Cursor, Member>, ApiError> {
        let page = Arguments::forward(first, after).page()?;
        let slice = domain::member::list(app(context)?, permit(context)?, self.0.id, page).await?;
        Ok(connection(slice, |row| row.id, Member))
    }

    /// Every change that somebody with a token has made to it, newest first. Events and what members ask for are not among them: those
    /// have records of their own. Scope: `audit:read` or `operator`.
    #[graphql(guard = "Requires::<access::ReadAuditLog>::new()")]
    async fn audit_log(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "At most so many, 1 to 100; 20 unless given.")] first: Option<i32>,
        #[graphql(desc = "Only those after this cursor, which are older.")] after: Option<String>,
    ) -> Result<Connection<Cursor, AuditEntry>, ApiError> {
        let page = Arguments::forward(first, after).page()?;
        let slice = domain::audit::list(app(context)?, &permit(context)?, self.0.id, page).await?;
        Ok(connection(slice, |row| row.entry.place(), AuditEntry))
    }

    /// Sums over all members of what came of the programs, on up to 366 days. Scope: `reports:read`.
    #[graphql(guard = "Requires::<access::ReadReport>::new()")]
    async fn report(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "The first day.")] from: Date,
        #[graphql(desc = "The last day.")] to: Date,
        #[graphql(
            desc = "The key of the program whose redemptions and achievements are wanted; of all unless given."
        )]
        program: Option<String>,
    ) -> Result<Report, ApiError> {
        let days = (from.0, to.0);
        let report =
            domain::report::read(app(context)?, permit(context)?, &self.0, days, program.as_deref()).await?;
        Ok(report.into())
    }
}

/// Grants with the keys of what they name.
pub async fn grants(
    db: &impl sea_orm::ConnectionTrait,
    employer: entity::id::EmployerId,
    rows: Vec<grant::Model>,
) -> Result<Vec<Grant>, ApiError> {
    let mut ids: Vec<_> = rows.iter().map(|row| row.partner_id).collect();
    ids.sort_unstable();
    ids.dedup();
    let partners = entity::partner::list_by_ids(db, ids).await?;
    let programs = program::list(db, employer).await?;
    let mut backfills = backfill::list(db, employer).await?;
    let shown = |row: grant::Model| {
        Some(Grant {
            partner: partners
                .iter()
                .find(|partner| partner.id == row.partner_id)?
                .key
                .clone(),
            program: programs
                .iter()
                .find(|program| program.id == row.program_id)?
                .key
                .clone(),
            granted_at: row.created_at.into(),
            revoked_at: row.revoked_at.map(Into::into),
            backfill: backfills.remove(&row.id).map(Into::into),
        })
    };
    Ok(rows.into_iter().filter_map(shown).collect())
}
