//! The one table of who may do what. A line declares the type of an operation, the field of the schema it stands behind and the
//! scopes of which any one is enough. The guard on the field, the permit its operation asks for and the sentence in the
//! schema's documentation all come from that line; [`coverage_faults`] holds the schema against the table.
//!
//! A scope says what kind of thing a token may do; it never says whose. The tenant of a viewer is a parameter of every finder,
//! and where [`super::viewer::Viewer::member`] names a member the operation answers about no other.

use std::fmt;

use super::scope::{Scope, ScopeSet};

mod coverage;

pub use coverage::coverage_faults;

/// What a token must hold for an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Needs {
    /// Any token that verifies. A case of its own, so that a list of scopes left empty by mistake allows nobody.
    AnyToken,
    /// Any one of these scopes.
    AnyOf(&'static [Scope]),
}

impl Needs {
    /// Whether a token with these scopes may go on.
    pub fn are_met_by(self, scopes: ScopeSet) -> bool {
        match self {
            Self::AnyToken => true,
            Self::AnyOf(any_of) => any_of.iter().any(|scope| scopes.contains(*scope)),
        }
    }

    /// The sentence that the description of the field in the schema must contain.
    pub fn sentence(self) -> String {
        match self {
            Self::AnyToken => "Scope: any valid token.".to_owned(),
            Self::AnyOf(any_of) => format!("Scope: {}.", alternatives(any_of, "`")),
        }
    }
}

impl fmt::Display for Needs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AnyToken => f.write_str("a valid token"),
            Self::AnyOf(any_of) => write!(f, "the scope {}", alternatives(any_of, "")),
        }
    }
}

/// "a", "a or b", "a, b or c", each between `quote`s.
fn alternatives(scopes: &[Scope], quote: &str) -> String {
    let mut text = String::new();
    for (index, scope) in scopes.iter().enumerate() {
        match index {
            0 => {}
            _ if index + 1 == scopes.len() => text.push_str(" or "),
            _ => text.push_str(", "),
        }
        text.push_str(&format!("{quote}{scope}{quote}"));
    }
    text
}

/// A guarded operation, known by its type.
pub trait Operation: 'static {
    /// The field of the schema it stands behind, as `Type.field`.
    const FIELD: &'static str;
    /// What a token must hold for it.
    const NEEDS: Needs;
}

/// A line of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Row {
    /// The field of the schema, as `Type.field`.
    pub field: &'static str,
    /// What a token must hold for it.
    pub needs: Needs,
}

macro_rules! needs {
    (any token) => {
        Needs::AnyToken
    };
    ([$($scope:ident),+]) => {
        Needs::AnyOf(&[$(Scope::$scope),+])
    };
}

macro_rules! operations {
    ($($name:ident = $field:literal: $needs:tt $($token:ident)?;)*) => {
        $(
            #[doc = concat!("Guards `", $field, "`.")]
            #[derive(Debug, Clone, Copy)]
            pub struct $name;

            impl Operation for $name {
                const FIELD: &'static str = $field;
                const NEEDS: Needs = needs!($needs $($token)?);
            }
        )*

        /// Every guarded field with what it needs.
        pub const TABLE: &[Row] = &[$(Row { field: $field, needs: needs!($needs $($token)?) },)*];
    };
}

