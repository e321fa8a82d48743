//! `plaudit export` to a bucket of a server that speaks S3: the npm package `s3rver`, which `.ci/test` installs.

use std::ops::Range;
use std::process::Command;

use serde_json::Value;

use crate::clients::{Script, node};
use crate::support::database::Database;
use crate::support::feed::poll_all;
use crate::support::graphql::Api;
use crate::support::plaudit::{Plaudit, Said, finish, program};
use crate::support::setting::{Setting, record};
use crate::support::until::{SOON, eventually};

on_both!(a_bucket_gets_the_same_files_as_a_folder_and_goes_on_where_it_ended);

const BUCKET: &str = "partner-feeds";

/// A server with an empty bucket, which knows one key.
struct Bucket {
    _script: Script,
    _folder: tempfile::TempDir,
    endpoint: String,
}

impl Bucket {
    async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let script = Script::start(node(&["s3.mjs", folder.path().to_str().unwrap(), BUCKET]));
        script.said(1).await;
        let endpoint = format!("http://127.0.0.1:{}", script.lines()[0]["port"]);
        Self {
            _script: script,
            _folder: folder,
            endpoint,
        }
    }

    /// Gives a command the usual variables.
    fn to(&self, mut command: Command, key: &str) -> Command {
        command
            .env("AWS_ENDPOINT", &self.endpoint)
            .env("AWS_ALLOW_HTTP", "true")
            .env("AWS_REGION", "us-east-1")
            .env("AWS_ACCESS_KEY_ID", key)
            .env("AWS_SECRET_ACCESS_KEY", "S3RVER");
        command
    }

    /// The files in it under these names, as the server hands them out; none: there is no such file.
    async fn read(&self, names: &[String]) -> Vec<Option<Vec<u8>>> {
        let store = object_store::aws::AmazonS3Builder::new()
            .with_bucket_name(BUCKET)
            .with_endpoint(&self.endpoint)
            .with_allow_http(true)
            .with_region("us-east-1")
            .with_access_key_id("S3RVER")
            .with_secret_access_key("S3RVER")
            .build()
            .unwrap();
        let mut files = Vec::new();
        for name in names {
            let path = object_store::path::Path::from(format!("partners/pillow/{name}"));
            let file = match object_store::ObjectStoreExt::get(&store, &path).await {
                Ok(found) => Some(found.bytes().await.unwrap().to_vec()),
                Err(object_store::Error::NotFound { .. }) => None,
                Err(error) => panic!("{name}: {error}"),
            };
            files.push(file);
        }
        files
    }
}

async fn a_bucket_gets_the_same_files_as_a_folder_and_goes_on_where_it_ended(database: Database) {
    let plaudit = Plaudit::serve(&database, &[]).await;
    let setting = Setting::new(&database, plaudit.address(), 3).await;
    let (api, partner) = (
        Api::new(plaudit.address(), &setting.employer),
        Api::new(plaudit.address(), &setting.partner),
    );
    let earn = async |ids: Range<usize>, total: usize| {
        let events: Vec<_> = ids
            .map(|id| setting.event(&format!("e{id}"), &format!("m{}", id % 3), 1))
            .collect();
        assert!(record(&api, &events).await.is_some());
        eventually("the achievements are in the feed", SOON, async || {
            (poll_all(&partner).await.entries.len() == total).then_some(())
        })
        .await;
    };
    let bucket = Bucket::start().await;
    let folder = tempfile::tempdir().unwrap();
    let in_bucket = format!("s3://{BUCKET}/partners/pillow");
    let export = async |to: &str, key: &str, more: &[&str]| -> Said {
        let arguments = [&["export", "--partner", "pillow", "--to", to], more].concat();
        finish(bucket.to(program(&database, &arguments), key)).await
    };
    let both = async |more: &[&str]| {
        let to_folder = export(folder.path().to_str().unwrap(), "", more).await;
        let to_bucket = export(&in_bucket, "S3RVER", more).await;
        assert!(to_bucket.status.success(), "{to_bucket:?}");
        assert_eq!(to_bucket.out, to_folder.out, "both say the same");
        to_bucket.out
    };
    earn(0..5, 5).await;
    assert_eq!(
        both(&[]).await,
        "exported 5 entries in 1 file, positions 1 to 5\n"
    );
    assert_eq!(both(&[]).await, "nothing is new after position 5\n");
    earn(5..7, 7).await;
    assert_eq!(
        both(&[]).await,
        "exported 2 entries in 1 file, positions 6 to 7\n"
    );
    assert_eq!(
        both(&["--format", "csv"]).await,
        "exported 7 entries in 1 file, positions 1 to 7\n"
    );
    let mut names: Vec<String> = std::fs::read_dir(folder.path())
        .unwrap()
        .map(|file| file.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    assert_eq!(names.len(), 3);
    for (name, file) in names.iter().zip(bucket.read(&names).await) {
        let exported = std::fs::read(folder.path().join(name)).unwrap();
        assert!(file.is_some_and(|file| file == exported), "{name} differs");
    }
    let lines: Vec<Value> = names
        .iter()
        .filter(|name| name.ends_with(".ndjson"))
        .flat_map(|name| {
            let text = std::fs::read_to_string(folder.path().join(name)).unwrap();
            let lines = text.lines().map(|line| serde_json::from_str(line).unwrap());
            lines.collect::<Vec<_>>()
        })
        .collect();
    let positions: Vec<i64> = lines
        .iter()
        .map(|line| line["position"].as_i64().unwrap())
        .collect();
    assert_eq!(positions, [1, 2, 3, 4, 5, 6, 7]);

    // What the server does not take is said in a line, without the secret.
    for (key, to, word) in [
        ("STRANGER", in_bucket.as_str(), "InvalidAccessKeyId"),
        ("S3RVER", "s3://no-such-bucket/pillow", "NoSuchBucket"),
    ] {
        let said = export(to, key, &[]).await;
        assert!(!said.status.success() && said.out.is_empty(), "{said:?}");
        assert!(
            said.err.contains(word) && said.err.lines().count() == 1,
            "{said:?}"
        );
        assert!(!said.err.contains("S3RVER"), "{said:?}");
    }
}
