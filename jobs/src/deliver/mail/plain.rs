//! The way to a server before it is encrypted, on which nothing may be said out of turn.
//!
//! Whoever sits on the way can put answers behind the server's "go ahead" to STARTTLS; read from a buffer after the encryption has begun, they
//! would pass for the server's. So lines are handed on one at a time, what came beyond the answer stays here, and when we speak next with
//! something left, the connection ends. Once TLS has begun, bytes only pass through.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use lettre::transport::smtp::client::AsyncTokioStream;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

/// The first byte of a TLS handshake, with which no command begins.
const HANDSHAKE: u8 = 0x16;
/// How much is read ahead.
const AHEAD: usize = 1_024;

/// A connection that is not encrypted, or not yet.
#[derive(Debug)]
pub(super) struct Plain {
    stream: TcpStream,
    /// What was read and not yet handed on.
    ahead: Vec<u8>,
    passes: bool,
}

impl Plain {
    pub(super) const fn new(stream: TcpStream) -> Self {
        Self {
            stream,
            ahead: Vec::new(),
            passes: false,
        }
    }
}

impl AsyncTokioStream for Plain {
    fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.stream.peer_addr()
    }
}

impl AsyncRead for Plain {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        out: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.passes {
            return Pin::new(&mut this.stream).poll_read(context, out);
        }
        if this.ahead.is_empty() {
            let mut bytes = [0; AHEAD];
            let mut read = ReadBuf::new(&mut bytes);
            ready!(Pin::new(&mut this.stream).poll_read(context, &mut read))?;
            this.ahead.extend_from_slice(read.filled());
        }
        let line = this.ahead.iter().position(|byte| *byte == b'\n');
        let length = line.map_or(this.ahead.len(), |end| end.saturating_add(1));
        let given: Vec<u8> = this.ahead.drain(..length.min(out.remaining())).collect();
        out.put_slice(&given);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Plain {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        if !this.passes {
            if !this.ahead.is_empty() {
                return Poll::Ready(Err(io::ErrorKind::InvalidData.into()));
            }
            this.passes = bytes.first() == Some(&HANDSHAKE);
        }
        Pin::new(&mut this.stream).poll_write(context, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(context)
    }
}
