//! Levels: what members are called by the points they earn.

use async_graphql::SimpleObject;
use entity::level::Model;
use jobs::rules::levels;

use super::incentive::Window;
use crate::domain::level::Stand;
use crate::graphql::error::ApiError;
use crate::graphql::scalar::{BigInt, Date};

/// The levels of a program. The level of a day is the higher of two: what the points of the window before gave at its end, which is
/// kept through the present window, and what the points of the present window have given so far. Windows go by the calendar in the
/// zone of the program, and points count on the day on which they were recorded; what is taken back goes off on the day on which it is.
/// Corrections by hand do not count, and neither does what is spent or ends.
#[derive(SimpleObject)]
pub struct LevelScheme {
    /// By which kind of points.
    category: String,
    /// Where points are counted anew: `MONTH`, `QUARTER`, `YEAR` or `EVER`.
    window: Window,
    /// Whether a level is lost that is not reached again in the window after. If not, the highest that was ever reached stays.
    may_fall: bool,
    /// The levels, the lowest first.
    levels: Vec<Level>,
}

/// A level of a program.
#[derive(SimpleObject)]
pub struct Level {
    /// Its name for programs.
    key: String,
    /// Its name for people.
    name: String,
    /// How many points it takes.
    at_least: BigInt,
}

impl From<&levels::Level> for Level {
    fn from(level: &levels::Level) -> Self {
        Self {
            key: level.key.clone(),
            name: level.name.clone(),
            at_least: BigInt(level.at_least),
        }
    }
}

impl LevelScheme {
    /// The levels as they are stored.
    pub fn read(row: Model) -> Result<Self, ApiError> {
        let unreadable = ApiError::Internal("levels cannot be read");
        let levels = levels::Levels::parse(&row.definition).ok_or(unreadable)?;
        Ok(Self {
            category: row.category,
            window: levels.window.into(),
            may_fall: levels.may_fall,
            levels: levels.levels.iter().map(Level::from).collect(),
        })
    }
}

/// Where a member stands among the levels of a program. What a level is and when it changes is said at `LevelScheme`.
#[derive(SimpleObject)]
pub struct MemberLevel {
    /// The level; null below the first one.
    level: Option<Level>,
    /// By which kind of points.
    category: String,
    /// The points that were earned in the present window, less those of them and of earlier ones that were taken back in it; at least
    /// 0.
    points: BigInt,
    /// The next higher level; null: there is none.
    next: Option<Level>,
    /// How many points the next level takes in the present window beyond `points`; null: there is no next level.
    missing: Option<BigInt>,
    /// The first day of the next window, on which the level is judged anew. Null where it is not: where points count for ever, or
    /// levels may not fall.
    reassessed_on: Option<Date>,
    /// The last day on which the level is kept without another point, unless points are taken back. Null: there is no level, or it is
    /// kept for good.
    kept_until: Option<Date>,
}

impl From<Stand> for MemberLevel {
    fn from(stand: Stand) -> Self {
        let standing = stand.levels.standing(&stand.earned, stand.today);
        Self {
            level: standing.level.map(Level::from),
            points: BigInt(standing.points),
            next: standing.next.map(Level::from),
            missing: standing.missing().map(BigInt),
            reassessed_on: standing.reassessed_on.map(Date),
            kept_until: standing.kept_until.map(Date),
            category: stand.row.category,
        }
    }
}
