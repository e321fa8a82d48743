//! The employers' incentives, compiled and kept in memory.
//!
//! Which incentives an event may match is looked up by its type and by the values it brings, so those of other types cost it
//! nothing, and of its own type those cost nothing whose patterns are ruled out by the one condition of each that is indexed
//! ([`Index`]). Each employer has a version number that goes up with every change of its event types, programs or incentives;
//! an evaluation reads it within its own transaction and compiles anew when it has moved on.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

use chrono::{DateTime, NaiveDate, Utc};
use chrono_tz::Tz;
use entity::clock::Timestamp;
use entity::id::{EmployerId, EventTypeId, IncentiveId, ProgramId};
use entity::program::ProgramState;
use entity::{boost, campaign, employer, event_type, incentive, program};
use sea_orm::{ConnectionTrait, DbErr};
use serde_json::Value;

use crate::campaign::shelf::Shelf;
use crate::outcome::{self, Outcomes, RefundOutcome, ReleaseOutcome, RetractionPolicy};
use crate::rules::points::Boost;
use crate::rules::{Edition, Incentive, Index, calendar};

/// Days kept beyond an employer's greatest `maxLate` before progress may forget: an event is judged by when it was accepted, and
/// its evaluation may come later, after an outage or from the dead letters.
const GRACE_DAYS: i64 = 31;

/// One employer's incentives.
#[derive(Debug)]
pub struct Catalogue {
    version: i64,
    /// The employer, as it was read.
    pub employer: employer::Model,
    event_types: HashMap<EventTypeId, EventKind>,
    incentives: Vec<Compiled>,
    by_id: HashMap<IncentiveId, usize>,
    by_pattern: Index,
    by_achievement: HashMap<String, Vec<usize>>,
    by_refund: HashMap<String, Vec<usize>>,
    by_release: HashMap<String, Vec<usize>>,
    boosts: HashMap<ProgramId, Vec<Boost>>,
    /// The employer's campaigns.
    pub campaigns: Shelf,
    max_late_days: i64,
}

/// What the evaluation has to know of an event type.
#[derive(Debug)]
pub struct EventKind {
    /// Its key.
    pub key: String,
    /// How long after its occurrence an event is kept, in seconds; 0: not beyond its evaluation. Always 0 for a sensitive type.
    pub retention_seconds: i64,
    /// How long after its occurrence an event is accepted.
    pub max_late_seconds: i64,
    /// Whether it is nobody's business but the member's.
    pub sensitive: bool,
}

/// An incentive with its program and its versions.
#[derive(Debug)]
pub struct Compiled {
    /// The incentive.
    pub incentive: incentive::Model,
    /// The program it is in.
    pub program: program::Model,
    /// Whether any version can be stopped for a member.
    pub can_stop: bool,
    /// Whether any version is earned by achievements.
    pub is_built_on_others: bool,
    versions: Vec<Version>,
}

/// A version of an incentive, ready to be evaluated or broken.
#[derive(Debug)]
pub struct Version {
    /// Counts 1, 2, 3.
    pub number: i32,
    event_types: Vec<String>,
    effective_from: Option<Timestamp>,
    /// Whether members start anew with it.
    restarts: bool,
    /// The rule with what follows from it; or why it cannot be evaluated, without a word about any member.
    pub ready: Result<Ready, String>,
}

/// A version that can be evaluated.
#[derive(Debug)]
pub struct Ready {
    /// The rule.
    pub incentive: Incentive,
    /// What follows from an award.
    pub outcomes: Outcomes,
    /// Whether each event earns points by itself, so that they follow events and not awards.
    pub earns_by_event: bool,
}

