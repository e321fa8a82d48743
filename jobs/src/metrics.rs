//! What operators watch: counts of what this process has done, how long it took, and levels that are measured when somebody looks.
//!
//! A count, a time or a level is a constant beside what it is about, and one line notes it:
//!
//! ```
//! use jobs::metrics::{Count, Metrics};
//!
//! const GREETINGS: Count = Count::new("greetings", "Greetings, by their tone");
//! let metrics = Metrics::default();
//! metrics.count(&GREETINGS, [("tone", "warm")], 1);
//! assert!(metrics.text().contains(r#"plaudit_greetings_total{tone="warm"} 1"#));
//! ```
//!
//! Names and labels are words of the source code, which their type demands: nothing that came from outside, be it of a member, a
//! tenant or a token, can stand among them. The registry is a value and not a global, so that two applications in one process, as in
//! tests, count apart.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::fmt;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, PoisonError};

use chrono::TimeDelta;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Metric, Registry};

/// What every name begins with.
const PREFIX: &str = "plaudit";

/// Something that only grows.
#[derive(Debug)]
pub struct Count {
    name: &'static str,
    help: &'static str,
}

impl Count {
    /// A count of this name, without prefix and `_total`; the help has no full stop.
    pub const fn new(name: &'static str, help: &'static str) -> Self {
        Self { name, help }
    }
}

/// Something that takes time, each time another.
#[derive(Debug)]
pub struct Time {
    name: &'static str,
    help: &'static str,
}

impl Time {
    /// A time of this name, without prefix and `_seconds`; the help has no full stop.
    pub const fn new(name: &'static str, help: &'static str) -> Self {
        Self { name, help }
    }
}

/// Something that goes up and down.
#[derive(Debug)]
pub struct Level {
    name: &'static str,
    help: &'static str,
}

impl Level {
    /// A level of this name, without prefix; the help has no full stop.
    pub const fn new(name: &'static str, help: &'static str) -> Self {
        Self { name, help }
    }
}

/// The bounds by which times are counted, in seconds: from a millisecond to a minute, and beyond.
const BOUNDS: [f64; 15] = [
    0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0,
];

/// Name and value.
type Label = (&'static str, &'static str);
type Counts = Family<Vec<Label>, Counter>;
type Levels = Family<Vec<Label>, Gauge<f64, AtomicU64>>;

/// Everything that is counted and measured in this process. Cheap to clone; all clones are one.
#[derive(Clone, Default)]
pub struct Metrics {
    // Protects the tables of what there is, and is never held across an await.
    shelf: Arc<Mutex<Shelf>>,
}

struct Shelf {
    registry: Registry,
    counts: HashMap<&'static str, Counts>,
    levels: HashMap<&'static str, Levels>,
    times: HashMap<&'static str, Histogram>,
}

impl Default for Shelf {
    fn default() -> Self {
        Self {
            registry: Registry::with_prefix(PREFIX),
            counts: HashMap::new(),
            levels: HashMap::new(),
            times: HashMap::new(),
        }
    }
}

/// The family of this name, registered when it is named for the first time.
fn known<F: Metric + Clone + Default>(
    families: &mut HashMap<&'static str, F>,
    registry: &mut Registry,
    name: &'static str,
    help: &'static str,
) -> F {
    match families.entry(name) {
        Entry::Occupied(family) => family.get().clone(),
        Entry::Vacant(place) => {
            let family = place.insert(F::default()).clone();
            registry.register(name, help, family.clone());
            family
        }
    }
}

impl Metrics {
    /// Counts so many more of this.
    pub fn count<const N: usize>(&self, what: &Count, labels: [Label; N], by: usize) {
        let family = {
            let Shelf { registry, counts, .. } = &mut *self.lock();
            known(counts, registry, what.name, what.help)
        };
        let by = u64::try_from(by).unwrap_or(u64::MAX);
        family.get_or_create(&labels.to_vec()).inc_by(by);
    }

