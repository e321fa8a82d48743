//! Grants: which partner may know of the achievements of which program.

use entity::clock::Timestamp;
use entity::grant::{self, Model};
use entity::id::ProgramId;
use entity::{backfill, employer, partner, program};

use super::audit::{Change, GrantsOf, What};
use super::{Fault, Outcome, retrying, tenant};
use crate::app::App;
use crate::auth::access;
use crate::auth::viewer::Permit;

/// Programs named in one call.
const PROGRAMS_MAX: usize = 100;

/// What a partner may know.
#[derive(Debug)]
pub struct Give {
    /// The key of the employer.
    pub employer: Option<String>,
    /// The key of the partner.
    pub partner: String,
    /// The keys of the programs.
    pub programs: Vec<String>,
    /// Whether also what was achieved before.
    pub backfill: bool,
}

/// Lets a partner know of what is achieved in these programs from now on; and, by a back-fill, of what was achieved before.
pub async fn give(app: &App, permit: Permit<access::GrantPartner>, input: Give) -> Outcome<Vec<Model>> {
    if input.programs.is_empty() || input.programs.len() > PROGRAMS_MAX {
        return Err(Fault::invalid(&["programs"], format!("1 to {PROGRAMS_MAX} programs")).into());
    }
    let grants = retrying(|| give_once(app, &permit, &input)).await?;
    if input.backfill {
        app.wakes.housekeeping();
    }
    Ok(grants)
}

async fn give_once(app: &App, permit: &Permit<access::GrantPartner>, input: &Give) -> Outcome<Vec<Model>> {
    let txn = Change::begin(app, permit).await?;
    let employer = tenant::resolve(&*txn, permit.viewer(), input.employer.as_deref()).await?;
    let now = Timestamp::from(employer.now(app.clock.now()));
    let partner = find_partner(&*txn, &input.partner).await?;
    let programs = find_programs(&*txn, &employer, &input.programs).await?;
    // Awards that are being written down without a look at these grants are there before a back-fill takes its first look.
    employer::stop_awards(&*txn, employer.id).await?;
    let grants: Vec<Model> = programs
        .iter()
        .map(|program_id| Model {
            employer_id: employer.id,
            id: app.ids.next(),
            partner_id: partner.id,
            program_id: *program_id,
            created_at: now,
            revoked_at: None,
        })
        .collect();
    let before = list(&*txn, &employer, &partner, &programs).await?;
    grant::give(&*txn, &grants).await?;
    if input.backfill {
        backfill::start(&*txn, employer.id, partner.id, &programs, now).await?;
    }
    let after = list(&*txn, &employer, &partner, &programs).await?;
    let what = What::changed(&GrantsOf(&partner, &before), &GrantsOf(&partner, &after));
    txn.commit(app, Some(&employer), what).await?;
    Ok(after)
}

/// Ends grants: once this is answered, nothing more of these programs enters the partner's feed.
pub async fn revoke(
    app: &App,
    permit: Permit<access::RevokeGrant>,
    employer: Option<&str>,
    partner: &str,
    programs: &[String],
) -> Outcome<Vec<Model>> {
    retrying(|| revoke_once(app, &permit, employer, (partner, programs))).await
}

async fn revoke_once(
    app: &App,
    permit: &Permit<access::RevokeGrant>,
    employer: Option<&str>,
    (partner, programs): (&str, &[String]),
) -> Outcome<Vec<Model>> {
    let txn = Change::begin(app, permit).await?;
    let employer = tenant::resolve(&*txn, permit.viewer(), employer).await?;
    let now = Timestamp::from(employer.now(app.clock.now()));
    let partner = find_partner(&*txn, partner).await?;
    let programs = find_programs(&*txn, &employer, programs).await?;
    // Whoever has seen these grants in force has written its entries by then.
    employer::stop_awards(&*txn, employer.id).await?;
    let before = list(&*txn, &employer, &partner, &programs).await?;
    for program in &programs {
        if !grant::revoke(&*txn, employer.id, partner.id, *program, now).await? {
            return Err(Fault::not_found(
                &["programs"],
                "the partner has no grant for one of these programs",
            )
            .into());
        }
    }
    let after = list(&*txn, &employer, &partner, &programs).await?;
    let what = What::changed(&GrantsOf(&partner, &before), &GrantsOf(&partner, &after));
    txn.commit(app, Some(&employer), what).await?;
    Ok(after)
}

/// The partner's grants of these programs, ended ones too.
async fn list(
    connection: &impl sea_orm::ConnectionTrait,
    employer: &employer::Model,
    partner: &partner::Model,
    programs: &[ProgramId],
) -> Outcome<Vec<Model>> {
    let all = grant::list(connection, employer.id).await?;
    Ok(all
        .into_iter()
        .filter(|grant| grant.partner_id == partner.id && programs.contains(&grant.program_id))
        .collect())
}

async fn find_partner(connection: &impl sea_orm::ConnectionTrait, key: &str) -> Outcome<partner::Model> {
    let unknown = || Fault::not_found(&["partner"], "there is no partner of this key");
    Ok(partner::find_by_key(connection, key).await?.ok_or_else(unknown)?)
}

async fn find_programs(
    connection: &impl sea_orm::ConnectionTrait,
    employer: &employer::Model,
    keys: &[String],
) -> Outcome<Vec<ProgramId>> {
    let mut programs = Vec::new();
    for (index, key) in keys.iter().enumerate() {
        let unknown = || {
            Fault::not_found(
                &["programs", &index.to_string()],
                "the employer has no program of this key",
            )
        };
        let id = program::find_by_key(connection, employer.id, key)
            .await?
            .ok_or_else(unknown)?
            .id;
        if !programs.contains(&id) {
            programs.push(id);
        }
    }
    Ok(programs)
}
