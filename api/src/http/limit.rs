//! Fair use: each client has a budget that is used up by requests and restored by time, in every process of its own.
//!
//! A request costs one unit and one more for each 16 KiB of its body, on a socket each operation costs a unit, and to that comes what
//! the document of an operation costs ([`super::graphql::document::cost`]). Whoever has no good token is known by its address, and so is
//! whoever asks for a token. The first request that the budget does not hold is refused with 429, `RATE_LIMITED` and the time to wait;
//! nobody is put in a queue.

mod purse;

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use axum::extract::{ConnectInfo, Request, State};
use axum::middleware::Next;
use axum::response::Response;
use chrono::{DateTime, Utc};
use http::header::{CONTENT_LENGTH, RETRY_AFTER, TRANSFER_ENCODING};
use http::{HeaderMap, HeaderName, HeaderValue};
use serde_json::{Value, json};

pub use self::purse::Purse;
use super::graphql;
use super::graphql::errors::Code;
use super::problem;
use crate::app::App;
use crate::auth::bearer;

/// Bytes of a body that one unit pays for.
const BYTES_PER_UNIT: u64 = 16 * 1024;
/// What a body of unknown length is taken for.
const UNKNOWN_LENGTH: u64 = 1024 * 1024;
/// Budgets in memory; those that are full again are forgotten before there are more.
const BUDGETS_MAX: usize = 10_000;
/// Parts of a unit that are counted: what a microsecond restores of one a second.
const PARTS: i64 = 1_000_000;

/// How large a budget is, and how fast it comes back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// Units of a full budget.
    pub burst: u32,
    /// Units that come back in a second.
    pub restore: u32,
}

impl Default for Rate {
    fn default() -> Self {
        Self {
            burst: 20_000,
            restore: 5_000,
        }
    }
}

impl Rate {
    /// Seconds in which an empty budget is full again, at least one.
    fn window(self) -> u32 {
        self.burst.div_ceil(self.restore.max(1)).max(1)
    }
}

/// What is left of one budget.
#[derive(Debug, Clone, Copy)]
struct Budget {
    parts: i64,
    at: i64,
}

/// What came of a request to take from a budget.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Taken {
    /// Whether there was enough; if not, nothing was taken.
    pub is_enough: bool,
    /// Whole units that are left.
    pub left: u32,
    /// Seconds until there would be enough, at least one; where there was, until the budget is full.
    pub wait: u32,
}

impl Budget {
    /// Takes units at an instant in microseconds. More than a full budget costs a full one, or it could never be had. Where there is not
    /// enough, the wait is for these and for what was `paid` before them, as all of it will be asked for again.
    fn take(&mut self, rate: Rate, now: i64, units: u64, paid: u64) -> Taken {
        let most = i64::from(rate.burst).saturating_mul(PARTS);
        let restore = i64::from(rate.restore.max(1));
        let elapsed = now.saturating_sub(self.at).max(0);
        self.parts = self
            .parts
            .saturating_add(elapsed.saturating_mul(restore))
            .min(most);
        self.at = self.at.max(now);
        let parts = |units: u64| {
            let units = i64::try_from(units).unwrap_or(i64::MAX);
            units.saturating_mul(PARTS).min(most)
        };
        let cost = parts(units).min(most.saturating_sub(parts(paid)));
        let is_enough = self.parts >= cost;
        if is_enough {
            self.parts = self.parts.saturating_sub(cost);
        }
        let wanted = if is_enough {
            most
        } else {
            parts(units.saturating_add(paid))
        };
        let missing = wanted.saturating_sub(self.parts);
        let seconds = missing.saturating_add(restore * PARTS - 1) / (restore * PARTS);
        Taken {
            is_enough,
            left: u32::try_from(self.parts / PARTS).unwrap_or(0),
            wait: u32::try_from(seconds)
                .unwrap_or(u32::MAX)
                .max(u32::from(!is_enough)),
        }
    }

    fn is_full(&self, rate: Rate, now: i64) -> bool {
        let mut then = *self;
        then.take(rate, now, 0, 0).wait == 0
    }
}

