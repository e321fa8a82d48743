//! The keys that sign access tokens.

use sea_orm::entity::prelude::*;
use sea_orm::{IntoActiveModel, QueryOrder};

use crate::clock::Timestamp;
use crate::db::sql::Sql;
use crate::db::{Kind, WriteTxn};
use crate::secret::SecretBytes;

/// A signing key.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "signing_key")]
pub struct Model {
    /// RFC 7638 thumbprint of the public key.
    #[sea_orm(primary_key, auto_increment = false)]
    pub kid: String,
    /// PKCS #8, DER.
    pub private_key: SecretBytes,
    /// Published from then on.
    pub created_at: Timestamp,
    /// Signs from then on.
    pub signs_from: Timestamp,
    /// Its tokens are taken until then; none: until it is replaced.
    pub verifies_until: Option<Timestamp>,
}

impl ActiveModelBehavior for ActiveModel {}

/// All keys, oldest first.
pub async fn list(connection: &impl ConnectionTrait) -> Result<Vec<Model>, DbErr> {
    Entity::find()
        .order_by_asc(Column::CreatedAt)
        .order_by_asc(Column::Kid)
        .all(connection)
        .await
}

/// Writes a new key.
pub async fn insert(connection: &impl ConnectionTrait, key: Model) -> Result<(), DbErr> {
    Entity::insert(key.into_active_model())
        .exec_without_returning(connection)
        .await
        .map(|_| ())
}

/// Says until when the tokens of a key are taken.
pub async fn retire(
    connection: &impl ConnectionTrait,
    kid: &str,
    verifies_until: Timestamp,
) -> Result<(), DbErr> {
    Sql::on(connection, "UPDATE signing_key SET verifies_until = ")
        .bind(verifies_until)
        .push(" WHERE kid = ")
        .bind(kid)
        .push(" AND verifies_until IS NULL")
        .execute(connection)
        .await
        .map(|_| ())
}

/// Forgets keys whose last token has expired.
pub async fn purge(connection: &impl ConnectionTrait, now: Timestamp) -> Result<u64, DbErr> {
    Sql::on(connection, "DELETE FROM signing_key WHERE verifies_until < ")
        .bind(now)
        .execute(connection)
        .await
}

/// Waits for the turn to change the keys: until this transaction ends no other one that waits for its turn sees or changes
/// them, so that of two processes that start together one makes the first key and the other one finds it.
pub async fn take_turn(transaction: &WriteTxn) -> Result<(), DbErr> {
    // On SQLite a writing transaction has its turn already.
    if Kind::of(&**transaction) == Kind::Postgres {
        transaction
            .execute_unprepared("LOCK TABLE signing_key IN SHARE ROW EXCLUSIVE MODE")
            .await?;
    }
    Ok(())
}