impl Catalogue {
    /// Reads and compiles what one employer has.
    pub async fn read(connection: &impl ConnectionTrait, employer: employer::Model) -> Result<Self, DbErr> {
        let id = employer.id;
        let event_types = event_type::list(connection, id).await?;
        let programs: HashMap<_, _> = program::list(connection, id)
            .await?
            .into_iter()
            .map(|row| (row.id, row))
            .collect();
        let mut versions: HashMap<IncentiveId, Vec<Version>> = HashMap::new();
        for row in incentive::list_versions(connection, id).await? {
            versions
                .entry(row.incentive_id)
                .or_default()
                .push(Version::compile(row));
        }
        let incentives: Vec<Compiled> = incentive::list(connection, id)
            .await?
            .into_iter()
            .filter_map(|incentive| {
                let program = programs.get(&incentive.program_id)?.clone();
                let versions = versions.remove(&incentive.id)?;
                Some(Compiled::new(incentive, program, versions))
            })
            .collect();
        let mut by_achievement: HashMap<String, Vec<usize>> = HashMap::new();
        for (index, compiled) in incentives.iter().enumerate() {
            let mut keys: Vec<&String> = compiled
                .versions
                .iter()
                .filter_map(|version| version.ready.as_ref().ok())
                .flat_map(|ready| ready.incentive.of())
                .collect();
            keys.sort_unstable();
            keys.dedup();
            for key in keys {
                by_achievement.entry(key.clone()).or_default().push(index);
            }
        }
        let by_refund = places(&incentives, |version| {
            version
                .refunds()
                .map(|(_, refund)| refund.event_type.as_str())
                .collect()
        });
        let by_release = places(&incentives, |version| {
            version
                .releases()
                .map(|(_, release)| release.event_type.as_str())
                .collect()
        });
        let boosts = boosts(&employer, &programs, boost::list(connection, id).await?);
        let campaigns = Shelf::new(campaign::list(connection, id).await?);
        let by_id = incentives
            .iter()
            .enumerate()
            .map(|(index, compiled)| (compiled.incentive.id, index))
            .collect();
        let max_late_days = event_types
            .iter()
            .map(|row| row.max_late_seconds / 86_400 + 1)
            .max()
            .unwrap_or(0);
        let by_pattern = patterns(&incentives);
        Ok(Self {
            version: employer.catalogue_version,
            employer,
            event_types: event_types
                .into_iter()
                .map(|row| {
                    let kind = EventKind {
                        key: row.key,
                        retention_seconds: row.retention_seconds,
                        max_late_seconds: row.max_late_seconds,
                        sensitive: row.sensitive,
                    };
                    (row.id, kind)
                })
                .collect(),
            incentives,
            by_id,
            by_pattern,
            by_achievement,
            by_refund,
            by_release,
            boosts,
            campaigns,
            max_late_days,
        })
    }

    /// An event type of the employer.
    pub fn event_type(&self, id: EventTypeId) -> Option<&EventKind> {
        self.event_types.get(&id)
    }

    /// Whether events of a type are nobody's business but the member's.
    pub fn is_sensitive(&self, event_type: &str) -> bool {
        self.event_types
            .values()
            .any(|kind| kind.key == event_type && kind.sensitive)
    }

    /// The incentives of programs beyond their draft of which a version may match an event of this type with these properties, of
    /// a member with these attributes, in the order of their making. All of those are there that do match or that cannot say.
    pub fn matching(
        &self,
        event_type: &str,
        properties: &Value,
        attributes: &Value,
    ) -> impl Iterator<Item = &Compiled> {
        self.at(self.by_pattern.candidates(event_type, properties, attributes))
    }

    /// The incentives of programs beyond their draft of which a version is earned by achievements of the incentive of this key.
    pub fn built_on(&self, key: &str) -> impl Iterator<Item = &Compiled> {
        self.at(self.by_achievement.get(key).into_iter().flatten().copied())
    }

    /// The incentives of programs beyond their draft of which a version gives points for orders that events of this type refund.
    pub fn refunded_by(&self, event_type: &str) -> impl Iterator<Item = &Compiled> {
        self.at(self.by_refund.get(event_type).into_iter().flatten().copied())
    }

    /// The incentives of programs beyond their draft of which a version gives points for orders that events of this type release.
    pub fn released_by(&self, event_type: &str) -> impl Iterator<Item = &Compiled> {
        self.at(self.by_release.get(event_type).into_iter().flatten().copied())
    }

    /// The boosts of a program.
    pub fn boosts(&self, program: ProgramId) -> &[Boost] {
        self.boosts.get(&program).map(Vec::as_slice).unwrap_or_default()
    }

    /// The zone of an incentive's own dates: that of its program, else the employer's.
    pub fn zone_of(&self, compiled: &Compiled) -> Tz {
        zone(&self.employer, &compiled.program)
    }

    fn at(&self, indexes: impl IntoIterator<Item = usize>) -> impl Iterator<Item = &Compiled> {
        indexes
            .into_iter()
            .filter_map(|index| self.incentives.get(index))
            .filter(|compiled| compiled.program.state() != ProgramState::Draft)
    }

