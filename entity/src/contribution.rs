//! Contributions: what an event that is forgotten itself has counted for, one row for each incentive. With them an incentive can be
//! judged again without an event that its sender takes back.

use chrono::NaiveDate;
use sea_orm::{ConnectionTrait, DbErr, FromQueryResult};

use crate::clock::Timestamp;
use crate::db::sql::{self, Rows, Sql};
use crate::earning::CauseKey;
use crate::id::{EmployerId, IncentiveId, MemberId};
use crate::text_enum;

text_enum! {
    /// What a contribution does to the member's progress.
    Role {
        /// It counts.
        Counts = "COUNTS",
        /// It matched while the member was stopped: it counts should the stop be taken back.
        Idle = "IDLE",
        /// It stops the member: nothing that happens at that instant or later counts.
        Stops = "STOPS",
    }
}

/// What one event has counted for with one incentive.
#[derive(Debug, Clone, PartialEq, Eq, FromQueryResult)]
pub struct Contribution {
    /// The employer.
    pub employer_id: EmployerId,
    /// Whom the event is about.
    pub member_id: MemberId,
    /// With which incentive.
    pub incentive_id: IncentiveId,
    /// Where the event came from.
    pub source: String,
    /// The sender's own id.
    pub event_id: String,
    /// By which version of the incentive.
    pub version: i32,
    /// On which day of the program.
    pub day: NaiveDate,
    /// The IANA zone by which that day was found.
    pub time_zone: String,
    /// When it happened.
    pub occurred_at: Timestamp,
    /// How much it counts for, an exact decimal.
    pub amount: String,
    /// The steps of a sequence that it matches, a bit each.
    pub steps: i32,
    /// What it does.
    pub role: Role,
    /// The order that it is, as a cause of points that a refund can take back; none: the event itself is the cause.
    pub cause: Option<Vec<u8>>,
    /// The units that it brings for points per unit, an exact decimal; none: it brings none.
    pub units: Option<String>,
    /// By how much its points are multiplied: an exact decimal for each of the points that its version gives, in their order,
    /// with spaces between; none: it gives none by itself.
    pub factor: Option<String>,
}

/// Which contribution: that of one event with one incentive.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key {
    /// The employer.
    pub employer_id: EmployerId,
    /// Whom the event is about.
    pub member_id: MemberId,
    /// With which incentive.
    pub incentive_id: IncentiveId,
    /// Where the event came from.
    pub source: String,
    /// The sender's own id.
    pub event_id: String,
}

impl Contribution {
    /// Which one it is.
    pub fn key(&self) -> Key {
        Key {
            employer_id: self.employer_id,
            member_id: self.member_id,
            incentive_id: self.incentive_id,
            source: self.source.clone(),
            event_id: self.event_id.clone(),
        }
    }
}

/// No event happened before it.
const FIRST_DAY: NaiveDate = match NaiveDate::from_ymd_opt(1, 1, 1) {
    Some(day) => day,
    None => NaiveDate::MIN,
};

const COLUMNS: &str = "employer_id, member_id, incentive_id, source, event_id, version, day, time_zone, occurred_at, amount, steps, role, cause, units, factor";

