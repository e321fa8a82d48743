//! Changing. A mutation takes one `input` and returns a payload whose fields are all nullable but `userErrors`.

mod employer;
mod intake;
mod operator;

use async_graphql::MergedObject;

/// What can be changed.
#[derive(MergedObject, Default)]
#[graphql(name = "Mutation")]
pub struct Mutation(
    operator::OperatorMutation,
    employer::EmployerMutation,
    intake::IntakeMutation,
);
