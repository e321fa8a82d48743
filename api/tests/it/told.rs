//! What webhooks and exports carry is what the API shows.

use api::auth::viewer::Party;
use serde_json::json;

use crate::harness::{TestApp, World, event, streak_input};

on_both!(an_entry_is_told_as_the_api_shows_it,);

/// Every field of an entry that a partner sees and that leads no further.
const FEED: &str = "{ feed { entries { id position cursor kind recordedAt
    achievement { id incentive { key name } program { key name } memberRef title earnedOn recordedAt status ordinal revokedAt }
    redemption { id reward { key name } memberRef quantity pointsSpent status requestedAt expiresAt settledAt } } } }";

async fn an_entry_is_told_as_the_api_shows_it(app: &TestApp) {
    let world = World::new(app).await;
    world
        .incentive(streak_input("always", 1, json!({"unlimited": true})))
        .await;
    world
        .reward(json!({"key": "mug", "price": 100, "fulfilledBy": "spa", "holdFor": "P7D"}))
        .await;
    world.members(&["ada"]).await;
    world.give_points("ada", "points", 1_000).await;
    world.did([event("e1", "ada", "2026-11-20T10:00:00Z")]).await;
    app.set_clock("2026-11-21T12:00:00.0105Z");
    world.took_back(&["e1"]).await;
    let id = world.redeemed("ada", "mug", "k1").await;
    world
        .by("redemptions:write")
        .change(
            "cancelRedemption",
            json!({"redemption": id, "reason": "out of mugs"}),
            "redemption { status }",
        )
        .await;
    let partner = app.by(Party::Partner(world.partner), "feed:read");
    let shown = partner.data(FEED, json!({})).await["feed"]["entries"].clone();
    let kinds: Vec<_> = shown
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| &entry["kind"])
        .collect();
    assert_eq!(
        kinds,
        [
            "ACHIEVEMENT_EARNED",
            "ACHIEVEMENT_REVOKED",
            "REDEMPTION_REQUESTED",
            "REDEMPTION_CANCELLED"
        ]
    );
    let db = app.app.db.read();
    let page = jobs::told::list(db, world.partner, 0, 100).await.unwrap();
    assert_eq!(serde_json::to_value(&page).unwrap(), shown);
    assert_eq!(
        jobs::told::list(db, world.partner, 2, 1).await.unwrap(),
        page[2..3]
    );
    let places: Vec<_> = [4, 2, 99].map(|position| (world.partner, position)).into();
    let at = jobs::told::list_at(db, &places).await.unwrap();
    assert_eq!(at.len(), 2);
    for position in [2, 4] {
        let entry = &at[&(world.partner, position)];
        assert_eq!(
            serde_json::to_value(entry).unwrap(),
            shown[usize::try_from(position).unwrap() - 1]
        );
    }
}
