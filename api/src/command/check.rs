//! `check`: whether all that is stored more than once agrees.

use anyhow::{Context, bail};
use entity::check;

use crate::config::Settings;

/// Prints one line when everything agrees, otherwise one line a difference, and fails.
pub async fn check(settings: &Settings) -> anyhow::Result<()> {
    let db = super::open(settings).await?;
    let report = check::run(&db).await.context("the database cannot be read")?;
    let check::Report {
        accounts,
        lots,
        entries,
        redemptions,
        awards,
        feeds,
        audited,
        ref differences,
    } = report;
    if differences.is_empty() {
        super::print(&format!(
            "checked {accounts} accounts, {lots} lots, {entries} entries, {redemptions} redemptions, {awards} awards, {feeds} feeds, {audited} audited changes: all is right"
        ));
        return Ok(());
    }
    for difference in differences {
        super::print(&difference.to_string());
    }
    bail!(
        "not everything agrees; of each kind of difference at most {} are listed",
        check::LISTED
    )
}
