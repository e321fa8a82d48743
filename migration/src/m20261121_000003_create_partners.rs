//! What partners may know, and the OAuth clients and keys by which everyone is known.

use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::DbErr;

use crate::column;

const UP: &str = r"
CREATE TABLE partner_grant (
    employer_id {id} NOT NULL,
    id {id} NOT NULL,
    partner_id {id} NOT NULL REFERENCES partner (id),
    program_id {id} NOT NULL,
    created_at {instant} NOT NULL,
    revoked_at {instant},
    PRIMARY KEY (employer_id, id),
    UNIQUE (employer_id, partner_id, program_id),
    FOREIGN KEY (employer_id, program_id) REFERENCES program (employer_id, id)
){strict};
CREATE INDEX partner_grant_of_program ON partner_grant (employer_id, program_id);

-- Of an employer, of a partner, or (neither) of the operator.
CREATE TABLE client (
    id {id} NOT NULL PRIMARY KEY,
    name {text} NOT NULL,
    employer_id {id} REFERENCES employer (id),
    partner_id {id} REFERENCES partner (id),
    scopes {text} NOT NULL,
    secret_digest {bytes} NOT NULL,
    -- The secret before the last rotation, for as long as it is still taken.
    previous_secret_digest {bytes},
    previous_secret_until {instant},
    created_at {instant} NOT NULL,
    revoked_at {instant},
    CHECK (employer_id IS NULL OR partner_id IS NULL),
    CHECK ((previous_secret_digest IS NULL) = (previous_secret_until IS NULL))
){strict};

CREATE TABLE signing_key (
    kid {text} NOT NULL PRIMARY KEY,
    private_key {bytes} NOT NULL,
    created_at {instant} NOT NULL,
    -- Published from creation on, signs from this instant on.
    signs_from {instant} NOT NULL,
    -- Until then its tokens are taken; null: until it is replaced.
    verifies_until {instant}
){strict};
";

const DOWN: &str = r"
DROP TABLE signing_key; DROP TABLE client; DROP TABLE partner_grant;
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
