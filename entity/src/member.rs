//! The members of one employer.

use chrono::NaiveDate;
use sea_orm::entity::prelude::*;
use sea_orm::{FromQueryResult, QueryFilter};

use crate::clock::Timestamp;
use crate::db::Kind;
use crate::db::sql::{self, Rows, Sql};
use crate::id::{EmployerId, MemberId};
use crate::ledger::adjustment;
use crate::page::{self, Page, Slice};
use crate::{
    achievement, audit, campaign_mark, consent, contribution, dead_event, earning, event, feed, idempotency,
    kept_event, message, progress, receipt, retraction,
};

/// A member.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "member")]
pub struct Model {
    /// The employer.
    #[sea_orm(primary_key, auto_increment = false)]
    pub employer_id: EmployerId,
    /// The member itself; never shown to a partner.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: MemberId,
    /// The employer's own name for the member, unique within it.
    pub external_id: String,
    /// IANA zone; none: the employer's.
    pub time_zone: Option<String>,
    /// BCP 47 language tag.
    pub locale: Option<String>,
    /// E-mail address.
    pub email: Option<String>,
    /// Events before this local date are refused.
    pub eligible_from: Option<NaiveDate>,
    /// Events after this local date are refused.
    pub eligible_until: Option<NaiveDate>,
    /// What conditions may ask of the member: a JSON object.
    pub attributes: Json,
    /// When it was registered.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
    /// When it was erased; then nothing here tells who it was.
    pub erased_at: Option<Timestamp>,
    /// Since when it has registered; none: it is known from its events alone.
    pub engaged_at: Option<Timestamp>,
}

impl ActiveModelBehavior for ActiveModel {}

/// What the evaluator needs of a member.
#[derive(Debug, Clone, FromQueryResult)]
pub struct Subject {
    /// The employer.
    pub employer_id: EmployerId,
    /// The member.
    pub id: MemberId,
    /// What conditions may ask.
    pub attributes: Json,
    /// When it was erased.
    pub erased_at: Option<Timestamp>,
}

/// The employer's member of this id.
pub async fn find(
    connection: &impl ConnectionTrait,
    employer: EmployerId,
    id: MemberId,
) -> Result<Option<Model>, DbErr> {
    Entity::find_by_id((employer, id)).one(connection).await
}

/// The employer's member of this external id; never one that was erased, whatever its row is called.
pub async fn find_by_external_id(
    connection: &impl ConnectionTrait,
    employer: EmployerId,
    external_id: &str,
) -> Result<Option<Model>, DbErr> {
    // PostgreSQL cannot even be asked for a text with a zero character, and no row has one.
    if external_id.contains('\0') {
        return Ok(None);
    }
    Entity::find()
        .filter(Column::EmployerId.eq(employer))
        .filter(Column::ExternalId.eq(external_id))
        .filter(Column::ErasedAt.is_null())
        .one(connection)
        .await
}

/// A page of the employer's members, without those that were erased.
pub async fn list(
    connection: &impl ConnectionTrait,
    employer: EmployerId,
    page: Page<MemberId>,
) -> Result<Slice<Model>, DbErr> {
    page::read(
        connection,
        Entity::find()
            .filter(Column::EmployerId.eq(employer))
            .filter(Column::ErasedAt.is_null()),
        Column::Id,
        page,
    )
    .await
}

/// The members of these (employer, external id), in no order; one statement however many. Until the transaction ends none of them can
/// be erased, so that what is written about a member is written before its erasure or not at all.
pub async fn list_by_external_ids(
    connection: &impl ConnectionTrait,
    wanted: &[(EmployerId, String)],
) -> Result<Vec<Model>, DbErr> {
    let sql = by_external_ids(connection, wanted);
    let sql = match Kind::of(connection) {
        Kind::Sqlite => sql,
        // The lock that the foreign keys take anyway: of all that happens to a member only an erasure waits for it.
        Kind::Postgres => sql.push(" FOR KEY SHARE OF member"),
    };
    sql.all(connection).await
}

/// As [`list_by_external_ids`], for whoever only looks: nobody waits for it.
pub async fn peek_by_external_ids(
    connection: &impl ConnectionTrait,
    wanted: &[(EmployerId, String)],
) -> Result<Vec<Model>, DbErr> {
    by_external_ids(connection, wanted).all(connection).await
}