/// The budgets of this process. Cloning shares them.
#[derive(Debug, Clone, Default)]
pub struct Limits {
    rate: Rate,
    budgets: Arc<Mutex<HashMap<String, Budget>>>,
}

impl Limits {
    /// Budgets of this size.
    pub fn new(rate: Rate) -> Self {
        Self {
            rate,
            budgets: Arc::default(),
        }
    }

    /// Takes units from the budget of `who`.
    pub fn take(&self, who: &str, now: DateTime<Utc>, units: u64) -> Taken {
        self.take_after(who, now, units, 0)
    }

    /// Takes units for what has `paid` so many already.
    fn take_after(&self, who: &str, now: DateTime<Utc>, units: u64, paid: u64) -> Taken {
        let now = now.timestamp_micros();
        let mut budgets = self.budgets.lock().unwrap_or_else(PoisonError::into_inner);
        if budgets.len() >= BUDGETS_MAX && !budgets.contains_key(who) {
            budgets.retain(|_, budget| !budget.is_full(self.rate, now));
        }
        // Where so many are in use at once, whoever comes new shares one.
        let who = if budgets.len() >= BUDGETS_MAX && !budgets.contains_key(who) {
            "others"
        } else {
            who
        };
        let full = Budget {
            parts: i64::from(self.rate.burst).saturating_mul(PARTS),
            at: now,
        };
        let budget = budgets.entry(who.to_owned()).or_insert(full);
        budget.take(self.rate, now, units, paid)
    }

    /// Says in the headers of a response what is left, after the draft of the IETF.
    fn tell(&self, headers: &mut HeaderMap, taken: Taken) {
        let Rate { burst, .. } = self.rate;
        let policy = format!("\"client\";q={burst};w={}", self.rate.window());
        let left = format!("\"client\";r={};t={}", taken.left, taken.wait);
        for (name, text) in [("ratelimit-policy", policy), ("ratelimit", left)] {
            if let Ok(value) = HeaderValue::from_str(&text) {
                headers.insert(HeaderName::from_static(name), value);
            }
        }
    }
}

/// Lets a request through, or not.
pub async fn guard(State(app): State<Arc<App>>, mut request: Request, next: Next) -> Response {
    let Some(who) = who(&app, &request) else {
        return next.run(request).await;
    };
    let mut purse = Purse::new(app.limits.clone(), who);
    let mut response = match purse.pay(app.clock.now(), cost(request.headers())) {
        Ok(()) => {
            // What is found out about the request on its way may cost more.
            request.extensions_mut().insert(purse.clone());
            next.run(request).await
        }
        Err(wait) => {
            let told = (request.uri().path() == graphql::PATH).then(|| purse.cost_json());
            refusal(wait, told, &app.ids.text())
        }
    };
    let taken = response.extensions().get().copied().unwrap_or(purse.taken());
    app.limits.tell(response.headers_mut(), taken);
    response
}

/// What is said to a client that has to wait so many seconds.
pub fn used_up(wait: u32) -> String {
    format!("the client's budget is used up; there is enough again in {wait} s")
}

fn refusal(wait: u32, cost: Option<Value>, request_id: &str) -> Response {
    let status = Code::RateLimited.status();
    let mut body = problem::body(Code::RateLimited, &used_up(wait), request_id);
    if let (Some(cost), Some(body)) = (cost, body.as_object_mut()) {
        body.insert("extensions".to_owned(), json!({"cost": cost}));
    }
    let mut response = problem::json(status, &body, request_id);
    response
        .headers_mut()
        .insert(RETRY_AFTER, HeaderValue::from(wait));
    response
}

/// Whose budget a request is paid from; none: nobody can tell, as where a test calls the router itself without a token.
fn who(app: &App, request: &Request) -> Option<String> {
    // Probes are asked by whoever runs the process, and cost nothing.
    if matches!(request.uri().path(), "/livez" | "/readyz") {
        return None;
    }
    let token = bearer::token(request.headers()).ok().flatten();
    let viewer = token.and_then(|token| app.verifier.authenticate(token, app.clock.now()).ok());
    match viewer {
        Some(viewer) => Some(client(&viewer.client_id)),
        None => {
            let ConnectInfo(address) = request.extensions().get::<ConnectInfo<SocketAddr>>()?;
            Some(format!("address {}", address.ip()))
        }
    }
}

