//! One document for each guarded field. `{employer}` stands for the key of an employer, and leads to the field where a path must.

use api::auth::scope::Scope;
use api::auth::viewer::ViewerKind;

/// A document that reaches one guarded field.
pub struct Example {
    /// The field, as `Type.field`.
    pub field: &'static str,
    /// For all kinds of viewers, but for those without an employer where they have their own.
    document: &'static str,
    /// For viewers without an employer: the operator and partners.
    without_employer: Option<&'static str>,
    /// Scopes by which the document gets as far as the field, none of which the field itself takes.
    pub carriers: &'static [Scope],
}

impl Example {
    /// The document for a viewer of this kind, about this employer.
    pub fn document(&self, kind: ViewerKind, employer: &str) -> String {
        let has_employer = matches!(kind, ViewerKind::Employer | ViewerKind::Member);
        let document = self
            .without_employer
            .filter(|_| !has_employer)
            .unwrap_or(self.document);
        document.replace("{employer}", employer)
    }

    /// One for each line of the table.
    pub fn all() -> Vec<Self> {
        let plain = |field, document| Self {
            field,
            document,
            without_employer: None,
            carriers: &[],
        };
        vec![
            plain(
                "Mutation.createEmployer",
                r#"mutation { createEmployer(input: {key: "new", name: "New"}) { userErrors { code } } }"#,
            ),
            plain(
                "Mutation.createPartner",
                r#"mutation { createPartner(input: {key: "new", name: "New"}) { userErrors { code } } }"#,
            ),
            plain(
                "Mutation.createClient",
                r#"mutation { createClient(input: {name: "New", employer: "{employer}", scopes: ["events:write"]}) { userErrors { code } } }"#,
            ),
            plain(
                "Mutation.rotateClientSecret",
                r#"mutation { rotateClientSecret(input: {clientId: "none"}) { userErrors { code } } }"#,
            ),
            plain(
                "Mutation.revokeClient",
                r#"mutation { revokeClient(input: {clientId: "none"}) { userErrors { code } } }"#,
            ),
            plain(
                "Mutation.replayDeadEvents",
                r#"mutation { replayDeadEvents(input: {ids: ["evt_01ARZ3NDEKTSV4RRFFQ69G5FAV"]}) { replayedCount userErrors { code } } }"#,
            ),
            plain(
                "Mutation.adjustPoints",
                r#"mutation { adjustPoints(input: {employer: "{employer}", member: "none", amount: 1, reason: "Because", idempotencyKey: "a"}) { entryId userErrors { code path } } }"#,
            ),
            plain("Query.employers", "{ employers { nodes { key } } }"),
            plain("Query.partners", "{ partners { nodes { key } } }"),
            plain("Query.clients", "{ clients { nodes { clientId } } }"),
            plain("Query.deadEvents", "{ deadEvents { nodes { id } } }"),
            plain("Query.auditLog", "{ auditLog { nodes { action } } }"),
            plain(
                "Mutation.createEventType",
                r#"mutation { createEventType(input: {employer: "{employer}", key: "new", name: "New"}) { eventType { key } userErrors { code path } } }"#,
            ),
            plain(
                "Mutation.createProgram",
                r#"mutation { createProgram(input: {employer: "{employer}", key: "new", name: "New"}) { program { key } userErrors { code path } } }"#,
            ),
            plain(
                "Mutation.activateProgram",
                r#"mutation { activateProgram(input: {employer: "{employer}", program: "wellbeing"}) { program { key } userErrors { code path } } }"#,
            ),
            plain(
                "Mutation.updateProgram",
                r#"mutation { updateProgram(input: {employer: "{employer}", program: "wellbeing", name: "New"}) { program { key } userErrors { code path } } }"#,
            ),
            plain(
                "Mutation.pauseProgram",
                r#"mutation { pauseProgram(input: {employer: "{employer}", program: "wellbeing"}) { program { key } userErrors { code path } } }"#,
            ),
            plain(
                "Mutation.endProgram",
                r#"mutation { endProgram(input: {employer: "{employer}", program: "wellbeing"}) { program { key } userErrors { code path } } }"#,
            ),
            plain(
                "Mutation.publishIncentive",
                r#"mutation { publishIncentive(input: {employer: "{employer}", incentive: "first", progress: RESTART,
                    trigger: {eventType: "meditation.completed"}, structure: {immediate: true}, outcomes: [{achievement: {title: "T"}}]
                }) { version userErrors { code path } } }"#,
            ),
            plain(
                "Mutation.retireIncentive",
                r#"mutation { retireIncentive(input: {employer: "{employer}", incentive: "first"}) { incentive { key } userErrors { code path } } }"#,
            ),
            plain(
                "Mutation.advanceClock",
                r#"mutation { advanceClock(input: {employer: "{employer}", to: "2026-11-22T00:00:00Z"}) { employer { now } userErrors { code path } } }"#,
            ),
            plain(
                "Mutation.createIncentive",
                r#"mutation { createIncentive(input: {employer: "{employer}", program: "wellbeing", key: "new", name: "New",
                    trigger: {eventType: "meditation.completed"}, structure: {immediate: true}, outcomes: [{achievement: {title: "T"}}]
                }) { incentive { key } userErrors { code path } } }"#,
            ),
            plain(
                "Mutation.createBoost",
                r#"mutation { createBoost(input: {employer: "{employer}", program: "wellbeing", key: "double", name: "Double", multiplier: "2",
                    startsOn: "2026-12-01", endsOn: "2026-12-31"}) { boost { key } userErrors { code path } } }"#,
            ),
            plain(
                "Mutation.endBoost",
                r#"mutation { endBoost(input: {employer: "{employer}", program: "wellbeing", key: "double"}) { boost { key } userErrors { code path } } }"#,
            ),
            plain(
                "Mutation.setLevels",
                r#"mutation { setLevels(input: {employer: "{employer}", program: "wellbeing", window: YEAR,
                    levels: [{key: "gold", name: "Gold", atLeast: 100}]}) { levels { category } userErrors { code path } } }"#,
            ),
            plain(
                "Query.simulate",
                r#"{ simulate(input: {employer: "{employer}", events: [], incentive: {program: "wellbeing", key: "new", name: "New",
                    trigger: {eventType: "meditation.completed"}, structure: {immediate: true}, outcomes: [{achievement: {title: "T"}}]
                }}) { awards { member } userErrors { code path } } }"#,
            ),
            plain(
                "Mutation.grantPartner",
                r#"mutation { grantPartner(input: {employer: "{employer}", partner: "spa", programs: ["wellbeing"]}) { grants { program } userErrors { code path } } }"#,
            ),
            plain(
                "Mutation.revokeGrant",
                r#"mutation { revokeGrant(input: {employer: "{employer}", partner: "spa", programs: ["wellbeing"]}) { grants { program } userErrors { code path } } }"#,
            ),
            plain(
                "Query.employer",
                r#"{ employer(key: "{employer}") { key name } }"#,
            ),
            plain(
                "Query.program",
                r#"{ program(employer: "{employer}", key: "wellbeing") { key name } }"#,
            ),
            Self {
                field: "Program.incentives",
                document: "{ viewer { employer { programs { incentives { key } } } } }",
                without_employer: Some(
                    r#"{ program(employer: "{employer}", key: "wellbeing") { incentives { key } } }"#,
                ),
                carriers: &[],
            },
            Self {
                field: "Program.boosts",
                document: "{ viewer { employer { programs { boosts { key } } } } }",
                without_employer: Some(
                    r#"{ program(employer: "{employer}", key: "wellbeing") { boosts { key } } }"#,
                ),
                carriers: &[],
            },
            Self {
                field: "Program.levels",
                document: "{ viewer { employer { programs { levels { category } } } } }",
                without_employer: Some(
                    r#"{ program(employer: "{employer}", key: "wellbeing") { levels { category } } }"#,
                ),
                carriers: &[],
            },
            Self {
                field: "Employer.auditLog",
                document: "{ viewer { employer { auditLog { nodes { action } } } } }",
                without_employer: Some(
                    r#"{ employer(key: "{employer}") { auditLog { nodes { action } } } }"#,
                ),
                carriers: &[Scope::ProgramsRead],
            },
            Self {
                field: "Employer.report",
                document: r#"{ viewer { employer { report(from: "2026-11-01", to: "2026-11-30") { liability { category } } } } }"#,
                without_employer: Some(
                    r#"{ employer(key: "{employer}") { report(from: "2026-11-01", to: "2026-11-30") { liability { category } } } }"#,
                ),
                carriers: &[Scope::Operator],
            },
            Self {
                field: "Incentive.version",
                document: r#"{ achievements(filter: {employer: "{employer}"}) { nodes { incentive { version { number } } } } }"#,
                without_employer: Some(
                    r#"{ achievements(filter: {employer: "{employer}"}) { nodes { incentive { version { number } } } } }"#,
                ),
                carriers: &[Scope::AchievementsRead, Scope::MemberSelf],
            },
            Self {
                field: "Incentive.versions",
                document: r#"{ achievements(filter: {employer: "{employer}"}) { nodes { incentive { versions { number } } } } }"#,
                without_employer: None,
                carriers: &[Scope::AchievementsRead, Scope::MemberSelf],
            },
            Self {
                field: "Incentive.tally",
                document: r#"{ achievements(filter: {employer: "{employer}"}) { nodes { incentive { tally { memberCount } } } } }"#,
                without_employer: None,
                carriers: &[Scope::AchievementsRead, Scope::MemberSelf],
            },
            plain(
                "Mutation.createReward",
                r#"mutation { createReward(input: {employer: "{employer}", program: "wellbeing", key: "new", name: "New", price: 1}) { reward { key } userErrors { code path } } }"#,
            ),
            plain(
                "Mutation.updateReward",
                r#"mutation { updateReward(input: {employer: "{employer}", reward: "mug", name: "Mug"}) { reward { key } userErrors { code path } } }"#,
            ),
            plain(
                "Mutation.retireReward",
                r#"mutation { retireReward(input: {employer: "{employer}", reward: "mug"}) { reward { key } userErrors { code path } } }"#,
            ),
            plain(
                "Query.reward",
                r#"{ reward(employer: "{employer}", key: "mug") { key name } }"#,
            ),
            Self {
                field: "Program.rewards",
                document: r#"{ achievements(filter: {employer: "{employer}"}) { nodes { program { rewards { nodes { key } } } } } }"#,
                without_employer: None,
                carriers: &[Scope::AchievementsRead],
            },
            Self {
                field: "Reward.redeemed",
                document: r#"{ reward(employer: "{employer}", key: "mug") { redeemed } }"#,
                without_employer: None,
                carriers: &[Scope::RedemptionsWrite, Scope::MemberSelf],
            },
            plain(
                "Mutation.redeemReward",
                r#"mutation { redeemReward(input: {employer: "{employer}", member: "ada", reward: "mug", idempotencyKey: "k"}) { redemption { id } userErrors { code path } } }"#,
            ),
            plain(
                "Mutation.fulfilRedemption",
                r#"mutation { fulfilRedemption(input: {employer: "{employer}", redemption: "rdm_01ARZ3NDEKTSV4RRFFQ69G5FAV"}) { redemption { id } userErrors { code path } } }"#,
            ),
            plain(
                "Mutation.cancelRedemption",
                r#"mutation { cancelRedemption(input: {employer: "{employer}", redemption: "rdm_01ARZ3NDEKTSV4RRFFQ69G5FAV", reason: "r"}) { redemption { id } userErrors { code path } } }"#,
            ),
            Self {
                field: "Member.redemptions",
                document: r#"{ member(employer: "{employer}", externalId: "ada") { redemptions { nodes { id } } } }"#,
                without_employer: None,
                carriers: &[Scope::MembersRead],
            },
            plain(
                "Mutation.createCampaign",
                r#"mutation { createCampaign(input: {employer: "{employer}", key: "new", name: "New", subject: "S", text: "T"}) { campaign { key } userErrors { code path } } }"#,
            ),
            plain(
                "Mutation.updateCampaign",
                r#"mutation { updateCampaign(input: {employer: "{employer}", campaign: "hello", name: "New"}) { campaign { key } userErrors { code path } } }"#,
            ),
            plain(
                "Mutation.pauseCampaign",
                r#"mutation { pauseCampaign(input: {employer: "{employer}", campaign: "hello"}) { campaign { key } userErrors { code path } } }"#,
            ),
            plain(
                "Mutation.resumeCampaign",
                r#"mutation { resumeCampaign(input: {employer: "{employer}", campaign: "hello"}) { campaign { key } userErrors { code path } } }"#,
            ),
            plain(
                "Mutation.archiveCampaign",
                r#"mutation { archiveCampaign(input: {employer: "{employer}", campaign: "hello"}) { campaign { key } userErrors { code path } } }"#,
            ),
            plain(
                "Mutation.setMessageCap",
                r#"mutation { setMessageCap(input: {employer: "{employer}", atMost: 5, per: WEEK}) { employer { key } userErrors { code path } } }"#,
            ),
            plain(
                "Query.previewCampaign",
                r#"{ previewCampaign(input: {employer: "{employer}", subject: "S", text: "T"}) { subject userErrors { code path } } }"#,
            ),
            plain(
                "Query.campaign",
                r#"{ campaign(employer: "{employer}", key: "hello") { key } }"#,
            ),
            plain(
                "Query.campaigns",
                r#"{ campaigns(employer: "{employer}") { nodes { key } } }"#,
            ),
            plain(
                "Campaign.funnel",
                r#"{ campaign(employer: "{employer}", key: "hello") { funnel { triggered } } }"#,
            ),
            plain(
                "Member.messages",
                r#"{ member(employer: "{employer}", externalId: "ada") { messages { nodes { state } } } }"#,
            ),
            plain(
                "Query.unknownMessages",
                r#"{ unknownMessages(employer: "{employer}") { nodes { id } } }"#,
            ),
            plain(
                "Mutation.resendMessage",
                r#"mutation { resendMessage(input: {employer: "{employer}", message: "msg_01ARZ3NDEKTSV4RRFFQ69G5FAV"}) { messageId userErrors { code path } } }"#,
            ),
            plain(
                "Mutation.suppressAddress",
                r#"mutation { suppressAddress(input: {employer: "{employer}", address: "a@example.org"}) { suppressed userErrors { code path } } }"#,
            ),
            plain(
                "Mutation.liftSuppression",
                r#"mutation { liftSuppression(input: {employer: "{employer}", address: "a@example.org"}) { lifted userErrors { code path } } }"#,
            ),
            plain(
                "Mutation.recordMailEvents",
                r#"mutation { recordMailEvents(input: {employer: "{employer}", events: [{type: COMPLAINT, address: "a@example.org"}]}) { results { status } userErrors { code path } } }"#,
            ),
            plain(
                "Mutation.registerMembers",
                r#"mutation { registerMembers(input: {employer: "{employer}", members: [{externalId: "ada"}]}) { results { status } userErrors { code path } } }"#,
            ),
            plain(
                "Mutation.eraseMember",
                r#"mutation { eraseMember(input: {employer: "{employer}", member: "bob"}) { erased userErrors { code path } } }"#,
            ),
            plain(
                "Mutation.recordEvents",
                r#"mutation { recordEvents(input: {employer: "{employer}", events: [
                    {id: "e1", type: "meditation.completed", member: "ada", occurredAt: "2026-11-21T10:00:00Z"}
                ]}) { results { status } userErrors { code path } } }"#,
            ),
            plain(
                "Mutation.retractEvents",
                r#"mutation { retractEvents(input: {employer: "{employer}", events: [{id: "e1"}]}) { results { status } userErrors { code path } } }"#,
            ),
            plain(
                "Query.member",
                r#"{ member(employer: "{employer}", externalId: "ada") { email } }"#,
            ),
            Self {
                field: "Employer.members",
                document: "{ viewer { employer { members { nodes { externalId } } } } }",
                without_employer: Some(
                    r#"{ employer(key: "{employer}") { members { nodes { externalId } } } }"#,
                ),
                carriers: &[Scope::Operator],
            },
            plain(
                "Query.achievements",
                r#"{ achievements(filter: {employer: "{employer}", member: "ada"}) { nodes { title } } }"#,
            ),
            Self {
                field: "Member.achievements",
                document: r#"{ member(employer: "{employer}", externalId: "ada") { achievements { nodes { title } } } }"#,
                without_employer: None,
                carriers: &[Scope::MembersRead],
            },
            Self {
                field: "Member.events",
                document: r#"{ member(employer: "{employer}", externalId: "ada") { events { nodes { id } } } }"#,
                without_employer: None,
                carriers: &[Scope::MembersRead],
            },
            Self {
                field: "Member.consents",
                document: r#"{ member(employer: "{employer}", externalId: "ada") { consents { given } } }"#,
                without_employer: None,
                carriers: &[Scope::MembersRead],
            },
            Self {
                field: "Member.sharing",
                document: r#"{ member(employer: "{employer}", externalId: "ada") { sharing { nodes { title } } } }"#,
                without_employer: None,
                carriers: &[Scope::MembersRead],
            },
            Self {
                field: "Member.progress",
                document: r#"{ member(employer: "{employer}", externalId: "ada") { progress { earned } } }"#,
                without_employer: None,
                carriers: &[Scope::MembersRead],
            },
            Self {
                field: "Member.points",
                document: r#"{ member(employer: "{employer}", externalId: "ada") { points { available } } }"#,
                without_employer: None,
                carriers: &[Scope::MembersRead],
            },
            Self {
                field: "Member.pointsHistory",
                document: r#"{ member(employer: "{employer}", externalId: "ada") { pointsHistory { nodes { amount } } } }"#,
                without_employer: None,
                carriers: &[Scope::MembersRead],
            },
            Self {
                field: "Member.level",
                document: r#"{ member(employer: "{employer}", externalId: "ada") { level(program: "wellbeing") { points } } }"#,
                without_employer: None,
                carriers: &[Scope::MembersRead],
            },
            plain(
                "Query.memberActivity",
                r#"{ memberActivity(employer: "{employer}") { entries { position } } }"#,
            ),
            plain(
                "Query.memberActivityDigest",
                r#"{ memberActivityDigest(employer: "{employer}", from: 1, to: 1) { count sha256 } }"#,
            ),
            plain(
                "Subscription.memberActivity",
                r#"subscription { memberActivity(employer: "{employer}") { __typename } }"#,
            ),
            plain("Query.feed", "{ feed { entries { position } } }"),
            plain(
                "Query.feedDigest",
                "{ feedDigest(from: 1, to: 1) { count sha256 } }",
            ),
            plain("Subscription.feed", "subscription { feed { __typename } }"),
            plain(
                "Mutation.createWebhookEndpoint",
                r#"mutation { createWebhookEndpoint(input: {url: "https://partner.example/"}) { endpoint { id } userErrors { code path } } }"#,
            ),
            plain(
                "Mutation.updateWebhookEndpoint",
                r#"mutation { updateWebhookEndpoint(input: {endpoint: "whe_01ARZ3NDEKTSV4RRFFQ69G5FAV", description: "New"}) { endpoint { id } userErrors { code path } } }"#,
            ),
            plain(
                "Mutation.deleteWebhookEndpoint",
                r#"mutation { deleteWebhookEndpoint(input: {endpoint: "whe_01ARZ3NDEKTSV4RRFFQ69G5FAV"}) { deletedId userErrors { code path } } }"#,
            ),
            plain(
                "Mutation.rotateWebhookSecret",
                r#"mutation { rotateWebhookSecret(input: {endpoint: "whe_01ARZ3NDEKTSV4RRFFQ69G5FAV"}) { endpoint { id } userErrors { code path } } }"#,
            ),
            plain(
                "Mutation.resumeWebhookEndpoint",
                r#"mutation { resumeWebhookEndpoint(input: {endpoint: "whe_01ARZ3NDEKTSV4RRFFQ69G5FAV"}) { endpoint { id } userErrors { code path } } }"#,
            ),
            plain(
                "Mutation.replayWebhooks",
                r#"mutation { replayWebhooks(input: {endpoint: "whe_01ARZ3NDEKTSV4RRFFQ69G5FAV"}) { replayedCount userErrors { code path } } }"#,
            ),
            plain(
                "Mutation.testWebhookEndpoint",
                r#"mutation { testWebhookEndpoint(input: {endpoint: "whe_01ARZ3NDEKTSV4RRFFQ69G5FAV"}) { status userErrors { code path } } }"#,
            ),
            plain("Query.webhookEndpoints", "{ webhookEndpoints { id } }"),
            plain("Query.viewer", "{ viewer { kind } }"),
            plain(
                "Query.node",
                r#"{ node(id: "emp_01ARZ3NDEKTSV4RRFFQ69G5FAV") { id } }"#,
            ),
        ]
    }
}
