//! The queue of events, the receipts by which a duplicate is known, what was refused and what could not be evaluated.

use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::DbErr;

use crate::column;

const UP: &str = r"
-- Identity and digest of an accepted event, for as long as it could be accepted once more; never its body.
CREATE TABLE receipt (
    employer_id {id} NOT NULL REFERENCES employer (id),
    source {text} NOT NULL,
    event_id {text} NOT NULL,
    body_digest {bytes} NOT NULL,
    accepted_at {instant} NOT NULL,
    expires_at {instant} NOT NULL,
    PRIMARY KEY (employer_id, source, event_id)
){strict_keyed};
CREATE INDEX receipt_by_expiry ON receipt (expires_at);

-- The queue of record: an event stands here from its acceptance until it is evaluated.
CREATE TABLE event (
    employer_id {id} NOT NULL,
    id {id} NOT NULL,
    member_id {id} NOT NULL,
    event_type_id {id} NOT NULL,
    source {text} NOT NULL,
    event_id {text} NOT NULL,
    occurred_at {instant} NOT NULL,
    received_at {instant} NOT NULL,
    -- The civil date and time where it happened, the zone by which they were computed, and whose zone that was.
    local_time {text} NOT NULL,
    time_zone {text} NOT NULL,
    zone_origin {text} NOT NULL CHECK (zone_origin IN ('EVENT', 'MEMBER', 'EMPLOYER')),
    properties {text} NOT NULL,
    -- Set when all other incentives have had this event: only this one is still to be evaluated.
    only_incentive_id {id},
    attempts {int} NOT NULL,
    due_at {instant} NOT NULL,
    PRIMARY KEY (employer_id, id),
    FOREIGN KEY (employer_id, member_id) REFERENCES member (employer_id, id),
    FOREIGN KEY (employer_id, event_type_id) REFERENCES event_type (employer_id, id),
    FOREIGN KEY (employer_id, only_incentive_id) REFERENCES incentive (employer_id, id)
){strict};
CREATE INDEX event_by_due ON event (due_at, id);

-- An event that could not be evaluated in several tries, with the reason; an operator may queue it again.
CREATE TABLE dead_event (
    employer_id {id} NOT NULL,
    id {id} NOT NULL,
    member_id {id} NOT NULL,
    event_type_id {id} NOT NULL,
    source {text} NOT NULL,
    event_id {text} NOT NULL,
    occurred_at {instant} NOT NULL,
    received_at {instant} NOT NULL,
    local_time {text} NOT NULL,
    time_zone {text} NOT NULL,
    zone_origin {text} NOT NULL,
    properties {text} NOT NULL,
    only_incentive_id {id},
    attempts {int} NOT NULL,
    reason {text} NOT NULL,
    died_at {instant} NOT NULL,
    PRIMARY KEY (employer_id, id),
    FOREIGN KEY (employer_id, member_id) REFERENCES member (employer_id, id),
    FOREIGN KEY (employer_id, event_type_id) REFERENCES event_type (employer_id, id),
    FOREIGN KEY (employer_id, only_incentive_id) REFERENCES incentive (employer_id, id)
){strict};

-- How many events were refused, by day of refusal (UTC), type and reason.
CREATE TABLE refusal (
    employer_id {id} NOT NULL REFERENCES employer (id),
    refused_on {date} NOT NULL,
    event_type {text} NOT NULL,
    code {text} NOT NULL,
    count {bigint} NOT NULL CHECK (count > 0),
    PRIMARY KEY (employer_id, refused_on, event_type, code)
){strict_keyed};
";

const DOWN: &str = r"
DROP TABLE refusal; DROP TABLE dead_event; DROP TABLE event; DROP TABLE receipt;
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