/// Writes contributions, each of another key; one that is there already, because its event is evaluated once more, is replaced.
pub async fn put(connection: &impl ConnectionTrait, contributions: &[Contribution]) -> Result<(), DbErr> {
    let rows = Rows::new()
        .id("employer_id", contributions.iter().map(|row| row.employer_id))
        .id("member_id", contributions.iter().map(|row| row.member_id))
        .id("incentive_id", contributions.iter().map(|row| row.incentive_id))
        .text("source", contributions.iter().map(|row| row.source.as_str()))
        .text("event_id", contributions.iter().map(|row| row.event_id.as_str()))
        .int("version", contributions.iter().map(|row| i64::from(row.version)))
        .date("day", contributions.iter().map(|row| row.day))
        .text(
            "time_zone",
            contributions.iter().map(|row| row.time_zone.as_str()),
        )
        .int("occurred_at", contributions.iter().map(|row| row.occurred_at.0))
        .text("amount", contributions.iter().map(|row| row.amount.as_str()))
        .int("steps", contributions.iter().map(|row| i64::from(row.steps)))
        .text("role", contributions.iter().map(|row| row.role.as_str()))
        .bytes_or_null("cause", contributions.iter().map(|row| row.cause.clone()))
        .text_or_null("units", contributions.iter().map(|row| row.units.clone()))
        .text_or_null("factor", contributions.iter().map(|row| row.factor.clone()));
    Sql::on(connection, "INSERT INTO contribution (")
        .push(COLUMNS)
        .push(") SELECT ")
        .push(COLUMNS)
        .push(" FROM ")
        .rows(rows)
        .push(
            " AS fresh WHERE true ON CONFLICT (employer_id, member_id, incentive_id, day, source, event_id) DO UPDATE SET
             version = excluded.version, time_zone = excluded.time_zone, occurred_at = excluded.occurred_at,
             amount = excluded.amount, steps = excluded.steps, role = excluded.role,
             cause = excluded.cause, units = excluded.units, factor = excluded.factor",
        )
        .execute(connection)
        .await
        .map(|_| ())
}

/// All that has counted in these cases (employer, member, incentive), by day, instant, source and id; one statement however many.
pub async fn list_of_cases(
    connection: &impl ConnectionTrait,
    wanted: &[(EmployerId, MemberId, IncentiveId)],
) -> Result<Vec<Contribution>, DbErr> {
    let since: Vec<_> = wanted.iter().map(|case| (*case, NaiveDate::MIN)).collect();
    list_since(connection, &since).await
}

/// As [`list_of_cases`], of each case only what counted on a day or later.
pub async fn list_since(
    connection: &impl ConnectionTrait,
    wanted: &[((EmployerId, MemberId, IncentiveId), NaiveDate)],
) -> Result<Vec<Contribution>, DbErr> {
    let rows = Rows::new()
        .id(
            "employer_id",
            wanted.iter().map(|((employer, _, _), _)| *employer),
        )
        .id("member_id", wanted.iter().map(|((_, member, _), _)| *member))
        .id(
            "incentive_id",
            wanted.iter().map(|((_, _, incentive), _)| *incentive),
        )
        // The databases have no use for a date before the common era.
        .date("since", wanted.iter().map(|(_, since)| *since.max(&FIRST_DAY)));
    let found = Sql::on(connection, "SELECT contribution.* FROM ")
        .rows(rows)
        .push(
            " AS wanted JOIN contribution ON contribution.employer_id = wanted.employer_id
             AND contribution.member_id = wanted.member_id AND contribution.incentive_id = wanted.incentive_id
             AND contribution.day >= wanted.since",
        )
        .all(connection)
        .await?;
    Ok(in_order(found))
}

/// What these events (employer, member, source, id) have counted for, by day, instant, source and id; one statement however many.
pub async fn list_of_events(
    connection: &impl ConnectionTrait,
    wanted: &[(EmployerId, MemberId, String, String)],
) -> Result<Vec<Contribution>, DbErr> {
    let rows = Rows::new()
        .id("employer_id", wanted.iter().map(|(employer, _, _, _)| *employer))
        .id("member_id", wanted.iter().map(|(_, member, _, _)| *member))
        .text("source", wanted.iter().map(|(_, _, source, _)| source.as_str()))
        .text("event_id", wanted.iter().map(|(_, _, _, id)| id.as_str()));
    let found = Sql::on(connection, "SELECT contribution.* FROM ")
        .rows(rows)
        .push(
            " AS wanted JOIN contribution ON contribution.employer_id = wanted.employer_id
             AND contribution.member_id = wanted.member_id AND contribution.source = wanted.source
             AND contribution.event_id = wanted.event_id",
        )
        .all(connection)
        .await?;
    Ok(in_order(found))
}

