//! Points that wait for an event, and what reports by day are read by.

use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::DbErr;

use crate::column;

const UP: &str = r"
-- Since when what was earned need not wait for an event; null: no such event has come.
ALTER TABLE earning ADD COLUMN released_at {instant};
CREATE INDEX achievement_by_date ON achievement (employer_id, earned_on) WHERE NOT hidden;
";

const DOWN: &str = r"
DROP INDEX achievement_by_date;
ALTER TABLE earning DROP COLUMN released_at;
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
