//! OAuth clients.

use chrono::TimeDelta;
use entity::client::{self, Model};
use entity::id::ClientId;
use entity::page::{Page, Slice};
use entity::secret::SecretBytes;
use entity::{employer, partner};
use sea_orm::ConnectionTrait;

use super::audit::{Change, What};
use super::{Fault, Outcome, require_none};
use crate::app::App;
use crate::auth::access;
use crate::auth::client_secret::ClientSecret;
use crate::auth::scope::{Scope, ScopeSet};
use crate::auth::viewer::{Permit, ViewerKind};
use crate::validate;

/// The longest time that a secret is still taken after it was replaced.
const OVERLAP_MAX: TimeDelta = TimeDelta::days(30);

/// A new client.
#[derive(Debug)]
pub struct Create {
    /// Its name.
    pub name: String,
    /// The key of the employer whose it is.
    pub employer: Option<String>,
    /// The key of the partner whose it is.
    pub partner: Option<String>,
    /// The scopes it may ask for.
    pub scopes: Vec<String>,
}

/// A client with a secret that was just made and is never shown again.
pub struct WithSecret {
    /// The client.
    pub client: Model,
    /// Its secret.
    pub secret: ClientSecret,
}

/// Creates a client of an employer, of a partner or, with neither, of the operator.
pub async fn create(app: &App, permit: Permit<access::CreateClient>, input: Create) -> Outcome<WithSecret> {
    let mut faults = Vec::new();
    validate::name(&["name"], &input.name, &mut faults);
    let kind = match (&input.employer, &input.partner) {
        (Some(_), Some(_)) => {
            return Err(Fault::invalid(
                &["partner"],
                "a client belongs to an employer or to a partner, not to both",
            )
            .into());
        }
        (Some(_), None) => ViewerKind::Employer,
        (None, Some(_)) => ViewerKind::Partner,
        (None, None) => ViewerKind::Operator,
    };
    let mut scopes = Vec::new();
    for (index, text) in input.scopes.iter().enumerate() {
        match text.parse::<Scope>() {
            Ok(scope) if scope.fits_client(kind) => scopes.push(scope),
            Ok(_) => faults.push(Fault::invalid(
                &["scopes", &index.to_string()],
                "a client of this kind cannot have this scope",
            )),
            Err(_) => faults.push(Fault::invalid(
                &["scopes", &index.to_string()],
                "there is no such scope",
            )),
        }
    }
    if input.scopes.is_empty() {
        faults.push(Fault::invalid(
            &["scopes"],
            "a client without scopes can do nothing",
        ));
    }
    require_none(faults)?;
    let txn = Change::begin(app, &permit).await?;
    let owner = match &input.employer {
        Some(key) => {
            let unknown = || Fault::not_found(&["employer"], "there is no such employer");
            Some(employer::find_by_key(&*txn, key).await?.ok_or_else(unknown)?)
        }
        None => None,
    };
    let partner_id = match &input.partner {
        Some(key) => {
            let unknown = || Fault::not_found(&["partner"], "there is no such partner");
            Some(partner::find_by_key(&*txn, key).await?.ok_or_else(unknown)?.id)
        }
        None => None,
    };
    let secret = new_secret(app);
    let client = Model {
        id: app.ids.next(),
        name: input.name,
        employer_id: owner.as_ref().map(|owner| owner.id),
        partner_id,
        scopes: scopes.into_iter().collect::<ScopeSet>().to_string(),
        secret_digest: SecretBytes::new(*secret.digest().as_bytes()),
        previous_secret_digest: None,
        previous_secret_until: None,
        created_at: app.clock.now().into(),
        revoked_at: None,
    };
    client::insert(&*txn, client.clone()).await?;
    txn.commit(app, owner.as_ref(), What::made(&client)).await?;
    Ok(WithSecret { client, secret })
}

/// Gives a client a new secret; the one before is taken for as long as `overlap` says.
pub async fn rotate_secret(
    app: &App,
    permit: Permit<access::RotateClientSecret>,
    id: &str,
    overlap: TimeDelta,
) -> Outcome<WithSecret> {
    if overlap < TimeDelta::zero() || overlap > OVERLAP_MAX {
        return Err(Fault::invalid(&["overlap"], "from none to 30 days").into());
    }
    let unknown = || Fault::not_found(&["clientId"], "there is no such client, or it is revoked");
    let id: ClientId = id.parse().map_err(|_| unknown())?;
    let secret = new_secret(app);
    let until = app.clock.now().checked_add_signed(overlap).ok_or_else(unknown)?;
    let txn = Change::begin(app, &permit).await?;
    let before = client::find(&*txn, id).await?.ok_or_else(unknown)?;
    if !client::rotate_secret(
        &*txn,
        id,
        SecretBytes::new(*secret.digest().as_bytes()),
        until.into(),
    )
    .await?
    {
        return Err(unknown().into());
    }
    let client = client::find(&*txn, id).await?.ok_or_else(unknown)?;
    let owner = owner(&*txn, &client).await?;
    txn.commit(app, owner.as_ref(), What::changed(&before, &client))
        .await?;
    Ok(WithSecret { client, secret })
}

/// Revokes a client: within seconds none of its tokens is taken any more, and its sockets are closed.
pub async fn revoke(app: &App, permit: Permit<access::RevokeClient>, id: &str) -> Outcome<Model> {
    let unknown = || Fault::not_found(&["clientId"], "there is no such client");
    let id: ClientId = id.parse().map_err(|_| unknown())?;
    let txn = Change::begin(app, &permit).await?;
    let before = client::find(&*txn, id).await?.ok_or_else(unknown)?;
    if !client::revoke(&*txn, id, app.clock.now().into()).await? {
        return Err(unknown().into());
    }
    let client = client::find(&*txn, id).await?.ok_or_else(unknown)?;
    let owner = owner(&*txn, &client).await?;
    txn.commit(app, owner.as_ref(), What::changed(&before, &client))
        .await?;
    app.refresh_trust().await?;
    Ok(client)
}

/// The employer whose client it is, and in whose log its changes are.
async fn owner(connection: &impl ConnectionTrait, client: &Model) -> Outcome<Option<employer::Model>> {
    match client.employer_id {
        Some(id) => Ok(employer::find(connection, id).await?),
        None => Ok(None),
    }
}

/// A page of all clients.
pub async fn list(app: &App, _: Permit<access::ListClients>, page: Page<ClientId>) -> Outcome<Slice<Model>> {
    Ok(client::list(app.db.read(), page).await?)
}

fn new_secret(app: &App) -> ClientSecret {
    let mut random = [0; 32];
    app.ids.fill(&mut random);
    ClientSecret::from_random(random)
}
