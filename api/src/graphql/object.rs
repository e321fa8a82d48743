//! The objects of the schema, by noun.

pub mod achievement;
pub mod audit;
pub mod boost;
pub mod campaign;
pub mod client;
pub mod dead_event;
pub mod employer;
pub mod event_type;
pub mod feed;
pub mod incentive;
pub mod level;
pub mod member;
pub mod message;
pub mod partner;
pub mod points;
pub mod program;
pub mod redemption;
pub mod report;
pub mod reward;
pub mod sharing;
pub mod viewer;
pub mod webhook;
mod whole;

use async_graphql::Interface;

pub use achievement::Achievement;
pub use audit::AuditEntry;
pub use campaign::Campaign;
pub use client::Client;
pub use dead_event::DeadEvent;
pub use employer::Employer;
pub use event_type::EventType;
pub use feed::FeedEntry;
pub use incentive::Incentive;
pub use member::Member;
pub use message::Message;
pub use partner::Partner;
pub use points::PointsEntry;
pub use program::Program;
pub use redemption::Redemption;
pub use reward::Reward;
pub use webhook::WebhookEndpoint;
pub use whole::Whole;

/// A thing with a global id.
#[derive(Interface)]
#[graphql(field(
    name = "id",
    ty = "async_graphql::ID",
    desc = "Its global id: opaque, and good for `node`."
))]
pub enum Node {
    /// An employer.
    Employer(Employer),
    /// A program.
    Program(Program),
    /// An incentive.
    Incentive(Incentive),
    /// A member.
    Member(Member),
    /// An achievement.
    Achievement(Achievement),
    /// A reward.
    Reward(Reward),
    /// A redemption.
    Redemption(Redemption),
    /// A campaign.
    Campaign(Campaign),
    /// A message of a campaign to a member.
    Message(Message),
    /// A line of a member's points.
    PointsEntry(PointsEntry),
    /// An entry of the partner's feed.
    FeedEntry(FeedEntry),
    /// A webhook endpoint of the partner.
    WebhookEndpoint(WebhookEndpoint),
}
