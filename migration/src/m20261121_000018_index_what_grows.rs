//! Indexes for what is looked up and grows with the members, found by plans on as much as a year leaves behind.

use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::DbErr;

use crate::column;

const UP: &str = r"
-- Read by every batch that tells a partner something. The unique indexes are of consents for all partners and for one, each of them of no
-- use to a statement that asks for both.
CREATE INDEX consent_of_member ON consent (employer_id, member_id);

-- Of a member that is erased: without them all receipts of all members would be read, and where there are ten million of them nobody waits
-- for that.
CREATE INDEX receipt_of_member ON receipt (employer_id, member_id);
CREATE INDEX idempotency_of_member ON idempotency (employer_id, member_id);

-- Pages of what was achieved for one incentive go by id.
DROP INDEX achievement_of_incentive;
CREATE INDEX achievement_of_incentive ON achievement (employer_id, incentive_id, id);
";

const DOWN: &str = r"
DROP INDEX achievement_of_incentive;
CREATE INDEX achievement_of_incentive ON achievement (employer_id, incentive_id, member_id);
DROP INDEX idempotency_of_member;
DROP INDEX receipt_of_member;
DROP INDEX consent_of_member;
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
