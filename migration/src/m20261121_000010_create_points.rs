//! Points and rewards: accounts, lots, the ledger, what points were earned for, and the rewards that they are spent on.

use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::DbErr;

use crate::column;

const UP: &str = r"
-- A member's points of one category. Whoever changes one holds the lock of the member.
CREATE TABLE points_account (
    employer_id {id} NOT NULL,
    member_id {id} NOT NULL,
    category {text} NOT NULL,
    -- What remains of the lots that are active, and of those that are not active yet. A lot counts until its end is booked.
    available {bigint} NOT NULL CHECK (available >= 0),
    pending {bigint} NOT NULL CHECK (pending >= 0),
    -- Taken back when it was spent already; what is earned next makes up for it.
    debt {bigint} NOT NULL CHECK (debt >= 0),
    -- Number of the newest entry: they are 1, 2, 3 in each account.
    entries {bigint} NOT NULL CHECK (entries >= 0),
    -- When the next of its lots becomes active or ends; null: none ever does.
    due_at {instant},
    PRIMARY KEY (employer_id, member_id, category),
    FOREIGN KEY (employer_id, member_id) REFERENCES member (employer_id, id)
){strict_keyed};
CREATE INDEX points_account_by_due ON points_account (due_at) WHERE due_at IS NOT NULL;

-- Points that were earned together: they become active and end together.
CREATE TABLE points_lot (
    employer_id {id} NOT NULL,
    id {id} NOT NULL,
    member_id {id} NOT NULL,
    category {text} NOT NULL,
    amount {bigint} NOT NULL CHECK (amount >= 1),
    remaining {bigint} NOT NULL CHECK (remaining >= 0 AND remaining <= amount),
    active_from {instant} NOT NULL,
    -- The first instant at which it can no longer be spent; 9223372036854775807: it never ends.
    expires_at {instant} NOT NULL CHECK (expires_at > active_from),
    is_active {bool} NOT NULL,
    -- What it was earned for: both or neither.
    incentive_id {id},
    cause {bytes},
    PRIMARY KEY (employer_id, id),
    FOREIGN KEY (employer_id, member_id, category) REFERENCES points_account (employer_id, member_id, category),
    FOREIGN KEY (employer_id, incentive_id) REFERENCES incentive (employer_id, id),
    CHECK ((incentive_id IS NULL) = (cause IS NULL))
){strict};
-- In the order in which they are spent: what ends first, then what came first.
CREATE INDEX points_lot_open ON points_lot (employer_id, member_id, category, expires_at, id) WHERE remaining > 0;

-- The ledger: what has happened to an account, in order. Never changed.
CREATE TABLE points_entry (
    employer_id {id} NOT NULL,
    id {id} NOT NULL,
    member_id {id} NOT NULL,
    category {text} NOT NULL,
    number {bigint} NOT NULL CHECK (number >= 1),
    kind {text} NOT NULL CHECK (kind IN ('EARNED', 'ADJUSTED', 'REDEEMED', 'RETURNED', 'EXPIRED', 'CLAWED_BACK')),
    amount {bigint} NOT NULL CHECK (amount <> 0),
    -- What the account holds after it, pending points included: the sum of the amounts up to here.
    balance_after {bigint} NOT NULL CHECK (balance_after >= 0),
    recorded_at {instant} NOT NULL,
    -- The civil date of that in the employer's zone, for reports.
    recorded_on {date} NOT NULL,
    incentive_id {id},
    redemption_id {id},
    sensitive {bool} NOT NULL,
    PRIMARY KEY (employer_id, id),
    UNIQUE (employer_id, member_id, category, number),
    FOREIGN KEY (employer_id, member_id, category) REFERENCES points_account (employer_id, member_id, category),
    FOREIGN KEY (employer_id, incentive_id) REFERENCES incentive (employer_id, id)
){strict};
CREATE INDEX points_entry_of_member ON points_entry (employer_id, member_id, id);
CREATE INDEX points_entry_by_date ON points_entry (employer_id, recorded_on);

-- Which lots an entry has put points into, or taken them from.
CREATE TABLE points_posting (
    employer_id {id} NOT NULL,
    entry_id {id} NOT NULL,
    lot_id {id} NOT NULL,
    amount {bigint} NOT NULL CHECK (amount <> 0),
    PRIMARY KEY (employer_id, entry_id, lot_id),
    FOREIGN KEY (employer_id, entry_id) REFERENCES points_entry (employer_id, id),
    FOREIGN KEY (employer_id, lot_id) REFERENCES points_lot (employer_id, id)
){strict_keyed};
CREATE INDEX points_posting_of_lot ON points_posting (employer_id, lot_id);

