//! An index that is there for forgetting alone is made so that nothing else can use it.

use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::DbErr;

use crate::column;

const UP: &str = r"
DROP INDEX contribution_by_day;
-- Of use only to a statement that says the same. Lookups of a member's rows name a day too, and where statistics are old or
-- employers differ much in size, PostgreSQL would read all of an employer's days for each member by this index.
CREATE INDEX contribution_by_day ON contribution (employer_id, day) WHERE version > 0;
";

const DOWN: &str = r"
DROP INDEX contribution_by_day;
CREATE INDEX contribution_by_day ON contribution (employer_id, day);
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
