//! How PostgreSQL keeps the tables through which every event goes. SQLite has nothing of the kind.
//!
//! Its autovacuum cleans a table up when a fifth of it is dead. A queue is all dead rows, and a fifth of ten million is a long time; and
//! it pauses so often that a busy table outgrows it. A row is updated in place (HOT: no index learns of it, and the next visitor of the
//! page cleans up without any vacuum) where no index has a changed column, also not in its WHERE, and the page has room left: what
//! `fillfactor` leaves free.

use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::DbErr;

use crate::column;

/// The parameters of a table.
const STORAGE: &[(&str, &[(&str, &str)])] = &[
    // A queue: each row lives for a moment, and claims walk over the dead ones at its head. Cleaned up after so many, however many wait,
    // without pauses. What waited once may wait again: giving the end of the file back takes a lock that stops everyone.
    (
        "event",
        &[
            ("autovacuum_vacuum_scale_factor", "0"),
            ("autovacuum_vacuum_threshold", "5000"),
            ("autovacuum_vacuum_cost_delay", "0"),
            ("autovacuum_analyze_scale_factor", "0"),
            ("autovacuum_analyze_threshold", "5000"),
            ("vacuum_truncate", "false"),
        ],
    ),
    // One row a partner, changed by every transaction that tells something, and waited for: a page of it has room for a hundred versions
    // of its few rows, all of them in place.
    (
        "feed_head",
        &[
            ("fillfactor", "10"),
            ("autovacuum_vacuum_scale_factor", "0"),
            ("autovacuum_vacuum_threshold", "500"),
            ("autovacuum_vacuum_cost_delay", "0"),
        ],
    ),
    // One row a member and incentive, changed by every event that matches. None of its indexes has what changes.
    (
        "progress",
        &[
            ("fillfactor", "80"),
            ("autovacuum_vacuum_scale_factor", "0.05"),
            ("autovacuum_vacuum_cost_delay", "0"),
        ],
    ),
    // In place, unless the instant at which something comes due changes, by which they are looked up.
    (
        "points_account",
        &[
            ("fillfactor", "80"),
            ("autovacuum_vacuum_scale_factor", "0.05"),
            ("autovacuum_vacuum_cost_delay", "0"),
        ],
    ),
    // As progress: how much of a cap is used up.
    (
        "points_cap",
        &[("fillfactor", "80"), ("autovacuum_vacuum_scale_factor", "0.05")],
    ),
    // A few counters of today, changed by every batch that has something to refuse.
    (
        "refusal",
        &[
            ("fillfactor", "50"),
            ("autovacuum_vacuum_scale_factor", "0"),
            ("autovacuum_vacuum_threshold", "1000"),
        ],
    ),
    // Where there is a budget, what is spent of it changes with every batch that awards something.
    (
        "program",
        &[
            ("fillfactor", "50"),
            ("autovacuum_vacuum_scale_factor", "0"),
            ("autovacuum_vacuum_threshold", "500"),
        ],
    ),
    // Changed twice between the promise and the answer, and each time what it is looked up by: never in place.
    (
        "delivery",
        &[
            ("autovacuum_vacuum_scale_factor", "0.02"),
            ("autovacuum_vacuum_threshold", "5000"),
            ("autovacuum_vacuum_cost_delay", "0"),
            ("autovacuum_analyze_scale_factor", "0.02"),
        ],
    ),
    // Likewise.
    (
        "message",
        &[
            ("autovacuum_vacuum_scale_factor", "0.02"),
            ("autovacuum_vacuum_threshold", "5000"),
            ("autovacuum_vacuum_cost_delay", "0"),
            ("autovacuum_analyze_scale_factor", "0.02"),
        ],
    ),
    // Likewise: whether a lot is open is what it is looked up by.
    ("points_lot", &[("autovacuum_vacuum_scale_factor", "0.05")]),
    // Written once, and after days deleted in the order in which they were written: the room is taken again by what is new, if it is
    // found in time.
    ("receipt", DELETED_LATER),
    ("contribution", DELETED_LATER),
    ("kept_event", DELETED_LATER),
    ("feed_entry", DELETED_LATER),
    ("delivery_attempt", DELETED_LATER),
];

const DELETED_LATER: &[(&str, &str)] = &[
    ("autovacuum_vacuum_scale_factor", "0.02"),
    ("autovacuum_vacuum_threshold", "10000"),
    ("autovacuum_vacuum_cost_delay", "0"),
    ("autovacuum_analyze_scale_factor", "0.02"),
    ("autovacuum_analyze_threshold", "10000"),
];

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for (table, parameters) in STORAGE {
            column::set_storage(manager, table, parameters).await?;
        }
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for (table, parameters) in STORAGE {
            column::reset_storage(manager, table, parameters).await?;
        }
        Ok(())
    }
}
