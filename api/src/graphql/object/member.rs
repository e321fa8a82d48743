//! Members.

use async_graphql::connection::Connection;
use async_graphql::{Context, ID, Object, SimpleObject};
use entity::{employer, kept_event, member};

use super::level::MemberLevel;
use super::points::PointsBalance;
use super::sharing::{ConsentWord, SharedFact};
use super::{Achievement, Incentive, Message, PointsEntry, Redemption};
use crate::auth::access;
use crate::auth::guard::Requires;
use crate::domain;
use crate::graphql::connection::{Arguments, Cursor, connection};
use crate::graphql::error::ApiError;
use crate::graphql::loader::load;
use crate::graphql::scalar::{Date, DateTime, Decimal, Json, TimeZone, stored_zone};
use crate::graphql::{app, permit, viewer};

/// An event of a member that was evaluated and is kept for the retention of its type.
#[derive(SimpleObject)]
pub struct KeptEvent {
    /// The key of its type.
    r#type: String,
    /// Where it came from.
    source: String,
    /// The sender's own id.
    id: ID,
    /// When it happened.
    occurred_at: DateTime,
    /// The civil date where it happened.
    local_date: Date,
    /// The civil date and time where it happened, ISO 8601 without offset.
    local_time: String,
    /// The zone by which the civil date and time were found.
    time_zone: TimeZone,
    /// What it said, a JSON object.
    properties: Json,
    /// Until when it is kept.
    kept_until: DateTime,
}

impl KeptEvent {
    /// The row with the key of its type.
    fn new(row: kept_event::Model, event_type: String) -> Self {
        // All of it was checked when the event was accepted.
        let local_date = row.local_time.get(..10).and_then(|day| day.parse().ok());
        Self {
            r#type: event_type,
            source: row.source,
            id: row.event_id.into(),
            occurred_at: row.occurred_at.into(),
            local_date: Date(local_date.unwrap_or_else(|| row.occurred_at.instant().date_naive())),
            local_time: row.local_time,
            time_zone: stored_zone(&row.time_zone),
            properties: Json(serde_json::from_str(&row.properties).unwrap_or_default()),
            kept_until: row.expires_at.into(),
        }
    }
}

/// A member of an employer. Never shown to a partner.
pub struct Member(pub member::Model);

/// How far a member is with one incentive.
#[derive(SimpleObject)]
pub struct Progress {
    /// The incentive.
    incentive: Incentive,
    /// How far towards the next award, in the unit of the structure: periods of a streak, events of an immediate one or a count, the
    /// sum of a total, steps of a sequence, achievements. As much as `required` once all there is was earned.
    current: Decimal,
    /// How much the next award takes, in the same unit.
    required: Decimal,
    /// How many achievements stand.
    earned: u32,
    /// The first local date of the run that is still alive; null: there is none, or it is no streak.
    run_started_on: Option<Date>,
    /// The last local date that counted; null: none did, all there is was earned, or it is earned by achievements.
    last_counted_on: Option<Date>,
    /// Until when the next step must happen for `current` not to be lost; null: nothing runs out. Exclusive, where it is the end of a
    /// day; inclusive, where it is the end of a sequence.
    deadline: Option<DateTime>,
    /// What is missing for the next award, and until when, in a sentence, for people. Not for programs: it may change.
    missing: String,
    /// From this instant on nothing counts for the member, by the incentive's `unless`; null: the member was not stopped.
    stopped_from: Option<DateTime>,
}

/// A member of an employer. Never shown to a partner.
#[Object]
impl Member {
    /// Its global id.
    pub async fn id(&self) -> ID {
        self.0.id.to_string().into()
    }

    /// The employer's own name for the member, unique within it; null once the member was erased.
    async fn external_id(&self) -> Option<&str> {
        self.0.erased_at.is_none().then_some(&*self.0.external_id)
    }

    /// The zone of the member's local dates: its own, else the employer's.
    async fn time_zone(&self, context: &Context<'_>) -> Result<TimeZone, ApiError> {
        match &self.0.time_zone {
            Some(zone) => Ok(stored_zone(zone)),
            None => {
                let employer: Option<employer::Model> = load(context, self.0.employer_id).await?;
                Ok(stored_zone(
                    employer.as_ref().map_or("UTC", |employer| &employer.time_zone),
                ))
            }
        }
    }

    /// BCP 47 language tag; null: not known.
    async fn locale(&self) -> Option<&str> {
        self.0.locale.as_deref()
    }