fn by_external_ids(connection: &impl ConnectionTrait, wanted: &[(EmployerId, String)]) -> Sql {
    let rows = Rows::new()
        .id("employer_id", wanted.iter().map(|(employer, _)| *employer))
        .text(
            "external_id",
            wanted.iter().map(|(_, external_id)| external_id.as_str()),
        );
    Sql::on(connection, "SELECT member.* FROM ").rows(rows).push(
        " AS wanted JOIN member ON member.employer_id = wanted.employer_id AND member.external_id = wanted.external_id
         WHERE member.erased_at IS NULL",
    )
}

/// The members of these ids, in no order; one statement however many.
pub async fn list_by_ids(
    connection: &impl ConnectionTrait,
    wanted: &[(EmployerId, MemberId)],
) -> Result<Vec<Model>, DbErr> {
    sql::list_by_ids(connection, "member", wanted).await
}

/// Locks these members for the rest of the transaction and reads what the evaluator needs of them. The lock is what serialises the
/// evaluation of one member: two workers may hold events of the same member, and the second waits here until the first has
/// committed. Locks are taken in the order of the ids, so two workers cannot wait for each other. SQLite has one writer anyway.
pub async fn lock(
    connection: &impl ConnectionTrait,
    wanted: &[(EmployerId, MemberId)],
) -> Result<Vec<Subject>, DbErr> {
    let sql = Sql::on(
        connection,
        "SELECT member.employer_id, member.id, member.attributes, member.erased_at FROM ",
    )
    .rows(keys(wanted))
    .push(" AS wanted JOIN member ON member.employer_id = wanted.employer_id AND member.id = wanted.id");
    let sql = match Kind::of(connection) {
        Kind::Sqlite => sql,
        Kind::Postgres => sql.push(" ORDER BY member.employer_id, member.id FOR NO KEY UPDATE OF member"),
    };
    sql.all(connection).await
}

/// Writes new members; where the employer already has one of that external id, nothing happens to that row.
pub async fn insert_missing(connection: &impl ConnectionTrait, members: &[Model]) -> Result<(), DbErr> {
    Sql::on(
        connection,
        "INSERT INTO member (employer_id, id, external_id, time_zone, locale, email, eligible_from, eligible_until, attributes, created_at, updated_at, engaged_at)
         SELECT employer_id, id, external_id, time_zone, locale, email, ",
    )
    .either("eligible_from, eligible_until, ", "eligible_from::date, eligible_until::date, ")
    .push("attributes, created_at, updated_at, engaged_at FROM ")
    .rows(columns(members))
    .push(" AS fresh WHERE true ON CONFLICT DO NOTHING")
    .execute(connection)
    .await
    .map(|_| ())
}

/// Notes that these members have registered, each since an instant; whoever had before keeps to that.
pub async fn engage(
    connection: &impl ConnectionTrait,
    engaged: &[(EmployerId, MemberId, Timestamp)],
) -> Result<(), DbErr> {
    let rows = Rows::new()
        .id("employer_id", engaged.iter().map(|(employer, ..)| *employer))
        .id("id", engaged.iter().map(|(_, member, _)| *member))
        .int("engaged_at", engaged.iter().map(|(.., at)| at.0));
    Sql::on(
        connection,
        "UPDATE member SET engaged_at = fresh.engaged_at FROM ",
    )
    .rows(rows)
    .push(
        " AS fresh WHERE member.employer_id = fresh.employer_id AND member.id = fresh.id
             AND member.engaged_at IS NULL AND member.erased_at IS NULL",
    )
    .execute(connection)
    .await
    .map(|_| ())
}

