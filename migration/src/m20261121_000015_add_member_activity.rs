//! A feed of an employer's own, which tells its backend what its members achieve.

use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::DbErr;

use crate::column;

const UP: &str = r"
-- Since when there is a feed of the employer's own, by the real clock; null: nobody has asked for it.
ALTER TABLE employer ADD COLUMN activity_since {instant};

-- Whose own feed this is; null: it is a partner. An employer has at most one, under its own id, and nobody meets it as a partner.
ALTER TABLE partner ADD COLUMN employer_id {id} REFERENCES employer (id) CHECK (employer_id IS NULL OR employer_id = id);
";

// Whoever knows no such feeds would take them for partners.
const DOWN: &str = r"
DELETE FROM delivery WHERE partner_id IN (SELECT id FROM partner WHERE employer_id IS NOT NULL);
DELETE FROM webhook_endpoint WHERE partner_id IN (SELECT id FROM partner WHERE employer_id IS NOT NULL);
DELETE FROM feed_entry WHERE partner_id IN (SELECT id FROM partner WHERE employer_id IS NOT NULL);
DELETE FROM feed_head WHERE partner_id IN (SELECT id FROM partner WHERE employer_id IS NOT NULL);
DELETE FROM partner WHERE employer_id IS NOT NULL;
ALTER TABLE partner DROP COLUMN employer_id;
ALTER TABLE employer DROP COLUMN activity_since;
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
