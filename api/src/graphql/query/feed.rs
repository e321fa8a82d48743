//! A partner's feed, by page.

use std::collections::BTreeSet;
use std::sync::Arc;

use async_graphql::{Context, Object};
use entity::feed::{Entry, Subject, cursor};
use sea_orm::DbErr;

use crate::auth::access;
use crate::auth::guard::Requires;
use crate::domain;
use crate::graphql::error::ApiError;
use crate::graphql::loader::{Loaders, preload};
use crate::graphql::object::feed::{FeedDigest, FeedEntry, FeedPage, position};
use crate::graphql::scalar::BigInt;
use crate::graphql::{app, permit};

/// A partner's feed, by page.
#[derive(Default)]
pub struct FeedQuery;

/// A partner's feed, by page.
#[Object]
impl FeedQuery {
    /// The entries of the partner's feed after a cursor, by position. What comes after it is there without a hole, or the answer is the
    /// error `CURSOR_EXPIRED`: entries are kept for a time that the operator sets (90 days unless it does), and the error's
    /// `extensions` tell where what is kept begins: `oldestCursor`, to go on with in `after`, and `oldestPosition`. So they do where no
    /// `after` is given and the first entry is no longer kept. Scope: `feed:read`.
    #[graphql(guard = "Requires::<access::ReadFeed>::new()")]
    async fn feed(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "Only entries after this cursor; from the beginning unless given.")] after: Option<
            String,
        >,
        #[graphql(desc = "At most so many, 1 to 100.", default_with = "Some(100)")] first: Option<i32>,
    ) -> Result<FeedPage, ApiError> {
        let app = app(context)?;
        let partner = domain::feed::partner(&permit::<access::ReadFeed>(context)?)?;
        let start = after
            .as_deref()
            .map_or(Ok(0), |cursor| position(partner, cursor))?;
        let first = first.map_or(domain::feed::PAGE_MAX, i64::from);
        let page = domain::feed::list(app, partner, start, first).await?;
        // A page that follows on `after` shows that all is well with it; nothing does not.
        if page.entries.is_empty() {
            domain::feed::require_kept(app, partner, start).await?;
        }
        preload_names(context, &page.entries).await?;
        let end_cursor = page
            .entries
            .last()
            .map(|entry| cursor::write(partner, entry.position))
            .or(after);
        let entries = page
            .entries
            .into_iter()
            .map(|entry| FeedEntry { partner, entry })
            .collect();
        Ok(FeedPage {
            entries,
            end_cursor,
            has_more: page.has_more,
        })
    }

    /// How many entries the partner's feed has from one position to another, and a digest of them: whoever holds the same entries
    /// computes the same. Positions that are not there yet count for nothing; from one that is no longer kept there is the error
    /// `CURSOR_EXPIRED`, as of `feed`. Costs one look at each entry. Scope: `feed:read`.
    #[graphql(guard = "Requires::<access::ReadFeedDigest>::new()")]
    async fn feed_digest(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "The first position, from 1.")] from: BigInt,
        #[graphql(desc = "The last position, at most 99,999 after the first.")] to: BigInt,
    ) -> Result<FeedDigest, ApiError> {
        let partner = domain::feed::partner(&permit::<access::ReadFeedDigest>(context)?)?;
        let digest = domain::feed::digest(app(context)?, partner, (from.0, to.0)).await?;
        Ok(FeedDigest {
            from,
            to,
            count: BigInt(digest.count),
            sha256: digest.sha256,
        })
    }
}

/// Reads what the entries of a page name, as far as it is asked for: a statement for the incentives, one for the programs, one for the
/// rewards, however many entries.
async fn preload_names(context: &Context<'_>, entries: &[Entry]) -> Result<(), ApiError> {
    let Some(loaders) = context.data_opt::<Loaders>() else {
        return Ok(());
    };
    let ahead = context.look_ahead();
    let is_asked = |of: &str, noun: &str| ahead.field("entries").field(of).field(noun).exists();
    let (incentive, program) = (
        is_asked("achievement", "incentive"),
        is_asked("achievement", "program"),
    );
    let reward = is_asked("redemption", "reward");
    let (mut incentives, mut programs, mut rewards) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
    for entry in entries {
        match &entry.subject {
            Subject::Achievement(told) => {
                incentives.extend(incentive.then_some((entry.employer_id, told.incentive_id)));
                programs.extend(program.then_some((entry.employer_id, told.program_id)));
            }
            Subject::Redemption(told) => {
                rewards.extend(reward.then_some((entry.employer_id, told.reward_id)));
            }
        }
    }
    let failed = |error: Arc<DbErr>| ApiError::Db((*error).clone());
    preload(loaders, incentives).await.map_err(failed)?;
    preload(loaders, programs).await.map_err(failed)?;
    preload(loaders, rewards).await.map_err(failed)
}
