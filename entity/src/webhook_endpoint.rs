//! Webhook endpoints: where partners are called.
//!
//! An endpoint remembers how its calls go: how many in a row have failed and since when, until when it is left alone, and whether it is
//! parked, which means that it is not called until the partner resumes it. Whoever changes that, or takes deliveries of it, holds its lock.

use sea_orm::entity::prelude::*;
use sea_orm::{FromQueryResult, IntoActiveModel, Iterable, QueryOrder};

use crate::clock::Timestamp;
use crate::db::sql::{Rows, Sql};
use crate::delivery;
use crate::feed::FeedEntryKind;
use crate::id::{PartnerId, WebhookEndpointId};
use crate::secret::SecretBytes;
use crate::text_enum;

text_enum! {
    /// Why an endpoint is parked.
    ParkedBecause {
        /// Every try of a delivery has failed, or every call for days.
        Exhausted = "EXHAUSTED",
        /// It has answered that it is gone for good.
        Gone = "GONE",
    }
}

/// An endpoint.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "webhook_endpoint")]
pub struct Model {
    /// Whose it is.
    #[sea_orm(primary_key, auto_increment = false)]
    pub partner_id: PartnerId,
    /// The endpoint itself.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: WebhookEndpointId,
    /// Where it is.
    pub url: String,
    /// What it is for, for people.
    pub description: Option<String>,
    /// The kinds of entries it is told of, as [`write_kinds`] writes them; none: all.
    pub kinds: Option<String>,
    /// The secret that signs what it is sent.
    pub secret: SecretBytes,
    /// The secret before the last rotation.
    pub previous_secret: Option<SecretBytes>,
    /// Until when that one signs too.
    pub previous_secret_until: Option<Timestamp>,
    /// When it was created.
    pub created_at: Timestamp,
    /// How many calls in a row have failed.
    pub failures: i64,
    /// Since when.
    pub failing_since: Option<Timestamp>,
    /// It is not called before then.
    pub closed_until: Option<Timestamp>,
    /// Since when it is not called at all.
    pub parked_at: Option<Timestamp>,
    /// Why not.
    pub parked_because: Option<ParkedBecause>,
    /// When it was deleted.
    pub deleted_at: Option<Timestamp>,
}

impl ActiveModelBehavior for ActiveModel {}

/// The stored form of a list of kinds.
pub fn write_kinds(kinds: &[FeedEntryKind]) -> String {
    let mut text = " ".to_owned();
    for kind in kinds {
        text.push_str(kind.as_str());
        text.push(' ');
    }
    text
}

/// The kinds behind the stored form.
pub fn read_kinds(text: &str) -> Vec<FeedEntryKind> {
    let named = |word: &str| FeedEntryKind::iter().find(|kind| kind.as_str() == word);
    text.split_whitespace().filter_map(named).collect()
}

/// Writes a new endpoint. Its transaction must hold the lock of the partner's feed ([`crate::feed::lock`]), so that the endpoint is told of
/// every entry from an exact position on.
pub async fn insert(connection: &impl ConnectionTrait, endpoint: Model) -> Result<(), DbErr> {
    Entity::insert(endpoint.into_active_model())
        .exec_without_returning(connection)
        .await
        .map(|_| ())
}

/// The partner's endpoint of this id.
pub async fn find(
    connection: &impl ConnectionTrait,
    partner: PartnerId,
    id: WebhookEndpointId,
) -> Result<Option<Model>, DbErr> {
    Entity::find_by_id((partner, id))
        .filter(Column::DeletedAt.is_null())
        .one(connection)
        .await
}

/// The partner's endpoints, oldest first.
pub async fn list(connection: &impl ConnectionTrait, partner: PartnerId) -> Result<Vec<Model>, DbErr> {
    Entity::find()
        .filter(Column::PartnerId.eq(partner))
        .filter(Column::DeletedAt.is_null())
        .order_by_asc(Column::Id)
        .all(connection)
        .await
}

/// How all endpoints of the installation stand.
#[derive(Debug, Clone, Copy, FromQueryResult)]
pub struct Standing {
    /// How many are parked.
    pub parked: i64,
    /// Since when what has waited longest at the others is due; none: nothing is promised.
    pub oldest_due: Option<Timestamp>,
}

