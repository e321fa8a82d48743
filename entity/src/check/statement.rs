//! The statements of the check. Each returns `employer_id`, `id` and `detail` of the rows that are wrong.

use sea_orm::prelude::Uuid;

use crate::id::{AchievementId, LotId, MemberId, PartnerId, PointsEntryId, RedemptionId, TypedId};

/// A statement that finds one kind of difference.
pub(super) struct Statement {
    /// What is wrong with the rows that it finds.
    pub what: &'static str,
    /// The public form of their ids.
    pub id: fn(Uuid) -> String,
    /// The statement, without a limit.
    pub sql: &'static str,
}

fn text<I: TypedId>(id: Uuid) -> String {
    I::from_uuid(id).to_string()
}

/// Every statement there is.
pub(super) const ALL: &[Statement] = &[
    Statement {
        what: "the balance is not what remains of the lots",
        id: text::<MemberId>,
        sql: "SELECT account.employer_id, account.member_id AS id, account.category AS detail
            FROM points_account AS account LEFT JOIN (
                SELECT employer_id, member_id, category, SUM(CASE WHEN is_active THEN remaining ELSE 0 END) AS active,
                    SUM(CASE WHEN is_active THEN 0 ELSE remaining END) AS waiting
                FROM points_lot GROUP BY employer_id, member_id, category
            ) AS lots ON lots.employer_id = account.employer_id AND lots.member_id = account.member_id
                AND lots.category = account.category
            WHERE account.available <> coalesce(lots.active, 0) OR account.pending <> coalesce(lots.waiting, 0)",
    },
    Statement {
        what: "the balance is not what the entries add up to, or their numbers have a hole",
        id: text::<MemberId>,
        sql: "SELECT account.employer_id, account.member_id AS id, account.category AS detail
            FROM points_account AS account LEFT JOIN (
                SELECT employer_id, member_id, category, SUM(amount) AS total, count(*) AS many, min(number) AS first,
                    max(number) AS last
                FROM points_entry GROUP BY employer_id, member_id, category
            ) AS ledger ON ledger.employer_id = account.employer_id AND ledger.member_id = account.member_id
                AND ledger.category = account.category
            WHERE account.available + account.pending <> coalesce(ledger.total, 0) OR account.entries <> coalesce(ledger.many, 0)
                OR account.entries <> coalesce(ledger.last, 0) OR coalesce(ledger.first, 1) <> 1",
    },
    Statement {
        what: "due at another time than the next of its lots becomes active or ends",
        id: text::<MemberId>,
        sql: "SELECT account.employer_id, account.member_id AS id, account.category AS detail
            FROM points_account AS account LEFT JOIN (
                SELECT employer_id, member_id, category,
                    min(CASE WHEN is_active THEN nullif(expires_at, 9223372036854775807) ELSE nullif(active_from, 9223372036854775806) END) AS due_at
                FROM points_lot WHERE remaining > 0 GROUP BY employer_id, member_id, category
            ) AS lots ON lots.employer_id = account.employer_id AND lots.member_id = account.member_id
                AND lots.category = account.category
            WHERE account.due_at IS DISTINCT FROM lots.due_at",
    },
    Statement {
        what: "the balance after it is not the sum of the entries up to it",
        id: text::<PointsEntryId>,
        sql: "SELECT employer_id, id, CAST(NULL AS text) AS detail FROM (
                SELECT employer_id, id, balance_after,
                    SUM(amount) OVER (PARTITION BY employer_id, member_id, category ORDER BY number) AS running
                FROM points_entry
            ) AS ledger WHERE balance_after <> running",
    },
    Statement {
        what: "the amount is not the sum of its postings",
        id: text::<PointsEntryId>,
        sql: "SELECT entry.employer_id, entry.id, CAST(NULL AS text) AS detail
            FROM points_entry AS entry LEFT JOIN (
                SELECT employer_id, entry_id, SUM(amount) AS total FROM points_posting GROUP BY employer_id, entry_id
            ) AS posted ON posted.employer_id = entry.employer_id AND posted.entry_id = entry.id
            WHERE entry.amount <> coalesce(posted.total, 0)",
    },
    Statement {
        what: "a posting is to a lot of another account",
        id: text::<PointsEntryId>,
        sql: "SELECT entry.employer_id, entry.id, CAST(NULL AS text) AS detail
            FROM points_entry AS entry
            JOIN points_posting AS posting ON posting.employer_id = entry.employer_id AND posting.entry_id = entry.id
            JOIN points_lot AS lot ON lot.employer_id = posting.employer_id AND lot.id = posting.lot_id
            WHERE lot.member_id <> entry.member_id OR lot.category <> entry.category",
    },
    Statement {
        what: "what it was made of, or what remains of it, is not the sum of its postings",
        id: text::<LotId>,
        sql: "SELECT lot.employer_id, lot.id, CAST(NULL AS text) AS detail
            FROM points_lot AS lot LEFT JOIN (
                SELECT posting.employer_id, posting.lot_id, SUM(posting.amount) AS total,
                    SUM(CASE WHEN posting.amount > 0 AND entry.kind IN ('EARNED', 'ADJUSTED') THEN posting.amount ELSE 0 END) AS made
                FROM points_posting AS posting
                JOIN points_entry AS entry ON entry.employer_id = posting.employer_id AND entry.id = posting.entry_id
                GROUP BY posting.employer_id, posting.lot_id
            ) AS posted ON posted.employer_id = lot.employer_id AND posted.lot_id = lot.id
            WHERE lot.remaining <> coalesce(posted.total, 0) OR lot.amount <> coalesce(posted.made, 0)
                OR lot.remaining < 0 OR lot.remaining > lot.amount",
    },
    Statement {
        what: "the points that were spent on it are not what its entries have taken",
        id: text::<RedemptionId>,
        sql: "SELECT redemption.employer_id, redemption.id, CAST(NULL AS text) AS detail
            FROM redemption LEFT JOIN (
                SELECT employer_id, redemption_id, SUM(amount) AS total FROM points_entry
                WHERE redemption_id IS NOT NULL GROUP BY employer_id, redemption_id
            ) AS taken ON taken.employer_id = redemption.employer_id AND taken.redemption_id = redemption.id
            WHERE coalesce(taken.total, 0) <>
                CASE WHEN redemption.status IN ('HELD', 'FULFILLED') THEN -redemption.points_spent ELSE 0 END",
    },
    Statement {
        what: "it names a redemption that is not there, or of other points",
        id: text::<PointsEntryId>,
        sql: "SELECT entry.employer_id, entry.id, CAST(NULL AS text) AS detail
            FROM points_entry AS entry LEFT JOIN redemption ON redemption.employer_id = entry.employer_id
                AND redemption.id = entry.redemption_id AND redemption.member_id = entry.member_id
                AND redemption.category = entry.category
            WHERE entry.redemption_id IS NOT NULL AND redemption.id IS NULL",
    },
    Statement {
        what: "it stands beside another one of the same key",
        id: text::<AchievementId>,
        sql: "SELECT award.employer_id, award.id, CAST(NULL AS text) AS detail FROM achievement AS award
            WHERE award.status = 'EARNED' AND EXISTS (
                SELECT 1 FROM achievement AS other
                WHERE other.employer_id = award.employer_id AND other.incentive_id = award.incentive_id
                    AND other.member_id = award.member_id AND other.period_key = award.period_key
                    AND other.ordinal = award.ordinal AND other.status = 'EARNED' AND other.id < award.id
            )",
    },
    Statement {
        what: "more points were given than a cap has seen",
        id: text::<MemberId>,
        sql: "SELECT employer_id, member_id AS id, category AS detail FROM points_cap
            WHERE granted < 0 OR granted > gross",
    },
    Statement {
        what: "the positions of the feed do not go on from its oldest to its head",
        id: text::<PartnerId>,
        sql: "SELECT nullif(partner.id, partner.id) AS employer_id, partner.id, CAST(NULL AS text) AS detail
            FROM partner LEFT JOIN feed_head AS head ON head.partner_id = partner.id LEFT JOIN (
                SELECT partner_id, count(*) AS many, min(position) AS first, max(position) AS last
                FROM feed_entry GROUP BY partner_id
            ) AS feed ON feed.partner_id = partner.id
            WHERE coalesce(head.position - head.oldest + 1, 0) <> coalesce(feed.many, 0)
                OR coalesce(feed.last, head.position, 0) <> coalesce(head.position, 0)
                OR coalesce(feed.first, head.oldest, 1) <> coalesce(head.oldest, 1)",
    },
    Statement {
        what: "the partner was told the same twice",
        id: text::<PartnerId>,
        sql: "SELECT employer_id, partner_id AS id, CAST(NULL AS text) AS detail FROM feed_entry
            GROUP BY employer_id, partner_id, achievement_id, redemption_id, kind HAVING count(*) > 1",
    },
];
