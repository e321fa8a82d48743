//! Wake-ups: hints that there is news in a table. They shorten waiting and carry no meaning: whoever is woken reads the table.
//!
//! Within a process they are counters that go up. Between processes on one PostgreSQL they travel by LISTEN and NOTIFY, sent after
//! the commit by a task of its own, so that no transaction waits for them; many at once become one. A lost wake-up costs at most
//! the second until the next sweep.

use std::collections::hash_map::RandomState;
use std::collections::{BTreeSet, HashMap};
use std::hash::{BuildHasher, Hasher};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use entity::db::Db;
use entity::id::PartnerId;
use sea_orm::DbErr;
use sea_orm::sqlx::postgres::PgListener;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

/// The channel of LISTEN and NOTIFY.
const CHANNEL: &str = "plaudit_wake";
/// What is sent for the queue of events.
const EVENTS: &str = "events";
/// What is sent when there is something to do before its hour; anything else is the id of a partner whose feed has grown.
const HOUSEKEEPING: &str = "housekeeping";
/// What is sent when there are messages to decide.
const MESSAGES: &str = "messages";
/// Payloads of NOTIFY end at 8,000 bytes; a partner's id takes 31 with its comma, and the sender 17 once.
const PARTNERS_PER_MESSAGE: usize = 200;
/// How long to wait before connecting again when listening has failed.
const RECONNECT_AFTER: Duration = Duration::from_secs(1);

/// Who is to be woken when there is news. Cheap to clone; all clones are one.
#[derive(Clone, Debug)]
pub struct Wakes {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    events: watch::Sender<u64>,
    backlog: watch::Sender<u64>,
    housekeeping: watch::Sender<u64>,
    deliveries: watch::Sender<u64>,
    messages: watch::Sender<u64>,
    feeds: Mutex<HashMap<PartnerId, watch::Sender<u64>>>,
    outbound: mpsc::UnboundedSender<News>,
    /// Taken by the relay when it starts; without a relay, what is sent to other processes goes nowhere.
    relay: Mutex<Option<mpsc::UnboundedReceiver<News>>>,
    relayed: bool,
    /// What the messages of this process begin with: PostgreSQL sends them back to it too, and nobody is to be woken twice.
    sender: String,
}

#[derive(Debug, Clone)]
enum News {
    Events,
    Housekeeping,
    Messages,
    Feeds(Vec<PartnerId>),
}

impl Wakes {
    /// Wake-ups of one process; with `relayed`, [`relay`] carries them to the other processes of the database too.
    pub fn new(relayed: bool) -> Self {
        let (outbound, relay) = mpsc::unbounded_channel();
        let inner = Inner {
            events: watch::channel(0).0,
            backlog: watch::channel(0).0,
            housekeeping: watch::channel(0).0,
            deliveries: watch::channel(0).0,
            messages: watch::channel(0).0,
            feeds: Mutex::default(),
            outbound,
            relay: Mutex::new(relayed.then_some(relay)),
            relayed,
            // Of no meaning but to differ from those of other processes.
            sender: format!("{:016x}", RandomState::new().build_hasher().finish()),
        };
        Self {
            inner: Arc::new(inner),
        }
    }

    /// There are events in the queue.
    pub fn events(&self) {
        bump(&self.inner.events);
        self.send(News::Events);
    }

    /// There are more events in the queue than one is to evaluate alone. For this process only: the others have their own.
    pub fn backlog(&self) {
        bump(&self.inner.backlog);
    }

    /// There is something to do that else waits for its hour: time has moved on for an employer all at once, and with it what may be
    /// forgotten; or a back-fill has begun.
    pub fn housekeeping(&self) {
        bump(&self.inner.housekeeping);
        self.send(News::Housekeeping);
    }

    /// There are messages to decide.
    pub fn messages(&self) {
        bump(&self.inner.messages);
        self.send(News::Messages);
    }

