//! `export`: a partner's feed to a folder or a bucket, as files that are there whole or not at all.
//!
//! A file is named by the first and the last position in it, so what is there says by itself where to go on; a run that was cut off has
//! left whole files and no other. Nothing in a file changes later: what is told later comes in a later file.

use std::sync::Arc;

use anyhow::{Context, bail, ensure};
use entity::db::Db;
use entity::feed::kept;
use entity::id::PartnerId;
use entity::partner;
use jobs::export::{self, ExportError, Format};
use object_store::aws::AmazonS3Builder;
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};

use crate::config::{ExportArguments, Settings};

/// Entries of one file, which is made up in memory: about ten megabytes.
const FILE: i64 = 10_000;

/// Writes the files that are missing and prints how many.
pub async fn export(settings: &Settings, arguments: &ExportArguments) -> anyhow::Result<()> {
    let db = super::open(settings).await?;
    let partner = partner::find_by_key(db.read(), &arguments.partner)
        .await
        .context("the database cannot be read")?
        .with_context(|| format!("there is no partner of the key {}", arguments.partner))?;
    let files = Files::open(&arguments.to, arguments.format.into())?;
    let last = files.last_position().await?;
    let extent = kept::extent(db.read(), partner.id)
        .await
        .context("the database cannot be read")?;
    let from = last.saturating_add(1).max(arguments.from.unwrap_or(1));
    ensure!(
        from <= extent.newest.saturating_add(1),
        "the feed has not come as far as position {from}; its newest is {}",
        extent.newest
    );
    let (mut next, mut count) = (from, 0_usize);
    while next <= extent.newest {
        next = files.write(&db, partner.id, (next, extent.newest)).await?;
        count += 1;
    }
    let newest = extent.newest;
    super::print(&match (count, next - from) {
        (0, _) => format!("nothing is new after position {newest}"),
        (1, entries) => format!("exported {entries} entries in 1 file, positions {from} to {newest}"),
        (_, entries) => format!("exported {entries} entries in {count} files, positions {from} to {newest}"),
    });
    Ok(())
}

/// Where the files go.
struct Files {
    store: Arc<dyn ObjectStore>,
    folder: Path,
    format: Format,
}

impl Files {
    /// A folder of this machine, which is made where there is none, or `s3://bucket/folder`.
    fn open(to: &str, format: Format) -> anyhow::Result<Self> {
        let Some(bucket) = to.strip_prefix("s3://") else {
            ensure!(
                !to.contains("://"),
                "files go to a folder or to s3://bucket/folder, not to {to}"
            );
            std::fs::create_dir_all(to).with_context(|| format!("the folder {to} cannot be made"))?;
            let store = LocalFileSystem::new_with_prefix(to)
                .with_context(|| format!("the folder {to} cannot be used"))?
                .with_fsync(true);
            return Ok(Self {
                store: Arc::new(store),
                folder: Path::default(),
                format,
            });
        };
        let (bucket, folder) = bucket.split_once('/').unwrap_or((bucket, ""));
        ensure!(!bucket.is_empty(), "the name of the bucket is missing in {to}");
        let store = AmazonS3Builder::from_env()
            .with_bucket_name(bucket)
            .build()
            .context("the bucket cannot be used; see the AWS_ variables")?;
        Ok(Self {
            store: Arc::new(store),
            folder: Path::from(folder),
            format,
        })
    }

    /// The last position in any file of this form; 0: there is no file.
    async fn last_position(&self) -> anyhow::Result<i64> {
        let folder = Some(&self.folder).filter(|folder| !folder.as_ref().is_empty());
        let listed = self.store.list_with_delimiter(folder).await;
        let listed = listed.context("what is there already cannot be listed")?;
        let names = listed.objects.iter().filter_map(|file| file.location.filename());
        let positions = names.filter_map(|name| positions(name, self.format));
        Ok(positions.map(|(_, last)| last).max().unwrap_or(0))
    }

    /// Writes one file from a position on, at most to another; where the next one begins.
    async fn write(&self, db: &Db, partner: PartnerId, (from, to): (i64, i64)) -> anyhow::Result<i64> {
        let to = to.min(from.saturating_add(FILE - 1));
        let mut content = self.format.head()?;
        let mut next = from;
        while next <= to {
            let entries = match export::page(db.read(), partner, (next, to)).await {
                Err(ExportError::Expired { oldest }) => bail!(
                    "positions {next} to {} are no longer kept; `--from {oldest}` goes on without them",
                    oldest - 1
                ),
                entries => entries.context("the feed cannot be read")?,
            };
            let last = entries
                .last()
                .context("the feed ends before its newest position")?;
            next = last.position.saturating_add(1);
            content.extend(self.format.lines(&entries)?);
        }
        let name = name((from, next - 1), self.format);
        let location = self.folder.clone().join(name.as_str());
        // A file is seen under its name when all of it is written, in a bucket as in a folder.
        let put = self.store.put(&location, content.into()).await;
        put.with_context(|| format!("{name} cannot be written"))?;
        Ok(next)
    }
}

/// The name of the file of these positions: by name is by position.
fn name((first, last): (i64, i64), format: Format) -> String {
    format!("feed-{first:019}-{last:019}.{}", format.extension())
}

/// The positions of the file of this name; none: it is none of ours.
fn positions(name: &str, format: Format) -> Option<(i64, i64)> {
    let (stem, extension) = name.strip_prefix("feed-")?.split_once('.')?;
    let (first, last) = stem.split_once('-')?;
    let positions = (first.parse().ok()?, last.parse().ok()?);
    (extension == format.extension() && self::name(positions, format) == name).then_some(positions)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_of_a_file_says_what_is_in_it() {
        let named = name((1, 10_000), Format::Csv);
        assert_eq!(named, "feed-0000000000000000001-0000000000000010000.csv");
        assert_eq!(positions(&named, Format::Csv), Some((1, 10_000)));
        let last = name((10_001, i64::MAX), Format::Csv);
        assert!(named < last);
        assert_eq!(positions(&last, Format::Csv), Some((10_001, i64::MAX)));
        for other in [
            "feed-1-2.csv",
            "feed-0000000000000000001-0000000000000010000.ndjson",
            "feed-0000000000000000001-0000000000000010000.csv.part",
            "other.csv",
            "",
        ] {
            assert_eq!(positions(other, Format::Csv), None, "{other}");
        }
    }

    #[test]
    fn files_go_to_folders_and_buckets_only() {
        for bad in ["s3://", "s3:///folder", "https://example.org/feed", "gs://bucket"] {
            assert!(Files::open(bad, Format::Csv).is_err(), "{bad}");
        }
        let bucket = Files::open("s3://bucket/partners/spa/", Format::Csv).unwrap();
        assert_eq!(bucket.folder.as_ref(), "partners/spa");
    }
}
