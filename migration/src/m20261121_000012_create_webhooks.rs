//! Webhooks: where partners are called, and each call that is promised.

use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::DbErr;

use crate::column;

const UP: &str = r"
-- Where a partner is called. It is told of every entry of its feed after the one at which it was created.
CREATE TABLE webhook_endpoint (
    partner_id {id} NOT NULL REFERENCES partner (id),
    id {id} NOT NULL,
    url {text} NOT NULL,
    description {text},
    -- The kinds of entries it is told of, each between spaces; null: all.
    kinds {text},
    secret {bytes} NOT NULL,
    -- The secret before the last rotation signs too until then: both or neither.
    previous_secret {bytes},
    previous_secret_until {instant},
    created_at {instant} NOT NULL,
    -- How many calls in a row have failed, and since when.
    failures {bigint} NOT NULL CHECK (failures >= 0),
    failing_since {instant},
    -- Not called before then; null: at any time.
    closed_until {instant},
    -- Since when it is not called at all, until the partner resumes it: both or neither.
    parked_at {instant},
    parked_because {text} CHECK (parked_because IN ('EXHAUSTED', 'GONE')),
    deleted_at {instant},
    PRIMARY KEY (partner_id, id),
    CHECK ((previous_secret IS NULL) = (previous_secret_until IS NULL)),
    CHECK ((failures = 0) = (failing_since IS NULL)),
    CHECK ((parked_at IS NULL) = (parked_because IS NULL))
){strict};

-- A call that is promised: one for each entry and endpoint.
CREATE TABLE delivery (
    partner_id {id} NOT NULL,
    position {bigint} NOT NULL,
    endpoint_id {id} NOT NULL,
    -- When it is to be tried; while somebody is at it, when somebody else may.
    due_at {instant} NOT NULL,
    -- Whose turn it is; null: nobody's.
    lease {bigint},
    -- Tries in all, and since it was last made due by hand.
    attempts {bigint} NOT NULL CHECK (attempts >= 0),
    tries {bigint} NOT NULL CHECK (tries >= 0 AND tries <= attempts),
    tried_since {instant},
    -- Null: it is still to be delivered.
    delivered_at {instant},
    PRIMARY KEY (partner_id, position, endpoint_id),
    FOREIGN KEY (partner_id, position) REFERENCES feed_entry (partner_id, position) ON DELETE CASCADE,
    FOREIGN KEY (partner_id, endpoint_id) REFERENCES webhook_endpoint (partner_id, id),
    CHECK (lease IS NULL OR delivered_at IS NULL)
){strict_keyed};
CREATE INDEX delivery_of_endpoint ON delivery (partner_id, endpoint_id, position);
CREATE INDEX delivery_due ON delivery (partner_id, endpoint_id, due_at, position) WHERE delivered_at IS NULL;
CREATE INDEX delivery_leased ON delivery (partner_id, endpoint_id, due_at) WHERE lease IS NOT NULL;
CREATE INDEX delivery_by_end ON delivery (delivered_at) WHERE delivered_at IS NOT NULL;

-- What came of a try.
CREATE TABLE delivery_attempt (
    partner_id {id} NOT NULL,
    position {bigint} NOT NULL,
    endpoint_id {id} NOT NULL,
    number {bigint} NOT NULL CHECK (number >= 1),
    attempted_at {instant} NOT NULL,
    milliseconds {bigint} NOT NULL CHECK (milliseconds >= 0),
    -- The status of the answer; null: there was none. And what else went wrong.
    status {int},
    error {text},
    -- The first kilobyte of the answer, as text.
    answer {text},
    PRIMARY KEY (partner_id, position, endpoint_id, number),
    FOREIGN KEY (partner_id, position, endpoint_id) REFERENCES delivery (partner_id, position, endpoint_id) ON DELETE CASCADE
){strict};
";

const DOWN: &str = r"
DROP TABLE delivery_attempt;
DROP TABLE delivery;
DROP TABLE webhook_endpoint;
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
