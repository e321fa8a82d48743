//! Achievements that say why they were earned and can be taken back, and entries of the feeds that tell so.
//!
//! SQLite changes no key and no CHECK of a table that exists, so both tables are made anew, filled from the old ones and put in
//! their place; the one that refers to the other goes first and comes last.

use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::DbErr;

use crate::column;

const UP: &str = r"
CREATE TABLE new_achievement (
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
    why {text},
    revoked_at {instant},
    revocation_reason {text},
    PRIMARY KEY (employer_id, id),
    FOREIGN KEY (employer_id, member_id) REFERENCES member (employer_id, id),
    FOREIGN KEY (employer_id, incentive_id, program_id) REFERENCES incentive (employer_id, id, program_id),
    FOREIGN KEY (employer_id, incentive_id, incentive_version) REFERENCES incentive_version (employer_id, incentive_id, version),
    CHECK ((status = 'REVOKED') = (revoked_at IS NOT NULL))
){strict};
INSERT INTO new_achievement (employer_id, id, member_id, incentive_id, incentive_version, program_id, period_key, ordinal, title,
    sensitive, earned_on, recorded_at, status, revoked_at)
SELECT employer_id, id, member_id, incentive_id, incentive_version, program_id, period_key, ordinal, title,
    sensitive, earned_on, recorded_at, status, CASE WHEN status = 'REVOKED' THEN recorded_at END
FROM achievement;

CREATE TABLE new_feed_entry (
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
    FOREIGN KEY (employer_id, achievement_id) REFERENCES new_achievement (employer_id, id)
){strict};
INSERT INTO new_feed_entry (partner_id, position, id, employer_id, kind, achievement_id, member_ref, recorded_at)
SELECT partner_id, position, id, employer_id, kind, achievement_id, member_ref, recorded_at FROM feed_entry;

DROP TABLE feed_entry;
DROP TABLE achievement;
ALTER TABLE new_achievement RENAME TO achievement;
ALTER TABLE new_feed_entry RENAME TO feed_entry;

-- Exactly once: an achievement that was taken back leaves its place free.
CREATE UNIQUE INDEX achievement_once ON achievement (employer_id, incentive_id, member_id, period_key, ordinal) WHERE status = 'EARNED';
CREATE INDEX achievement_of_incentive ON achievement (employer_id, incentive_id, member_id);
CREATE INDEX achievement_of_member ON achievement (employer_id, member_id, id);
CREATE UNIQUE INDEX feed_entry_by_id ON feed_entry (partner_id, id);
CREATE INDEX feed_entry_of_achievement ON feed_entry (employer_id, achievement_id);
";

// The schema before has no place for what was taken back: it goes, with every entry that tells of it.
const DOWN: &str = r"
CREATE TABLE old_achievement (
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
    UNIQUE (employer_id, incentive_id, member_id, period_key, ordinal),
    FOREIGN KEY (employer_id, member_id) REFERENCES member (employer_id, id),
    FOREIGN KEY (employer_id, incentive_id, program_id) REFERENCES incentive (employer_id, id, program_id),
    FOREIGN KEY (employer_id, incentive_id, incentive_version) REFERENCES incentive_version (employer_id, incentive_id, version)
){strict};
INSERT INTO old_achievement (employer_id, id, member_id, incentive_id, incentive_version, program_id, period_key, ordinal, title,
    sensitive, earned_on, recorded_at, status)
SELECT employer_id, id, member_id, incentive_id, incentive_version, program_id, period_key, ordinal, title,
    sensitive, earned_on, recorded_at, status
FROM achievement WHERE status = 'EARNED';

CREATE TABLE old_feed_entry (
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
    FOREIGN KEY (employer_id, achievement_id) REFERENCES old_achievement (employer_id, id)
){strict};
INSERT INTO old_feed_entry (partner_id, position, id, employer_id, kind, achievement_id, member_ref, recorded_at)
SELECT entry.partner_id, entry.position, entry.id, entry.employer_id, entry.kind, entry.achievement_id, entry.member_ref, entry.recorded_at
FROM feed_entry AS entry JOIN achievement ON achievement.employer_id = entry.employer_id AND achievement.id = entry.achievement_id
WHERE achievement.status = 'EARNED';

DROP TABLE feed_entry;
DROP TABLE achievement;
ALTER TABLE old_achievement RENAME TO achievement;
ALTER TABLE old_feed_entry RENAME TO feed_entry;

CREATE INDEX achievement_of_member ON achievement (employer_id, member_id, id);
CREATE UNIQUE INDEX feed_entry_by_id ON feed_entry (partner_id, id);
CREATE INDEX feed_entry_of_achievement ON feed_entry (employer_id, achievement_id);
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
