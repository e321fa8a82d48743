//! Programs, their incentives and the immutable versions of those.

use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::DbErr;

use crate::column;

const UP: &str = r"
CREATE TABLE program (
    employer_id {id} NOT NULL REFERENCES employer (id),
    id {id} NOT NULL,
    key {text} NOT NULL,
    name {text} NOT NULL,
    starts_on {date},
    ends_on {date},
    time_zone {text},
    -- Minutes after midnight at which a day of this program starts.
    day_starts_at_minutes {int} NOT NULL CHECK (day_starts_at_minutes BETWEEN 0 AND 1439),
    state {text} NOT NULL CHECK (state IN ('DRAFT', 'ACTIVE')),
    created_at {instant} NOT NULL,
    activated_at {instant},
    PRIMARY KEY (employer_id, id),
    UNIQUE (employer_id, key),
    CHECK (starts_on <= ends_on),
    CHECK ((state = 'DRAFT') = (activated_at IS NULL))
){strict};

CREATE TABLE incentive (
    employer_id {id} NOT NULL,
    id {id} NOT NULL,
    program_id {id} NOT NULL,
    key {text} NOT NULL,
    name {text} NOT NULL,
    description {text},
    -- Whether any event type it names is sensitive.
    sensitive {bool} NOT NULL,
    created_at {instant} NOT NULL,
    PRIMARY KEY (employer_id, id),
    UNIQUE (employer_id, key),
    UNIQUE (employer_id, id, program_id),
    FOREIGN KEY (employer_id, program_id) REFERENCES program (employer_id, id)
){strict};
CREATE INDEX incentive_of_program ON incentive (employer_id, program_id);

CREATE TABLE incentive_version (
    employer_id {id} NOT NULL,
    incentive_id {id} NOT NULL,
    version {int} NOT NULL CHECK (version >= 1),
    -- The keys of the event types that can match, so that even a definition that cannot be read finds its events.
    event_types {json} NOT NULL,
    definition {json} NOT NULL,
    outcomes {json} NOT NULL,
    -- In force from this instant; null: from ever.
    effective_from {instant},
    published_at {instant} NOT NULL,
    PRIMARY KEY (employer_id, incentive_id, version),
    FOREIGN KEY (employer_id, incentive_id) REFERENCES incentive (employer_id, id)
){strict};
";

const DOWN: &str = r"
DROP TABLE incentive_version; DROP TABLE incentive; DROP TABLE program;
";

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        column::run(manager, UP).await?;
        column::forbid_update(manager, "incentive_version").await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        column::allow_update(manager, "incentive_version").await?;
        column::run(manager, DOWN).await
    }
}
