//! Events that could not be evaluated: seen by the operator, and queued again on request.

use entity::dead_event::{self, Model};
use entity::event;
use entity::id::QueuedEventId;
use entity::page::{Page, Slice};
use serde_json::json;

use super::audit::{Change, What};
use super::{Fault, Outcome};
use crate::app::App;
use crate::auth::access;
use crate::auth::viewer::Permit;

/// Events named in one call.
const IDS_MAX: usize = 1_000;

/// A page of all dead events, oldest first.
pub async fn list(
    app: &App,
    _: Permit<access::ListDeadEvents>,
    page: Page<QueuedEventId>,
) -> Outcome<Slice<Model>> {
    Ok(dead_event::list(app.db.read(), page).await?)
}

/// Queues dead events again and says how many of them there were.
pub async fn replay(
    app: &App,
    permit: Permit<access::ReplayDeadEvents>,
    ids: Vec<QueuedEventId>,
) -> Outcome<usize> {
    if ids.is_empty() || ids.len() > IDS_MAX {
        return Err(Fault::invalid(&["ids"], format!("1 to {IDS_MAX} ids")).into());
    }
    let now = app.clock.now().into();
    let txn = Change::begin(app, &permit).await?;
    let events: Vec<event::Event> = dead_event::take(&*txn, ids)
        .await?
        .into_iter()
        .map(|dead| dead.revived(now))
        .collect();
    if !events.is_empty() {
        event::put(&*txn, &events).await?;
    }
    let what = What::other("deadEvents", None, Some(json!({"replayed": events.len()})));
    txn.commit(app, None, what).await?;
    if !events.is_empty() {
        app.wakes.events();
    }
    Ok(events.len())
}