    /// Notes how long this took, once for each; what took no time by the clock took none.
    pub fn time(&self, what: &Time, took: impl IntoIterator<Item = TimeDelta>) {
        let histogram = {
            let Shelf { registry, times, .. } = &mut *self.lock();
            match times.entry(what.name) {
                Entry::Occupied(known) => known.get().clone(),
                Entry::Vacant(place) => {
                    let histogram = place.insert(Histogram::new(BOUNDS)).clone();
                    registry.register(format!("{}_seconds", what.name), what.help, histogram.clone());
                    histogram
                }
            }
        };
        for took in took {
            histogram.observe(took.as_seconds_f64().max(0.0));
        }
    }

    /// Says how high this is now.
    pub fn level<const N: usize>(&self, what: &Level, labels: [Label; N], value: f64) {
        let family = {
            let Shelf { registry, levels, .. } = &mut *self.lock();
            known(levels, registry, what.name, what.help)
        };
        family.get_or_create(&labels.to_vec()).set(value);
    }

    /// Takes every level away, so that one which cannot be measured is missing and not out of date.
    pub fn clear_levels(&self) {
        self.lock().levels.values().for_each(Levels::clear);
    }

    /// All of it in the text form of `OpenMetrics`, which Prometheus reads.
    pub fn text(&self) -> String {
        let mut text = String::new();
        if let Err(error) = encode(&mut text, &self.lock().registry) {
            tracing::error!(%error, "the metrics could not be written");
        }
        // What has no labels stands by its name alone; no label and no help of ours holds these characters.
        text.replace("{} ", " ")
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Shelf> {
        self.shelf.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Metrics {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Metrics").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KNOCKS: Count = Count::new("knocks", "Knocks, by door");
    const DEPTH: Level = Level::new("depth", "How deep it is");
    const WAIT: Time = Time::new("wait", "How long it took");

    #[test]
    fn counts_add_up_and_levels_are_the_last_one() {
        let metrics = Metrics::default();
        metrics.count(&KNOCKS, [("door", "front")], 2);
        metrics.clone().count(&KNOCKS, [("door", "front")], 3);
        metrics.count(&KNOCKS, [("door", "back")], 1);
        metrics.level(&DEPTH, [], 4.0);
        metrics.level(&DEPTH, [], 2.5);
        let text = metrics.text();
        for line in [
            "# HELP plaudit_knocks Knocks, by door.",
            "# TYPE plaudit_knocks counter",
            "plaudit_knocks_total{door=\"front\"} 5",
            "plaudit_knocks_total{door=\"back\"} 1",
            "plaudit_depth 2.5",
        ] {
            assert!(text.lines().any(|found| found == line), "{line} is not in {text}");
        }
    }

    #[test]
    fn times_are_counted_by_how_long_they_were() {
        let metrics = Metrics::default();
        metrics.time(&WAIT, [1, 3, 700].map(TimeDelta::milliseconds));
        metrics.time(&WAIT, [TimeDelta::hours(1), TimeDelta::seconds(-1)]);
        let text = metrics.text();
        for line in [
            "# TYPE plaudit_wait_seconds histogram",
            "plaudit_wait_seconds_bucket{le=\"0.001\"} 2",
            "plaudit_wait_seconds_bucket{le=\"0.005\"} 3",
            "plaudit_wait_seconds_bucket{le=\"0.5\"} 3",
            "plaudit_wait_seconds_bucket{le=\"1.0\"} 4",
            "plaudit_wait_seconds_bucket{le=\"60.0\"} 4",
            "plaudit_wait_seconds_bucket{le=\"+Inf\"} 5",
            "plaudit_wait_seconds_count 5",
        ] {
            assert!(text.lines().any(|found| found == line), "{line} is not in {text}");
        }
    }

    #[test]
    fn a_level_that_was_taken_away_is_missing_and_a_count_goes_on() {
        let metrics = Metrics::default();
        metrics.count(&KNOCKS, [("door", "front")], 2);
        metrics.level(&DEPTH, [], 4.0);
        metrics.clear_levels();
        metrics.count(&KNOCKS, [("door", "front")], 1);
        let text = metrics.text();
        assert!(!text.contains("plaudit_depth 4"), "{text}");
        assert!(text.contains("plaudit_knocks_total{door=\"front\"} 3"), "{text}");
    }
}
