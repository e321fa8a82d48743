//! Grants: which partner may know of the achievements of which program.

use sea_orm::entity::prelude::*;
use sea_orm::{FromQueryResult, QueryFilter, QueryOrder};

use crate::clock::Timestamp;
use crate::db::sql::{Rows, Sql};
use crate::id::{EmployerId, GrantId, PartnerId, ProgramId};
use crate::secret::SecretBytes;

/// A grant.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "partner_grant")]
pub struct Model {
    /// The employer.
    #[sea_orm(primary_key, auto_increment = false)]
    pub employer_id: EmployerId,
    /// The grant itself.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: GrantId,
    /// Who may know.
    pub partner_id: PartnerId,
    /// Of which program.
    pub program_id: ProgramId,
    /// Since when; what was recorded before is shared by a back-fill only.
    pub created_at: Timestamp,
    /// Until when; none: still.
    pub revoked_at: Option<Timestamp>,
}

impl ActiveModelBehavior for ActiveModel {}

/// A grant in force, with what is needed to write the partner's feed.
#[derive(Debug, Clone, FromQueryResult)]
pub struct Recipient {
    /// The employer.
    pub employer_id: EmployerId,
    /// The program.
    pub program_id: ProgramId,
    /// The partner.
    pub partner_id: PartnerId,
    /// The key of the partner's pairwise member ids.
    pub pairwise_key: SecretBytes,
}

/// Gives grants; one that is in force stays as it is, one that was revoked is in force again.
pub async fn give(connection: &impl ConnectionTrait, grants: &[Model]) -> Result<(), DbErr> {
    let rows = Rows::new()
        .id("employer_id", grants.iter().map(|grant| grant.employer_id))
        .id("id", grants.iter().map(|grant| grant.id))
        .id("partner_id", grants.iter().map(|grant| grant.partner_id))
        .id("program_id", grants.iter().map(|grant| grant.program_id))
        .int("created_at", grants.iter().map(|grant| grant.created_at.0));
    Sql::on(
        connection,
        "INSERT INTO partner_grant (employer_id, id, partner_id, program_id, created_at)
         SELECT employer_id, id, partner_id, program_id, created_at FROM ",
    )
    .rows(rows)
    .push(
        " AS fresh WHERE true ON CONFLICT (employer_id, partner_id, program_id)
         DO UPDATE SET revoked_at = NULL, created_at = excluded.created_at WHERE partner_grant.revoked_at IS NOT NULL",
    )
    .execute(connection)
    .await
    .map(|_| ())
}

/// Ends a grant; false when there is none in force.
pub async fn revoke(
    connection: &impl ConnectionTrait,
    employer: EmployerId,
    partner: PartnerId,
    program: ProgramId,
    at: Timestamp,
) -> Result<bool, DbErr> {
    let rows = Sql::on(connection, "UPDATE partner_grant SET revoked_at = ")
        .bind(at)
        .push(" WHERE employer_id = ")
        .bind(employer)
        .push(" AND partner_id = ")
        .bind(partner)
        .push(" AND program_id = ")
        .bind(program)
        .push(" AND revoked_at IS NULL")
        .execute(connection)
        .await?;
    Ok(rows == 1)
}

/// The employer's grants, ended ones too, in the order of their making.
pub async fn list(connection: &impl ConnectionTrait, employer: EmployerId) -> Result<Vec<Model>, DbErr> {
    Entity::find()
        .filter(Column::EmployerId.eq(employer))
        .order_by_asc(Column::Id)
        .all(connection)
        .await
}

/// Who may know by this grant; none: it was revoked.
pub async fn recipient(
    connection: &impl ConnectionTrait,
    employer: EmployerId,
    grant: GrantId,
) -> Result<Option<Recipient>, DbErr> {
    Sql::on(
        connection,
        "SELECT partner_grant.employer_id, partner_grant.program_id, partner_grant.partner_id, partner.pairwise_key
         FROM partner_grant JOIN partner ON partner.id = partner_grant.partner_id WHERE partner_grant.employer_id = ",
    )
    .bind(employer)
    .push(" AND partner_grant.id = ")
    .bind(grant)
    .push(" AND partner_grant.revoked_at IS NULL")
    .one(connection)
    .await
}

/// Who may know of these programs right now; one statement however many.
pub async fn recipients(
    connection: &impl ConnectionTrait,
    programs: &[(EmployerId, ProgramId)],
) -> Result<Vec<Recipient>, DbErr> {
    let rows = Rows::new()
        .id("employer_id", programs.iter().map(|(employer, _)| *employer))
        .id("program_id", programs.iter().map(|(_, program)| *program));
    Sql::on(
        connection,
        "SELECT partner_grant.employer_id, partner_grant.program_id, partner_grant.partner_id, partner.pairwise_key FROM ",
    )
    .rows(rows)
    .push(
        " AS wanted JOIN partner_grant ON partner_grant.employer_id = wanted.employer_id AND partner_grant.program_id = wanted.program_id
         AND partner_grant.revoked_at IS NULL JOIN partner ON partner.id = partner_grant.partner_id",
    )
    .all(connection)
    .await
}
