//! What may end, pause, restart or be forgotten: clocks of sandboxes, erased members, programs with a pause, an end and a budget,
//! retired incentives, versions that start anew, and whose event a receipt is of.

use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::DbErr;

use crate::column;

const UP: &str = r"
ALTER TABLE employer ADD COLUMN sandbox {bool} NOT NULL DEFAULT {false};
-- By how much the clock of a sandbox is ahead.
ALTER TABLE employer ADD COLUMN clock_offset_micros {bigint} NOT NULL DEFAULT 0
    CHECK (clock_offset_micros >= 0 AND (sandbox OR clock_offset_micros = 0));

ALTER TABLE member ADD COLUMN erased_at {instant};

ALTER TABLE program ADD COLUMN paused_at {instant};
ALTER TABLE program ADD COLUMN ended_at {instant};
-- How many awards there may be, of all members and incentives together; null: any number.
ALTER TABLE program ADD COLUMN budget {bigint} CHECK (budget >= 1);
ALTER TABLE program ADD COLUMN budget_spent {bigint} NOT NULL DEFAULT 0
    CHECK (budget_spent >= 0 AND (budget IS NULL OR budget_spent <= budget));

ALTER TABLE incentive ADD COLUMN retired_at {instant};

-- Whether members start anew with this version, instead of going on from where the one before has left them.
ALTER TABLE incentive_version ADD COLUMN restarts {bool} NOT NULL DEFAULT {false};

-- Null on receipts that were written before these columns.
ALTER TABLE receipt ADD COLUMN member_id {id};
ALTER TABLE receipt ADD COLUMN event_type_id {id};
";

// SQLite drops no column that another one's CHECK names.
const DOWN: &str = r"
ALTER TABLE receipt DROP COLUMN event_type_id;
ALTER TABLE receipt DROP COLUMN member_id;
ALTER TABLE incentive_version DROP COLUMN restarts;
ALTER TABLE incentive DROP COLUMN retired_at;
ALTER TABLE program DROP COLUMN budget_spent;
ALTER TABLE program DROP COLUMN budget;
ALTER TABLE program DROP COLUMN ended_at;
ALTER TABLE program DROP COLUMN paused_at;
ALTER TABLE member DROP COLUMN erased_at;
ALTER TABLE employer DROP COLUMN clock_offset_micros;
ALTER TABLE employer DROP COLUMN sandbox;
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
