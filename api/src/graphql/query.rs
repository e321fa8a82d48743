//! Reading.

mod feed;
mod node;
mod people;
mod setup;
mod simulation;

use async_graphql::MergedObject;

/// What can be read.
#[derive(MergedObject, Default)]
#[graphql(name = "Query")]
pub struct Query(
    setup::SetupQuery,
    people::PeopleQuery,
    feed::FeedQuery,
    simulation::SimulationQuery,
    node::NodeQuery,
);
