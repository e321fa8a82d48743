//! A thousand forced disconnects while events flow. Partners follow their feeds over WebSocket, by server-sent events and by polling,
//! and hang up without a word after a few entries, before any, or in the middle of an answer; then they come back, on PostgreSQL to
//! the other of two processes. In the end each of them holds the positions 1, 2, 3 … of its feed, each once.

use std::hash::{BuildHasher, Hasher};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use serde_json::json;
use tokio::task::JoinSet;

use crate::support::database::Database;
use crate::support::events::EventStream;
use crate::support::feed::{self, News, Read, Subscription};
use crate::support::graphql::Api;
use crate::support::plaudit::{Plaudit, token};
use crate::support::setting::{Setting, record};
use crate::support::until::{SOON, within};

on_both!(a_thousand_disconnects_leave_every_partner_with_every_position_once);

/// Besides the partner of the setting.
const OTHER_PARTNERS: [&str; 2] = ["gym", "spa"];
/// Of each way of each partner: 1,008 in all.
const DISCONNECTS: usize = 112;
/// It is hung up after fewer entries than this.
const ENTRIES: usize = 4;
/// A poll is given up after less than this: at times it takes longer.
const POLL_MICROS: usize = 5_000;
/// How fast events come.
const EVENT_EVERY: Duration = Duration::from_millis(15);

async fn a_thousand_disconnects_leave_every_partner_with_every_position_once(database: Database) {
    let began = Instant::now();
    let mut serving = vec![Plaudit::serve(&database, &[]).await];
    if matches!(database, Database::Postgres { .. }) {
        serving.push(Plaudit::serve(&database, &[]).await);
    }
    let setting = Setting::new(&database, serving[0].address(), 1).await;
    let mut tokens = vec![setting.partner.clone()];
    for partner in OTHER_PARTNERS {
        tokens.push(another(&database, &setting, &serving[0], partner).await);
    }
    let mut cutting = JoinSet::new();
    for token in &tokens {
        for way in [Way::Socket, Way::Events, Way::Polling] {
            let doors = serving.iter().map(|plaudit| Api::new(plaudit.address(), token));
            let reader = Reader {
                doors: doors.collect(),
                way,
                cuts: 0,
                read: Read::default(),
            };
            cutting.spawn(reader.be_cut_off());
        }
    }
    let is_over = AtomicBool::new(false);
    let cut = async {
        let mut readers = Vec::new();
        while let Some(reader) = cutting.join_next().await {
            readers.push(reader.expect("it came through"));
        }
        is_over.store(true, Ordering::SeqCst);
        readers
    };
    let send = async {
        let mut ticks = tokio::time::interval(EVENT_EVERY);
        let (api, mut sent) = (Api::new(serving[0].address(), &setting.employer), 0);
        while !is_over.load(Ordering::SeqCst) {
            ticks.tick().await;
            let event = setting.event(&format!("e{sent}"), "m0", 0);
            assert_eq!(record(&api, &[event]).await, Some(vec!["ACCEPTED".to_owned()]));
            sent += 1;
        }
        sent
    };
    let (readers, sent) = tokio::join!(cut, send);
    let cuts: usize = readers.iter().map(|reader| reader.cuts).sum();
    let mut reading = JoinSet::new();
    for reader in readers {
        reading.spawn(reader.read_to_the_end(sent));
    }
    while let Some(read) = reading.join_next().await {
        let (way, read) = read.expect("it came through");
        assert_eq!(read.entries.len(), sent, "one entry an event: {way:?}");
        read.assert_dense(&format!("{way:?}"));
    }
    println!(
        "{cuts} disconnects, {sent} entries in each of {} feeds, {:?}",
        tokens.len(),
        began.elapsed()
    );
    assert!(cuts >= 1_000, "{cuts}");
}

