//! Partners.

use entity::id::PartnerId;
use entity::page::{Page, Slice};
use entity::partner::{self, Model};
use entity::secret::SecretBytes;

use super::audit::{Change, What};
use super::{Fault, FaultCode, Outcome, require_none};
use crate::app::App;
use crate::auth::access;
use crate::auth::viewer::Permit;
use crate::validate;

/// Creates a partner with an empty feed.
pub async fn create(
    app: &App,
    permit: Permit<access::CreatePartner>,
    key: String,
    name: String,
) -> Outcome<Model> {
    let mut faults = Vec::new();
    validate::key(&["key"], &key, &mut faults);
    validate::name(&["name"], &name, &mut faults);
    require_none(faults)?;
    let mut pairwise_key = [0; 32];
    app.ids.fill(&mut pairwise_key);
    let partner = Model {
        id: app.ids.next(),
        key,
        name,
        pairwise_key: SecretBytes::new(pairwise_key),
        created_at: app.clock.now().into(),
        employer_id: None,
    };
    let txn = Change::begin(app, &permit).await?;
    if !partner::insert(&*txn, partner.clone()).await? {
        return Err(Fault::new(FaultCode::KeyTaken, &["key"], "there is a partner of this key").into());
    }
    txn.commit(app, None, What::made(&partner)).await?;
    Ok(partner)
}

/// A page of all partners.
pub async fn list(
    app: &App,
    _: Permit<access::ListPartners>,
    page: Page<PartnerId>,
) -> Outcome<Slice<Model>> {
    Ok(partner::list(app.db.read(), page).await?)
}
