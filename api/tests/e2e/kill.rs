//! `kill -9` of the serving process under load, again and again. Clients keep a journal: the events before they are sent, and again
//! once they are acknowledged; what is not acknowledged is sent again, as it was. Some events are taken back, before or after they are
//! sent. In the end every event that was not counts exactly once, and of the others nothing stands.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{BuildHasher, Hasher};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::support::database::{self, Database};
use crate::support::feed::{self, News, Read, Subscription, Whereabouts};
use crate::support::graphql::Api;
use crate::support::plaudit::Plaudit;
use crate::support::setting::{EVERY, STREAK, Setting, record, record_cloud_events, retract};
use crate::support::until::{SOON, eventually, within};

on_both!(no_event_is_lost_or_counted_twice_over_twenty_kills);

/// Every fifth hits a process that is only starting, so that twenty hit one that serves.
const KILLS: usize = 25;
/// Clients at once, each with members of its own.
const SENDERS: usize = 6;
const MEMBERS_OF_EACH: usize = 4;
const MEMBERS: usize = SENDERS * MEMBERS_OF_EACH;
/// A kill comes after at most so many further steps of the kind it waits for.
const STEPS: usize = 40;
/// With so many events of each client everyone was there on five days; none of them is taken back.
const BASE: usize = 5 * MEMBERS_OF_EACH;

/// What goes on, counted so that a kill can wait for any of it.
struct Going {
    begun: watch::Sender<usize>,
    answered: watch::Sender<usize>,
    delivered: watch::Sender<usize>,
    /// Kept up by the senders until this.
    enough: watch::Sender<bool>,
}

/// What one client knows.
#[derive(Default)]
struct Journal {
    sent: BTreeSet<String>,
    acknowledged: BTreeMap<String, String>,
    retracted: BTreeSet<String>,
    repeated: usize,
    duplicates: usize,
}

async fn no_event_is_lost_or_counted_twice_over_twenty_kills(database: Database) {
    let began = Instant::now();
    let mut plaudit = Plaudit::serve(&database, &[]).await;
    let setting = Arc::new(Setting::new(&database, plaudit.address(), MEMBERS).await);
    let (here, whereabouts) = watch::channel(Some(plaudit.address()));
    let going = Arc::new(Going {
        begun: watch::channel(0).0,
        answered: watch::channel(0).0,
        delivered: watch::channel(0).0,
        enough: watch::channel(false).0,
    });
    let (all, expected) = watch::channel(None);

    let mut senders = JoinSet::new();
    for number in 0..SENDERS {
        senders.spawn(send(
            number,
            Arc::clone(&setting),
            whereabouts.clone(),
            Arc::clone(&going),
        ));
    }
    let polling = tokio::spawn(poll(Arc::clone(&setting), whereabouts.clone(), expected.clone()));
    let following = tokio::spawn(follow(
        Arc::clone(&setting),
        whereabouts.clone(),
        expected,
        Arc::clone(&going),
    ));

    for kill in 0..KILLS {
        // Every fifth dies while it starts.
        if kill % 5 != 4 {
            let (kind, steps) = (random(3), random(STEPS));
            let mut counter = [&going.begun, &going.answered, &going.delivered][kind].subscribe();
            let goal = *counter.borrow_and_update() + steps;
            within(
                "progress between the kills",
                SOON,
                counter.wait_for(|count| *count >= goal),
            )
            .await
            .expect("the counters stay");
        }
        here.send_replace(None);
        plaudit.kill();
        plaudit = Plaudit::serve_unready(&database, &[]);
        if (kill + 1) % 5 != 4 {
            here.send_replace(Some(plaudit.ready().await));
        }
    }
    here.send_replace(Some(plaudit.ready().await));
    going.enough.send_replace(true);

    let mut journal = Journal::default();
    while let Some(one) = within("end of the sending", SOON, senders.join_next()).await {
        let one = one.expect("the client lived");
        assert_eq!(
            one.sent.len(),
            one.acknowledged.len(),
            "everything is acknowledged at last"
        );
        journal.sent.extend(one.sent);
        journal.acknowledged.extend(one.acknowledged);
        journal.retracted.extend(one.retracted);
        journal.repeated += one.repeated;
        journal.duplicates += one.duplicates;
    }
    let (events, standing) = (
        journal.acknowledged.len(),
        journal.acknowledged.len() - journal.retracted.len() + MEMBERS,
    );
    println!(
        "{KILLS} kills, {events} events, {} of them taken back, {} batches sent again, {} events of them were known, {:?}",
        journal.retracted.len(),
        journal.repeated,
        journal.duplicates,
        began.elapsed()
    );
    assert!(journal.repeated > 0, "no kill came in the middle of anything");

    let db = database.open().await;
    eventually("an empty queue", SOON, async || {
        let waiting = database::count(&db, "event").await
            + database::count(&db, "retraction WHERE state = 'PENDING'").await;
        (waiting == 0).then_some(())
    })
    .await;
    assert_eq!(
        database::count(&db, "dead_event").await,
        0,
        "no event was set aside"
    );
    // How often something was earned and revoked again depends on when the events were taken back.
    let entries = usize::try_from(database::count(&db, "feed_entry").await).unwrap();
    let revocations = database::count(&db, "feed_entry WHERE kind = 'ACHIEVEMENT_REVOKED'").await;
    assert!(revocations > 0, "nothing was taken back that had counted");
    db.close().await.expect("the database closes");

    all.send_replace(Some(entries));
    let polled = within("everything by polling", SOON, polling)
        .await
        .expect("the poller lived");
    let followed = within("everything by subscription", SOON, following).await;
    let followed = followed.expect("the subscriber lived");
    let api = Api::new(plaudit.address(), &setting.partner);
    let whole = feed::poll_all(&api).await;
    for (who, read) in [
        ("the poller", &polled),
        ("the subscriber", &followed),
        ("a newcomer", &whole),
    ] {
        read.assert_dense(who);
        assert_eq!(
            read.entries.len(),
            entries,
            "{who} holds all there is, and no more"
        );
    }
    assert!(
        polled.entries == followed.entries && polled.entries == whole.entries,
        "all three hold the same"
    );

    assert_eq!(
        still_known(&whole),
        standing,
        "what the partner still believes in"
    );

    let mut counted = earned(&api.with(&setting.employer)).await;
    let left = journal
        .acknowledged
        .iter()
        .filter(|(id, _)| !journal.retracted.contains(*id));
    for (_, member) in left {
        let ordinals = counted.get_mut(&(member.clone(), EVERY.to_owned()));
        assert!(
            ordinals.is_some_and(|ordinals| ordinals.pop_last().is_some()),
            "an event of {member} is lost"
        );
    }
    for n in 0..MEMBERS {
        let streak = counted.remove(&(format!("m{n}"), STREAK.to_owned()));
        assert_eq!(streak, Some(BTreeSet::from([1])), "m{n} was there on five days");
    }
    counted.retain(|_, ordinals| !ordinals.is_empty());
    assert_eq!(counted, BTreeMap::new(), "achievements without an event");
}