-- A correction by hand. The key makes it happen once.
CREATE TABLE points_adjustment (
    employer_id {id} NOT NULL,
    entry_id {id} NOT NULL,
    -- In the words of whoever made it; null: the member was erased.
    reason {text},
    -- The subject of the token.
    made_by {text} NOT NULL,
    PRIMARY KEY (employer_id, entry_id),
    FOREIGN KEY (employer_id, entry_id) REFERENCES points_entry (employer_id, id)
){strict_keyed};

-- What points were earned for: an order, any other event, or an award; and how many.
CREATE TABLE earning (
    employer_id {id} NOT NULL,
    member_id {id} NOT NULL,
    incentive_id {id} NOT NULL,
    category {text} NOT NULL,
    -- A digest of the order's own name or of the event's identity, or the id of an award.
    cause {bytes} NOT NULL,
    -- The version it was earned by.
    version {int} NOT NULL,
    -- The day of the program, for the cap.
    day {date} NOT NULL,
    -- An exact decimal; null: the event has not come, or was taken back.
    units {text},
    stated_at {instant},
    -- What is left of it by its latest refund, an exact decimal; null: there was none.
    remaining {text},
    refunded_at {instant},
    -- By how much its points are multiplied, an exact decimal.
    factor {text} NOT NULL,
    -- The points before the cap, and whether the cap has rejected them.
    gross {bigint} NOT NULL CHECK (gross >= 0),
    is_rejected {bool} NOT NULL,
    updated_on {date} NOT NULL,
    PRIMARY KEY (employer_id, member_id, incentive_id, category, cause),
    FOREIGN KEY (employer_id, member_id) REFERENCES member (employer_id, id),
    FOREIGN KEY (employer_id, incentive_id, version) REFERENCES incentive_version (employer_id, incentive_id, version)
){strict_keyed};
-- Refunds of what has never come.
CREATE INDEX earning_unknown ON earning (employer_id, updated_on) WHERE units IS NULL;

-- How much of a cap is used up: the points before it and those that were given, by window.
CREATE TABLE points_cap (
    employer_id {id} NOT NULL,
    member_id {id} NOT NULL,
    incentive_id {id} NOT NULL,
    category {text} NOT NULL,
    period_key {text} NOT NULL,
    gross {bigint} NOT NULL CHECK (gross >= 0),
    granted {bigint} NOT NULL CHECK (granted >= 0 AND granted <= gross),
    PRIMARY KEY (employer_id, member_id, incentive_id, category, period_key),
    FOREIGN KEY (employer_id, member_id) REFERENCES member (employer_id, id),
    FOREIGN KEY (employer_id, incentive_id) REFERENCES incentive (employer_id, id)
){strict_keyed};

-- An event that has said what is left of an order. Kept as long as it could be taken back.
CREATE TABLE refund (
    employer_id {id} NOT NULL,
    member_id {id} NOT NULL,
    incentive_id {id} NOT NULL,
    source {text} NOT NULL,
    event_id {text} NOT NULL,
    cause {bytes} NOT NULL,
    day {date} NOT NULL,
    occurred_at {instant} NOT NULL,
    remaining {text} NOT NULL,
    PRIMARY KEY (employer_id, member_id, incentive_id, source, event_id),
    FOREIGN KEY (employer_id, member_id) REFERENCES member (employer_id, id),
    FOREIGN KEY (employer_id, incentive_id) REFERENCES incentive (employer_id, id)
){strict_keyed};
CREATE INDEX refund_by_day ON refund (employer_id, day) WHERE remaining IS NOT NULL;

-- What an event that earns points by itself was about, for as long as it could be taken back.
ALTER TABLE contribution ADD COLUMN cause {bytes};
ALTER TABLE contribution ADD COLUMN units {text};
ALTER TABLE contribution ADD COLUMN factor {text};

-- Awards of incentives that give points or rewards, and no achievement: nobody is shown them.
ALTER TABLE achievement ADD COLUMN hidden {bool} NOT NULL DEFAULT {false};

