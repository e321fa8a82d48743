//! When a call that failed is made again. Pure: what is random, and what time it is, are handed in.

use chrono::{DateTime, NaiveDateTime, TimeDelta, Utc};

/// The fewest tries before an endpoint is given up, and the shortest time over which they are made.
pub const TRIES: i64 = 10;
/// As [`TRIES`]: three days and three hours.
const SPAN_SECONDS: i64 = 75 * 3_600;
/// The waits after the first try, after the second, and so on, in seconds; the last one repeats. The first nine are 75 hours and a half.
const WAITS: [i64; 9] = [5, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, LONGEST];
const LONGEST: i64 = 86_400;
/// Up to so much of a wait is added to it, so that many calls that failed together do not come back together.
const JITTER: f64 = 0.1;
/// The longest that an endpoint can ask us to wait.
const ASKED_MAX: TimeDelta = TimeDelta::hours(24);
/// Calls in a row that may fail before an endpoint is called one at a time.
pub const CIRCUIT_AFTER: i64 = 5;
/// The first wait of an endpoint that is called one at a time, and the longest, in seconds.
const PROBE_SECONDS: (i64, i64) = (5, 900);

/// By how much every wait of ours is shortened: 1 for real, less in development.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Scale(f64);

impl Scale {
    /// Waits as long as they are.
    pub const REAL: Self = Self(1.0);

    /// A scale; none for what is not above 0 and at most 1.
    pub fn new(factor: f64) -> Option<Self> {
        (factor > 0.0 && factor <= 1.0).then_some(Self(factor))
    }

    /// A time of ours, shortened.
    pub fn shorten(self, time: TimeDelta) -> TimeDelta {
        self.of(time.num_seconds(), 0.0)
    }

    fn of(self, seconds: i64, more: f64) -> TimeDelta {
        #[expect(
            clippy::cast_precision_loss,
            clippy::cast_possible_truncation,
            reason = "a number of microseconds below 2^53"
        )]
        let micros = (seconds as f64 * 1_000_000.0 * self.0 * (1.0 + more)).round() as i64;
        TimeDelta::microseconds(micros)
    }
}

/// The wait after so many tries (1: the first has failed). `jitter` is from 0 to 1; `asked` is what the endpoint asked for, which counts
/// in real time and only ever makes the wait longer.
pub fn wait(tries: i64, jitter: f64, asked: Option<TimeDelta>, scale: Scale) -> TimeDelta {
    let place = usize::try_from(tries.saturating_sub(1)).unwrap_or(0);

    let seconds = WAITS.get(place).copied().unwrap_or(LONGEST);
    let own = scale.of(seconds, JITTER * jitter.clamp(0.0, 1.0));
    asked.map_or(own, |asked| own.max(asked.min(ASKED_MAX)))
}

/// The wait before the next call of an endpoint of which so many calls in a row have failed; none: it is called as ever.
pub fn probe(failures: i64, jitter: f64, scale: Scale) -> Option<TimeDelta> {
    let over = u32::try_from(failures.checked_sub(CIRCUIT_AFTER)?.min(30)).ok()?;
    let seconds = PROBE_SECONDS.0.saturating_mul(2_i64.saturating_pow(over));
    Some(scale.of(seconds.min(PROBE_SECONDS.1), JITTER * jitter.clamp(0.0, 1.0)))
}

/// Whether enough has been tried, over long enough, to give up.
pub fn is_exhausted(tries: i64, since: DateTime<Utc>, now: DateTime<Utc>, scale: Scale) -> bool {
    tries >= TRIES && now.signed_duration_since(since) >= scale.of(SPAN_SECONDS, 0.0)
}