/// Sends batches until there has been enough, each until it is acknowledged.
async fn send(number: usize, setting: Arc<Setting>, mut here: Whereabouts, going: Arc<Going>) -> Journal {
    let mut journal = Journal::default();
    let first = Api::new("127.0.0.1:1".parse().unwrap(), &setting.employer);
    let mut next = 0;
    while !*going.enough.borrow() || next < BASE {
        let mut owners = BTreeMap::new();
        let mut unwanted = Vec::new();
        let batch: Vec<Value> = (0..=random(7))
            .map(|_| {
                let n = next;
                next += 1;
                let id = format!("{number}-{n}");
                let member = format!("m{}", number * MEMBERS_OF_EACH + n / 5 % MEMBERS_OF_EACH);
                let event = setting.event(&id, &member, i64::try_from(n % 5).unwrap());
                if n >= BASE && random(4) == 0 {
                    unwanted.push(id.clone());
                }
                owners.insert(id, member);
                event
            })
            .collect();
        journal.sent.extend(owners.keys().cloned());
        let is_early = random(3) == 0;
        if is_early {
            take_back(&unwanted, &first, &mut here, &going, &mut journal).await;
        }
        for attempt in 0.. {
            let address = server(&mut here).await;
            let api = Api {
                address,
                ..first.clone()
            };
            going.begun.send_modify(|count| *count += 1);
            let answer = if number.is_multiple_of(2) {
                record(&api, &batch).await
            } else {
                record_cloud_events(&api, &batch).await
            };
            let Some(statuses) = answer else {
                journal.repeated += 1;
                moved(&mut here, address).await;
                continue;
            };
            assert_eq!(statuses.len(), batch.len());
            for status in &statuses {
                match status.as_str() {
                    "ACCEPTED" => {}
                    "DUPLICATE" if attempt > 0 => journal.duplicates += 1,
                    other => panic!("an event was {other} at attempt {attempt}"),
                }
            }
            going.answered.send_modify(|count| *count += 1);
            journal.acknowledged.append(&mut owners);
            break;
        }
        if !is_early {
            take_back(&unwanted, &first, &mut here, &going, &mut journal).await;
        }
    }
    journal
}

/// Takes events back, again and again until it is acknowledged.
async fn take_back(
    ids: &[String],
    first: &Api,
    here: &mut Whereabouts,
    going: &Going,
    journal: &mut Journal,
) {
    if ids.is_empty() {
        return;
    }
    for attempt in 0.. {
        let address = server(here).await;
        let api = Api {
            address,
            ..first.clone()
        };
        going.begun.send_modify(|count| *count += 1);
        let Some(statuses) = retract(&api, ids).await else {
            journal.repeated += 1;
            moved(here, address).await;
            continue;
        };
        for status in &statuses {
            assert!(
                status == "ACCEPTED" || status == "DUPLICATE" && attempt > 0,
                "a retraction was {status} at attempt {attempt}"
            );
        }
        going.answered.send_modify(|count| *count += 1);
        journal.retracted.extend(ids.iter().cloned());
        return;
    }
}