    /// An incentive with all that can follow from its achievements.
    pub fn with_all_built_on<'a>(&'a self, compiled: &'a Compiled) -> Vec<&'a Compiled> {
        let mut found = vec![compiled];
        let mut next = 0;
        while let Some(basis) = found.get(next).copied() {
            next += 1;
            for above in self.built_on(&basis.incentive.key) {
                if found.iter().all(|known| known.incentive.id != above.incentive.id) {
                    found.push(above);
                }
            }
        }
        found
    }

    /// The incentive of this id.
    pub fn find(&self, id: IncentiveId) -> Option<&Compiled> {
        self.incentives.get(*self.by_id.get(&id)?)
    }

    /// The incentive of this key.
    pub fn find_by_key(&self, key: &str) -> Option<&Compiled> {
        self.incentives
            .iter()
            .find(|compiled| compiled.incentive.key == key)
    }

    /// All incentives, in the order of their making.
    pub fn incentives(&self) -> &[Compiled] {
        &self.incentives
    }

    /// No employer's horizon is nearer than this.
    pub const SHORTEST_HORIZON_DAYS: i64 = GRACE_DAYS + 2;

    /// The day before which progress may forget: no event that happened earlier can still come to be evaluated. Two days are for
    /// the zones west of Greenwich and for programs whose day starts late.
    pub fn horizon(&self, now: DateTime<Utc>) -> NaiveDate {
        let days = u64::try_from(self.max_late_days + GRACE_DAYS + 2).unwrap_or(u64::MAX);
        now.date_naive()
            .checked_sub_days(chrono::Days::new(days))
            .unwrap_or(NaiveDate::MIN)
    }
}

/// The places of incentives by what their versions ask for.
fn patterns(incentives: &[Compiled]) -> Index {
    let versions = || {
        let places = incentives.iter().enumerate();
        places.flat_map(|(place, compiled)| compiled.versions.iter().map(move |version| (place, version)))
    };
    // What a broken version asks for is not known. It is asked about every event of the types it names, so that its failure shows.
    let broken = versions()
        .filter(|(_, version)| version.ready.is_err())
        .flat_map(|(place, version)| version.event_types.iter().map(move |key| (place, key.as_str())));
    let rules =
        versions().filter_map(|(place, version)| Some((place, &version.ready.as_ref().ok()?.incentive)));
    Index::new(rules, broken)
}

/// The places of incentives by the types of the events that one of their versions names.
fn places(
    incentives: &[Compiled],
    named: impl for<'a> Fn(&'a Version) -> Vec<&'a str>,
) -> HashMap<String, Vec<usize>> {
    let mut places: HashMap<String, Vec<usize>> = HashMap::new();
    for (place, compiled) in incentives.iter().enumerate() {
        let keys: BTreeSet<&str> = compiled.versions.iter().flat_map(&named).collect();
        for key in keys {
            places.entry(key.to_owned()).or_default().push(place);
        }
    }
    places
}

/// The boosts that can be read, by program.
fn boosts(
    employer: &employer::Model,
    programs: &HashMap<ProgramId, program::Model>,
    rows: Vec<boost::Model>,
) -> HashMap<ProgramId, Vec<Boost>> {
    let mut boosts: HashMap<ProgramId, Vec<Boost>> = HashMap::new();
    for row in rows {
        let Some(program) = programs.get(&row.program_id) else {
            continue;
        };
        let zone = zone(employer, program);
        let ended = row.ended_at.map(Timestamp::instant);
        let ended = ended.map(|instant| (instant, calendar::civil(instant, zone).date()));
        let days = (row.starts_on, row.ends_on);
        match Boost::read(&row.multiplier, row.category, days, ended, &row.conditions) {
            Ok(boost) => boosts.entry(row.program_id).or_default().push(boost),
            Err(reason) => {
                tracing::error!(employer = %row.employer_id, boost = row.key, reason, "a boost cannot be read and does not apply");
            }
        }
    }
    boosts
}

/// The zone of a program's own dates.
fn zone(employer: &employer::Model, program: &program::Model) -> Tz {
    let own = program.time_zone.as_deref().unwrap_or(&employer.time_zone);
    own.parse().unwrap_or(Tz::UTC)
}

impl Compiled {
    /// An incentive that is not there yet, with its only version.
    pub fn draft(incentive: incentive::Model, program: program::Model, version: incentive::Version) -> Self {
        Self::new(incentive, program, vec![Version::compile(version)])
    }

