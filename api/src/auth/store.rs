//! Between the tables and the values of this folder: the keys, the revoked clients, and the row of a client.

use chrono::{DateTime, Utc};
use entity::clock::Timestamp;
use entity::db::Db;
use entity::secret::SecretBytes;
use entity::{client, signing_key};
use sea_orm::{ConnectionTrait, DbErr};

use super::client_secret::SecretDigest;
use super::keys::{Key, KeyError, KeyRing, PUBLISHED_AHEAD};
use super::oauth::ClientRecord;
use super::scope::ScopeSet;
use super::token::{CLOCK_SKEW, LONGEST_LIFE};
use super::verifier::Verifier;
use super::viewer::Party;

/// What is stored cannot be read, or not as what it should be.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The database.
    #[error("the database failed on keys or clients")]
    Db(#[from] DbErr),
    /// A key, or the making of one.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The row of a client names scopes, secrets or tenants that cannot be.
    #[error("the row of a client is damaged")]
    Client,
}

/// The stored keys, with a first one made if there is none. Every process calls it when it starts, after the migrations.
pub async fn open_ring(db: &Db, now: DateTime<Utc>) -> Result<KeyRing, StoreError> {
    let transaction = db.write_txn().await?;
    signing_key::take_turn(&transaction).await?;
    let mut ring = load_ring(&*transaction).await?;
    if ring.signer(now).is_none() {
        let first = KeyRing::first_key(now)?;
        signing_key::insert(&*transaction, row(&first)).await?;
        ring = load_ring(&*transaction).await?;
    }
    transaction.commit().await?;
    Ok(ring)
}

/// Publishes the next key if it is time for one, and forgets the keys that verify nothing any more. For a nightly duty; says
/// whether a key was published.
pub async fn rotate_if_due(db: &Db, now: DateTime<Utc>) -> Result<bool, StoreError> {
    let transaction = db.write_txn().await?;
    signing_key::take_turn(&transaction).await?;
    let due = load_ring(&*transaction).await?.is_rotation_due(now);
    if due {
        publish_next(&*transaction, now).await?;
    }
    signing_key::purge(&*transaction, now.into()).await?;
    transaction.commit().await?;
    Ok(due)
}

/// Publishes the next key now, for an operator who does not want to wait for the nightly duty.
pub async fn rotate(db: &Db, now: DateTime<Utc>) -> Result<(), StoreError> {
    let transaction = db.write_txn().await?;
    signing_key::take_turn(&transaction).await?;
    publish_next(&*transaction, now).await?;
    transaction.commit().await?;
    Ok(())
}

async fn publish_next(connection: &impl ConnectionTrait, now: DateTime<Utc>) -> Result<(), StoreError> {
    let signs_from = now
        .checked_add_signed(PUBLISHED_AHEAD)
        .ok_or(KeyError::OutOfRange)?;
    let rotation = load_ring(connection)
        .await?
        .rotate(Key::generate(now, signs_from)?, now)?;
    for kid in &rotation.replaced {
        signing_key::retire(connection, kid, rotation.verifies_until.into()).await?;
    }
    signing_key::insert(connection, row(&rotation.publish)).await?;
    Ok(())
}

/// Tells the verifier what has changed in the tables. A process calls it every second or two; until then it takes the tokens of
/// a client that was just revoked. Where the database is away the verifier goes on with what it knows.
pub async fn refresh(db: &Db, verifier: &Verifier, now: DateTime<Utc>) -> Result<(), StoreError> {
    let ring = load_ring(db.read()).await?;
    if *verifier.ring() != ring {
        verifier.set_keys(ring);
    }
    // Who was revoked longer ago has no token left.
    let since = now
        .checked_sub_signed(LONGEST_LIFE)
        .and_then(|since| since.checked_sub_signed(CLOCK_SKEW))
        .unwrap_or(DateTime::UNIX_EPOCH);
    let revoked = client::list_revoked(db.read(), since.into()).await?;
    verifier.set_revoked(revoked.into_iter().map(|id| id.to_string()).collect());
    Ok(())
}

async fn load_ring(connection: &impl ConnectionTrait) -> Result<KeyRing, StoreError> {
    let rows = signing_key::list(connection).await?;
    Ok(KeyRing::new(rows.iter().map(key).collect::<Result<Vec<_>, _>>()?))
}

fn key(row: &signing_key::Model) -> Result<Key, KeyError> {
    let verifies_until = row.verifies_until.map(Timestamp::instant);
    let pkcs8 = row.private_key.expose();
    let key = Key::from_pkcs8(
        pkcs8,
        row.created_at.instant(),
        row.signs_from.instant(),
        verifies_until,
    )?;
    if key.kid() == row.kid {
        Ok(key)
    } else {
        Err(KeyError::Rejected)
    }
}

fn row(key: &Key) -> signing_key::Model {
    signing_key::Model {
        kid: key.kid().to_owned(),
        private_key: SecretBytes::new(key.private_pkcs8()),
        created_at: key.created_at().into(),
        signs_from: key.signs_from().into(),
        verifies_until: key.verifies_until().map(Timestamp::from),
    }
}

/// What the token endpoint knows of the client in this row at `now`.
pub fn client_record(row: &client::Model, now: DateTime<Utc>) -> Result<ClientRecord, StoreError> {
    let party = match (row.employer_id, row.partner_id) {
        (None, None) => Party::Operator,
        (Some(employer), None) => Party::Employer(employer),
        (None, Some(partner)) => Party::Partner(partner),
        (Some(_), Some(_)) => return Err(StoreError::Client),
    };
    let previous = row.previous_secret_digest.as_ref().filter(|_| {
        row.previous_secret_until
            .is_some_and(|until| now < until.instant())
    });
    let secrets = std::iter::once(&row.secret_digest)
        .chain(previous)
        .map(|stored| SecretDigest::from_stored(stored.expose()).ok_or(StoreError::Client))
        .collect::<Result<Vec<_>, _>>()?;
    Ok(ClientRecord {
        client_id: row.id.to_string(),
        party,
        scopes: ScopeSet::parse_known(&row.scopes).map_err(|_| StoreError::Client)?,
        secrets,
        revoked: row.revoked_at.is_some(),
    })
}