-- A time in which a program gives more points.
CREATE TABLE boost (
    employer_id {id} NOT NULL,
    program_id {id} NOT NULL,
    key {text} NOT NULL,
    name {text} NOT NULL,
    -- An exact decimal.
    multiplier {text} NOT NULL,
    category {text},
    -- The first and the last day of the program on which it applies.
    starts_on {date} NOT NULL,
    ends_on {date} NOT NULL CHECK (ends_on >= starts_on),
    -- A list of conditions.
    conditions {json} NOT NULL,
    created_at {instant} NOT NULL,
    ended_at {instant},
    PRIMARY KEY (employer_id, program_id, key),
    FOREIGN KEY (employer_id, program_id) REFERENCES program (employer_id, id)
){strict};

-- What members can have for points, or are given.
CREATE TABLE reward (
    employer_id {id} NOT NULL,
    id {id} NOT NULL,
    program_id {id} NOT NULL,
    key {text} NOT NULL,
    name {text} NOT NULL,
    description {text},
    price {bigint} NOT NULL CHECK (price >= 0),
    category {text} NOT NULL,
    -- How many are left; null: any number.
    stock {bigint} CHECK (stock >= 0),
    per_member {bigint} CHECK (per_member >= 1),
    available_from {date},
    available_until {date},
    -- How long a redemption waits to be fulfilled; null: for ever.
    hold_seconds {bigint} CHECK (hold_seconds >= 1),
    fulfilled_by {id} REFERENCES partner (id),
    created_at {instant} NOT NULL,
    retired_at {instant},
    PRIMARY KEY (employer_id, id),
    UNIQUE (employer_id, key),
    FOREIGN KEY (employer_id, program_id) REFERENCES program (employer_id, id)
){strict};

CREATE TABLE redemption (
    employer_id {id} NOT NULL,
    id {id} NOT NULL,
    member_id {id} NOT NULL,
    reward_id {id} NOT NULL,
    quantity {bigint} NOT NULL CHECK (quantity >= 1),
    points_spent {bigint} NOT NULL CHECK (points_spent >= 0),
    -- How much of the stock it has taken.
    stock_taken {bigint} NOT NULL CHECK (stock_taken >= 0 AND stock_taken <= quantity),
    category {text} NOT NULL,
    status {text} NOT NULL CHECK (status IN ('HELD', 'FULFILLED', 'CANCELLED', 'EXPIRED')),
    requested_at {instant} NOT NULL,
    requested_on {date} NOT NULL,
    expires_at {instant},
    settled_at {instant},
    -- The partner's own name for it, and why it was cancelled; null also when the member was erased.
    reference {text},
    reason {text},
    -- The award that gave it; null: the member asked for it.
    achievement_id {id},
    sensitive {bool} NOT NULL,
    -- The partner that has been told of it, and by what name of the member.
    told_to {id} REFERENCES partner (id),
    member_ref {text},
    PRIMARY KEY (employer_id, id),
    FOREIGN KEY (employer_id, member_id) REFERENCES member (employer_id, id),
    FOREIGN KEY (employer_id, reward_id) REFERENCES reward (employer_id, id),
    FOREIGN KEY (employer_id, achievement_id) REFERENCES achievement (employer_id, id),
    CHECK ((status = 'HELD') = (settled_at IS NULL))
){strict};
CREATE INDEX redemption_of_member ON redemption (employer_id, member_id, id);
CREATE INDEX redemption_by_date ON redemption (employer_id, requested_on);
CREATE INDEX redemption_by_expiry ON redemption (expires_at) WHERE status = 'HELD';
CREATE UNIQUE INDEX redemption_of_award ON redemption (employer_id, achievement_id, reward_id) WHERE achievement_id IS NOT NULL;

-- What was asked for once is done once.
CREATE TABLE idempotency (
    employer_id {id} NOT NULL REFERENCES employer (id),
    operation {text} NOT NULL,
    key {text} NOT NULL,
    body_hash {bytes} NOT NULL,
    member_id {id} NOT NULL,
    made_id {id} NOT NULL,
    created_at {instant} NOT NULL,
    PRIMARY KEY (employer_id, operation, key)
){strict_keyed};

-- The levels of a program: by points of one category that were earned in a window.
CREATE TABLE level_scheme (
    employer_id {id} NOT NULL,
    program_id {id} NOT NULL,
    category {text} NOT NULL,
    -- The window, whether a level can be lost, and the levels with their thresholds.
    definition {json} NOT NULL,
    updated_at {instant} NOT NULL,
    PRIMARY KEY (employer_id, program_id),
    FOREIGN KEY (employer_id, program_id) REFERENCES program (employer_id, id)
){strict};