/// How long an endpoint asks us to wait, by the value of its header `Retry-After`: seconds, or a date in one of the three forms of HTTP.
pub fn asked(header: &str, now: DateTime<Utc>) -> Option<TimeDelta> {
    let header = header.trim();
    if !header.is_empty() && header.bytes().all(|byte| byte.is_ascii_digit()) {
        // Too many digits are a very long wait, not none.
        let seconds = header.parse().unwrap_or(i64::MAX);
        return Some(
            TimeDelta::try_seconds(seconds)
                .unwrap_or(ASKED_MAX)
                .min(ASKED_MAX),
        );
    }
    let forms = [
        "%a, %d %b %Y %H:%M:%S GMT",
        "%A, %d-%b-%y %H:%M:%S GMT",
        "%a %b %e %H:%M:%S %Y",
    ];
    let date = forms
        .iter()
        .find_map(|form| NaiveDateTime::parse_from_str(header, form).ok())?;
    let wait = date.and_utc().signed_duration_since(now);
    Some(wait.clamp(TimeDelta::zero(), ASKED_MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    #[test]
    fn the_first_retry_comes_after_five_seconds_and_ten_tries_take_three_days_and_three_hours() {
        assert_eq!(wait(1, 0.0, None, Scale::REAL), TimeDelta::seconds(5));
        let all: TimeDelta = (1..TRIES).map(|tries| wait(tries, 0.0, None, Scale::REAL)).sum();
        assert!(all >= TimeDelta::seconds(SPAN_SECONDS), "{all}");
        assert!(all < TimeDelta::hours(76), "{all}");
        let waits: Vec<_> = (1..=20)
            .map(|tries| wait(tries, 0.0, None, Scale::REAL))
            .collect();
        assert!(waits.windows(2).all(|pair| pair[0] <= pair[1]), "{waits:?}");
    }

    #[test]
    fn jitter_makes_a_wait_up_to_a_tenth_longer_and_never_shorter() {
        for jitter in [0.0, 0.5, 1.0, 7.0, -7.0, f64::NAN] {
            let wait = wait(2, jitter, None, Scale::REAL);
            assert!(
                wait >= TimeDelta::seconds(300) && wait <= TimeDelta::seconds(330) || jitter.is_nan(),
                "{jitter} {wait}"
            );
        }
        assert_ne!(wait(2, 0.1, None, Scale::REAL), wait(2, 0.2, None, Scale::REAL));
    }

    #[test]
    fn what_an_endpoint_asks_for_makes_a_wait_longer_up_to_a_day() {
        let asked = |seconds| Some(TimeDelta::seconds(seconds));
        assert_eq!(wait(1, 0.0, asked(60), Scale::REAL), TimeDelta::seconds(60));
        assert_eq!(wait(1, 0.0, asked(1), Scale::REAL), TimeDelta::seconds(5));
        assert_eq!(wait(1, 0.0, asked(1_000_000), Scale::REAL), TimeDelta::hours(24));
        // It is the endpoint's time and not ours: a scale does not shorten it.
        assert_eq!(
            wait(1, 0.0, asked(2), Scale::new(0.001).unwrap()),
            TimeDelta::seconds(2)
        );
    }

    #[test]
    fn a_scale_shortens_every_wait_of_ours() {
        let scale = Scale::new(0.001).unwrap();
        assert_eq!(wait(1, 0.0, None, scale), TimeDelta::milliseconds(5));
        assert_eq!(probe(5, 0.0, scale), Some(TimeDelta::milliseconds(5)));
        let since = at("2026-11-21T12:00:00Z");
        assert!(is_exhausted(10, since, at("2026-11-21T12:04:30Z"), scale));
        assert!(!is_exhausted(10, since, at("2026-11-21T12:04:29Z"), scale));
        assert!(!is_exhausted(9, since, at("2026-11-22T12:00:00Z"), scale));
        for bad in [0.0, -1.0, 1.1, f64::NAN, f64::INFINITY] {
            assert_eq!(Scale::new(bad), None);
        }
    }

    #[test]
    fn an_endpoint_that_goes_on_failing_is_probed_less_and_less_up_to_four_times_an_hour() {
        assert_eq!(probe(0, 0.0, Scale::REAL), None);
        assert_eq!(probe(4, 0.0, Scale::REAL), None);
        let seconds: Vec<_> = [5, 6, 7, 12, 13, 1_000_000, i64::MAX]
            .map(|failures| probe(failures, 0.0, Scale::REAL).unwrap().num_seconds())
            .into();
        assert_eq!(seconds, [5, 10, 20, 640, 900, 900, 900]);
    }

    #[test]
    fn retry_after_is_a_number_of_seconds_or_a_date_and_bounded() {
        let now = at("2026-11-21T12:00:00Z");
        let seconds = |header| asked(header, now).map(|wait| wait.num_seconds());
        for (header, wanted) in [
            ("0", Some(0)),
            ("120", Some(120)),
            (" 7 ", Some(7)),
            ("99999999999999999999999", Some(86_400)),
            ("Sat, 21 Nov 2026 12:01:00 GMT", Some(60)),
            ("Saturday, 21-Nov-26 12:01:00 GMT", Some(60)),
            ("Sat Nov 21 12:01:00 2026", Some(60)),
            ("Sat, 21 Nov 2026 11:00:00 GMT", Some(0)),
            ("Fri, 21 Nov 2036 12:00:00 GMT", Some(86_400)),
            ("", None),
            ("-1", None),
            ("1.5", None),
            ("soon", None),
            ("\u{0}", None),
        ] {
            assert_eq!(seconds(header), wanted, "{header}");
        }
    }
}
