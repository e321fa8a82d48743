//! A campaign as tests of it begin.

use entity::campaign::Model;
use entity::clock::Timestamp;
use entity::id::{CampaignId, EmployerId, TypedId};
use uuid::Uuid;

/// A campaign without limits, which advertises.
pub fn plain() -> Model {
    Model {
        employer_id: EmployerId::from_uuid(Uuid::from_u128(1)),
        id: CampaignId::from_uuid(Uuid::from_u128(2)),
        program_id: None,
        key: "invite".to_owned(),
        name: "Invite".to_owned(),
        version: 1,
        subject: "Join us".to_owned(),
        neutral_subject: None,
        body_text: "Register".to_owned(),
        body_html: None,
        content_url: None,
        content_timeout_millis: None,
        category: "marketing".to_owned(),
        transactional: false,
        cap_at_most: None,
        cap_per: None,
        cap_over: None,
        quiet_from: None,
        quiet_to: None,
        until: None,
        conversion_seconds: 604_800,
        held_out_percent: 0,
        time_to_live_seconds: 86_400,
        schedule: None,
        segment: None,
        next_run_at: None,
        created_at: Timestamp(0),
        paused_at: None,
        archived_at: None,
    }
}