// The operator sets up any employer by naming it, and so meets the set-up operations; it reads no person by that scope.
operations! {
    // The installation.
    CreateEmployer = "Mutation.createEmployer": [Operator];
    CreatePartner = "Mutation.createPartner": [Operator];
    CreateClient = "Mutation.createClient": [Operator];
    RotateClientSecret = "Mutation.rotateClientSecret": [Operator];
    RevokeClient = "Mutation.revokeClient": [Operator];
    ReplayDeadEvents = "Mutation.replayDeadEvents": [Operator];
    ListEmployers = "Query.employers": [Operator];
    ListPartners = "Query.partners": [Operator];
    ListClients = "Query.clients": [Operator];
    ListDeadEvents = "Query.deadEvents": [Operator];
    ReadOwnAuditLog = "Query.auditLog": [Operator];

    // An employer's programs.
    CreateEventType = "Mutation.createEventType": [ProgramsWrite, Operator];
    CreateProgram = "Mutation.createProgram": [ProgramsWrite, Operator];
    UpdateProgram = "Mutation.updateProgram": [ProgramsWrite, Operator];
    ActivateProgram = "Mutation.activateProgram": [ProgramsWrite, Operator];
    PauseProgram = "Mutation.pauseProgram": [ProgramsWrite, Operator];
    EndProgram = "Mutation.endProgram": [ProgramsWrite, Operator];
    CreateIncentive = "Mutation.createIncentive": [ProgramsWrite, Operator];
    PublishIncentive = "Mutation.publishIncentive": [ProgramsWrite, Operator];
    RetireIncentive = "Mutation.retireIncentive": [ProgramsWrite, Operator];
    CreateBoost = "Mutation.createBoost": [ProgramsWrite, Operator];
    EndBoost = "Mutation.endBoost": [ProgramsWrite, Operator];
    SetLevels = "Mutation.setLevels": [ProgramsWrite, Operator];
    Simulate = "Query.simulate": [ProgramsWrite, Operator];
    AdvanceClock = "Mutation.advanceClock": [ProgramsWrite, Operator];
    GrantPartner = "Mutation.grantPartner": [ProgramsWrite, Operator];
    RevokeGrant = "Mutation.revokeGrant": [ProgramsWrite, Operator];
    ReadEmployer = "Query.employer": [ProgramsRead, Operator];
    ReadProgram = "Query.program": [ProgramsRead, Operator];
    ListIncentives = "Program.incentives": [ProgramsRead, Operator];
    ReadIncentiveVersion = "Incentive.version": [ProgramsRead, Operator];
    ListIncentiveVersions = "Incentive.versions": [ProgramsRead, Operator];
    ListBoosts = "Program.boosts": [ProgramsRead, Operator];
    ListLevels = "Program.levels": [ProgramsRead, Operator];
    ReadReport = "Employer.report": [ReportsRead];
    ReadAuditLog = "Employer.auditLog": [AuditRead, Operator];
    ReadIncentiveTally = "Incentive.tally": [ProgramsRead, ReportsRead, Operator];

    // Rewards, and what members ask for.
    CreateReward = "Mutation.createReward": [ProgramsWrite, Operator];
    UpdateReward = "Mutation.updateReward": [ProgramsWrite, Operator];
    RetireReward = "Mutation.retireReward": [ProgramsWrite, Operator];
    ReadReward = "Query.reward": [ProgramsRead, RedemptionsWrite, MemberSelf, MemberAny, Operator];
    ListRewards = "Program.rewards": [ProgramsRead, MemberSelf, MemberAny, Operator];
    ReadRewardRedeemed = "Reward.redeemed": [ProgramsRead, ReportsRead, Operator];
    RedeemReward = "Mutation.redeemReward": [RedemptionsWrite, MemberSelf, MemberAny];
    FulfilRedemption = "Mutation.fulfilRedemption": [FulfilmentWrite, RedemptionsWrite];
    CancelRedemption = "Mutation.cancelRedemption": [FulfilmentWrite, RedemptionsWrite];
    ReadMemberRedemptions = "Member.redemptions": [PointsRead, MemberSelf, MemberAny];

    // Campaigns, and what members are written.
    CreateCampaign = "Mutation.createCampaign": [ProgramsWrite, Operator];
    UpdateCampaign = "Mutation.updateCampaign": [ProgramsWrite, Operator];
    PauseCampaign = "Mutation.pauseCampaign": [ProgramsWrite, Operator];
    ResumeCampaign = "Mutation.resumeCampaign": [ProgramsWrite, Operator];
    ArchiveCampaign = "Mutation.archiveCampaign": [ProgramsWrite, Operator];
    SetMessageCap = "Mutation.setMessageCap": [ProgramsWrite, Operator];
    PreviewCampaign = "Query.previewCampaign": [ProgramsWrite, Operator];
    ReadCampaign = "Query.campaign": [ProgramsRead, Operator];
    ListCampaigns = "Query.campaigns": [ProgramsRead, Operator];
    ReadCampaignFunnel = "Campaign.funnel": [ProgramsRead, Operator];
    ReadMemberMessages = "Member.messages": [MembersRead, MemberSelf, MemberAny];
    ListUnknownMessages = "Query.unknownMessages": [MembersRead, MemberAny];
    ResendMessage = "Mutation.resendMessage": [MembersWrite, Operator];
    SuppressAddress = "Mutation.suppressAddress": [MembersWrite, Operator];
    LiftSuppression = "Mutation.liftSuppression": [MembersWrite, Operator];
    RecordMailEvents = "Mutation.recordMailEvents": [MailWrite, Operator];

    // Members and what they do.
    RegisterMembers = "Mutation.registerMembers": [MembersWrite, Operator];
    EraseMember = "Mutation.eraseMember": [MembersWrite, Operator];
    RecordEvents = "Mutation.recordEvents": [EventsWrite, Operator];
    RetractEvents = "Mutation.retractEvents": [EventsWrite, Operator];
    ReadMember = "Query.member": [MembersRead, MemberSelf, MemberAny];
    ListMembers = "Employer.members": [MembersRead, MemberAny];
    ListAchievements = "Query.achievements": [AchievementsRead, MemberSelf, MemberAny];
    ReadMemberConsents = "Member.consents": [MemberSelf, MemberAny];
    ReadMemberSharing = "Member.sharing": [MemberSelf, MemberAny];
    ReadMemberAchievements = "Member.achievements": [AchievementsRead, MemberSelf, MemberAny];
    ReadMemberEvents = "Member.events": [AchievementsRead, MemberSelf, MemberAny];
    ReadMemberProgress = "Member.progress": [AchievementsRead, MemberSelf, MemberAny];
    ReadMemberPoints = "Member.points": [PointsRead, MemberSelf, MemberAny];
    ReadMemberPointsHistory = "Member.pointsHistory": [PointsRead, MemberSelf, MemberAny];
    ReadMemberLevel = "Member.level": [PointsRead, MemberSelf, MemberAny];

    // Their activity, as it happens.
    ReadMemberActivity = "Query.memberActivity": [MemberSelf, MemberAny];
    ReadMemberActivityDigest = "Query.memberActivityDigest": [MemberAny];
    FollowMemberActivity = "Subscription.memberActivity": [MemberSelf, MemberAny];

    // Their points.
    AdjustPoints = "Mutation.adjustPoints": [PointsWrite];

    // A partner's feed.
    ReadFeed = "Query.feed": [FeedRead];
    ReadFeedDigest = "Query.feedDigest": [FeedRead];
    FollowFeed = "Subscription.feed": [FeedRead];

    // Webhooks, of a partner or, together with `member:any`, of an employer's mobile backend.
    CreateWebhookEndpoint = "Mutation.createWebhookEndpoint": [WebhooksWrite];
    UpdateWebhookEndpoint = "Mutation.updateWebhookEndpoint": [WebhooksWrite];
    DeleteWebhookEndpoint = "Mutation.deleteWebhookEndpoint": [WebhooksWrite];
    RotateWebhookSecret = "Mutation.rotateWebhookSecret": [WebhooksWrite];
    ResumeWebhookEndpoint = "Mutation.resumeWebhookEndpoint": [WebhooksWrite];
    ReplayWebhooks = "Mutation.replayWebhooks": [WebhooksWrite];
    TestWebhookEndpoint = "Mutation.testWebhookEndpoint": [WebhooksWrite];
    ListWebhookEndpoints = "Query.webhookEndpoints": [WebhooksWrite];

    // Whoever holds a token; what `node` finds is guarded by its own type.
    ReadViewer = "Query.viewer": any token;
    ReadNode = "Query.node": any token;
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn the_table_names_each_field_once_and_no_empty_list() {
        let mut fields = HashSet::new();
        for row in TABLE {
            assert!(fields.insert(row.field), "{} twice", row.field);
            assert_ne!(row.needs, Needs::AnyOf(&[]), "{}", row.field);
        }
    }

    #[test]
    fn an_operation_and_its_row_say_the_same() {
        let row = TABLE
            .iter()
            .find(|row| row.field == CreateProgram::FIELD)
            .unwrap();
        assert_eq!(row.needs, CreateProgram::NEEDS);
    }

    #[test]
    fn an_empty_list_of_scopes_allows_nobody() {
        let everything: ScopeSet = Scope::ALL.iter().copied().collect();
        assert!(!Needs::AnyOf(&[]).are_met_by(everything));
    }

    #[test]
    fn the_sentences_read_well() {
        assert_eq!(ReadFeed::NEEDS.sentence(), "Scope: `feed:read`.");
        assert_eq!(
            CreateProgram::NEEDS.sentence(),
            "Scope: `programs:write` or `operator`."
        );
        assert_eq!(
            ReadMember::NEEDS.sentence(),
            "Scope: `members:read`, `member:self` or `member:any`."
        );
        assert_eq!(ReadViewer::NEEDS.sentence(), "Scope: any valid token.");
        assert_eq!(
            ReadMember::NEEDS.to_string(),
            "the scope members:read, member:self or member:any"
        );
    }
}
