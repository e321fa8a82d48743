//! Partners: who runs rewards, possibly for several employers.
//!
//! A feed is a partner's, with one exception: an employer can have one of its own, for its own backend ([`own_feed`]). That is a row
//! here too, so that everything that reads feeds reads this one; but no partner, so every finder of partners passes it over.

pub mod pairwise;

use aws_lc_rs::hmac;
use sea_orm::QueryFilter;
use sea_orm::entity::prelude::*;

use crate::clock::Timestamp;
use crate::db;
use crate::db::sql::{Rows, Sql};
use crate::employer;
use crate::id::{EmployerId, MemberId, PartnerId, TypedId};
use crate::page::{self, Page, Slice};
use crate::secret::SecretBytes;

/// A partner.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "partner")]
pub struct Model {
    /// The partner itself.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: PartnerId,
    /// Its short name, unique among all partners.
    pub key: String,
    /// Its name for people.
    pub name: String,
    /// The key of its pairwise ids; it never leaves the database.
    pub pairwise_key: SecretBytes,
    /// When it was created.
    pub created_at: Timestamp,
    /// Whose own feed it is; none: it is a partner.
    pub employer_id: Option<EmployerId>,
}

impl ActiveModelBehavior for ActiveModel {}

/// Writes a new partner with an empty feed; false when the key is taken.
pub async fn insert(connection: &impl ConnectionTrait, partner: Model) -> Result<bool, DbErr> {
    let id = partner.id;
    if !db::insert_new::<Entity>(connection, partner).await? {
        return Ok(false);
    }
    Sql::on(
        connection,
        "INSERT INTO feed_head (partner_id, position) VALUES (",
    )
    .bind(id)
    .push(", 0)")
    .execute(connection)
    .await?;
    Ok(true)
}

/// The feed of an employer's own: it is the only one under the employer's id, so who knows the employer knows where to look.
pub fn own_feed(employer: EmployerId) -> PartnerId {
    PartnerId::from_uuid(employer.uuid())
}

/// Opens the feed of an employer's own; false when it is open.
pub async fn insert_own_feed(
    connection: &impl ConnectionTrait,
    employer: &employer::Model,
    pairwise_key: SecretBytes,
    at: Timestamp,
) -> Result<bool, DbErr> {
    let feed = Model {
        id: own_feed(employer.id),
        // No partner can be called so.
        key: format!("@{}", employer.key),
        name: employer.name.clone(),
        pairwise_key,
        created_at: at,
        employer_id: Some(employer.id),
    };
    insert(connection, feed).await
}

/// The partners: all of this table but the feeds of employers.
fn partners() -> Select<Entity> {
    Entity::find().filter(Column::EmployerId.is_null())
}

/// The partner of this id.
pub async fn find(connection: &impl ConnectionTrait, id: PartnerId) -> Result<Option<Model>, DbErr> {
    partners().filter(Column::Id.eq(id)).one(connection).await
}

/// The partner of this key.
pub async fn find_by_key(connection: &impl ConnectionTrait, key: &str) -> Result<Option<Model>, DbErr> {
    // PostgreSQL cannot even be asked for a text with a zero character, and no row has one.
    if key.contains('\0') {
        return Ok(None);
    }
    partners().filter(Column::Key.eq(key)).one(connection).await
}

/// The partners of these keys, in no order; one statement however many.
pub async fn list_by_keys(connection: &impl ConnectionTrait, keys: Vec<String>) -> Result<Vec<Model>, DbErr> {
    Sql::on(connection, "SELECT partner.* FROM partner JOIN ")
        .rows(Rows::new().text("key", keys))
        .push(" AS wanted ON partner.key = wanted.key WHERE partner.employer_id IS NULL")
        .all(connection)
        .await
}

/// The partners of these ids, in no order; one statement however many.
pub async fn list_by_ids(
    connection: &impl ConnectionTrait,
    ids: Vec<PartnerId>,
) -> Result<Vec<Model>, DbErr> {
    Sql::on(connection, "SELECT partner.* FROM partner JOIN ")
        .rows(Rows::new().id("id", ids))
        .push(" AS wanted ON partner.id = wanted.id WHERE partner.employer_id IS NULL")
        .all(connection)
        .await
}

/// A page of all partners.
pub async fn list(connection: &impl ConnectionTrait, page: Page<PartnerId>) -> Result<Slice<Model>, DbErr> {
    page::read(connection, partners(), Column::Id, page).await
}

/// The ids by which the owner of this feed knows things of members.
pub async fn pairwise_ids(
    connection: &impl ConnectionTrait,
    id: PartnerId,
) -> Result<pairwise::PairwiseIds, DbErr> {
    let gone = || DbErr::RecordNotFound("a partner is gone".to_owned());
    let found = Entity::find_by_id(id).one(connection).await?;
    let partner = found.ok_or_else(gone)?;
    pairwise::PairwiseIds::of(partner.pairwise_key.expose(), partner.employer_id)
}

/// The name by which a partner knows a member: a digest under the partner's own key. Stable for one partner; two partners cannot
/// find out that they speak of the same person, and neither can go back to the member.
pub fn member_ref(pairwise_key: &[u8], employer: EmployerId, member: MemberId) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, pairwise_key);
    let mut message = [0; 32];
    message[..16].copy_from_slice(employer.uuid().as_bytes());
    message[16..].copy_from_slice(member.uuid().as_bytes());
    let tag = hmac::sign(&key, &message);
    let first = tag.as_ref().first_chunk::<16>().copied().unwrap_or_default();
    format!(
        "ref_{}",
        ulid::Ulid::from(u128::from_be_bytes(first))
            .to_string()
            .to_lowercase()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_member_has_one_name_per_partner_and_no_two_alike() {
        let employer = EmployerId::from_uuid(uuid::Uuid::from_u128(1));
        let [one, other] = [2, 3].map(|bits| MemberId::from_uuid(uuid::Uuid::from_u128(bits)));
        assert_eq!(member_ref(b"a", employer, one), member_ref(b"a", employer, one));
        assert_ne!(member_ref(b"a", employer, one), member_ref(b"b", employer, one));
        assert_ne!(member_ref(b"a", employer, one), member_ref(b"a", employer, other));
    }
}