    /// E-mail address; null: not known.
    async fn email(&self) -> Option<&str> {
        self.0.email.as_deref()
    }

    /// Events before this local date are refused; null: from ever.
    async fn eligible_from(&self) -> Option<Date> {
        self.0.eligible_from.map(Date)
    }

    /// Events after this local date are refused; null: for ever.
    async fn eligible_until(&self) -> Option<Date> {
        self.0.eligible_until.map(Date)
    }

    /// What conditions may ask of the member: a JSON object.
    async fn attributes(&self) -> Json {
        Json(self.0.attributes.clone())
    }

    /// Whether the member has registered: always, unless events enrol the members of its employer.
    async fn engaged(&self) -> bool {
        self.0.engaged_at.is_some()
    }

    /// When the member registered; null: it is known from its events alone.
    async fn engaged_at(&self) -> Option<DateTime> {
        self.0.engaged_at.map(Into::into)
    }

    /// What the member has achieved, in the order of recording. An administrator does not see what is sensitive.
    /// Scope: `achievements:read`, `member:self` or `member:any`.
    #[graphql(guard = "Requires::<access::ReadMemberAchievements>::new()")]
    async fn achievements(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "At most so many, 1 to 100; 20 unless given.")] first: Option<i32>,
        #[graphql(desc = "Only those after this cursor.")] after: Option<String>,
    ) -> Result<Connection<Cursor, Achievement>, ApiError> {
        let page = Arguments::forward(first, after).page()?;
        let member = (self.0.employer_id, self.0.id);
        let slice =
            domain::achievement::list_of_member(app(context)?, permit(context)?, member, page).await?;
        Ok(connection(slice, |row| row.id, Achievement::of_employer))
    }

    /// The events of the member that are kept, for as long as the `retention` of their types says, in the order of evaluation. Events of
    /// sensitive types are never kept, so that there is nothing to hide. Scope: `achievements:read`, `member:self` or `member:any`.
    #[graphql(guard = "Requires::<access::ReadMemberEvents>::new()")]
    async fn events(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "At most so many, 1 to 100; 20 unless given.")] first: Option<i32>,
        #[graphql(desc = "Only those after this cursor.")] after: Option<String>,
    ) -> Result<Connection<Cursor, KeptEvent>, ApiError> {
        let page = Arguments::forward(first, after).page()?;
        let (slice, types) = domain::member::events(app(context)?, permit(context)?, &self.0, page).await?;
        let node = |row: kept_event::Model| {
            let event_type = types.get(&row.event_type_id).cloned().unwrap_or_default();
            KeptEvent::new(row, event_type)
        };
        Ok(connection(slice, |row| row.id, node))
    }

    /// What the member has asked for or was given, in the order in which it was. An administrator does not see what sensitive incentives
    /// gave. Scope: `points:read`, `member:self` or `member:any`.
    #[graphql(guard = "Requires::<access::ReadMemberRedemptions>::new()")]
    async fn redemptions(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "At most so many, 1 to 100; 20 unless given.")] first: Option<i32>,
        #[graphql(desc = "Only those after this cursor.")] after: Option<String>,
    ) -> Result<Connection<Cursor, Redemption>, ApiError> {
        let page = Arguments::forward(first, after).page()?;
        let member = (self.0.employer_id, self.0.id);
        let slice = domain::redemption::list_of_member(app(context)?, permit(context)?, member, page).await?;
        let viewer = viewer(context)?;
        Ok(connection(
            slice,
            |row| row.id,
            |row| Redemption::of(&viewer, row),
        ))
    }

    /// What campaigns have written to the member, are to write, or have not written and why, in the order in which it was brought about. An
    /// administrator does not see what sensitive incentives brought about. Scope: `members:read`, `member:self` or `member:any`.
    #[graphql(guard = "Requires::<access::ReadMemberMessages>::new()")]
    async fn messages(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "At most so many, 1 to 100; 20 unless given.")] first: Option<i32>,
        #[graphql(desc = "Only those after this cursor.")] after: Option<String>,
    ) -> Result<Connection<Cursor, Message>, ApiError> {
        let page = Arguments::forward(first, after).page()?;
        let member = (self.0.employer_id, self.0.id);
        let slice = domain::message::list_of_member(app(context)?, permit(context)?, member, page).await?;
        Ok(connection(slice, |row| row.id, Message))
    }

    /// Why not yet: how far the member is with each incentive of the active and the paused programs, but for retired ones, in the order
    /// of their making. An administrator does not see what is sensitive. Scope: `achievements:read`, `member:self` or `member:any`.
    #[graphql(guard = "Requires::<access::ReadMemberProgress>::new()")]
    async fn progress(&self, context: &Context<'_>) -> Result<Vec<Progress>, ApiError> {
        let views = domain::member::progress(app(context)?, permit(context)?, &self.0).await?;
        Ok(views
            .into_iter()
            .map(|progress| Progress {
                incentive: Incentive(progress.incentive),
                current: Decimal(progress.view.current),
                required: Decimal(progress.view.required),
                earned: progress.view.earned,
                run_started_on: progress.view.run_started_on.map(Date),
                last_counted_on: progress.view.last_counted_on.map(Date),
                deadline: progress.deadline.map(DateTime),
                missing: progress.missing,
                stopped_from: progress.view.stopped_from.map(DateTime),
            })
            .collect())
    }

    /// The points of the member, by category: what there is at the instant of asking. What has ended by then is not counted, however
    /// late it is booked. Scope: `points:read`, `member:self` or `member:any`.
    #[graphql(guard = "Requires::<access::ReadMemberPoints>::new()")]
    async fn points(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "Only those of this category; of each that the member ever had unless given.")]
        category: Option<String>,
    ) -> Result<Vec<PointsBalance>, ApiError> {
        let permit = permit(context)?;
        let balances = domain::points::balances(app(context)?, &permit, &self.0, category.as_deref()).await?;
        let shown = |(category, balance)| PointsBalance::new(category, &balance);
        Ok(balances.into_iter().map(shown).collect())
    }

    /// What came and went of the member's points, newest first. An administrator sees of what is sensitive how much and when, but not
    /// what for. Scope: `points:read`, `member:self` or `member:any`.
    #[graphql(guard = "Requires::<access::ReadMemberPointsHistory>::new()")]
    async fn points_history(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "At most so many, 1 to 100; 20 unless given.")] first: Option<i32>,
        #[graphql(desc = "Only those after this cursor, that is, earlier ones.")] after: Option<String>,
        #[graphql(desc = "Only those of this category; of all unless given.")] category: Option<String>,
    ) -> Result<Connection<Cursor, PointsEntry>, ApiError> {
        let page = Arguments::forward(first, after).page()?;
        let (app, permit) = (app(context)?, permit(context)?);
        let slice = domain::points::history(app, permit, &self.0, category.as_deref(), page).await?;
        Ok(connection(slice, |entry| entry.line.id, PointsEntry))
    }

    /// All that the member has ever said of what may be done with what is known of it, newest first: the first word about each thing is
    /// in force, and one about one partner stands above one about all. Where nothing was said the employer's defaults hold. Scope:
    /// `member:self` or `member:any`.
    #[graphql(guard = "Requires::<access::ReadMemberConsents>::new()")]
    async fn consents(&self, context: &Context<'_>) -> Result<Vec<ConsentWord>, ApiError> {
        let words = domain::sharing::words(app(context)?, &permit(context)?, &self.0).await?;
        Ok(words.into_iter().map(ConsentWord::from).collect())
    }

    /// What partners were told of the member, newest first, as far back as their feeds are kept. Scope: `member:self` or `member:any`.
    #[graphql(guard = "Requires::<access::ReadMemberSharing>::new()")]
    async fn sharing(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "At most so many, 1 to 100; 20 unless given.")] first: Option<i32>,
        #[graphql(desc = "Only those after this cursor, that is, earlier ones.")] after: Option<String>,
    ) -> Result<Connection<Cursor, SharedFact>, ApiError> {
        let page = Arguments::forward(first, after).page()?;
        let slice = domain::sharing::told(app(context)?, &permit(context)?, &self.0, page).await?;
        Ok(connection(slice, |told| told.shared.id, SharedFact::from))
    }

    /// Where the member stands among the levels of a program. Null: there is no such program, or it has no levels.
    /// Scope: `points:read`, `member:self` or `member:any`.
    #[graphql(guard = "Requires::<access::ReadMemberLevel>::new()")]
    async fn level(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "The key of the program.")] program: String,
    ) -> Result<Option<MemberLevel>, ApiError> {
        let stand = domain::level::of_member(app(context)?, permit(context)?, &self.0, &program).await?;
        Ok(stand.map(MemberLevel::from))
    }
}
