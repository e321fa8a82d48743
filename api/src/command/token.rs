//! `token`: an access token for the command line.

use anyhow::{Context, anyhow, bail};
use entity::clock::Clock;
use entity::db::Db;
use entity::id::Ids;
use entity::{employer, member, partner};

use crate::auth::scope::ScopeSet;
use crate::auth::store;
use crate::auth::token::{Authority, COMMAND_LINE_CLIENT, Grant, issue};
use crate::auth::viewer::Party;
use crate::config::{Settings, TokenArguments};

/// Prints a token, signed with the keys of the database.
pub async fn token(settings: &Settings, arguments: &TokenArguments) -> anyhow::Result<()> {
    let db = super::open(settings).await?;
    let clock = Clock::system();
    let scopes: ScopeSet = arguments
        .scope
        .parse()
        .map_err(|error| anyhow!("--scope: {error}"))?;
    let party = party(&db, arguments).await?;
    let ring = store::open_ring(&db, clock.now())
        .await
        .context("the signing keys cannot be read")?;
    let issuer = settings.public_url.trim_end_matches('/').to_owned();
    let authority = Authority {
        audience: issuer.clone(),
        issuer,
    };
    let grant = Grant {
        party,
        client_id: COMMAND_LINE_CLIENT.to_owned(),
        scopes,
        life: arguments.ttl,
        token_id: Ids::system(clock.clone()).text(),
    };
    let token = issue(&ring, &authority, &grant, clock.now())?;
    super::print(token.expose());
    Ok(())
}

async fn party(db: &Db, arguments: &TokenArguments) -> anyhow::Result<Party> {
    let read = db.read();
    match (&arguments.employer, &arguments.partner, &arguments.member) {
        (None, None, None) => Ok(Party::Operator),
        (Some(key), None, external_id) => {
            let employer = employer::find_by_key(read, key)
                .await?
                .with_context(|| format!("there is no employer {key}"))?
                .id;
            match external_id {
                None => Ok(Party::Employer(employer)),
                Some(external_id) => {
                    let found = member::find_by_external_id(read, employer, external_id).await?;
                    let member = found
                        .with_context(|| format!("{key} has no member {external_id}"))?
                        .id;
                    Ok(Party::Member { employer, member })
                }
            }
        }
        (None, Some(key), None) => {
            let partner = partner::find_by_key(read, key)
                .await?
                .with_context(|| format!("there is no partner {key}"))?;
            Ok(Party::Partner(partner.id))
        }
        _ => bail!("a token belongs to an employer, to a member of one, to a partner, or to the operator"),
    }
}
