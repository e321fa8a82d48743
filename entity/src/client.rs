//! OAuth clients: of an employer, of a partner, or of the operator.

use sea_orm::entity::prelude::*;
use sea_orm::{IntoActiveModel, QuerySelect};

use crate::clock::Timestamp;
use crate::db::sql::Sql;
use crate::id::{ClientId, EmployerId, PartnerId};
use crate::page::{self, Page, Slice};
use crate::secret::SecretBytes;

/// An OAuth client.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "client")]
pub struct Model {
    /// The client itself: its text form is the `client_id`.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: ClientId,
    /// Its name for people.
    pub name: String,
    /// Whose it is, if an employer's.
    pub employer_id: Option<EmployerId>,
    /// Whose it is, if a partner's.
    pub partner_id: Option<PartnerId>,
    /// The scopes it may ask for, separated by spaces.
    pub scopes: String,
    /// SHA-256 of its secret.
    pub secret_digest: SecretBytes,
    /// SHA-256 of the secret before the last rotation.
    pub previous_secret_digest: Option<SecretBytes>,
    /// Until when that one is taken.
    pub previous_secret_until: Option<Timestamp>,
    /// When it was created.
    pub created_at: Timestamp,
    /// When it was revoked.
    pub revoked_at: Option<Timestamp>,
}

impl ActiveModelBehavior for ActiveModel {}

/// Writes a new client.
pub async fn insert(connection: &impl ConnectionTrait, client: Model) -> Result<(), DbErr> {
    Entity::insert(client.into_active_model())
        .exec_without_returning(connection)
        .await
        .map(|_| ())
}

/// The client of this id.
pub async fn find(connection: &impl ConnectionTrait, id: ClientId) -> Result<Option<Model>, DbErr> {
    Entity::find_by_id(id).one(connection).await
}

/// A page of all clients.
pub async fn list(connection: &impl ConnectionTrait, page: Page<ClientId>) -> Result<Slice<Model>, DbErr> {
    page::read(connection, Entity::find(), Column::Id, page).await
}

/// Gives a client a new secret; the one before is taken until `previous_until`. False when there is no such client or it is revoked.
pub async fn rotate_secret(
    connection: &impl ConnectionTrait,
    id: ClientId,
    digest: SecretBytes,
    previous_until: Timestamp,
) -> Result<bool, DbErr> {
    let rows = Sql::on(
        connection,
        "UPDATE client SET previous_secret_digest = secret_digest, previous_secret_until = ",
    )
    .bind(previous_until)
    .push(", secret_digest = ")
    .bind(digest)
    .push(" WHERE id = ")
    .bind(id)
    .push(" AND revoked_at IS NULL")
    .execute(connection)
    .await?;
    Ok(rows == 1)
}

/// Revokes a client for good; false when there is no such client. Revoking it twice changes nothing.
pub async fn revoke(connection: &impl ConnectionTrait, id: ClientId, at: Timestamp) -> Result<bool, DbErr> {
    let rows = Sql::on(connection, "UPDATE client SET revoked_at = COALESCE(revoked_at, ")
        .bind(at)
        .push(") WHERE id = ")
        .bind(id)
        .execute(connection)
        .await?;
    Ok(rows == 1)
}

/// The clients revoked after `since`, whose tokens may still be about.
pub async fn list_revoked(
    connection: &impl ConnectionTrait,
    since: Timestamp,
) -> Result<Vec<ClientId>, DbErr> {
    Entity::find()
        .select_only()
        .column(Column::Id)
        .filter(Column::RevokedAt.gt(since))
        .into_tuple()
        .all(connection)
        .await
}
