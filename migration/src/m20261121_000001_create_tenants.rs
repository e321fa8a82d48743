//! Employers, their menus of event types, their members and what those have consented to; and the partners consents name.

use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::DbErr;

use crate::column;

const UP: &str = r"
CREATE TABLE employer (
    id {id} NOT NULL PRIMARY KEY,
    key {text} NOT NULL UNIQUE,
    name {text} NOT NULL,
    time_zone {text} NOT NULL,
    enrolment {text} NOT NULL CHECK (enrolment IN ('ROSTER', 'OPEN')),
    minimum_group_size {int} NOT NULL CHECK (minimum_group_size >= 1),
    default_partner_sharing {bool} NOT NULL,
    default_email {bool} NOT NULL,
    -- Goes up with every change of event types, programs or incentives: whoever keeps them in memory compares it.
    catalogue_version {bigint} NOT NULL DEFAULT 1,
    created_at {instant} NOT NULL
){strict};

CREATE TABLE event_type (
    employer_id {id} NOT NULL REFERENCES employer (id),
    id {id} NOT NULL,
    key {text} NOT NULL,
    name {text} NOT NULL,
    description {text},
    properties_schema {json},
    sensitive {bool} NOT NULL,
    max_late_seconds {bigint} NOT NULL CHECK (max_late_seconds BETWEEN 0 AND 34560000),
    max_future_seconds {bigint} NOT NULL CHECK (max_future_seconds BETWEEN 0 AND 86400),
    retention_seconds {bigint} NOT NULL CHECK (retention_seconds >= 0),
    created_at {instant} NOT NULL,
    PRIMARY KEY (employer_id, id),
    UNIQUE (employer_id, key),
    CHECK (NOT sensitive OR retention_seconds = 0)
){strict};

CREATE TABLE member (
    employer_id {id} NOT NULL REFERENCES employer (id),
    id {id} NOT NULL,
    external_id {text} NOT NULL,
    time_zone {text},
    locale {text},
    email {text},
    eligible_from {date},
    eligible_until {date},
    attributes {json} NOT NULL,
    created_at {instant} NOT NULL,
    updated_at {instant} NOT NULL,
    PRIMARY KEY (employer_id, id),
    UNIQUE (employer_id, external_id),
    CHECK (eligible_from <= eligible_until)
){strict};

-- A partner may serve several employers: it belongs to none of them.
CREATE TABLE partner (
    id {id} NOT NULL PRIMARY KEY,
    key {text} NOT NULL UNIQUE,
    name {text} NOT NULL,
    -- Members are named to a partner by a keyed digest that no other partner can compute or compare.
    pairwise_key {bytes} NOT NULL,
    created_at {instant} NOT NULL
){strict};

CREATE TABLE consent (
    employer_id {id} NOT NULL,
    member_id {id} NOT NULL,
    purpose {text} NOT NULL CHECK (purpose IN ('PARTNER_SHARING', 'EMAIL')),
    -- No partner: all of them.
    partner_id {id} REFERENCES partner (id),
    given {bool} NOT NULL,
    recorded_at {instant} NOT NULL,
    FOREIGN KEY (employer_id, member_id) REFERENCES member (employer_id, id)
){strict};
CREATE UNIQUE INDEX consent_for_all ON consent (employer_id, member_id, purpose) WHERE partner_id IS NULL;
CREATE UNIQUE INDEX consent_for_one ON consent (employer_id, member_id, purpose, partner_id) WHERE partner_id IS NOT NULL;
";

const DOWN: &str = r"
DROP TABLE consent; DROP TABLE partner; DROP TABLE member; DROP TABLE event_type; DROP TABLE employer;
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
