//! The audit log, and the words by which members have consented.

use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::DbErr;

use crate::column;

const UP: &str = r"
-- The newest entry of a chain: an employer's, or the installation's, whose id is all zeros.
CREATE TABLE audit_head (
    employer_id {id} NOT NULL PRIMARY KEY,
    position {bigint} NOT NULL CHECK (position >= 0),
    -- Of that entry; empty: there is none yet.
    hash {bytes} NOT NULL
){strict_keyed};

-- A change that somebody with a token has made. Never changed, never deleted.
CREATE TABLE audit_entry (
    employer_id {id} NOT NULL REFERENCES audit_head (employer_id),
    position {bigint} NOT NULL CHECK (position >= 1),
    -- By the employer's clock, and by the real one.
    made_at {instant} NOT NULL,
    recorded_at {instant} NOT NULL,
    -- The subject of the token, and in whose name it acts.
    client_id {text} NOT NULL,
    actor {text} NOT NULL CHECK (actor IN ('OPERATOR', 'EMPLOYER', 'PARTNER', 'MEMBER')),
    -- The mutation, and what it was about.
    action {text} NOT NULL,
    subject {text} NOT NULL,
    -- JSON, kept as text: the hash is over these very bytes.
    before_json {text},
    after_json {text},
    -- SHA-256 over the hash before it and all of the above.
    hash {bytes} NOT NULL,
    PRIMARY KEY (employer_id, position)
){strict};

-- Which members an entry is about. The entry's hash is over the digests, and a digest says nothing without its salt: both the member
-- and the salt go when the member is erased, and the chain holds.
CREATE TABLE audit_member (
    employer_id {id} NOT NULL,
    position {bigint} NOT NULL,
    place {int} NOT NULL CHECK (place >= 0),
    member_id {id},
    salt {bytes},
    digest {bytes} NOT NULL,
    PRIMARY KEY (employer_id, position, place),
    FOREIGN KEY (employer_id, position) REFERENCES audit_entry (employer_id, position),
    CHECK ((member_id IS NULL) = (salt IS NULL))
){strict_keyed};
CREATE INDEX audit_member_by_member ON audit_member (employer_id, member_id) WHERE member_id IS NOT NULL;

-- Which wording a member has agreed to or refused; null: nobody has said.
ALTER TABLE consent ADD COLUMN wording {text};

-- Every word that a member has ever said, of which consent holds the newest. Never changed; deleted with the member.
CREATE TABLE consent_word (
    employer_id {id} NOT NULL,
    member_id {id} NOT NULL,
    number {bigint} NOT NULL CHECK (number >= 1),
    purpose {text} NOT NULL,
    -- Null: all of them.
    partner_id {id} REFERENCES partner (id),
    given {bool} NOT NULL,
    wording {text},
    recorded_at {instant} NOT NULL,
    PRIMARY KEY (employer_id, member_id, number),
    FOREIGN KEY (employer_id, member_id) REFERENCES member (employer_id, id)
){strict_keyed};
INSERT INTO consent_word (employer_id, member_id, number, purpose, partner_id, given, wording, recorded_at)
SELECT employer_id, member_id, row_number() OVER (PARTITION BY employer_id, member_id ORDER BY recorded_at), purpose, partner_id,
    given, NULL, recorded_at
FROM consent;
";

const DOWN: &str = r"
DROP TABLE consent_word;
ALTER TABLE consent DROP COLUMN wording;
DROP TABLE audit_member;
DROP TABLE audit_entry;
DROP TABLE audit_head;
";

/// What may not happen to which table.
const FORBIDDEN: &[(&str, &str, &str)] = &[
    ("audit_head", "DELETE", "OLD.position >= 0"),
    ("audit_entry", "UPDATE", "OLD.position >= 0"),
    ("audit_entry", "DELETE", "OLD.position >= 0"),
    ("audit_member", "DELETE", "OLD.position >= 0"),
    ("consent_word", "UPDATE", "OLD.number >= 1"),
    // A member can be forgotten, and nothing else.
    (
        "audit_member",
        "UPDATE",
        "NEW.member_id IS NOT NULL OR NEW.salt IS NOT NULL OR NEW.digest <> OLD.digest OR NEW.employer_id <> OLD.employer_id
         OR NEW.position <> OLD.position OR NEW.place <> OLD.place",
    ),
];

/// The audit log.
#[derive(DeriveMigrationName, Debug)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        column::run(manager, UP).await?;
        for (table, operation, condition) in FORBIDDEN {
            column::forbid(manager, table, operation, condition).await?;
        }
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for (table, operation, _) in FORBIDDEN {
            column::allow(manager, table, operation).await?;
        }
        column::run(manager, DOWN).await
    }
}