    /// These partners' feeds have grown, or something of them is to be delivered anew.
    pub fn feeds(&self, partners: Vec<PartnerId>) {
        self.feeds_here(&partners);
        self.send(News::Feeds(partners));
    }

    /// Changes whenever there may be events in the queue.
    pub fn watch_events(&self) -> watch::Receiver<u64> {
        self.inner.events.subscribe()
    }

    /// Changes whenever there may be more events in the queue than one is to evaluate alone.
    pub fn watch_backlog(&self) -> watch::Receiver<u64> {
        self.inner.backlog.subscribe()
    }

    /// Changes whenever there may be something to do before its hour.
    pub fn watch_housekeeping(&self) -> watch::Receiver<u64> {
        self.inner.housekeeping.subscribe()
    }

    /// Changes whenever there may be messages to decide.
    pub fn watch_messages(&self) -> watch::Receiver<u64> {
        self.inner.messages.subscribe()
    }

    /// Changes whenever any feed may have grown, and with it what is to be delivered.
    pub fn watch_deliveries(&self) -> watch::Receiver<u64> {
        self.inner.deliveries.subscribe()
    }

    /// Changes whenever the partner's feed may have grown.
    pub fn watch_feed(&self, partner: PartnerId) -> watch::Receiver<u64> {
        let mut feeds = self.lock_feeds();
        // Feeds nobody watches any more are dropped here, so the map is bounded by the subscriptions.
        feeds.retain(|_, sender| sender.receiver_count() > 0);
        feeds
            .entry(partner)
            .or_insert_with(|| watch::channel(0).0)
            .subscribe()
    }

    fn feeds_here(&self, partners: &[PartnerId]) {
        bump(&self.inner.deliveries);
        let feeds = self.lock_feeds();
        for partner in partners {
            if let Some(sender) = feeds.get(partner) {
                bump(sender);
            }
        }
    }

    /// Wakes everyone: after a connection was lost, any wake-up may have been lost with it.
    fn everyone_here(&self) {
        bump(&self.inner.events);
        bump(&self.inner.housekeeping);
        bump(&self.inner.deliveries);
        bump(&self.inner.messages);
        self.lock_feeds().values().for_each(bump);
    }

    fn send(&self, news: News) {
        if self.inner.relayed {
            // No receiver: the process is shutting down, and the sweeps of the others find the news.
            drop(self.inner.outbound.send(news));
        }
    }

