//! A partner's feed, and what members achieve, by page.

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
            .map(|entry| FeedEntry {
                partner,
                entry,
                names: None,
            })
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

/// What members achieve and ask for, by page.
#[derive(Default)]
pub struct ActivityQuery;

/// What members achieve and ask for, by page.
#[Object]
impl ActivityQuery {
    /// What members have achieved and asked for, by position: what `Subscription.memberActivity` tells as it happens and an endpoint of
    /// the mobile backend (`createWebhookEndpoint`) is told too, with the same entries, ids and positions. It is a feed of the employer's
    /// own, which is opened by whoever asks for it first, here or there, and tells what happens from then on: earned and revoked
    /// achievements of all programs, sensitive ones too, and redemptions and gifts that are requested or called off. Without a member,
    /// positions count 1, 2, 3 with no hole, as in a partner's feed; of one member they are the same positions, and so have holes. What
    /// is no longer kept is the error `CURSOR_EXPIRED`, as of `feed`. Scope: `member:self` or `member:any`.
    #[graphql(guard = "Requires::<access::ReadMemberActivity>::new()")]
    async fn member_activity(
        &self,
        context: &Context<'_>,
        #[graphql(
            desc = "The member, by the employer's own id; all members unless given, and to a member itself."
        )]
        external_id: Option<String>,
        #[graphql(desc = "The key of the employer; the token's own unless given.")] employer: Option<String>,
        #[graphql(desc = "Only entries after this cursor; from the beginning unless given.")] after: Option<
            String,
        >,
        #[graphql(desc = "At most so many, 1 to 100.", default_with = "Some(100)")] first: Option<i32>,
    ) -> Result<FeedPage, ApiError> {
        let app = app(context)?;
        let permit = permit::<access::ReadMemberActivity>(context)?;
        let (employer, external_id) = (employer.as_deref(), external_id.as_deref());
        let activity = domain::activity::open(app, &permit, employer, external_id).await?;
        let feed = activity.feed;
        let start = after.as_deref().map_or(Ok(0), |cursor| position(feed, cursor))?;
        let first = first.map_or(domain::feed::PAGE_MAX, i64::from);
        let part = domain::activity::list(app, &activity, start, first).await?;
        if part.entries.is_empty() {
            domain::feed::require_kept(app, feed, start).await?;
        }
        preload_names(context, &part.entries).await?;
        // Where there is nothing of a member, there it need not be looked for again.
        let end_cursor = (part.through > start)
            .then(|| cursor::write(feed, part.through))
            .or(after);
        let told = |entry| FeedEntry {
            partner: feed,
            entry,
            names: None,
        };
        Ok(FeedPage {
            entries: part.entries.into_iter().map(told).collect(),
            end_cursor,
            has_more: part.has_more,
        })
    }

    /// How many entries the activity of all members has from one position to another, and a digest of them, as `feedDigest` has of a
    /// partner's feed: so a backend proves every night that it has missed nothing. Scope: `member:any`.
    #[graphql(guard = "Requires::<access::ReadMemberActivityDigest>::new()")]
    async fn member_activity_digest(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "The key of the employer; the token's own unless given.")] employer: Option<String>,
        #[graphql(desc = "The first position, from 1.")] from: BigInt,
        #[graphql(desc = "The last position, at most 99,999 after the first.")] to: BigInt,
    ) -> Result<FeedDigest, ApiError> {
        let app = app(context)?;
        let permit = permit::<access::ReadMemberActivityDigest>(context)?;
        let activity = domain::activity::open(app, &permit, employer.as_deref(), None).await?;
        let digest = domain::feed::digest(app, activity.feed, (from.0, to.0)).await?;
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
