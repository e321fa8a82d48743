//! Reading.

mod campaign;
mod feed;
mod node;
mod people;
mod reward;
mod setup;
mod simulation;
mod webhook;

use async_graphql::MergedObject;

/// What can be read.
#[derive(MergedObject, Default)]
#[graphql(name = "Query")]
pub struct Query(
    setup::SetupQuery,
    people::PeopleQuery,
    reward::RewardQuery,
    campaign::CampaignQuery,
    feed::FeedQuery,
    feed::ActivityQuery,
    simulation::SimulationQuery,
    webhook::WebhookQuery,
    node::NodeQuery,
);
