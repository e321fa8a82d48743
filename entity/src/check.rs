//! Whether all that is stored more than once agrees: balances with lots and entries, feeds with their heads, each key with one award.
//!
//! The database's own constraints keep most of it from going wrong, and the code the rest; this finds what neither has kept: a fault of
//! ours, a row that was changed by hand, a backup that was restored in part. Nothing is mended.
//!
//! Every statement returns the rows that are wrong, so what is right costs no memory, and all read one snapshot.

mod statement;

use std::fmt;

use sea_orm::prelude::Uuid;
use sea_orm::{ConnectionTrait, DbErr, FromQueryResult};

use crate::audit;
use crate::db::Db;
use crate::db::sql::Sql;
use crate::id::EmployerId;
use statement::{ALL, Statement};

/// At most so many differences of one kind are listed.
pub const LISTED: usize = 100;

/// How much was checked, and what does not agree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// How many accounts there are.
    pub accounts: i64,
    /// How many lots.
    pub lots: i64,
    /// How many entries of the ledger.
    pub entries: i64,
    /// How many redemptions.
    pub redemptions: i64,
    /// How many awards.
    pub awards: i64,
    /// How many feeds of partners.
    pub feeds: i64,
    /// How many entries of audit logs.
    pub audited: i64,
    /// What does not agree.
    pub differences: Vec<Difference>,
}

/// Something that does not agree with something else. It names ids and the keys of an employer, never anything of a person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// Whose; none: a partner's.
    pub employer: Option<EmployerId>,
    /// The id of what is wrong.
    pub id: String,
    /// Which of several things of that id, such as the category of points.
    pub detail: Option<String>,
    /// What is wrong.
    pub what: &'static str,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(employer) = self.employer {
            write!(f, "{employer} ")?;
        }
        f.write_str(&self.id)?;
        if let Some(detail) = &self.detail {
            write!(f, " ({detail})")?;
        }
        write!(f, ": {}", self.what)
    }
}

#[derive(FromQueryResult)]
struct Row {
    employer_id: Option<EmployerId>,
    id: Uuid,
    detail: Option<String>,
}

/// Checks everything.
pub async fn run(db: &Db) -> Result<Report, DbErr> {
    let snapshot = db.snapshot().await?;
    let mut report = Report {
        accounts: count(&snapshot, "points_account").await?,
        lots: count(&snapshot, "points_lot").await?,
        entries: count(&snapshot, "points_entry").await?,
        redemptions: count(&snapshot, "redemption").await?,
        awards: count(&snapshot, "achievement").await?,
        feeds: count(&snapshot, "feed_head").await?,
        audited: 0,
        differences: Vec::new(),
    };
    for statement in ALL {
        report.differences.extend(find(&snapshot, statement).await?);
    }
    let (audited, broken) = audit::verify(&snapshot).await?;
    report.audited = audited;
    report
        .differences
        .extend(broken.into_iter().map(|fault| Difference {
            employer: Some(fault.employer),
            id: fault.position.to_string(),
            detail: None,
            what: "from this place on the audit log is not as it was written",
        }));
    snapshot.rollback().await?;
    Ok(report)
}

async fn find(connection: &impl ConnectionTrait, statement: &Statement) -> Result<Vec<Difference>, DbErr> {
    let rows: Vec<Row> = Sql::on(connection, statement.sql)
        .push(" LIMIT ")
        .bind(i64::try_from(LISTED).unwrap_or(i64::MAX))
        .all(connection)
        .await?;
    let differences = rows.into_iter().map(|row| Difference {
        employer: row.employer_id,
        id: (statement.id)(row.id),
        detail: row.detail,
        what: statement.what,
    });
    Ok(differences.collect())
}

async fn count(connection: &impl ConnectionTrait, table: &'static str) -> Result<i64, DbErr> {
    #[derive(FromQueryResult)]
    struct Count {
        count: i64,
    }
    let row: Option<Count> = Sql::on(connection, "SELECT count(*) AS count FROM ")
        .push(table)
        .one(connection)
        .await?;
    Ok(row.map_or(0, |row| row.count))
}
