//! What may be asked for a person: to be forgotten.

use async_graphql::{Context, InputObject, Object, SimpleObject};

use crate::auth::access;
use crate::auth::guard::Requires;
use crate::domain;
use crate::graphql::error::{ApiError, UserError, settle};
use crate::graphql::{app, permit};

/// A member to be forgotten.
#[derive(InputObject)]
pub struct EraseMemberInput {
    /// The key of the employer; the token's own unless given. The operator must give it.
    employer: Option<String>,
    /// The member's external id.
    member: String,
}

/// What came of `eraseMember`.
#[derive(SimpleObject)]
pub struct EraseMemberPayload {
    /// True: nothing that identifies the member is left.
    erased: Option<bool>,
    /// What the caller can mend.
    user_errors: Vec<UserError>,
}

/// What may be asked for a person: to be forgotten.
#[derive(Default)]
pub struct PeopleMutation;

/// What may be asked for a person: to be forgotten.
#[Object]
impl PeopleMutation {
    /// Erases a member, for good: what identifies it, what it did and how far it was are deleted. Its achievements stay for the counts,
    /// of nobody, and what it waits for is called off; partners keep what they were told, and are told no more than that. The external id is free again.
    /// Scope: `members:write` or `operator`.
    #[graphql(guard = "Requires::<access::EraseMember>::new()")]
    async fn erase_member(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "The member.")] input: EraseMemberInput,
    ) -> Result<EraseMemberPayload, ApiError> {
        let (employer, member) = (input.employer.as_deref(), input.member.as_str());
        let outcome = domain::member::erase(app(context)?, permit(context)?, employer, member).await;
        let (erased, user_errors) = settle(outcome)?;
        Ok(EraseMemberPayload {
            erased: erased.map(|()| true),
            user_errors,
        })
    }
}
