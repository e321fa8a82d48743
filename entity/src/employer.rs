//! Employers: the tenants.

use std::collections::HashMap;

use chrono::{DateTime, TimeDelta, Utc};
use sea_orm::entity::prelude::*;
use sea_orm::{FromQueryResult, QueryFilter};

use crate::campaign::CapPeriod;
use crate::clock::Timestamp;
use crate::db;
use crate::db::sql::{Rows, Sql};
use crate::id::{EmployerId, PartnerId};
use crate::page::{self, Page, Slice};
use crate::partner;
use crate::text_enum;

text_enum! {
    /// How members come to be known.
    Enrolment {
        /// Only registered members count.
        Roster = "ROSTER",
        /// An event enrols its member.
        Open = "OPEN",
    }
}

/// An employer.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "employer")]
pub struct Model {
    /// The employer itself.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: EmployerId,
    /// Its short name, unique among all employers.
    pub key: String,
    /// Its name for people.
    pub name: String,
    /// The IANA zone of whoever has no other.
    pub time_zone: String,
    /// How members come to be known.
    pub enrolment: Enrolment,
    /// Counts of people below this are not shown for sensitive incentives.
    pub minimum_group_size: i32,
    /// Whether members share with partners until they say otherwise.
    pub default_partner_sharing: bool,
    /// Whether members may be mailed until they say otherwise.
    pub default_email: bool,
    /// Goes up with every change of event types, programs or incentives.
    pub catalogue_version: i64,
    /// When it was created.
    pub created_at: Timestamp,
    /// Whether it is for trying out: then its clock can be put forward.
    pub sandbox: bool,
    /// By how much its clock is ahead, in microseconds.
    pub clock_offset_micros: i64,
    /// How many messages of all its campaigns a member gets at most in a period; none: any number.
    pub message_cap_at_most: Option<i64>,
    /// In which period.
    pub message_cap_per: Option<CapPeriod>,
    /// Since when there is a feed of its own, in which its backend is told what its members achieve; none: nobody has asked for it.
    pub activity_since: Option<Timestamp>,
}

impl ActiveModelBehavior for ActiveModel {}

impl Model {
    /// What the clock of this employer shows when the real one shows `clock_now`. All that is said of its facts goes by it.
    pub fn now(&self, clock_now: DateTime<Utc>) -> DateTime<Utc> {
        now(clock_now, self.clock_offset_micros)
    }

    /// The feed of its own; none: nobody has asked for it yet.
    pub fn activity_feed(&self) -> Option<PartnerId> {
        self.activity_since.map(|_| partner::own_feed(self.id))
    }
}

/// What a clock shows that is so many microseconds ahead of the real one.
pub fn now(clock_now: DateTime<Utc>, offset_micros: i64) -> DateTime<Utc> {
    clock_now
        .checked_add_signed(TimeDelta::microseconds(offset_micros))
        .unwrap_or(clock_now)
}

/// Writes a new employer; false when the key is taken.
pub async fn insert(connection: &impl ConnectionTrait, employer: Model) -> Result<bool, DbErr> {
    db::insert_new::<Entity>(connection, employer).await
}

/// The employer of this id.
pub async fn find(connection: &impl ConnectionTrait, id: EmployerId) -> Result<Option<Model>, DbErr> {
    Entity::find_by_id(id).one(connection).await
}

/// The employer of this key.
pub async fn find_by_key(connection: &impl ConnectionTrait, key: &str) -> Result<Option<Model>, DbErr> {
    // PostgreSQL cannot even be asked for a text with a zero character, and no row has one.
    if key.contains('\0') {
        return Ok(None);
    }
    Entity::find().filter(Column::Key.eq(key)).one(connection).await
}

/// A page of all employers.
pub async fn list(connection: &impl ConnectionTrait, page: Page<EmployerId>) -> Result<Slice<Model>, DbErr> {
    page::read(connection, Entity::find(), Column::Id, page).await
}

/// The employers of these ids, in no order; one statement however many.
pub async fn list_by_ids(
    connection: &impl ConnectionTrait,
    ids: Vec<EmployerId>,
) -> Result<Vec<Model>, DbErr> {
    Sql::on(connection, "SELECT employer.* FROM employer JOIN ")
        .rows(Rows::new().id("id", ids))
        .push(" AS wanted ON employer.id = wanted.id")
        .all(connection)
        .await
}