/// How all endpoints of the installation stand, for whoever operates it: nothing of a partner is in it.
pub async fn standing(connection: &impl ConnectionTrait) -> Result<Standing, DbErr> {
    let statement = Sql::on(
        connection,
        "SELECT count(endpoint.parked_at) AS parked, min(CASE WHEN endpoint.parked_at IS NULL THEN ",
    );
    let standing: Option<Standing> = first_due(statement)
        .push(" END) AS oldest_due FROM webhook_endpoint AS endpoint WHERE endpoint.deleted_at IS NULL")
        .one(connection)
        .await?;
    standing.ok_or_else(|| DbErr::RecordNotFound("a count has no row".to_owned()))
}

/// What may be waiting for others who are at it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Busy {
    /// Wait for them.
    Wait,
    /// Leave out what they are at.
    Skip,
}

/// Takes the locks of these endpoints, in one order by all, and reads them; those that are deleted are left out.
pub async fn lock(
    connection: &impl ConnectionTrait,
    wanted: &[(PartnerId, WebhookEndpointId)],
    busy: Busy,
) -> Result<Vec<Model>, DbErr> {
    let rows = Rows::new()
        .id("partner_id", wanted.iter().map(|(partner, _)| *partner))
        .id("id", wanted.iter().map(|(_, id)| *id));
    let statement = Sql::on(connection, "SELECT found.* FROM ")
        .rows(rows)
        .push(
            " AS wanted CROSS JOIN webhook_endpoint AS found WHERE found.partner_id = wanted.partner_id AND found.id = wanted.id
             AND found.deleted_at IS NULL ORDER BY found.partner_id, found.id",
        )
        // SQLite has one writer at a time anyway.
        .either("", " FOR NO KEY UPDATE OF found");
    let statement = match busy {
        Busy::Wait => statement,
        Busy::Skip => statement.either("", " SKIP LOCKED"),
    };
    statement.all(connection).await
}

/// What the partner may change of an endpoint.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Where it is.
    pub url: String,
    /// What it is for, for people.
    pub description: Option<String>,
    /// The kinds of entries it is told of, as stored.
    pub kinds: Option<String>,
}

/// Changes an endpoint; what was promised stays promised.
pub async fn update(
    connection: &impl ConnectionTrait,
    (partner, id): (PartnerId, WebhookEndpointId),
    settings: Settings,
) -> Result<(), DbErr> {
    let statement = Sql::on(connection, "UPDATE webhook_endpoint SET url = ")
        .bind(settings.url)
        .push(", description = ")
        .bind(settings.description)
        .push(", kinds = ")
        .bind(settings.kinds);
    of(statement, partner, id).execute(connection).await.map(|_| ())
}

/// Gives an endpoint a new secret; the one before signs too until then.
pub async fn rotate_secret(
    connection: &impl ConnectionTrait,
    (partner, id): (PartnerId, WebhookEndpointId),
    secret: SecretBytes,
    previous_until: Timestamp,
) -> Result<(), DbErr> {
    let statement = Sql::on(
        connection,
        "UPDATE webhook_endpoint SET previous_secret = secret, previous_secret_until = ",
    )
    .bind(previous_until)
    .push(", secret = ")
    .bind(secret);
    of(statement, partner, id).execute(connection).await.map(|_| ())
}

/// Deletes an endpoint: it is called no more, and told of nothing further.
pub async fn delete(
    connection: &impl ConnectionTrait,
    (partner, id): (PartnerId, WebhookEndpointId),
    at: Timestamp,
) -> Result<(), DbErr> {
    let statement = Sql::on(connection, "UPDATE webhook_endpoint SET deleted_at = ").bind(at);
    of(statement, partner, id).execute(connection).await.map(|_| ())
}

/// The end of a statement that changes one endpoint.
fn of(statement: Sql, partner: PartnerId, id: WebhookEndpointId) -> Sql {
    statement
        .push(" WHERE partner_id = ")
        .bind(partner)
        .push(" AND id = ")
        .bind(id)
        .push(" AND deleted_at IS NULL")
}