/// The name of a client's budget.
pub fn client(client_id: &str) -> String {
    format!("client {client_id}")
}

fn cost(headers: &HeaderMap) -> u64 {
    let stated = headers
        .get(CONTENT_LENGTH)
        .and_then(|value| value.to_str().ok()?.parse().ok());
    let bytes = match stated {
        Some(bytes) => bytes,
        None if headers.contains_key(TRANSFER_ENCODING) => UNKNOWN_LENGTH,
        None => 0,
    };
    1 + bytes / BYTES_PER_UNIT
}

#[cfg(test)]
mod tests {
    use super::*;

    const RATE: Rate = Rate {
        burst: 10,
        restore: 2,
    };

    fn at(milliseconds: i64) -> DateTime<Utc> {
        DateTime::from_timestamp_millis(milliseconds).unwrap()
    }

    #[test]
    fn a_budget_is_used_up_and_comes_back_with_time() {
        let limits = Limits::new(RATE);
        assert_eq!(
            limits.take("a", at(0), 9),
            Taken {
                is_enough: true,
                left: 1,
                wait: 5
            }
        );
        assert_eq!(
            limits.take("a", at(0), 3),
            Taken {
                is_enough: false,
                left: 1,
                wait: 1
            }
        );
        assert!(!limits.take("a", at(999), 3).is_enough);
        assert!(limits.take("a", at(1_000), 3).is_enough);
        // It never holds more than a full one, however long nobody asks.
        assert_eq!(limits.take("a", at(1_000_000), 1).left, 9);
    }

    #[test]
    fn one_client_uses_up_nothing_of_anothers() {
        let limits = Limits::new(RATE);
        assert!(limits.take("a", at(0), 10).is_enough);
        assert!(!limits.take("a", at(0), 1).is_enough);
        assert_eq!(limits.take("b", at(0), 1).left, 9);
    }

    #[test]
    fn what_costs_more_than_a_full_budget_can_still_be_had() {
        let limits = Limits::new(RATE);
        assert!(limits.take("a", at(0), 1_000_000).is_enough);
        let refused = limits.take("a", at(0), u64::MAX);
        assert_eq!((refused.is_enough, refused.wait), (false, 5));
        assert!(limits.take("a", at(5_000), u64::MAX).is_enough);
    }

    #[test]
    fn a_clock_that_steps_back_gives_nothing_and_takes_nothing() {
        let limits = Limits::new(RATE);
        assert!(limits.take("a", at(10_000), 10).is_enough);
        assert!(!limits.take("a", at(0), 1).is_enough);
        assert!(!limits.take("a", at(10_400), 1).is_enough);
        assert!(limits.take("a", at(10_500), 1).is_enough);
    }

    #[test]
    fn any_number_of_addresses_takes_bounded_memory() {
        let limits = Limits::new(RATE);
        for number in 0..BUDGETS_MAX + 100 {
            limits.take(&number.to_string(), at(0), 1);
        }
        assert!(limits.budgets.lock().unwrap().len() <= BUDGETS_MAX + 1);
        // Those that are full again make room.
        limits.take("late", at(60_000), 1);
        assert_eq!(limits.budgets.lock().unwrap().len(), 1);
    }

    #[test]
    fn a_long_body_costs_more() {
        let headers = |name: HeaderName, value: &'static str| {
            HeaderMap::from_iter([(name, HeaderValue::from_static(value))])
        };
        assert_eq!(cost(&HeaderMap::new()), 1);
        assert_eq!(cost(&headers(CONTENT_LENGTH, "16383")), 1);
        assert_eq!(cost(&headers(CONTENT_LENGTH, "32768")), 3);
        assert_eq!(cost(&headers(TRANSFER_ENCODING, "chunked")), 65);
    }
}
