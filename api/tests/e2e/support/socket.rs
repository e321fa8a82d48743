//! A WebSocket client of `graphql-transport-ws`, message by message.

use std::net::SocketAddr;
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

use super::until::within;

/// An open socket.
pub struct Socket(WebSocketStream<MaybeTlsStream<TcpStream>>);

/// What came over a socket.
#[derive(Debug)]
pub enum Heard {
    /// A message of the protocol.
    Message(Value),
    /// The server said why it ends.
    Closed(u16),
    /// The connection is gone without a word.
    Gone,
}

impl Socket {
    /// An acknowledged socket; none where the server is not there.
    pub async fn open(address: SocketAddr, token: &str) -> Option<Self> {
        let mut request = format!("ws://{address}/graphql")
            .into_client_request()
            .expect("an address");
        let protocol = "graphql-transport-ws".parse().expect("a header");
        request.headers_mut().insert("sec-websocket-protocol", protocol);
        let (stream, _) = connect_async(request).await.ok()?;
        let mut socket = Self(stream);
        let init =
            json!({"type": "connection_init", "payload": {"authorization": format!("Bearer {token}")}});
        socket.say(&init).await?;
        match socket.hear().await {
            Heard::Message(message) => {
                assert_eq!(message["type"], "connection_ack");
                Some(socket)
            }
            Heard::Closed(_) | Heard::Gone => None,
        }
    }

    /// Says something; none where nobody listens any more.
    pub async fn say(&mut self, message: &Value) -> Option<()> {
        self.0.send(Message::Text(message.to_string().into())).await.ok()
    }

    /// The next thing that comes; the protocol's pings are answered on the way.
    pub async fn hear(&mut self) -> Heard {
        loop {
            let text = match self.0.next().await {
                Some(Ok(Message::Text(text))) => text,
                Some(Ok(Message::Close(frame))) => {
                    return frame.map_or(Heard::Gone, |frame| Heard::Closed(frame.code.into()));
                }
                Some(Ok(_)) => continue,
                Some(Err(_)) | None => return Heard::Gone,
            };
            let message: Value = serde_json::from_str(&text).expect("every message is JSON");
            if message["type"] == "ping" {
                if self.say(&json!({"type": "pong"})).await.is_none() {
                    return Heard::Gone;
                }
            } else {
                return Heard::Message(message);
            }
        }
    }

    /// The code with which the server closes.
    pub async fn closed(mut self, within_time: Duration) -> u16 {
        let closed = async {
            loop {
                match self.hear().await {
                    Heard::Message(_) => {}
                    Heard::Closed(code) => return code,
                    Heard::Gone => panic!("the connection went without a close code"),
                }
            }
        };
        within("close code", within_time, closed).await
    }
}