/// The catalogue versions of these employers, which stay as they are until the transaction ends.
pub async fn lock_catalogues(
    connection: &impl ConnectionTrait,
    ids: Vec<EmployerId>,
) -> Result<Vec<(EmployerId, i64)>, DbErr> {
    #[derive(FromQueryResult)]
    struct Row {
        id: EmployerId,
        catalogue_version: i64,
    }
    let rows: Vec<Row> = Sql::on(
        connection,
        "SELECT employer.id, employer.catalogue_version FROM employer JOIN ",
    )
    .rows(Rows::new().id("id", ids))
    .push(" AS wanted ON employer.id = wanted.id")
    .either("", " ORDER BY employer.id FOR SHARE OF employer")
    .all(connection)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| (row.id, row.catalogue_version))
        .collect())
}

/// Waits for everyone who is writing down what the employer's members have earned, and lets nobody else begin until the transaction
/// ends: what it decides holds for all that comes after its commit, and for nothing before. They hold [`lock_catalogues`] until theirs.
pub async fn stop_awards(connection: &impl ConnectionTrait, id: EmployerId) -> Result<(), DbErr> {
    Sql::on(connection, "SELECT id FROM employer WHERE id = ")
        .bind(id)
        .either("", " FOR NO KEY UPDATE")
        .execute(connection)
        .await
        .map(|_| ())
}

/// The feeds of their own of those of these employers that have one. None of them is opened until the transaction ends: whoever is told
/// that it is open can count on what is committed later being in it.
pub async fn activity_feeds(
    connection: &impl ConnectionTrait,
    ids: Vec<EmployerId>,
) -> Result<HashMap<EmployerId, PartnerId>, DbErr> {
    #[derive(FromQueryResult)]
    struct Row {
        id: EmployerId,
        activity_since: Option<Timestamp>,
    }
    // Not only those that have one are asked for: a row that is found wanting is not locked.
    let rows: Vec<Row> = Sql::on(
        connection,
        "SELECT employer.id, employer.activity_since FROM employer JOIN ",
    )
    .rows(Rows::new().id("id", ids))
    .push(" AS wanted ON employer.id = wanted.id")
    .either("", " ORDER BY employer.id FOR SHARE OF employer")
    .all(connection)
    .await?;
    let open = rows.into_iter().filter(|row| row.activity_since.is_some());
    Ok(open.map(|row| (row.id, partner::own_feed(row.id))).collect())
}

/// Says that from now on the employer has a feed of its own. The caller has stopped the awards ([`stop_awards`]); whoever keeps the
/// employer in memory is told as if its catalogue had changed.
pub async fn tell_activity(
    connection: &impl ConnectionTrait,
    id: EmployerId,
    at: Timestamp,
) -> Result<(), DbErr> {
    Sql::on(connection, "UPDATE employer SET activity_since = ")
        .bind(at)
        .push(", catalogue_version = catalogue_version + 1 WHERE id = ")
        .bind(id)
        .execute(connection)
        .await
        .map(|_| ())
}

/// Says that the employer's menu, programs or incentives have changed, to all who keep them in memory.
pub async fn touch_catalogue(connection: &impl ConnectionTrait, id: EmployerId) -> Result<(), DbErr> {
    Sql::on(
        connection,
        "UPDATE employer SET catalogue_version = catalogue_version + 1 WHERE id = ",
    )
    .bind(id)
    .execute(connection)
    .await
    .map(|_| ())
}

/// Says how many messages of all campaigns a member gets at most in a period; none: any number. Whoever keeps the employer in memory is told
/// as if its catalogue had changed.
pub async fn set_message_cap(
    connection: &impl ConnectionTrait,
    id: EmployerId,
    cap: Option<(i64, CapPeriod)>,
) -> Result<(), DbErr> {
    let (at_most, per) = cap.unzip();
    Sql::on(connection, "UPDATE employer SET message_cap_at_most = ")
        .bind(at_most)
        .push(", message_cap_per = ")
        .bind(per.map(|per| per.as_str().to_owned()))
        .push(", catalogue_version = catalogue_version + 1 WHERE id = ")
        .bind(id)
        .execute(connection)
        .await
        .map(|_| ())
}

/// Puts the clock of a sandbox forward; false when it is no sandbox, or its clock is as far ahead already. Whoever keeps the employer
/// in memory is told as if its catalogue had changed.
pub async fn set_clock_offset(
    connection: &impl ConnectionTrait,
    id: EmployerId,
    micros: i64,
) -> Result<bool, DbErr> {
    let rows = Sql::on(connection, "UPDATE employer SET clock_offset_micros = ")
        .bind(micros)
        .push(", catalogue_version = catalogue_version + 1 WHERE id = ")
        .bind(id)
        .push(" AND sandbox AND clock_offset_micros < ")
        .bind(micros)
        .execute(connection)
        .await?;
    Ok(rows == 1)
}
