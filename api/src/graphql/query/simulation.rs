//! Dry runs.

use async_graphql::{Context, InputObject, Object, SimpleObject};

use crate::auth::access;
use crate::auth::guard::Requires;
use crate::domain::simulation::{self, Simulate};
use crate::graphql::error::{ApiError, UserError, settle};
use crate::graphql::mutation::{CreateIncentiveInput, EventInput};
use crate::graphql::object::achievement::Explanation;
use crate::graphql::scalar::{BigInt, Date, TimeZone};
use crate::graphql::{app, permit};

/// A draft of an incentive, and sample events to judge by it.
#[derive(InputObject)]
pub struct SimulateInput {
    /// The key of the employer; the token's own unless given. The operator must give it.
    employer: Option<String>,
    /// The draft, checked like one that is to be created; only its key may be taken. Its structure cannot be `achievements`: sample
    /// events earn none of the incentives it names.
    incentive: CreateIncentiveInput,
    /// The sample events, at most 10,000. They may lie anywhere in time and be of members that are not registered. Of several with the
    /// same `source` and `id`, one counts.
    events: Vec<EventInput>,
    /// The zone of the events that name none; the registered member's unless given, else the employer's.
    time_zone: Option<TimeZone>,
}

/// What came of a dry run.
#[derive(SimpleObject)]
pub struct Simulation {
    /// What would be earned, by member, day and ordinal; nothing where there is something to mend.
    awards: Vec<SimulatedAward>,
    /// What the caller can mend, at most 100 of it. Paths begin with `incentive`, or with `events` and the place of the event.
    user_errors: Vec<UserError>,
}

/// Something that would be earned.
#[derive(SimpleObject)]
pub struct SimulatedAward {
    /// The member, as the sample events name it.
    member: String,
    /// The local date on which it would be reached.
    earned_on: Date,
    /// Counts 1, 2, 3 inside the window of the draft's limit.
    ordinal: u32,
    /// The points that come with it, of all categories, by the boosts and caps of the program and the incentive, and after the refunds
    /// among the sample events; of several events that name one order, the latest earns. Null: the incentive gives none.
    points: Option<BigInt>,
    /// Why it would be earned.
    why: Explanation,
}

/// Dry runs.
#[derive(Default)]
pub struct SimulationQuery;

/// Dry runs.
#[Object]
impl SimulationQuery {
    /// Judges sample events by a draft of an incentive, in the way in which real events would be judged in the order in which they
    /// happened, and writes nothing. The dates and the day of the program hold; its state and budget, `maxLate`, `maxFuture` and the
    /// eligibility of members do not. Attributes and zones of registered members are used only where the token may also read members
    /// (`members:read` or `member:any`); all others have none. At most 10,000 awards. Scope: `programs:write` or `operator`.
    #[graphql(guard = "Requires::<access::Simulate>::new()")]
    async fn simulate(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "The draft and the events.")] input: SimulateInput,
    ) -> Result<Simulation, ApiError> {
        let outcome = match input.incentive.create() {
            Ok(incentive) => {
                let simulate = Simulate {
                    employer: input.employer,
                    incentive,
                    events: input.events.into_iter().map(EventInput::candidate).collect(),
                    time_zone: input.time_zone.map(|zone| zone.0),
                };
                simulation::simulate(app(context)?, permit(context)?, simulate).await
            }
            Err(fault) => Err(fault.under(&["incentive"]).into()),
        };
        let (awards, user_errors) = settle(outcome)?;
        let award = |award: simulation::Award| SimulatedAward {
            member: award.member,
            earned_on: Date(award.simulated.award.earned_on),
            ordinal: award.simulated.award.ordinal,
            points: award.simulated.points.map(BigInt),
            why: award.simulated.why.into(),
        };
        Ok(Simulation {
            awards: awards.unwrap_or_default().into_iter().map(award).collect(),
            user_errors,
        })
    }
}
