//! What an incentive remembers of a member, what was achieved, and the feeds of the partners.

use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::DbErr;

use crate::column;

const UP: &str = r"
CREATE TABLE progress (
    employer_id {id} NOT NULL,
    member_id {id} NOT NULL,
    incentive_id {id} NOT NULL,
    state {text} NOT NULL,
    updated_at {instant} NOT NULL,
    PRIMARY KEY (employer_id, member_id, incentive_id),
    FOREIGN KEY (employer_id, member_id) REFERENCES member (employer_id, id),
    FOREIGN KEY (employer_id, incentive_id) REFERENCES incentive (employer_id, id)
){strict_keyed};

CREATE TABLE achievement (
    employer_id {id} NOT NULL,
    id {id} NOT NULL,
    member_id {id} NOT NULL,
    incentive_id {id} NOT NULL,
    incentive_version {int} NOT NULL,
    program_id {id} NOT NULL,
    period_key {text} NOT NULL,
    ordinal {int} NOT NULL CHECK (ordinal >= 1),
    title {text} NOT NULL,
    sensitive {bool} NOT NULL,
    earned_on {date} NOT NULL,
    recorded_at {instant} NOT NULL,
    status {text} NOT NULL CHECK (status IN ('EARNED', 'REVOKED')),
    PRIMARY KEY (employer_id, id),
    -- Exactly once.
    UNIQUE (employer_id, incentive_id, member_id, period_key, ordinal),
    FOREIGN KEY (employer_id, member_id) REFERENCES member (employer_id, id),
    FOREIGN KEY (employer_id, incentive_id, program_id) REFERENCES incentive (employer_id, id, program_id),
    FOREIGN KEY (employer_id, incentive_id, incentive_version) REFERENCES incentive_version (employer_id, incentive_id, version)
){strict};
CREATE INDEX achievement_of_member ON achievement (employer_id, member_id, id);

-- The position of the last entry of each partner's feed. Taken last in a transaction, so position order is commit order.
CREATE TABLE feed_head (
    partner_id {id} NOT NULL PRIMARY KEY REFERENCES partner (id),
    position {bigint} NOT NULL CHECK (position >= 0)
){strict};

CREATE TABLE feed_entry (
    partner_id {id} NOT NULL REFERENCES partner (id),
    position {bigint} NOT NULL CHECK (position >= 1),
    id {id} NOT NULL,
    employer_id {id} NOT NULL,
    kind {text} NOT NULL CHECK (kind IN ('ACHIEVEMENT_EARNED')),
    achievement_id {id} NOT NULL,
    member_ref {text} NOT NULL,
    recorded_at {instant} NOT NULL,
    PRIMARY KEY (partner_id, position),
    UNIQUE (partner_id, achievement_id, kind),
    FOREIGN KEY (employer_id, achievement_id) REFERENCES achievement (employer_id, id)
){strict};
CREATE UNIQUE INDEX feed_entry_by_id ON feed_entry (partner_id, id);
CREATE INDEX feed_entry_of_achievement ON feed_entry (employer_id, achievement_id);
";

const DOWN: &str = r"
DROP TABLE feed_entry; DROP TABLE feed_head; DROP TABLE achievement; DROP TABLE progress;
";

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        column::run(manager, UP).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        column::run(manager, DOWN).await
    }
}