/// How many achievements the partner has heard of and not heard that they are revoked.
fn still_known(read: &Read) -> usize {
    let mut known = BTreeSet::new();
    for entry in &read.entries {
        let id = entry["achievement"]["id"].as_str().expect("an id").to_owned();
        if entry["kind"] == "ACHIEVEMENT_EARNED" {
            assert!(known.insert(id), "told twice: {entry}");
        } else {
            assert!(known.remove(&id), "revoked without having been told: {entry}");
        }
    }
    known.len()
}

/// A partner that polls, from page to page, wherever the server is.
async fn poll(setting: Arc<Setting>, mut here: Whereabouts, all: watch::Receiver<Option<usize>>) -> Read {
    let first = Api::new("127.0.0.1:1".parse().unwrap(), &setting.partner);
    let mut read = Read::default();
    let mut turns = tokio::time::interval(Duration::from_millis(20));
    while !all.borrow().is_some_and(|all| read.entries.len() >= all) {
        turns.tick().await;
        let address = server(&mut here).await;
        // Short pages, so that kills come between them.
        feed::poll(
            &Api {
                address,
                ..first.clone()
            },
            &mut read,
            7,
        )
        .await;
    }
    read
}

/// A partner that subscribes, and again with its cursor whenever the socket is gone.
async fn follow(
    setting: Arc<Setting>,
    mut here: Whereabouts,
    mut all: watch::Receiver<Option<usize>>,
    going: Arc<Going>,
) -> Read {
    let mut read = Read::default();
    let is_all = |read: &Read, all: Option<usize>| all.is_some_and(|all| read.entries.len() >= all);
    loop {
        let address = server(&mut here).await;
        let Some(mut subscription) = Subscription::open(address, &setting.partner, read.clone()).await else {
            moved(&mut here, address).await;
            continue;
        };
        loop {
            let wanted = *all.borrow_and_update();
            if is_all(&subscription.read, wanted) {
                return subscription.read;
            }
            tokio::select! {
                news = subscription.next() => match news {
                    News::Entry(_) => going.delivered.send_modify(|count| *count += 1),
                    News::CaughtUp => {}
                    News::Ended(_) => break,
                },
                _ = all.changed() => {}
            }
        }
        read = subscription.read;
        moved(&mut here, address).await;
    }
}

/// Where the server is, once it is somewhere.
async fn server(here: &mut Whereabouts) -> SocketAddr {
    let address = here.wait_for(Option::is_some).await.expect("the test goes on");
    address.expect("it was waited for")
}

/// Waits until the server is no longer where it did not answer, or answers there again.
async fn moved(here: &mut Whereabouts, from: SocketAddr) {
    let elsewhere = here.wait_for(|address| *address != Some(from));
    // A request can fail for another reason than a kill; then the same server is asked again.
    if let Ok(outcome) = tokio::time::timeout(Duration::from_millis(100), elsewhere).await {
        outcome.expect("the test goes on");
    }
}

/// The ordinals each member has of each incentive and that stand, over all pages.
async fn earned(api: &Api) -> BTreeMap<(String, String), BTreeSet<i64>> {
    let query = "query ($after: String) { achievements(first: 100, after: $after) {
        nodes { ordinal status incentive { key } member { externalId } } pageInfo { hasNextPage endCursor }
    } }";
    let mut earned = BTreeMap::<_, BTreeSet<i64>>::new();
    let mut after = Value::Null;
    loop {
        let data = api.data(query, &json!({"after": after})).await;
        let page = &data["achievements"];
        let standing = |node: &&Value| node["status"] == "EARNED";
        for node in page["nodes"].as_array().expect("nodes").iter().filter(standing) {
            let text = |value: &Value| value.as_str().expect("a text").to_owned();
            let key = (
                text(&node["member"]["externalId"]),
                text(&node["incentive"]["key"]),
            );
            let ordinal = node["ordinal"].as_i64().expect("an ordinal");
            let is_new = earned.entry(key).or_default().insert(ordinal);
            assert!(is_new, "the same award twice: {node}");
        }
        if page["pageInfo"]["hasNextPage"] == false {
            return earned;
        }
        after = page["pageInfo"]["endCursor"].clone();
    }
}

/// A number below the bound, different in every run.
fn random(bound: usize) -> usize {
    let bits = std::hash::RandomState::new().build_hasher().finish();
    usize::try_from(bits % u64::try_from(bound).unwrap()).unwrap()
}