/// A further partner that learns of everything; its token.
async fn another(database: &Database, setting: &Setting, plaudit: &Plaudit, key: &str) -> String {
    let api = Api::new(plaudit.address(), &setting.operator);
    let partner = json!({"key": key, "name": key});
    api.mutate("createPartner", "partner { key }", &partner).await;
    let grant = json!({"employer": "acme", "partner": key, "programs": ["calm"]});
    api.mutate("grantPartner", "grants { program }", &grant).await;
    token(database, &["--partner", key, "--scope", "feed:read"]).await
}

/// How a feed is read.
#[derive(Debug, Clone, Copy)]
enum Way {
    Socket,
    Events,
    Polling,
}

/// A connection by which entries come by themselves.
enum Line {
    Socket(Subscription),
    Events(EventStream),
}

impl Line {
    async fn next(&mut self) -> News {
        match self {
            Self::Socket(subscription) => subscription.next().await,
            Self::Events(events) => events.next().await,
        }
    }

    fn read(&self) -> &Read {
        match self {
            Self::Socket(subscription) => &subscription.read,
            Self::Events(events) => &events.read,
        }
    }
}

/// One who reads a feed in one way.
struct Reader {
    /// Where it can be read; the next one after each disconnect.
    doors: Vec<Api>,
    way: Way,
    cuts: usize,
    read: Read,
}

impl Reader {
    fn door(&self) -> &Api {
        &self.doors[self.cuts % self.doors.len()]
    }

    async fn be_cut_off(mut self) -> Self {
        while self.cuts < DISCONNECTS {
            match self.way {
                Way::Polling => {
                    let door = self.door().clone();
                    let patience = Duration::from_micros(u64::try_from(random(POLL_MICROS)).unwrap());
                    // Given up in the middle: the connection goes with the request.
                    let poll = feed::poll(&door, &mut self.read, 7);
                    if tokio::time::timeout(patience, poll).await.is_ok() {
                        continue;
                    }
                }
                Way::Socket | Way::Events => self.follow(random(ENTRIES)).await,
            }
            self.cuts += 1;
        }
        self
    }

    async fn read_to_the_end(mut self, all: usize) -> (Way, Read) {
        match self.way {
            Way::Polling => {
                let door = self.door().clone();
                let polling = async {
                    let mut ticks = tokio::time::interval(EVENT_EVERY);
                    while self.read.entries.len() < all {
                        ticks.tick().await;
                        while feed::poll(&door, &mut self.read, 100).await == Some(true) {}
                    }
                };
                within("the last entry by polling", 2 * SOON, polling).await;
            }
            Way::Socket | Way::Events => self.follow(all - self.read.entries.len()).await,
        }
        (self.way, self.read)
    }

    async fn open(&self) -> Option<Line> {
        let (door, rest) = (self.door(), self.read.rest());
        match self.way {
            Way::Socket => {
                let opened = Subscription::open(door.address, &door.token, rest).await;
                opened.map(Line::Socket)
            }
            Way::Events | Way::Polling => EventStream::open(door, rest).await.map(Line::Events),
        }
    }

    /// Reads so many entries over one connection, and drops it.
    async fn follow(&mut self, entries: usize) {
        let way = self.way;
        // A client has only so many connections, and the server needs a moment to see that one is gone.
        let opening = async {
            let mut ticks = tokio::time::interval(EVENT_EVERY);
            loop {
                ticks.tick().await;
                if let Some(line) = self.open().await {
                    return line;
                }
            }
        };
        let mut line = within("a connection", SOON, opening).await;
        let reading = async {
            while line.read().entries.len() < entries {
                if let News::Ended(how) = line.next().await {
                    panic!("{way:?} ended: {how}");
                }
            }
        };
        within(&format!("{entries} entries by {way:?}"), 2 * SOON, reading).await;
        self.read.add(line.read());
    }
}

/// A number below the bound, different in every run.
fn random(bound: usize) -> usize {
    let bits = std::hash::RandomState::new().build_hasher().finish();
    usize::try_from(bits % u64::try_from(bound).unwrap()).unwrap()
}
