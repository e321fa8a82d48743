//! Members and what they have achieved.

use async_graphql::connection::Connection;
use async_graphql::{Context, InputObject, Object};

use crate::auth::access;
use crate::auth::guard::Requires;
use crate::domain::{self, achievement::Wanted};
use crate::graphql::connection::{Arguments, Cursor, connection};
use crate::graphql::error::ApiError;
use crate::graphql::object::{Achievement, Member};
use crate::graphql::scalar::Date;
use crate::graphql::{app, permit};

/// Which achievements are wanted. What is left out does not narrow; a key that names nothing this token may see finds nothing.
#[derive(InputObject, Default)]
pub struct AchievementFilter {
    /// The key of the employer; the token's own unless given. The operator must give it.
    employer: Option<String>,
    /// The external id of the member.
    member: Option<String>,
    /// The key of the program.
    program: Option<String>,
    /// The key of the incentive.
    incentive: Option<String>,
    /// Reached on this local date or later.
    earned_from: Option<Date>,
    /// Reached on this local date or earlier.
    earned_until: Option<Date>,
}

/// Members and what they have achieved.
#[derive(Default)]
pub struct PeopleQuery;

/// Members and what they have achieved.
#[Object]
impl PeopleQuery {
    /// The member of this external id. Null: there is none that this token may see.
    /// Scope: `members:read`, `member:self` or `member:any`.
    #[graphql(guard = "Requires::<access::ReadMember>::new()")]
    async fn member(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "The employer's own name for the member.")] external_id: String,
        #[graphql(
            desc = "The key of the employer; the token's own unless given. The operator must give it."
        )]
        employer: Option<String>,
    ) -> Result<Option<Member>, ApiError> {
        let found =
            domain::member::find(app(context)?, permit(context)?, employer.as_deref(), &external_id).await?;
        Ok(found.map(Member))
    }

    /// What the members of the employer have achieved, in the order of recording. An administrator does not see what is sensitive; a
    /// member's own token sees that member's only. Scope: `achievements:read`, `member:self` or `member:any`.
    #[graphql(guard = "Requires::<access::ListAchievements>::new()")]
    async fn achievements(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "Which ones; all unless given.")] filter: Option<AchievementFilter>,
        #[graphql(desc = "At most so many from the start, 1 to 100; 20 unless given.")] first: Option<i32>,
        #[graphql(desc = "Only those after this cursor.")] after: Option<String>,
        #[graphql(desc = "At most so many from the end, 1 to 100.")] last: Option<i32>,
        #[graphql(desc = "Only those before this cursor.")] before: Option<String>,
    ) -> Result<Connection<Cursor, Achievement>, ApiError> {
        let filter = filter.unwrap_or_default();
        let wanted = Wanted {
            employer: filter.employer,
            member: filter.member,
            program: filter.program,
            incentive: filter.incentive,
            earned_from: filter.earned_from.map(|date| date.0),
            earned_until: filter.earned_until.map(|date| date.0),
        };
        let page = Arguments {
            after,
            before,
            first,
            last,
        }
        .page()?;
        let slice = domain::achievement::list(app(context)?, permit(context)?, &wanted, page).await?;
        Ok(connection(slice, |row| row.id, Achievement::of_employer))
    }
}
