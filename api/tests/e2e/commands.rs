//! The commands that end by themselves.

use crate::support::database::Database;
use crate::support::feed::poll_all;
use crate::support::graphql::Api;
use crate::support::plaudit::{Plaudit, Said, run, run_alone, token};
use crate::support::setting::{Setting, record};
use crate::support::until::{SOON, eventually};

on_both!(
    migrating_twice_changes_nothing,
    where_mail_goes_is_said_once_and_without_a_password,
    a_token_is_refused_where_it_would_belong_to_nobody,
    a_check_says_in_one_line_that_all_is_right_and_else_what_is_not,
    an_export_writes_whole_files_and_goes_on_where_the_last_one_ended,
);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_demo_shows_every_expected_achievement_and_ends_well() {
    let said = run_alone(&["demo", "--once", "--listen", "127.0.0.1:0"]).await;
    assert!(said.status.success(), "{said:?}");
    for incentive in ["Consistent logger", "Birth reported", "Pregnancy reported"] {
        assert!(
            said.out.contains(incentive),
            "{incentive} is told of: {}",
            said.out
        );
    }
    for person in ["Anna", "Kenji", "Maria", "Noah", "Lena"] {
        assert!(said.out.contains(person), "{person} is told of: {}", said.out);
    }
    let received = said
        .out
        .lines()
        .filter(|line| line.starts_with("partner │"))
        .collect::<Vec<_>>()
        .join("\n");
    for incentive in ["Consistent logger", "Birth reported"] {
        assert!(
            received.contains(incentive),
            "the partner learns of {incentive}: {received}"
        );
    }
    assert!(
        !received.contains("Pregnancy"),
        "the partner must not know: {received}"
    );
    assert!(
        !said.err.contains("ERROR") && !said.err.contains("panicked"),
        "{}",
        said.err
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_schema_that_is_printed_is_the_one_that_is_published() {
    let said = run_alone(&["schema"]).await;
    assert!(said.status.success(), "{said:?}");
    assert_eq!(said.err, "");
    let published = include_str!("../../../schema.graphql");
    assert!(
        said.out == published,
        "schema.graphql is stale: cargo run -p api -- schema > schema.graphql"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn help_and_version_are_no_errors() {
    for (arguments, word) in [(["--help"], "serve"), (["--version"], env!("CARGO_PKG_VERSION"))] {
        let said = run_alone(&arguments).await;
        assert!(said.status.success() && said.out.contains(word), "{said:?}");
        assert_eq!(said.err, "");
    }
}

async fn where_mail_goes_is_said_once_and_without_a_password(database: Database) {
    let server = [
        "--smtp-url",
        "smtp://me:canary@mail.example",
        "--mail-from",
        "Acme <hello@acme.example>",
    ];
    let plaudit = Plaudit::serve(&database, &server).await;
    let said = plaudit.logged("mail is sent").await;
    assert_eq!(said["fields"]["to"], "the server mail.example");
    assert_eq!(
        (
            plaudit.logged_times("mail is sent"),
            plaudit.logged_times("canary")
        ),
        (1, 0)
    );
    drop(plaudit);
    let plaudit = Plaudit::serve(&database, &["--mail-folder", "mail"]).await;
    let said = plaudit.logged("mail is sent").await;
    assert_eq!(said["fields"]["to"], "the folder mail");
    drop(plaudit);
    let said = run(&database, &["work", "--mail-from", "hello@acme.example"]).await;
    assert!(
        !said.status.success() && said.err.contains("mail would go nowhere"),
        "{said:?}"
    );
}

async fn migrating_twice_changes_nothing(database: Database) {
    for _ in 0..2 {
        let said = run(&database, &["migrate"]).await;
        assert!(said.status.success(), "{said:?}");
        assert_eq!(said.out, "");
    }
}

async fn a_token_is_refused_where_it_would_belong_to_nobody(database: Database) {
    let plaudit = Plaudit::serve(&database, &[]).await;
    Setting::new(&database, plaudit.address(), 1).await;
    let refused = [
        ("--ttl 1h", "--scope"),
        ("--scope ", "--scope"),
        ("--scope no:such", "unknown scope"),
        ("--scope events:write --employer nobody", "nobody"),
        ("--scope feed:read --partner nobody", "nobody"),
        ("--scope member:self --employer acme --member nobody", "nobody"),
        ("--scope member:self --member m0", "--employer"),
        ("--scope feed:read --partner pillow --employer acme", "--partner"),
        ("--scope operator --ttl soon", "soon"),
        ("--scope operator --ttl 0s", "one second"),
        ("--scope operator --ttl 25h", "24"),
        // A scope that this kind of owner cannot have.
        ("--scope operator --employer acme", "scopes of an employer"),
        ("--scope feed:read --employer acme", "scopes of an employer"),
        ("--scope events:write --partner pillow", "scopes of a partner"),
    ];
    for (arguments, word) in refused {
        let command: Vec<&str> = ["token"].into_iter().chain(arguments.split(' ')).collect();
        let Said { status, out, err } = run(&database, &command).await;
        assert!(
            status.code().is_some_and(|code| code != 0),
            "{arguments}: {status} {out}"
        );
        assert_eq!(out, "", "{arguments}");
        assert!(
            err.lines().count() == 1 && err.contains(word),
            "{arguments}: {err}"
        );
    }
    // A token has three parts, and is all that is printed.
    let member = [
        "--scope",
        "member:self",
        "--employer",
        "acme",
        "--member",
        "m0",
        "--ttl",
        "90s",
    ];
    assert_eq!(token(&database, &member).await.split('.').count(), 3);
}

async fn a_check_says_in_one_line_that_all_is_right_and_else_what_is_not(database: Database) {
    let plaudit = Plaudit::serve(&database, &[]).await;
    Setting::new(&database, plaudit.address(), 1).await;
    let said = run(&database, &["check"]).await;
    assert!(said.status.success(), "{said:?}");
    let line = "checked 0 accounts, 0 lots, 0 entries, 0 redemptions, 0 awards, 1 feeds, 8 audited changes: all is right\n";
    assert_eq!(said.out, line);
    let db = database.open().await;
    let txn = db.write_txn().await.unwrap();
    let meddled = "UPDATE feed_head SET position = 7";
    sea_orm::ConnectionTrait::execute_unprepared(&*txn, meddled)
        .await
        .unwrap();
    txn.commit().await.unwrap();
    let said = run(&database, &["check"]).await;
    assert_eq!(said.status.code(), Some(1), "{said:?}");
    assert!(
        said.out.starts_with("ptr_") && said.out.lines().count() == 1,
        "{said:?}"
    );
    assert!(said.err.contains("not everything agrees"), "{said:?}");
}

async fn an_export_writes_whole_files_and_goes_on_where_the_last_one_ended(database: Database) {
    let plaudit = Plaudit::serve(&database, &[]).await;
    let setting = Setting::new(&database, plaudit.address(), 3).await;
    let (api, partner) = (
        Api::new(plaudit.address(), &setting.employer),
        Api::new(plaudit.address(), &setting.partner),
    );
    let folder = tempfile::tempdir().unwrap();
    let to = folder.path().join("pillow").join("feed");
    let export = async |more: &[&str]| {
        let command = ["export", "--partner", "pillow", "--to", to.to_str().unwrap()];
        run(&database, &[&command, more].concat()).await
    };
    let files = || {
        let mut files: Vec<String> = std::fs::read_dir(&to)
            .unwrap()
            .map(|file| file.unwrap().file_name().into_string().unwrap())
            .collect();
        files.sort();
        files
    };
    let earn = async |ids: std::ops::Range<usize>, total: usize| {
        let events: Vec<_> = ids
            .map(|id| setting.event(&format!("e{id}"), &format!("m{}", id % 3), 1))
            .collect();
        assert!(record(&api, &events).await.is_some());
        eventually("the achievements are in the feed", SOON, async || {
            (poll_all(&partner).await.entries.len() == total).then_some(())
        })
        .await;
    };
    earn(0..4, 4).await;
    let said = export(&[]).await;
    assert_eq!(
        said.out, "exported 4 entries in 1 file, positions 1 to 4\n",
        "{said:?}"
    );
    let first = "feed-0000000000000000001-0000000000000000004.ndjson";
    assert_eq!(files(), [first]);
    let said = export(&[]).await;
    assert_eq!(said.out, "nothing is new after position 4\n", "{said:?}");
    earn(4..6, 6).await;
    // What a run that was cut off has left is none of the files.
    std::fs::write(to.join(format!("{first}#1")), "half a li").unwrap();
    let said = export(&["--from", "2"]).await;
    assert_eq!(
        said.out, "exported 2 entries in 1 file, positions 5 to 6\n",
        "{said:?}"
    );
    let second = "feed-0000000000000000005-0000000000000000006.ndjson";
    let whole = [first, second].map(|name| std::fs::read_to_string(to.join(name)).unwrap());
    let exported: Vec<serde_json::Value> = whole
        .concat()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let fed = poll_all(&partner).await.entries;
    let ids = |entries: &[serde_json::Value]| -> Vec<serde_json::Value> {
        entries.iter().map(|entry| entry["id"].clone()).collect()
    };
    assert_eq!(ids(&exported), ids(&fed));
    // The other form begins at the beginning.
    let said = export(&["--format", "csv"]).await;
    assert_eq!(
        said.out, "exported 6 entries in 1 file, positions 1 to 6\n",
        "{said:?}"
    );
    for (more, word) in [
        (["--from", "8"], "position 8"),
        (["--from", "0"], "--from"),
        (["--format", "xml"], "--format"),
    ] {
        let said = export(&more).await;
        assert!(
            !said.status.success() && said.err.lines().count() == 1,
            "{said:?}"
        );
        assert!(said.err.contains(word), "{said:?}");
    }
    for (partner, to, word) in [
        ("nobody", to.to_str().unwrap(), "nobody"),
        ("pillow", "gs://bucket", "s3://"),
    ] {
        let said = run(&database, &["export", "--partner", partner, "--to", to]).await;
        assert!(!said.status.success() && said.err.contains(word), "{said:?}");
    }
}
