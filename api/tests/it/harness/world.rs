//! An employer, a program, a partner: what most tests start from.

use api::auth::viewer::Party;
use chrono::{DateTime, Utc};
use entity::id::{EmployerId, MemberId, PartnerId};
use serde_json::{Value, json};

use super::{Caller, TestApp};

/// The employer "acme" in UTC, its program "wellbeing" in force, and the partner "spa" that may know of it.
pub struct World<'a> {
    /// The application.
    pub app: &'a TestApp,
    /// The employer.
    pub employer: EmployerId,
    /// The partner.
    pub partner: PartnerId,
}

/// An instant in RFC 3339.
pub fn at(instant: &str) -> DateTime<Utc> {
    instant.parse().unwrap()
}

/// An event in the making.
#[derive(Debug, Clone)]
pub struct Event(Value);

/// An event of this id that a member did at this instant: a meditation, unless something else is said.
pub fn event(id: &str, member: &str, occurred_at: &str) -> Event {
    Event(json!({"id": id, "member": member, "occurredAt": occurred_at, "type": "meditation.completed"}))
}

impl Event {
    /// Another type.
    pub fn of(self, event_type: &str) -> Self {
        self.set("type", json!(event_type))
    }

    /// With another field.
    pub fn set(mut self, field: &str, value: Value) -> Self {
        self.0[field] = value;
        self
    }
}

impl From<Event> for Value {
    fn from(event: Event) -> Self {
        event.0
    }
}

/// The input of an incentive of the program "wellbeing" for an event type.
pub fn incentive_input(key: &str, event_type: &str, structure: Value, limit: Value) -> Value {
    json!({
        "program": "wellbeing", "key": key, "name": key, "trigger": {"eventType": event_type},
        "structure": structure, "limit": limit, "outcomes": [{"achievement": {"title": format!("Title of {key}")}}],
    })
}

/// The input of a streak of so many days of meditation.
pub fn streak_input(key: &str, length: u32, limit: Value) -> Value {
    incentive_input(
        key,
        "meditation.completed",
        json!({"streak": {"length": length}}),
        limit,
    )
}

impl<'a> World<'a> {
    /// Sets everything up. Members share with partners unless they say otherwise.
    pub async fn new(app: &'a TestApp) -> Self {
        Self::named(app, "acme", "spa").await
    }

    /// As [`World::new`], for a second employer and a second partner.
    pub async fn named(app: &'a TestApp, employer: &str, partner: &str) -> Self {
        Self::of(app, employer, partner, false).await
    }

    /// As [`World::new`], with a clock of its own.
    pub async fn sandbox(app: &'a TestApp, employer: &str, partner: &str) -> Self {
        Self::of(app, employer, partner, true).await
    }

    async fn of(app: &'a TestApp, employer: &str, partner: &str, sandbox: bool) -> Self {
        let operator = app.operator();
        let input = json!({
            "key": employer, "name": employer, "consentDefaults": {"partnerSharing": true}, "sandbox": sandbox,
        });
        let made = operator.change("createEmployer", input, "employer { id }").await;
        let employer_id = made["employer"]["id"].as_str().unwrap().parse().unwrap();
        let made = operator
            .change(
                "createPartner",
                json!({"key": partner, "name": partner}),
                "partner { id }",
            )
            .await;
        let partner_id = made["partner"]["id"].as_str().unwrap().parse().unwrap();
        let world = Self {
            app,
            employer: employer_id,
            partner: partner_id,
        };
        world.program(json!({"key": "wellbeing"})).await;
        world.grant(partner, "wellbeing").await;
        world
    }