/// Writes how the calls of these endpoints go; one statement however many. Whoever does so holds their locks.
pub async fn put_standing(connection: &impl ConnectionTrait, endpoints: &[Model]) -> Result<(), DbErr> {
    let micros = |at: Option<Timestamp>| at.map(|at| at.0);
    let rows = Rows::new()
        .id("partner_id", endpoints.iter().map(|row| row.partner_id))
        .id("id", endpoints.iter().map(|row| row.id))
        .int("failures", endpoints.iter().map(|row| row.failures))
        .int_or_null(
            "failing_since",
            endpoints.iter().map(|row| micros(row.failing_since)),
        )
        .int_or_null(
            "closed_until",
            endpoints.iter().map(|row| micros(row.closed_until)),
        )
        .int_or_null("parked_at", endpoints.iter().map(|row| micros(row.parked_at)))
        .text_or_null(
            "parked_because",
            endpoints
                .iter()
                .map(|row| row.parked_because.map(|why| why.as_str().to_owned())),
        );
    Sql::on(
        connection,
        "UPDATE webhook_endpoint SET failures = fresh.failures, failing_since = fresh.failing_since, closed_until = fresh.closed_until,
         parked_at = fresh.parked_at, parked_because = fresh.parked_because FROM ",
    )
    .rows(rows)
    .push(" AS fresh WHERE webhook_endpoint.partner_id = fresh.partner_id AND webhook_endpoint.id = fresh.id")
    .execute(connection)
    .await
    .map(|_| ())
}

/// An endpoint that has something to be delivered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, FromQueryResult)]
pub struct Waiting {
    /// Whose it is.
    pub partner_id: PartnerId,
    /// The endpoint.
    pub id: WebhookEndpointId,
    /// It is not called before then.
    pub closed_until: Option<Timestamp>,
    /// How many calls in a row have failed.
    pub failures: i64,
    /// When the first of its deliveries is due.
    pub due_at: Timestamp,
    /// How many of its deliveries somebody is at.
    pub under_way: i64,
}

/// When the first of an endpoint's deliveries is due: looked up in the index of what is due.
fn first_due(statement: Sql) -> Sql {
    statement
        .push(
            "(SELECT min(delivery.due_at) FROM delivery WHERE delivery.partner_id = endpoint.partner_id
              AND delivery.endpoint_id = endpoint.id",
        )
        .push(delivery::PENDING)
        .push(")")
}

/// The endpoints that have something to be delivered, in no order.
pub async fn list_waiting(connection: &impl ConnectionTrait, now: Timestamp) -> Result<Vec<Waiting>, DbErr> {
    let statement = Sql::on(
        connection,
        "SELECT * FROM (SELECT endpoint.partner_id, endpoint.id, endpoint.closed_until, endpoint.failures, ",
    );
    first_due(statement)
        .push(
            " AS due_at, (SELECT count(*) FROM delivery WHERE delivery.partner_id = endpoint.partner_id
              AND delivery.endpoint_id = endpoint.id AND delivery.lease IS NOT NULL AND delivery.due_at > ",
        )
        .bind(now)
        .push(
            ") AS under_way FROM webhook_endpoint AS endpoint WHERE endpoint.parked_at IS NULL AND endpoint.deleted_at IS NULL)
             AS looked_up WHERE due_at IS NOT NULL",
        )
        .all(connection)
        .await
}

/// Deletes the rows of deleted endpoints of which nothing is left.
pub async fn purge(connection: &impl ConnectionTrait) -> Result<u64, DbErr> {
    Sql::on(
        connection,
        "DELETE FROM webhook_endpoint WHERE deleted_at IS NOT NULL AND NOT EXISTS (SELECT 1 FROM delivery
         WHERE delivery.partner_id = webhook_endpoint.partner_id AND delivery.endpoint_id = webhook_endpoint.id)",
    )
    .execute(connection)
    .await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_read_back_as_they_were_written() {
        let kinds = [
            FeedEntryKind::AchievementRevoked,
            FeedEntryKind::RedemptionRequested,
        ];
        let text = write_kinds(&kinds);
        assert_eq!(text, " ACHIEVEMENT_REVOKED REDEMPTION_REQUESTED ");
        assert_eq!(read_kinds(&text), kinds);
        assert_eq!(read_kinds(&write_kinds(&[])), []);
    }
}
