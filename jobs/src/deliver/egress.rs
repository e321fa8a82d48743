//! Calls to the outside: to whom, for how long, and how much of the answer is read.
//!
//! Where partners and employers write down whom this server calls, everything goes through here. An address is checked twice. As it is
//! written, when it is set down and again before each call ([`address`]); and as what its name means, inside the resolver of the very
//! connection: what connects has no other way to an address, so a name that means one thing when it is checked and another when it is used
//! reaches nothing. There are no redirects, and no proxy out of the environment.

pub mod address;

use std::error::Error as _;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use http::header::{CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderMap, HeaderName, HeaderValue};
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::{Client, Response, redirect};

use address::Refused;

/// How long a call may take, from the look-up of the name to the last byte of the answer.
pub const DEADLINE: Duration = Duration::from_secs(15);
/// How much of an answer is read; what is longer is cut off.
const ANSWER_MAX: usize = 64 * 1_024;
/// Connections to one host that are kept for the next call, and for how long.
const IDLE: (usize, Duration) = (4, Duration::from_mins(1));
/// What we call ourselves.
const USER_AGENT: &str = concat!("plaudit/", env!("CARGO_PKG_VERSION"));

/// Asks what a name means.
pub type Lookup = Arc<dyn Fn(String) -> BoxFuture<'static, io::Result<Vec<IpAddr>>> + Send + Sync>;

/// The way out.
pub struct Egress {
    allow_inside: bool,
    lookup: Lookup,
    /// Built at the first call: it reads the certificates of the system.
    client: OnceLock<Option<Client>>,
}

impl std::fmt::Debug for Egress {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Egress")
            .field("allow_inside", &self.allow_inside)
            .finish_non_exhaustive()
    }
}

/// What was answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// Its status.
    pub status: u16,
    /// Its header `Retry-After`.
    pub retry_after: Option<String>,
    /// Its beginning.
    pub body: Vec<u8>,
    /// Whether there was more of it.
    pub is_cut: bool,
}

/// Why nothing was answered.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CallError {
    /// The address may not be called.
    #[error("ADDRESS_REFUSED")]
    Refused,
    /// Not answered to the end in time; with the status if that had come.
    #[error("TIMEOUT")]
    Timeout(Option<u16>),
    /// No connection: the name, the network or the certificate.
    #[error("CONNECTION_FAILED")]
    Connection,
    /// What came was no answer, or it broke off; with the status if that had come.
    #[error("ANSWER_BROKEN")]
    Broken(Option<u16>),
}

impl CallError {
    /// The short code by which it is shown.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Refused => "ADDRESS_REFUSED",
            Self::Timeout(_) => "TIMEOUT",
            Self::Connection => "CONNECTION_FAILED",
            Self::Broken(_) => "ANSWER_BROKEN",
        }
    }

    /// The status that had come.
    pub const fn status(&self) -> Option<u16> {
        match self {
            Self::Timeout(status) | Self::Broken(status) => *status,
            Self::Refused | Self::Connection => None,
        }
    }
}

impl Egress {
    /// A way out that asks the system what a name means. With `allow_inside`, for development, private addresses may be called, and without
    /// encryption.
    pub fn new(allow_inside: bool) -> Self {
        Self::with_lookup(allow_inside, Arc::new(|name| ask_system(name).boxed()))
    }

    /// As [`Egress::new`], with another way to ask what a name means.
    pub fn with_lookup(allow_inside: bool, lookup: Lookup) -> Self {
        Self {
            allow_inside,
            lookup,
            client: OnceLock::new(),
        }
    }

    /// Whether an address may be called, by all that can be said without asking the network.
    pub fn check(&self, url: &str) -> Result<(), Refused> {
        address::check(url, self.allow_inside).map(|_| ())
    }