/// What still counts for these causes, in no order; one statement however many.
pub async fn list_of_causes(
    connection: &impl ConnectionTrait,
    wanted: &[CauseKey],
) -> Result<Vec<Contribution>, DbErr> {
    let rows = Rows::new()
        .id("employer_id", wanted.iter().map(|key| key.employer_id))
        .id("member_id", wanted.iter().map(|key| key.member_id))
        .id("incentive_id", wanted.iter().map(|key| key.incentive_id))
        .bytes("cause", wanted.iter().map(|key| key.cause.clone()));
    Sql::on(connection, "SELECT contribution.* FROM ")
        .rows(rows)
        .push(
            " AS wanted JOIN contribution ON contribution.employer_id = wanted.employer_id
             AND contribution.member_id = wanted.member_id AND contribution.incentive_id = wanted.incentive_id
             AND contribution.cause = wanted.cause AND contribution.role = 'COUNTS'",
        )
        .all(connection)
        .await
}

/// The databases sort text each in its own way; the order is part of what is judged, so it is ours.
fn in_order(mut contributions: Vec<Contribution>) -> Vec<Contribution> {
    contributions.sort_by(|a, b| {
        (a.day, a.occurred_at, &a.source, &a.event_id, a.incentive_id).cmp(&(
            b.day,
            b.occurred_at,
            &b.source,
            &b.event_id,
            b.incentive_id,
        ))
    });
    contributions
}

/// Gives contributions another role; one statement however many.
pub async fn set_role(connection: &impl ConnectionTrait, wanted: &[Key], role: Role) -> Result<(), DbErr> {
    Sql::on(connection, "UPDATE contribution SET role = ")
        .bind(role.as_str())
        .push(" FROM ")
        .rows(keys(wanted))
        .push(
            " AS wanted WHERE contribution.employer_id = wanted.employer_id AND contribution.member_id = wanted.member_id
             AND contribution.incentive_id = wanted.incentive_id AND contribution.source = wanted.source
             AND contribution.event_id = wanted.event_id",
        )
        .execute(connection)
        .await
        .map(|_| ())
}

/// Deletes contributions; one statement however many.
pub async fn delete(connection: &impl ConnectionTrait, wanted: &[Key]) -> Result<(), DbErr> {
    Sql::on(
        connection,
        "DELETE FROM contribution WHERE (employer_id, member_id, incentive_id, source, event_id) IN
         (SELECT employer_id, member_id, incentive_id, source, event_id FROM ",
    )
    .rows(keys(wanted))
    .push(" AS wanted)")
    .execute(connection)
    .await
    .map(|_| ())
}

/// Forgets at most `limit` of the employer's contributions of days before `day`; says how many.
pub async fn purge(
    connection: &impl ConnectionTrait,
    employer: EmployerId,
    day: NaiveDate,
    limit: u64,
) -> Result<u64, DbErr> {
    Sql::on(
        connection,
        // Versions begin at 1: that is said for the sake of the index, which is there for this statement alone.
        "DELETE FROM contribution WHERE (employer_id, member_id, incentive_id, day, source, event_id) IN
         (SELECT employer_id, member_id, incentive_id, day, source, event_id FROM contribution
          WHERE version > 0 AND employer_id = ",
    )
    .bind(employer)
    .push(" AND day < ")
    .bind(day)
    .push(" LIMIT ")
    .bind(i64::try_from(limit).unwrap_or(i64::MAX))
    .push(")")
    .execute(connection)
    .await
}

/// Forgets all that the member's events have counted for.
pub async fn forget_member(
    connection: &impl ConnectionTrait,
    employer: EmployerId,
    member: MemberId,
) -> Result<u64, DbErr> {
    sql::delete_of_member(connection, "contribution", (employer, member)).await
}

fn keys(wanted: &[Key]) -> Rows {
    Rows::new()
        .id("employer_id", wanted.iter().map(|key| key.employer_id))
        .id("member_id", wanted.iter().map(|key| key.member_id))
        .id("incentive_id", wanted.iter().map(|key| key.incentive_id))
        .text("source", wanted.iter().map(|key| key.source.as_str()))
        .text("event_id", wanted.iter().map(|key| key.event_id.as_str()))
}