    fn lock_feeds(&self) -> std::sync::MutexGuard<'_, HashMap<PartnerId, watch::Sender<u64>>> {
        self.inner.feeds.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn bump(sender: &watch::Sender<u64>) {
    sender.send_modify(|count| *count = count.wrapping_add(1));
}

/// Carries wake-ups between the processes of one PostgreSQL, until `shutdown`. Does nothing on SQLite.
pub async fn relay(db: Db, wakes: Wakes, shutdown: CancellationToken) {
    let receiver = wakes
        .inner
        .relay
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .take();
    let (Some(receiver), Some(_)) = (receiver, db.postgres_pool()) else {
        return;
    };
    tokio::join!(
        send(&db, &wakes, receiver, &shutdown),
        listen(&db, &wakes, &shutdown)
    );
}

async fn send(db: &Db, wakes: &Wakes, mut news: mpsc::UnboundedReceiver<News>, shutdown: &CancellationToken) {
    loop {
        let first = tokio::select! {
            () = shutdown.cancelled() => return,
            first = news.recv() => first,
        };
        let Some(first) = first else { return };
        let (mut events, mut housekeeping, mut to_decide) = (false, false, false);
        let mut partners = BTreeSet::new();
        let mut next = Some(first);
        // Everything that has come since the last message goes into one.
        while let Some(item) = next {
            match item {
                News::Events => events = true,
                News::Housekeeping => housekeeping = true,
                News::Messages => to_decide = true,
                News::Feeds(more) => partners.extend(more),
            }
            next = news.try_recv().ok();
        }
        let partners: Vec<String> = partners.iter().map(ToString::to_string).collect();
        let messages = [
            (events, EVENTS),
            (housekeeping, HOUSEKEEPING),
            (to_decide, MESSAGES),
        ]
        .into_iter()
        .filter(|(is_news, _)| *is_news)
        .map(|(_, message)| message.to_owned())
        .chain(partners.chunks(PARTNERS_PER_MESSAGE).map(|chunk| chunk.join(",")));
        for message in messages {
            let message = format!("{} {message}", wakes.inner.sender);
            if let Err(error) = notify(db, &message).await {
                tracing::debug!(error = %error, "a wake-up was not sent; the sweeps will find the news");
            }
        }
    }
}

async fn notify(db: &Db, message: &str) -> Result<(), DbErr> {
    entity::db::sql::Sql::on(db.read(), "SELECT pg_notify(")
        .bind(CHANNEL)
        .push(", ")
        .bind(message)
        .push(")")
        .execute(db.read())
        .await
        .map(|_| ())
}

async fn listen(db: &Db, wakes: &Wakes, shutdown: &CancellationToken) {
    while !shutdown.is_cancelled() {
        let listening = async {
            let Some(pool) = db.postgres_pool() else {
                return Ok(());
            };
            let mut listener = PgListener::connect_with(pool).await?;
            listener.listen(CHANNEL).await?;
            wakes.everyone_here();
            loop {
                match listener.try_recv().await? {
                    Some(message) => hear(wakes, message.payload()),
                    // The connection was lost and made again; what was sent in between is gone.
                    None => wakes.everyone_here(),
                }
            }
        };
        let outcome: Result<(), sea_orm::sqlx::Error> = tokio::select! {
            () = shutdown.cancelled() => return,
            outcome = listening => outcome,
        };
        if let Err(error) = outcome {
            tracing::warn!(error = %error, "listening for wake-ups failed; sweeps go on, and listening starts again");
        }
        drop(tokio::time::timeout(RECONNECT_AFTER, shutdown.cancelled()).await);
    }
}

fn hear(wakes: &Wakes, payload: &str) {
    let Some((sender, message)) = payload.split_once(' ') else {
        return;
    };
    if sender == wakes.inner.sender {
        return;
    }
    match message {
        EVENTS => bump(&wakes.inner.events),
        HOUSEKEEPING => bump(&wakes.inner.housekeeping),
        MESSAGES => bump(&wakes.inner.messages),
        partners => {
            let partners: Vec<PartnerId> = partners.split(',').filter_map(|id| id.parse().ok()).collect();
            wakes.feeds_here(&partners);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use entity::id::TypedId;

    #[test]
    fn a_message_wakes_whom_it_names_and_nobody_else() {
        let wakes = Wakes::new(false);
        let [one, other] = [1, 2].map(|bits| PartnerId::from_uuid(uuid::Uuid::from_u128(bits)));
        let (events, one_feed, other_feed) = (
            wakes.watch_events(),
            wakes.watch_feed(one),
            wakes.watch_feed(other),
        );
        let own = wakes.inner.sender.clone();
        for message in [
            format!("{own} {one}"),
            format!("{own} events"),
            "events".to_owned(),
        ] {
            hear(&wakes, &message);
            assert!(!events.has_changed().unwrap() && !one_feed.has_changed().unwrap());
        }
        hear(&wakes, &format!("other {one},nonsense"));
        assert!(one_feed.has_changed().unwrap());
        assert!(!other_feed.has_changed().unwrap());
        assert!(!events.has_changed().unwrap());
        hear(&wakes, "other events");
        assert!(events.has_changed().unwrap());
        let housekeeping = wakes.watch_housekeeping();
        hear(&wakes, "other events");
        assert!(!housekeeping.has_changed().unwrap());
        hear(&wakes, "other housekeeping");
        assert!(housekeeping.has_changed().unwrap());
    }
}
