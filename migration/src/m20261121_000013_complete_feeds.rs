//! Feeds that forget what is old, and grants that reach back.

use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::DbErr;

use crate::column;

const UP: &str = r"
-- The oldest position that is kept; one more than the newest when none is.
ALTER TABLE feed_head ADD COLUMN oldest {bigint} NOT NULL DEFAULT 1 CHECK (oldest >= 1);

-- Which partners know of an achievement by an entry that is no longer kept: of its revocation they are told, of itself not again.
CREATE TABLE feed_told (
    employer_id {id} NOT NULL,
    achievement_id {id} NOT NULL,
    partner_id {id} NOT NULL REFERENCES partner (id),
    PRIMARY KEY (employer_id, achievement_id, partner_id),
    FOREIGN KEY (employer_id, achievement_id) REFERENCES achievement (employer_id, id)
){strict_keyed};

-- Telling a partner what was achieved before it was granted the program: how far that has come.
CREATE TABLE backfill (
    employer_id {id} NOT NULL,
    grant_id {id} NOT NULL,
    state {text} NOT NULL CHECK (state IN ('RUNNING', 'DONE', 'STOPPED')),
    -- The last achievement that was looked at; null: none was.
    last_id {id},
    -- How many were looked at, and how many of them were told.
    done {bigint} NOT NULL CHECK (done >= 0),
    told {bigint} NOT NULL CHECK (told >= 0 AND told <= done),
    started_at {instant} NOT NULL,
    ended_at {instant},
    PRIMARY KEY (employer_id, grant_id),
    FOREIGN KEY (employer_id, grant_id) REFERENCES partner_grant (employer_id, id),
    CHECK ((state = 'RUNNING') = (ended_at IS NULL))
){strict_keyed};
CREATE INDEX backfill_running ON backfill (employer_id, grant_id) WHERE state = 'RUNNING';
";

const DOWN: &str = r"
DROP TABLE backfill;
DROP TABLE feed_told;
ALTER TABLE feed_head DROP COLUMN oldest;
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
