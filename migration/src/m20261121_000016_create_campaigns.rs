//! Campaigns: what members are written, each message once, and who is not written to.

use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::DbErr;

use crate::column;

const UP: &str = r"
-- How many messages one member gets of the employer in all: both or neither.
ALTER TABLE employer ADD COLUMN message_cap_at_most {bigint} CHECK (message_cap_at_most BETWEEN 1 AND 1000);
ALTER TABLE employer ADD COLUMN message_cap_per {text} CHECK (message_cap_per IN ('DAY', 'WEEK', 'MONTH'));

-- Since when the member has registered; null: it is known from its events alone.
ALTER TABLE member ADD COLUMN engaged_at {instant};
UPDATE member SET engaged_at = created_at WHERE employer_id IN (SELECT id FROM employer WHERE enrolment = 'ROSTER');

CREATE TABLE campaign (
    employer_id {id} NOT NULL REFERENCES employer (id),
    id {id} NOT NULL,
    program_id {id},
    key {text} NOT NULL,
    name {text} NOT NULL,
    -- Goes up with every change of what is said.
    version {bigint} NOT NULL CHECK (version >= 1),
    subject {text} NOT NULL,
    -- The subject where the trigger is sensitive; null: one that names the employer alone.
    neutral_subject {text},
    body_text {text} NOT NULL,
    body_html {text},
    -- Where personalised content comes from, and how long that may take: both or neither.
    content_url {text},
    content_timeout_millis {bigint} CHECK (content_timeout_millis BETWEEN 100 AND 10000),
    category {text} NOT NULL,
    transactional {bool} NOT NULL,
    -- At most so many messages of the category to a member in a period: all or none.
    cap_at_most {bigint} CHECK (cap_at_most BETWEEN 1 AND 1000),
    cap_per {text} CHECK (cap_per IN ('DAY', 'WEEK', 'MONTH')),
    cap_over {text} CHECK (cap_over IN ('DROP', 'DEFER')),
    -- Local times of the member, HH:MM: both or neither.
    quiet_from {text},
    quiet_to {text},
    -- The event that the campaign works towards, which stops it for the member; null: none.
    until {json},
    conversion_seconds {bigint} NOT NULL CHECK (conversion_seconds > 0),
    -- How many of a hundred members get nothing, to compare with.
    held_out_percent {bigint} NOT NULL CHECK (held_out_percent BETWEEN 0 AND 90),
    time_to_live_seconds {bigint} NOT NULL CHECK (time_to_live_seconds > 0),
    -- When it is sent to whom: both or neither. Without them it is sent by what incentives bring about.
    schedule {text},
    segment {json},
    next_run_at {instant},
    created_at {instant} NOT NULL,
    paused_at {instant},
    archived_at {instant},
    PRIMARY KEY (employer_id, id),
    UNIQUE (employer_id, key),
    FOREIGN KEY (employer_id, program_id) REFERENCES program (employer_id, id),
    CHECK ((content_url IS NULL) = (content_timeout_millis IS NULL)),
    CHECK ((cap_at_most IS NULL) = (cap_per IS NULL) AND (cap_at_most IS NULL) = (cap_over IS NULL)),
    CHECK ((quiet_from IS NULL) = (quiet_to IS NULL)),
    CHECK ((schedule IS NULL) = (segment IS NULL)),
    CHECK (next_run_at IS NULL OR (schedule IS NOT NULL AND archived_at IS NULL))
){strict};
CREATE INDEX campaign_due ON campaign (next_run_at) WHERE next_run_at IS NOT NULL;

