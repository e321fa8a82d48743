//! An acknowledged socket: hear, obey, report, in turn.

use axum::extract::ws::{Message, WebSocket};
use futures_util::stream::BoxStream;
use tokio::time::{Instant, timeout};

use super::operations::Operations;
use super::protocol::{self, Close, Step};
use super::{End, hear, say};
use crate::http::graphql::errors::{Answer, Code};
use crate::http::graphql::request::Parameters;
use crate::http::graphql::results::{Word, results};
use crate::http::graphql::{Door, Gate};
use crate::http::limit::{Purse, used_up};

/// An acknowledged socket and what runs on it.
pub(super) struct Session<'a, D: Door> {
    gate: &'a Gate<D>,
    socket: &'a mut WebSocket,
    viewer: D::Viewer,
    operations: Operations<Word>,
    heard_at: Instant,
    pinged_at: Instant,
}

impl<'a, D: Door> Session<'a, D> {
    pub(super) fn new(gate: &'a Gate<D>, socket: &'a mut WebSocket, viewer: D::Viewer) -> Self {
        let now = Instant::now();
        Self {
            gate,
            socket,
            viewer,
            operations: Operations::new(),
            heard_at: now,
            pinged_at: now,
        }
    }

    pub(super) async fn serve(&mut self) -> End {
        loop {
            if let Err(end) = self.turn().await {
                return end;
            }
        }
    }

    /// Hears one message, or says one result, or asks a silent client for a word.
    async fn turn(&mut self) -> Result<(), End> {
        let bounds = &self.gate.bounds.socket;
        let now = Instant::now();
        let until_gone = bounds
            .silent_for
            .saturating_sub(now.duration_since(self.heard_at));
        let asked_at = self.heard_at.max(self.pinged_at);
        let until_ping = bounds.ping_after.saturating_sub(now.duration_since(asked_at));
        if until_gone.is_zero() {
            return Err(End::Gone);
        }
        // Looked at before anything else, so that a stream which always has a result does not put it off.
        if until_ping.is_zero() {
            self.pinged_at = now;
            return self.ping().await;
        }
        let turn = async {
            // The client goes first: a stream that always has a result must not drown the word that keeps the socket alive, and a
            // client that talks without pause holds up nobody but itself.
            tokio::select! {
                biased;
                heard = hear(self.socket, bounds.message_bytes) => Turn::Heard(heard),
                (id, word) = self.operations.next() => Turn::Result(id, word),
            }
        };
        match timeout(until_ping.min(until_gone), turn).await {
            Err(_) => Ok(()),
            Ok(Turn::Heard(heard)) => {
                let text = heard?;
                self.heard_at = Instant::now();
                match text {
                    Some(text) => self.obey(&text).await,
                    None => Ok(()),
                }
            }
            Ok(Turn::Result(id, word)) => self.report(&id, word).await,
        }
    }

    /// Both kinds of ping: the protocol's own for clients that watch for it, and a frame that every library answers by itself.
    async fn ping(&mut self) -> Result<(), End> {
        self.say(protocol::ping()).await?;
        let frame = self.socket.send(Message::Ping(Vec::new().into()));
        match timeout(self.gate.bounds.socket.send_within, frame).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) | Err(_) => Err(End::Gone),
        }
    }

    async fn obey(&mut self, text: &str) -> Result<(), End> {
        match protocol::step(text, true) {
            Step::Start(id, _) if self.operations.contains(&id) => {
                Err(End::Close(Close::subscriber_exists(&id)))
            }
            Step::Start(id, parameters) => match self.start(*parameters) {
                Ok(results) => {
                    self.operations.start(id, results);
                    Ok(())
                }
                Err(answer) => self.say(protocol::error(&id, &answer)).await,
            },
            Step::Stop(id) => {
                self.operations.stop(&id);
                Ok(())
            }
            Step::Reply(reply) => self.say(reply).await,
            Step::End(close) => Err(End::Close(close)),
            Step::Authenticate(_) | Step::Nothing => Ok(()),
        }
    }

    /// The results of one operation, or why it is refused.
    fn start(&self, parameters: Parameters) -> Result<BoxStream<'static, Word>, Answer> {
        let gate = self.gate;
        let id = gate.door.request_id();
        let most = gate.bounds.socket.operations;
        if self.operations.len() >= most {
            gate.door.rate_limited();
            let message = format!("at most {most} operations run on one socket");
            return Err(Answer::refusal(Code::RateLimited, message, Vec::new(), &id));
        }
        let mut purse = gate.door.purse(&self.viewer);
        // A document that is refused has cost its unit, as a request by HTTP has.
        self.pay(purse.as_mut(), 1, &id)?;
        let prepared = parameters.prepare(&gate.bounds.document, &gate.bounds.shapes);
        let prepared = prepared.map_err(|refusal| {
            let message = refusal.to_string();
            Answer::refusal(refusal.code(), message, refusal.positions(), &id)
        })?;
        self.pay(purse.as_mut(), prepared.units, &id)?;
        Ok(results(gate, prepared, &self.viewer, id))
    }

    fn pay(&self, purse: Option<&mut Purse>, units: u64, id: &str) -> Result<(), Answer> {
        let Some(purse) = purse else {
            return Ok(());
        };
        purse.pay(self.gate.door.now(), units).map_err(|wait| {
            self.gate.door.rate_limited();
            Answer::refusal(Code::RateLimited, used_up(wait), Vec::new(), id)
        })
    }

    async fn report(&mut self, id: &str, word: Option<Word>) -> Result<(), End> {
        match word {
            Some(Word::Next(answer)) => self.say(protocol::next(id, &answer)).await,
            Some(Word::Error(answer)) => {
                self.operations.stop(id);
                self.say(protocol::error(id, &answer)).await
            }
            None => self.say(protocol::complete(id)).await,
        }
    }

    async fn say(&mut self, text: String) -> Result<(), End> {
        match timeout(self.gate.bounds.socket.send_within, say(self.socket, text)).await {
            Ok(said) => said,
            Err(_) => Err(End::Gone),
        }
    }
}

/// Whose turn it was.
enum Turn {
    Heard(Result<Option<String>, End>),
    Result(String, Option<Word>),
}
