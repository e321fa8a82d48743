//! What events have counted for, events that were taken back, and events that are kept for their members to see.

use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::DbErr;

use crate::column;

const UP: &str = r"
-- What a forgotten event counted for: as much as it takes to judge again without it, and none of its properties.
CREATE TABLE contribution (
    employer_id {id} NOT NULL,
    member_id {id} NOT NULL,
    incentive_id {id} NOT NULL,
    source {text} NOT NULL,
    event_id {text} NOT NULL,
    version {int} NOT NULL,
    -- The day of the program, and the zone by which it was found.
    day {date} NOT NULL,
    time_zone {text} NOT NULL,
    occurred_at {instant} NOT NULL,
    -- An exact decimal.
    amount {text} NOT NULL,
    -- The steps of a sequence that it matches, a bit each.
    steps {int} NOT NULL,
    role {text} NOT NULL CHECK (role IN ('COUNTS', 'IDLE', 'STOPS')),
    -- The day comes before the event's own name, because a case is judged again by its latest days.
    PRIMARY KEY (employer_id, member_id, incentive_id, day, source, event_id),
    FOREIGN KEY (employer_id, member_id) REFERENCES member (employer_id, id),
    FOREIGN KEY (employer_id, incentive_id, version) REFERENCES incentive_version (employer_id, incentive_id, version)
){strict_keyed};
CREATE INDEX contribution_by_day ON contribution (employer_id, day);

-- An event that its sender has taken back, whether it had come or not.
CREATE TABLE retraction (
    employer_id {id} NOT NULL REFERENCES employer (id),
    source {text} NOT NULL,
    event_id {text} NOT NULL,
    reason {text},
    received_at {instant} NOT NULL,
    -- Still to be carried out; in wait for an event that has not come; carried out.
    state {text} NOT NULL CHECK (state IN ('PENDING', 'WAITING', 'APPLIED')),
    attempts {int} NOT NULL,
    due_at {instant} NOT NULL,
    expires_at {instant} NOT NULL,
    PRIMARY KEY (employer_id, source, event_id)
){strict_keyed};
CREATE INDEX retraction_by_due ON retraction (due_at) WHERE state = 'PENDING';
CREATE INDEX retraction_by_expiry ON retraction (expires_at);

-- An evaluated event of a type that is kept for a while.
CREATE TABLE kept_event (
    employer_id {id} NOT NULL,
    id {id} NOT NULL,
    member_id {id} NOT NULL,
    event_type_id {id} NOT NULL,
    source {text} NOT NULL,
    event_id {text} NOT NULL,
    occurred_at {instant} NOT NULL,
    local_time {text} NOT NULL,
    time_zone {text} NOT NULL,
    properties {text} NOT NULL,
    expires_at {instant} NOT NULL,
    PRIMARY KEY (employer_id, id),
    FOREIGN KEY (employer_id, member_id) REFERENCES member (employer_id, id),
    FOREIGN KEY (employer_id, event_type_id) REFERENCES event_type (employer_id, id)
){strict};
CREATE INDEX kept_event_of_member ON kept_event (employer_id, member_id, id);
CREATE INDEX kept_event_by_expiry ON kept_event (expires_at);
";

const DOWN: &str = r"
DROP TABLE kept_event; DROP TABLE retraction; DROP TABLE contribution;
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