    /// Sends a JSON text and reads the beginning of the answer, all of it within `deadline`.
    pub async fn post(
        &self,
        url: &str,
        headers: &[(&'static str, String)],
        json: String,
        deadline: Duration,
    ) -> Result<Answer, CallError> {
        let url = address::check(url, self.allow_inside).map_err(|_| CallError::Refused)?;
        let client = self.client().ok_or(CallError::Connection)?;
        let mut all = HeaderMap::new();
        all.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        for (name, value) in headers {
            let value = HeaderValue::from_str(value).map_err(|_| CallError::Refused)?;
            all.insert(HeaderName::from_static(name), value);
        }
        let mut status = None;
        let call = async {
            let response = client
                .post(url)
                .headers(all)
                .body(json)
                .send()
                .await
                .map_err(cause)?;
            status = Some(response.status().as_u16());
            read(response).await
        };
        match tokio::time::timeout(deadline, call).await {
            Ok(answer) => answer,
            Err(_) => Err(CallError::Timeout(status)),
        }
    }

    fn client(&self) -> Option<&Client> {
        let build = || {
            let resolver = Resolver {
                allow_inside: self.allow_inside,
                lookup: Arc::clone(&self.lookup),
            };
            let built = Client::builder()
                .dns_resolver(resolver)
                .no_proxy()
                .redirect(redirect::Policy::none())
                .retry(reqwest::retry::never())
                .referer(false)
                .http1_only()
                .pool_max_idle_per_host(IDLE.0)
                .pool_idle_timeout(IDLE.1)
                .user_agent(USER_AGENT)
                .build();
            built
                .inspect_err(
                    |error| tracing::error!(error = %error, "there is no client to call the outside with"),
                )
                .ok()
        };
        self.client.get_or_init(build).as_ref()
    }
}

async fn read(mut response: Response) -> Result<Answer, CallError> {
    let status = response.status().as_u16();
    let retry_after = response.headers().get(RETRY_AFTER);
    let retry_after = retry_after
        .and_then(|value| value.to_str().ok())
        .map(str::to_owned);
    let mut body = Vec::new();
    while body.len() <= ANSWER_MAX {
        match response.chunk().await {
            Ok(Some(chunk)) => body.extend_from_slice(&chunk),
            Ok(None) => break,
            Err(_) => return Err(CallError::Broken(Some(status))),
        }
    }
    let is_cut = body.len() > ANSWER_MAX;
    body.truncate(ANSWER_MAX);
    Ok(Answer {
        status,
        retry_after,
        body,
        is_cut,
    })
}

/// What a failure of the client means. Its text can hold the address; none of it leaves.
fn cause(error: reqwest::Error) -> CallError {
    let mut next = error.source();
    while let Some(inner) = next {
        if inner.is::<Inside>() {
            return CallError::Refused;
        }
        next = inner.source();
    }
    if error.is_connect() {
        CallError::Connection
    } else {
        CallError::Broken(None)
    }
}

/// A name that means no address that may be called.
#[derive(Debug, thiserror::Error)]
#[error("the name means no public address")]
struct Inside;

struct Resolver {
    allow_inside: bool,
    lookup: Lookup,
}

impl Resolve for Resolver {
    fn resolve(&self, name: Name) -> Resolving {
        let (allow_inside, found) = (self.allow_inside, (self.lookup)(name.as_str().to_owned()));
        Box::pin(async move {
            let found = found.await?;
            let allowed = |address: &IpAddr| allow_inside || address::is_public(*address);
            let allowed: Vec<SocketAddr> = found
                .into_iter()
                .filter(allowed)
                // The client puts the port of the URL in its place.
                .map(|address| SocketAddr::new(address, 0))
                .collect();
            if allowed.is_empty() {
                return Err(Inside.into());
            }
            Ok(Box::new(allowed.into_iter()) as Addrs)
        })
    }
}

async fn ask_system(name: String) -> io::Result<Vec<IpAddr>> {
    let found = tokio::net::lookup_host((name, 0)).await?;
    Ok(found.map(|address| address.ip()).collect())
}

#[cfg(test)]
mod tests;