    /// The employer's administration, which sets up.
    pub fn admin(&self) -> Caller<'a> {
        self.by("achievements:read members:read members:write programs:read programs:write reports:read")
    }

    /// The employer's mobile backend.
    pub fn backend(&self) -> Caller<'a> {
        self.by("events:write member:any members:write")
    }

    /// A client of the employer with these scopes.
    pub fn by(&self, scopes: &str) -> Caller<'a> {
        self.app.by(Party::Employer(self.employer), scopes)
    }

    /// The partner.
    pub fn partner(&self) -> Caller<'a> {
        self.app.by(Party::Partner(self.partner), "feed:read")
    }

    /// A member in person.
    pub async fn member(&self, external_id: &str) -> Caller<'a> {
        let member = self.member_id(external_id).await;
        let party = Party::Member {
            employer: self.employer,
            member,
        };
        self.app.by(party, "member:self")
    }

    /// The id of a member.
    pub async fn member_id(&self, external_id: &str) -> MemberId {
        let query = "query($id: String!) { member(externalId: $id) { id } }";
        let data = self.backend().data(query, json!({"id": external_id})).await;
        data["member"]["id"].as_str().unwrap().parse().unwrap()
    }

    /// Creates a program and takes it into force.
    pub async fn program(&self, mut input: Value) {
        let key = input["key"].clone();
        input["name"] = key.clone();
        self.admin()
            .change("createProgram", input, "program { id }")
            .await;
        self.admin()
            .change("activateProgram", json!({"program": key}), "program { state }")
            .await;
    }

    /// Sets the clock of a sandbox forward.
    pub async fn advance(&self, to: &str) {
        self.admin()
            .change("advanceClock", json!({"to": to}), "employer { now }")
            .await;
    }

    /// Lets a partner know of a program.
    pub async fn grant(&self, partner: &str, program: &str) {
        self.admin()
            .change(
                "grantPartner",
                json!({"partner": partner, "programs": [program]}),
                "grants { partner }",
            )
            .await;
    }

    /// Creates an incentive.
    pub async fn incentive(&self, input: Value) {
        self.admin()
            .change("createIncentive", input, "incentive { id }")
            .await;
    }

    /// Registers members of whom nothing but the id is known.
    pub async fn members(&self, external_ids: &[&str]) {
        let members = external_ids.iter().map(|id| json!({"externalId": id})).collect();
        let statuses = self.register(members).await;
        assert!(statuses.iter().all(|status| status == "CREATED"), "{statuses:?}");
    }

    /// Registers members and returns each one's status, or the code of its error.
    pub async fn register(&self, members: Vec<Value>) -> Vec<String> {
        let payload = self
            .backend()
            .change(
                "registerMembers",
                json!({"members": members}),
                "results { status error { code path } }",
            )
            .await;
        let results = payload["results"].as_array().unwrap();
        let word = |result: &Value| {
            let word = result["error"]["code"].as_str().or(result["status"].as_str());
            word.unwrap().to_owned()
        };
        results.iter().map(word).collect()
    }

    /// Records events, all of which must be accepted, and evaluates them.
    pub async fn did(&self, events: impl IntoIterator<Item = Event>) {
        let statuses = self.backend().record(events.into_iter().map(Value::from)).await;
        assert!(statuses.iter().all(|status| status == "ACCEPTED"), "{statuses:?}");
        self.app.run_jobs().await;
    }

    /// Takes events back, all of which must be accepted, and carries it out.
    pub async fn took_back(&self, ids: &[&str]) {
        let events: Vec<Value> = ids.iter().map(|id| json!({"id": id})).collect();
        let payload = self
            .backend()
            .change(
                "retractEvents",
                json!({"events": events}),
                "results { id status error { code path } }",
            )
            .await;
        let statuses: Vec<&Value> = payload["results"].as_array().unwrap().iter().collect();
        assert!(
            statuses.iter().all(|result| result["status"] == "ACCEPTED"),
            "{payload}"
        );
        self.app.run_jobs().await;
    }

    /// What stands of what a member has earned for an incentive: ordinal and day, by ordinal.
    pub async fn standing(&self, member: &str, incentive: &str) -> Vec<(i64, String)> {
        let query = "query($filter: AchievementFilter!) {
            achievements(filter: $filter, first: 100) { nodes { ordinal earnedOn status } pageInfo { hasNextPage } }
        }";
        let filter = json!({"filter": {"member": member, "incentive": incentive}});
        let data = self.by("member:any").data(query, filter).await;
        assert_eq!(data["achievements"]["pageInfo"]["hasNextPage"], json!(false));
        let nodes = data["achievements"]["nodes"].as_array().unwrap();
        let mut standing: Vec<(i64, String)> = nodes
            .iter()
            .filter(|node| node["status"] == "EARNED")
            .map(|node| {
                (
                    node["ordinal"].as_i64().unwrap(),
                    node["earnedOn"].as_str().unwrap().to_owned(),
                )
            })
            .collect();
        standing.sort();
        standing
    }

    /// The days on which what stands was reached, in order.
    pub async fn days(&self, member: &str, incentive: &str) -> Vec<String> {
        let standing = self.standing(member, incentive).await;
        let mut days: Vec<String> = standing.into_iter().map(|(_, day)| day).collect();
        days.sort();
        days
    }

    /// Takes a step of a program, or changes it.
    pub async fn change_program(&self, mutation: &str, input: Value) {
        self.admin().change(mutation, input, "program { state }").await;
    }

    /// What a member has earned for an incentive: ordinal and day, in the order of recording.
    pub async fn earned(&self, member: &str, incentive: &str) -> Vec<(i64, String)> {
        let query = "query($filter: AchievementFilter!) {
            achievements(filter: $filter, first: 100) { nodes { ordinal earnedOn } pageInfo { hasNextPage } }
        }";
        let filter = json!({"filter": {"member": member, "incentive": incentive}});
        let data = self.by("member:any").data(query, filter).await;
        assert_eq!(data["achievements"]["pageInfo"]["hasNextPage"], json!(false));
        let nodes = data["achievements"]["nodes"].as_array().unwrap();
        let each = |node: &Value| {
            (
                node["ordinal"].as_i64().unwrap(),
                node["earnedOn"].as_str().unwrap().to_owned(),
            )
        };
        nodes.iter().map(each).collect()
    }

    /// How often a member has earned an incentive.
    pub async fn times(&self, member: &str, incentive: &str) -> usize {
        self.earned(member, incentive).await.len()
    }

    /// The entries of the partner's feed.
    pub async fn feed(&self) -> Vec<Value> {
        let query = "{ feed { entries { id position cursor kind achievement {
            id memberRef title ordinal earnedOn status incentive { key } program { key } } } hasMore endCursor } }";
        let data = self.partner().data(query, json!({})).await;
        assert_eq!(data["feed"]["hasMore"], json!(false));
        data["feed"]["entries"].as_array().unwrap().clone()
    }

    /// How many entries the partner's feed has.
    pub async fn feed_length(&self) -> usize {
        let head = entity::feed::head(self.app.app.db.read(), self.partner)
            .await
            .unwrap();
        usize::try_from(head).unwrap()
    }
}