CREATE TABLE new_feed_entry (
    partner_id {id} NOT NULL REFERENCES partner (id),
    position {bigint} NOT NULL CHECK (position >= 1),
    id {id} NOT NULL,
    employer_id {id} NOT NULL,
    kind {text} NOT NULL CHECK (kind IN ('ACHIEVEMENT_EARNED', 'ACHIEVEMENT_REVOKED', 'REDEMPTION_REQUESTED', 'REDEMPTION_CANCELLED')),
    achievement_id {id},
    redemption_id {id},
    member_ref {text} NOT NULL,
    recorded_at {instant} NOT NULL,
    PRIMARY KEY (partner_id, position),
    FOREIGN KEY (employer_id, achievement_id) REFERENCES achievement (employer_id, id),
    FOREIGN KEY (employer_id, redemption_id) REFERENCES redemption (employer_id, id),
    CHECK ((achievement_id IS NOT NULL) = (kind IN ('ACHIEVEMENT_EARNED', 'ACHIEVEMENT_REVOKED'))),
    CHECK ((redemption_id IS NOT NULL) = (kind IN ('REDEMPTION_REQUESTED', 'REDEMPTION_CANCELLED')))
){strict};
INSERT INTO new_feed_entry (partner_id, position, id, employer_id, kind, achievement_id, member_ref, recorded_at)
SELECT partner_id, position, id, employer_id, kind, achievement_id, member_ref, recorded_at FROM feed_entry;
DROP TABLE feed_entry;
ALTER TABLE new_feed_entry RENAME TO feed_entry;
CREATE UNIQUE INDEX feed_entry_by_id ON feed_entry (partner_id, id);
-- A partner is told each thing once.
CREATE UNIQUE INDEX feed_entry_tells_achievement ON feed_entry (partner_id, achievement_id, kind) WHERE achievement_id IS NOT NULL;
CREATE UNIQUE INDEX feed_entry_tells_redemption ON feed_entry (partner_id, redemption_id, kind) WHERE redemption_id IS NOT NULL;
CREATE INDEX feed_entry_of_achievement ON feed_entry (employer_id, achievement_id) WHERE achievement_id IS NOT NULL;
CREATE INDEX feed_entry_of_redemption ON feed_entry (employer_id, redemption_id) WHERE redemption_id IS NOT NULL;
";

// The schema before has no place for redemptions: the entries that tell of them go.
const DOWN: &str = r"
CREATE TABLE old_feed_entry (
    partner_id {id} NOT NULL REFERENCES partner (id),
    position {bigint} NOT NULL CHECK (position >= 1),
    id {id} NOT NULL,
    employer_id {id} NOT NULL,
    kind {text} NOT NULL CHECK (kind IN ('ACHIEVEMENT_EARNED', 'ACHIEVEMENT_REVOKED')),
    achievement_id {id} NOT NULL,
    member_ref {text} NOT NULL,
    recorded_at {instant} NOT NULL,
    PRIMARY KEY (partner_id, position),
    UNIQUE (partner_id, achievement_id, kind),
    FOREIGN KEY (employer_id, achievement_id) REFERENCES achievement (employer_id, id)
){strict};
INSERT INTO old_feed_entry (partner_id, position, id, employer_id, kind, achievement_id, member_ref, recorded_at)
SELECT partner_id, position, id, employer_id, kind, achievement_id, member_ref, recorded_at FROM feed_entry
WHERE achievement_id IS NOT NULL;
DROP TABLE feed_entry;
ALTER TABLE old_feed_entry RENAME TO feed_entry;
CREATE UNIQUE INDEX feed_entry_by_id ON feed_entry (partner_id, id);
CREATE INDEX feed_entry_of_achievement ON feed_entry (employer_id, achievement_id);
DROP TABLE level_scheme;
DROP TABLE idempotency;
DROP TABLE redemption;
DROP TABLE reward;
DROP TABLE boost;
ALTER TABLE achievement DROP COLUMN hidden;
ALTER TABLE contribution DROP COLUMN factor;
ALTER TABLE contribution DROP COLUMN units;
ALTER TABLE contribution DROP COLUMN cause;
DROP TABLE refund;
DROP TABLE points_cap;
DROP TABLE earning;
DROP TABLE points_adjustment;
DROP TABLE points_posting;
DROP TABLE points_entry;
DROP TABLE points_lot;
DROP TABLE points_account;
";

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        column::run(manager, UP).await?;
        column::forbid_update(manager, "points_entry").await?;
        column::forbid_update(manager, "points_posting").await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        column::allow_update(manager, "points_posting").await?;
        column::allow_update(manager, "points_entry").await?;
        column::run(manager, DOWN).await
    }
}
