//! Changing. A mutation takes one `input` and returns a payload whose fields are all nullable but `userErrors`.

mod boost;
mod campaign;
mod employer;
mod incentive;
mod intake;
mod mail;
mod operator;
mod people;
mod points;
mod program;
mod redemption;
mod reward;
mod webhook;

use async_graphql::{MaybeUndefined, MergedObject};

// A dry run takes the same.
pub use incentive::CreateIncentiveInput;
pub use intake::EventInput;

/// What can be changed.
#[derive(MergedObject, Default)]
#[graphql(name = "Mutation")]
pub struct Mutation(
    operator::OperatorMutation,
    employer::EmployerMutation,
    program::ProgramMutation,
    incentive::IncentiveMutation,
    boost::BoostMutation,
    campaign::CampaignMutation,
    mail::MailMutation,
    intake::IntakeMutation,
    people::PeopleMutation,
    points::PointsMutation,
    reward::RewardMutation,
    redemption::RedemptionMutation,
    webhook::WebhookMutation,
);

/// Left out, emptied, or given.
#[expect(clippy::option_option, reason = "three cases: leave as it is, empty, set")]
fn given<T>(value: MaybeUndefined<T>) -> Option<Option<T>> {
    match value {
        MaybeUndefined::Undefined => None,
        MaybeUndefined::Null => Some(None),
        MaybeUndefined::Value(value) => Some(Some(value)),
    }
}
