//! `demo`

use crate::config::{DemoArguments, Settings};

pub async fn demo(_: &Settings, _: &DemoArguments) -> anyhow::Result<()> {
    Ok(())
}