/// Writes what has changed of known members; their external ids stay.
pub async fn update(connection: &impl ConnectionTrait, members: &[Model]) -> Result<(), DbErr> {
    Sql::on(
        connection,
        "UPDATE member SET time_zone = fresh.time_zone, locale = fresh.locale, email = fresh.email, attributes = fresh.attributes,
         updated_at = fresh.updated_at, engaged_at = fresh.engaged_at, ",
    )
    .either(
        "eligible_from = fresh.eligible_from, eligible_until = fresh.eligible_until",
        "eligible_from = fresh.eligible_from::date, eligible_until = fresh.eligible_until::date",
    )
    .push(" FROM ")
    .rows(columns(members))
    .push(" AS fresh WHERE member.employer_id = fresh.employer_id AND member.id = fresh.id")
    .execute(connection)
    .await
    .map(|_| ())
}

/// Erases a member: takes from it whatever tells who it was, `marker` in the place of its external id, and forgets its events and all
/// that is known by them. What it has achieved stays for the counts, without the reasons. False when it was erased before.
pub async fn erase(
    connection: &impl ConnectionTrait,
    employer: EmployerId,
    member: MemberId,
    marker: &str,
    at: Timestamp,
) -> Result<bool, DbErr> {
    // A worker takes events and messages before it locks their members. Waiting for those it has taken without the lock, nobody waits
    // for us.
    event::forget_member(connection, employer, member).await?;
    message::forget_member(connection, employer, member, at).await?;
    // Then the lock under which the member's events are evaluated; what has come in between is forgotten below.
    let rows = Sql::on(connection, "UPDATE member SET external_id = ")
        .bind(marker)
        .push(", time_zone = NULL, locale = NULL, email = NULL, eligible_from = NULL, eligible_until = NULL, engaged_at = NULL, attributes = '{}',
            updated_at = ")
        .bind(at)
        .push(", erased_at = ")
        .bind(at)
        .push(" WHERE employer_id = ")
        .bind(employer)
        .push(" AND id = ")
        .bind(member)
        .push(" AND erased_at IS NULL")
        .execute(connection)
        .await?;
    if rows == 0 {
        return Ok(false);
    }
    consent::forget_member(connection, employer, member).await?;
    event::forget_member(connection, employer, member).await?;
    dead_event::forget_member(connection, employer, member).await?;
    kept_event::forget_member(connection, employer, member).await?;
    // Before the receipts and contributions, by which they are known to be this member's.
    retraction::forget_member(connection, employer, member).await?;
    contribution::forget_member(connection, employer, member).await?;
    earning::forget_member(connection, employer, member).await?;
    progress::forget_member(connection, employer, member).await?;
    receipt::forget_member(connection, employer, member).await?;
    achievement::forget_member(connection, employer, member).await?;
    message::forget_member(connection, employer, member, at).await?;
    campaign_mark::forget_member(connection, employer, member).await?;
    feed::forget_member(connection, employer, member).await?;
    adjustment::forget_member(connection, employer, member).await?;
    idempotency::forget_member(connection, employer, member).await?;
    audit::forget_member(connection, employer, member).await?;
    Ok(true)
}

fn keys(wanted: &[(EmployerId, MemberId)]) -> Rows {
    Rows::new()
        .id("employer_id", wanted.iter().map(|(employer, _)| *employer))
        .id("id", wanted.iter().map(|(_, member)| *member))
}

fn columns(members: &[Model]) -> Rows {
    let date = |date: &Option<NaiveDate>| date.map(|date| date.to_string());
    Rows::new()
        .id("employer_id", members.iter().map(|member| member.employer_id))
        .id("id", members.iter().map(|member| member.id))
        .text(
            "external_id",
            members.iter().map(|member| member.external_id.as_str()),
        )
        .text_or_null("time_zone", members.iter().map(|member| member.time_zone.clone()))
        .text_or_null("locale", members.iter().map(|member| member.locale.clone()))
        .text_or_null("email", members.iter().map(|member| member.email.clone()))
        .text_or_null(
            "eligible_from",
            members.iter().map(|member| date(&member.eligible_from)),
        )
        .text_or_null(
            "eligible_until",
            members.iter().map(|member| date(&member.eligible_until)),
        )
        .json(
            "attributes",
            members.iter().map(|member| member.attributes.to_string()),
        )
        .int("created_at", members.iter().map(|member| member.created_at.0))
        .int("updated_at", members.iter().map(|member| member.updated_at.0))
        .int_or_null(
            "engaged_at",
            members.iter().map(|member| member.engaged_at.map(|at| at.0)),
        )
}