    fn new(incentive: incentive::Model, program: program::Model, versions: Vec<Version>) -> Self {
        let ready = || versions.iter().filter_map(|version| version.ready.as_ref().ok());
        Self {
            can_stop: ready().any(|ready| ready.incentive.can_stop()),
            is_built_on_others: ready().any(|ready| !ready.incentive.of().is_empty()),
            incentive,
            program,
            versions,
        }
    }

    /// The version in force when an event occurred, if that version names the event's type and nothing had ended by then.
    pub fn version_at(&self, occurred_at: DateTime<Utc>, event_type: &str) -> Option<&Version> {
        let instant = Timestamp::from(occurred_at);
        if self
            .incentive
            .retired_at
            .is_some_and(|retired| retired <= instant)
            || !self.program.covers_instant(instant)
        {
            return None;
        }
        let version = self.current(occurred_at)?;
        version
            .event_types
            .iter()
            .any(|key| key == event_type)
            .then_some(version)
    }

    /// What a refund of this event type is read by: the bare paths of the property that says what is left of an order and of the one
    /// that names it. By the version in force when it happened that names the type, else by any that does.
    pub fn refund_terms(
        &self,
        occurred_at: DateTime<Utc>,
        event_type: &str,
    ) -> Option<(&str, &RefundOutcome)> {
        let instant = Timestamp::from(occurred_at);
        let named = |version: &'_ Version| {
            let mut refunds = version.refunds();
            refunds.any(|(_, refund)| refund.event_type == event_type)
        };
        let mut newest_first = self.versions.iter().rev().filter(|version| named(version));
        let in_force = newest_first
            .clone()
            .find(|version| version.effective_from.is_none_or(|from| from <= instant));
        let version = in_force.or_else(|| newest_first.next())?;
        version
            .refunds()
            .find(|(_, refund)| refund.event_type == event_type)
    }

    /// The bare path of the property by which an event of this type names the order that it releases the points of; by the newest
    /// version that says so.
    pub fn release_terms(&self, event_type: &str) -> Option<&str> {
        let mut newest_first = self.versions.iter().rev();
        newest_first.find_map(|version| {
            let mut releases = version.releases();
            let (_, release) = releases.find(|(_, release)| release.event_type == event_type)?;
            Some(release.match_on.as_str())
        })
    }

    /// The kinds of points that events of this type release, each with the newest version that says so.
    pub fn released_by(&self, event_type: &str) -> BTreeMap<&str, i32> {
        let mut released = BTreeMap::new();
        for version in &self.versions {
            let releases = version
                .releases()
                .filter(|(_, release)| release.event_type == event_type);
            released.extend(releases.map(|(category, _)| (category, version.number)));
        }
        released
    }

    /// A version of this number that can be evaluated.
    pub fn ready(&self, version: i32) -> Option<&Ready> {
        self.version(version)?.ready.as_ref().ok()
    }

    /// The versions as the rules see them.
    pub fn editions(&self) -> Vec<Edition<'_>> {
        let editions = self.versions.iter().map(|version| Edition {
            number: version.number,
            restarts: version.restarts,
            effective_from: version.effective_from.map(Timestamp::instant),
            rule: version.ready.as_ref().ok().map(|ready| &ready.incentive),
        });
        editions.collect()
    }

    /// The version of this number.
    pub fn version(&self, number: i32) -> Option<&Version> {
        self.versions.iter().find(|version| version.number == number)
    }

    /// The version in force at an instant.
    pub fn current(&self, now: DateTime<Utc>) -> Option<&Version> {
        let now = Timestamp::from(now);
        self.versions
            .iter()
            .rev()
            .find(|version| version.effective_from.is_none_or(|from| from <= now))
    }
}

impl Ready {
    /// What becomes of an award when what it rests on is taken back.
    pub fn policy(&self, is_sensitive: bool) -> RetractionPolicy {
        let achievement = self.outcomes.achievement.as_ref();
        let said = achievement.and_then(|achievement| achievement.on_retraction);
        self.outcomes.policy(said, is_sensitive)
    }
}

impl Version {
    /// The refunds of the points that it gives, each with the path of the property that says what is left of an order.
    fn refunds(&self) -> impl Iterator<Item = (&str, &RefundOutcome)> {
        let points = self
            .ready
            .as_ref()
            .ok()
            .map(|ready| ready.outcomes.points.as_slice())
            .unwrap_or_default();
        points.iter().filter_map(|points| {
            let property = points.per_unit.as_ref()?.property.as_str();
            Some((property, points.refund.as_ref()?))
        })
    }