-- A message: one campaign, one member, one cause.
CREATE TABLE message (
    employer_id {id} NOT NULL,
    id {id} NOT NULL,
    campaign_id {id} NOT NULL,
    member_id {id} NOT NULL,
    -- What brought it about: an award, or a run of the schedule.
    cause {text} NOT NULL,
    achievement_id {id},
    sensitive {bool} NOT NULL,
    triggered_at {instant} NOT NULL,
    expires_at {instant} NOT NULL,
    -- The event behind it, until the message is settled, where the campaign needs it.
    event_type {text},
    event_properties {text},
    state {text} NOT NULL CHECK (state IN ('PENDING', 'RESERVED', 'SENDING', 'SENT', 'DROPPED', 'FAILED', 'UNKNOWN')),
    -- When it is decided, or, while somebody is at it, when somebody else may look at it; null: it is settled.
    due_at {instant},
    -- What a message waits for that is not decided at once.
    waits_for {text} CHECK (waits_for IN ('QUIET_HOURS', 'CAP', 'SERVER')),
    -- Why it was not sent.
    reason {text},
    -- Whose turn it is; null: nobody's.
    lease {bigint},
    -- Times that it was handed to a mail server.
    tries {bigint} NOT NULL CHECK (tries >= 0),
    -- The place that it takes of its caps: the category of its campaign and the local date of the member.
    slot_category {text},
    slot_on {date},
    -- What the mail server has answered.
    answer {bigint},
    -- What makes its links nobody else's.
    token {bytes} NOT NULL,
    settled_at {instant},
    -- When the member did what the campaign works towards, in time to be counted.
    converted_at {instant},
    PRIMARY KEY (employer_id, id),
    UNIQUE (employer_id, campaign_id, member_id, cause),
    FOREIGN KEY (employer_id, campaign_id) REFERENCES campaign (employer_id, id),
    FOREIGN KEY (employer_id, member_id) REFERENCES member (employer_id, id),
    FOREIGN KEY (employer_id, achievement_id) REFERENCES achievement (employer_id, id),
    CHECK ((due_at IS NULL) = (state IN ('SENT', 'DROPPED', 'FAILED', 'UNKNOWN'))),
    CHECK ((settled_at IS NULL) = (due_at IS NOT NULL)),
    CHECK (lease IS NULL OR state <> 'PENDING'),
    CHECK ((slot_on IS NULL) = (slot_category IS NULL)),
    CHECK ((slot_on IS NOT NULL) = (state IN ('RESERVED', 'SENDING', 'SENT', 'UNKNOWN'))),
    CHECK ((reason IS NOT NULL) = (state IN ('DROPPED', 'FAILED'))),
    CHECK (event_properties IS NULL OR settled_at IS NULL OR state = 'UNKNOWN')
){strict};
CREATE INDEX message_due ON message (due_at) WHERE due_at IS NOT NULL;
CREATE INDEX message_due_of ON message (employer_id, due_at) WHERE due_at IS NOT NULL;
CREATE INDEX message_slot ON message (employer_id, member_id, slot_on) WHERE slot_on IS NOT NULL;
CREATE INDEX message_of_member ON message (employer_id, member_id, id);
CREATE INDEX message_of_campaign ON message (employer_id, campaign_id, state);
CREATE INDEX message_by_end ON message (settled_at) WHERE settled_at IS NOT NULL;
CREATE INDEX message_unknown ON message (employer_id, id) WHERE state = 'UNKNOWN';

-- What a campaign remembers of a member: that an event of its segment has happened, or the one that it works towards.
CREATE TABLE campaign_mark (
    employer_id {id} NOT NULL,
    campaign_id {id} NOT NULL,
    kind {text} NOT NULL CHECK (kind IN ('MATCHED', 'CONVERTED')),
    member_id {id} NOT NULL,
    marked_at {instant} NOT NULL,
    -- The event.
    source {text} NOT NULL,
    event_id {text} NOT NULL,
    PRIMARY KEY (employer_id, campaign_id, kind, member_id),
    FOREIGN KEY (employer_id, campaign_id) REFERENCES campaign (employer_id, id),
    FOREIGN KEY (employer_id, member_id) REFERENCES member (employer_id, id)
){strict_keyed};
CREATE INDEX campaign_mark_since ON campaign_mark (employer_id, campaign_id, kind, marked_at);
CREATE INDEX campaign_mark_of_member ON campaign_mark (employer_id, member_id);

-- An address that the employer does not write to any more, as a digest. It outlives the member.
CREATE TABLE suppression (
    employer_id {id} NOT NULL REFERENCES employer (id),
    address_digest {bytes} NOT NULL,
    reason {text} NOT NULL CHECK (reason IN ('BOUNCE', 'COMPLAINT', 'MANUAL')),
    recorded_at {instant} NOT NULL,
    PRIMARY KEY (employer_id, address_digest)
){strict_keyed};
";

const DOWN: &str = r"
DROP TABLE suppression;
DROP TABLE campaign_mark;
DROP TABLE message;
DROP TABLE campaign;
ALTER TABLE member DROP COLUMN engaged_at;
ALTER TABLE employer DROP COLUMN message_cap_per;
ALTER TABLE employer DROP COLUMN message_cap_at_most;
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
