//! Whether the schema can be distributed by employer, as Citus does it: every unique key and every foreign key between distributed tables
//! has to contain the column by which they are distributed. Tables that every node needs whole are reference tables; they may be referred
//! to by all, and refer to each other alone.

use entity::db::sql::Sql;
use sea_orm::FromQueryResult;

use crate::harness::{Kind, TABLES, TestApp, run};

mod every_key_and_every_reference_contains_the_employer {
    #[tokio::test]
    async fn postgres() {
        super::run(super::Kind::Postgres, super::contains_the_employer).await;
    }
}

/// Small, seldom changed, and known by every employer's rows or by nobody's: whole on every node.
const REFERENCE: [&str; 4] = [
    // Its key is unique among all employers, and tables of all of them refer to it.
    "employer",
    // A partner may serve several employers.
    "partner",
    // Of an employer, of a partner or of the operator; found by its id alone, before anybody knows whose it is.
    "client",
    // Of the installation.
    "signing_key",
];

/// A feed is the partner's, over all employers that it serves, and its positions are counted once: what hangs on it lies together with it,
/// by partner. An employer's own feed has the employer's id as its partner, and so lies with its employer.
const BY_PARTNER: [&str; 5] = [
    "delivery",
    "delivery_attempt",
    "feed_entry",
    "feed_head",
    "webhook_endpoint",
];

/// What a distributed database would refuse, and would have to do without: each of these lies elsewhere than what it refers to. An entry is
/// written in the transaction that writes what it tells of, and that is never deleted, so they hold without being declared.
const REFUSED: [&str; 2] = [
    "feed_entry refers to achievement, which lies elsewhere: employer_id=employer_id achievement_id=id",
    "feed_entry refers to redemption, which lies elsewhere: employer_id=employer_id redemption_id=id",
];

#[derive(FromQueryResult)]
struct Key {
    of: String,
    name: String,
    columns: String,
}

#[derive(FromQueryResult)]
struct Reference {
    of: String,
    target: String,
    pairs: String,
}

/// Where a table lies: the column by which it is distributed; none: whole on every node.
fn distributed_by(table: &str) -> Option<&'static str> {
    if REFERENCE.contains(&table) {
        None
    } else if BY_PARTNER.contains(&table) {
        Some("partner_id")
    } else {
        Some("employer_id")
    }
}

fn has(list: &str, wanted: &str) -> bool {
    list.split(' ').any(|word| word == wanted)
}

/// What is wrong with a unique key.
fn judge_key(key: &Key) -> Option<String> {
    let column = distributed_by(&key.of)?;
    let complaint = || format!("{} of {} lacks {column}: {}", key.name, key.of, key.columns);
    (!has(&key.columns, column)).then(complaint)
}

/// What is wrong with a reference.
fn judge_reference(reference: &Reference) -> Option<String> {
    let Reference { of, target, pairs } = reference;
    match (distributed_by(of), distributed_by(target)) {
        (_, None) => None,
        (None, Some(_)) => Some(format!(
            "{of} is everywhere and refers to {target}, which is not: {pairs}"
        )),
        (Some(own), Some(others)) if own != others => {
            Some(format!("{of} refers to {target}, which lies elsewhere: {pairs}"))
        }
        (Some(column), _) => (!has(pairs, &format!("{column}={column}")))
            .then(|| format!("{of} refers to {target} without {column}: {pairs}")),
    }
}

async fn contains_the_employer(app: &TestApp) {
    let db = app.app.db.read();
    let keys: Vec<Key> = Sql::on(
        db,
        "SELECT owner.relname::text AS of, name.relname::text AS name, string_agg(attname, ' ' ORDER BY attnum) AS columns
         FROM pg_index JOIN pg_class AS owner ON owner.oid = indrelid JOIN pg_class AS name ON name.oid = indexrelid
         JOIN pg_attribute ON attrelid = indrelid AND attnum = ANY (indkey)
         WHERE indisunique AND owner.relnamespace = 'public'::regnamespace AND owner.relname <> 'seaql_migrations'
         GROUP BY owner.relname, name.relname ORDER BY owner.relname, name.relname",
    )
    .all(db)
    .await
    .unwrap();
    let references: Vec<Reference> = Sql::on(
        db,
        "SELECT owner.relname::text AS of, target.relname::text AS target,
         string_agg(here.attname || '=' || there.attname, ' ' ORDER BY place) AS pairs
         FROM pg_constraint JOIN pg_class AS owner ON owner.oid = conrelid JOIN pg_class AS target ON target.oid = confrelid
         CROSS JOIN LATERAL unnest(conkey, confkey) WITH ORDINALITY AS pair (own, other, place)
         JOIN pg_attribute AS here ON here.attrelid = conrelid AND here.attnum = own
         JOIN pg_attribute AS there ON there.attrelid = confrelid AND there.attnum = other
         WHERE contype = 'f' AND owner.relnamespace = 'public'::regnamespace
         GROUP BY pg_constraint.oid, owner.relname, target.relname ORDER BY owner.relname, target.relname",
    )
    .all(db)
    .await
    .unwrap();
    // All tables have been looked at, and of those that are named here all are there.
    for table in TABLES {
        // A member's word of now has a key for all partners and one for each: two that are partial, and none that is primary.
        assert!(keys.iter().any(|key| key.of == table), "{table} has no key");
    }
    for table in REFERENCE.iter().chain(&BY_PARTNER) {
        assert!(TABLES.contains(table), "{table}");
    }
    let mut wrong: Vec<String> = keys.iter().filter_map(judge_key).collect();
    wrong.extend(references.iter().filter_map(judge_reference));
    assert_eq!(wrong, REFUSED);
}

#[test]
fn a_key_without_the_employer_is_found() {
    let key = |of: &str, columns: &str| Key {
        of: of.to_owned(),
        name: "key".to_owned(),
        columns: columns.to_owned(),
    };
    assert!(judge_key(&key("member", "external_id")).is_some());
    assert!(judge_key(&key("member", "employer_id external_id")).is_none());
    assert!(judge_key(&key("feed_entry", "id")).is_some());
    assert!(judge_key(&key("partner", "key")).is_none());
    let reference = |of: &str, target: &str, pairs: &str| Reference {
        of: of.to_owned(),
        target: target.to_owned(),
        pairs: pairs.to_owned(),
    };
    assert!(judge_reference(&reference("event", "member", "member_id=id")).is_some());
    assert!(
        judge_reference(&reference(
            "event",
            "member",
            "employer_id=employer_id member_id=id"
        ))
        .is_none()
    );
    assert!(judge_reference(&reference("partner", "member", "employer_id=employer_id")).is_some());
    assert!(judge_reference(&reference("consent", "partner", "partner_id=id")).is_none());
}