    /// The kinds of points that it gives and that an event is to release, each with that event.
    fn releases(&self) -> impl Iterator<Item = (&str, &ReleaseOutcome)> {
        let points = self
            .ready
            .as_ref()
            .ok()
            .map(|ready| ready.outcomes.points.as_slice())
            .unwrap_or_default();
        points
            .iter()
            .filter_map(|points| Some((points.category.as_str(), points.pending_until.as_ref()?)))
    }

    fn compile(row: incentive::Version) -> Self {
        let event_types = row
            .event_types
            .as_array()
            .map(|keys| {
                keys.iter()
                    .filter_map(|key| key.as_str().map(str::to_owned))
                    .collect()
            })
            .unwrap_or_default();
        let ready = Incentive::parse(&row.definition)
            .map_err(|faults| {
                let messages: Vec<String> = faults.into_iter().map(|fault| fault.message).collect();
                format!("the definition is broken: {}", messages.join("; "))
            })
            .and_then(|incentive| {
                let outcomes = Outcomes::new(outcome::parse(&row.outcomes)?);
                Ok(Ready {
                    earns_by_event: incentive.is_per_event() && !outcomes.points.is_empty(),
                    incentive,
                    outcomes,
                })
            });
        Self {
            number: row.version,
            event_types,
            effective_from: row.effective_from,
            restarts: row.restarts,
            ready,
        }
    }
}

/// What the employers of a batch have.
#[derive(Debug, Default)]
pub struct Employers(HashMap<EmployerId, Arc<Catalogue>>);

impl Employers {
    /// The catalogue of an employer of the batch.
    pub fn get(&self, employer: EmployerId) -> Option<&Catalogue> {
        self.0.get(&employer).map(Arc::as_ref)
    }

    /// Keeps what these employers have as it is until the transaction ends; false when it has changed since it was loaded.
    ///
    /// Awards are only given and budgets only spent by what is in force at the commit. Taken before the locks of programs, as who
    /// changes a program takes them in that order too.
    pub async fn lock(
        &self,
        connection: &impl ConnectionTrait,
        employers: impl IntoIterator<Item = EmployerId>,
    ) -> Result<bool, DbErr> {
        let wanted: BTreeSet<EmployerId> = employers.into_iter().collect();
        if wanted.is_empty() {
            return Ok(true);
        }
        let current = employer::lock_catalogues(connection, wanted.into_iter().collect()).await?;
        Ok(current
            .iter()
            .all(|(id, version)| self.get(*id).is_some_and(|known| known.version == *version)))
    }

    /// The employer's own time when the clock says `now`.
    pub fn now(&self, employer: EmployerId, now: DateTime<Utc>) -> DateTime<Utc> {
        self.get(employer)
            .map_or(now, |catalogue| catalogue.employer.now(now))
    }

    /// Whether the employer's members share with partners until they say otherwise.
    pub fn shares_by_default(&self, employer: EmployerId) -> bool {
        self.get(employer)
            .is_some_and(|catalogue| catalogue.employer.default_partner_sharing)
    }
}

/// The catalogues in memory, by employer.
#[derive(Debug, Default)]
pub struct Catalogues {
    known: Mutex<HashMap<EmployerId, Arc<Catalogue>>>,
}

impl Catalogues {
    /// The catalogues of these employers as they are in the caller's transaction.
    pub async fn load(
        &self,
        connection: &impl ConnectionTrait,
        employers: Vec<EmployerId>,
    ) -> Result<Employers, DbErr> {
        let mut loaded = HashMap::new();
        for row in employer::list_by_ids(connection, employers).await? {
            let id = row.id;
            let known = self
                .lock()
                .get(&id)
                .filter(|known| known.version == row.catalogue_version)
                .cloned();
            let catalogue = match known {
                Some(catalogue) => catalogue,
                None => {
                    let fresh = Arc::new(Catalogue::read(connection, row).await?);
                    self.lock().insert(id, Arc::clone(&fresh));
                    fresh
                }
            };
            loaded.insert(id, catalogue);
        }
        Ok(Employers(loaded))
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<EmployerId, Arc<Catalogue>>> {
        // The map holds whole values only; a panic elsewhere cannot leave half of one behind.
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
