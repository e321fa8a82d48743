//! A partner's feed as files: lines of JSON or of CSV, the same entries as everywhere else.
//!
//! A line of NDJSON is an entry as [`crate::told`] writes it. CSV has the same values, flat: a column is named by the way to its value, and
//! what is not there is an empty cell. A cell that a spreadsheet would take for a formula is preceded by an apostrophe: only what people
//! have named can begin so.

use entity::feed::kept;
use entity::id::PartnerId;
use sea_orm::{ConnectionTrait, DbErr};
use serde_json::Value;

use crate::told::{self, Told};

/// Entries read at once.
const PAGE: u64 = 500;

/// The columns of a CSV file: the ways to the values of an entry.
pub const COLUMNS: [&str; 27] = [
    "position",
    "id",
    "cursor",
    "kind",
    "recordedAt",
    "achievement.id",
    "achievement.incentive.key",
    "achievement.incentive.name",
    "achievement.program.key",
    "achievement.program.name",
    "achievement.memberRef",
    "achievement.title",
    "achievement.earnedOn",
    "achievement.recordedAt",
    "achievement.status",
    "achievement.ordinal",
    "achievement.revokedAt",
    "redemption.id",
    "redemption.reward.key",
    "redemption.reward.name",
    "redemption.memberRef",
    "redemption.quantity",
    "redemption.pointsSpent",
    "redemption.status",
    "redemption.requestedAt",
    "redemption.expiresAt",
    "redemption.settledAt",
];

/// The form of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// RFC 4180, with a line of column names.
    Csv,
    /// A JSON object a line.
    Ndjson,
}

impl Format {
    /// How the names of its files end.
    pub const fn extension(self) -> &'static str {
        match self {
            Self::Csv => "csv",
            Self::Ndjson => "ndjson",
        }
    }

    /// What a file begins with.
    pub fn head(self) -> Result<Vec<u8>, ExportError> {
        match self {
            Self::Csv => csv_lines([COLUMNS.map(str::to_owned).to_vec()]),
            Self::Ndjson => Ok(Vec::new()),
        }
    }

    /// The lines of entries.
    pub fn lines(self, entries: &[Told]) -> Result<Vec<u8>, ExportError> {
        match self {
            Self::Csv => {
                let rows = entries.iter().map(|entry| {
                    let entry = serde_json::to_value(entry)?;
                    Ok(COLUMNS.iter().map(|way| cell(&entry, way)).collect())
                });
                csv_lines(rows.collect::<Result<Vec<_>, serde_json::Error>>()?)
            }
            Self::Ndjson => {
                let mut lines = Vec::new();
                for entry in entries {
                    serde_json::to_writer(&mut lines, entry)?;
                    lines.push(b'\n');
                }
                Ok(lines)
            }
        }
    }
}

/// Why a feed could not be written out.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// The database failed.
    #[error("the database failed")]
    Db(#[from] DbErr),
    /// What is wanted next is no longer kept.
    #[error("what comes next is no longer kept; position {oldest} is the oldest")]
    Expired {
        /// The oldest position that is kept.
        oldest: i64,
    },
    /// An entry cannot be written as JSON.
    #[error("an entry cannot be written")]
    Json(#[from] serde_json::Error),
    /// An entry cannot be written as CSV.
    #[error("an entry cannot be written")]
    Csv(#[from] csv::Error),
}

/// The next entries of a feed from one position to another, at most a page; none: that was all there is by now. Positions have no hole, so
/// one is noticed.
pub async fn page(
    connection: &impl ConnectionTrait,
    partner: PartnerId,
    (from, to): (i64, i64),
) -> Result<Vec<Told>, ExportError> {
    let wanted = to.saturating_sub(from).saturating_add(1);
    let limit = u64::try_from(wanted).unwrap_or(0).min(PAGE);
    if limit == 0 {
        return Ok(Vec::new());
    }
    let entries = told::list(connection, partner, from.saturating_sub(1), limit).await?;
    match entries.first() {
        Some(entry) if entry.position > from => Err(ExportError::Expired {
            oldest: entry.position,
        }),
        Some(_) => Ok(entries),
        None => {
            let extent = kept::extent(connection, partner).await?;
            if from < extent.oldest {
                let oldest = extent.oldest;
                return Err(ExportError::Expired { oldest });
            }
            Ok(entries)
        }
    }
}

/// Rows of cells as lines of CSV.
fn csv_lines(rows: impl IntoIterator<Item = Vec<String>>) -> Result<Vec<u8>, ExportError> {
    let mut writer = csv::WriterBuilder::new()
        .has_headers(false)
        .terminator(csv::Terminator::CRLF)
        .from_writer(Vec::new());
    for row in rows {
        writer.write_record(row)?;
    }
    writer
        .into_inner()
        .map_err(|error| ExportError::Csv(error.into_error().into()))
}

/// The value at the end of a way, as a cell shows it.
fn cell(entry: &Value, way: &str) -> String {
    let value = way.split('.').try_fold(entry, |value, step| value.get(step));
    match value {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) if text.starts_with(FORMULA) => format!("'{text}"),
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
    }
}

/// What makes a spreadsheet take a cell for a formula, in any script.
const FORMULA: [char; 11] = [
    '=', '+', '-', '@', '\t', '\r', '\n', '\u{ff1d}', '\u{ff0b}', '\u{ff0d}', '\u{ff20}',
];

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::told::{Achievement, Named, Redemption};

    fn named(name: &str) -> Named {
        Named {
            key: "key".to_owned(),
            name: name.to_owned(),
        }
    }

    fn earned(title: &str) -> Told {
        Told {
            id: "fee_1".to_owned(),
            position: 7,
            cursor: "c".to_owned(),
            kind: "ACHIEVEMENT_EARNED",
            recorded_at: "2026-11-21T12:00:00Z".to_owned(),
            achievement: Some(Achievement {
                id: "ach_1".to_owned(),
                incentive: named("Calm"),
                program: named("=1+1"),
                member_ref: "ref_1".to_owned(),
                title: title.to_owned(),
                earned_on: "2026-11-21".to_owned(),
                recorded_at: "2026-11-21T12:00:00Z".to_owned(),
                status: "EARNED",
                ordinal: 1,
                revoked_at: None,
            }),
            redemption: None,
        }
    }

    fn requested() -> Told {
        Told {
            kind: "REDEMPTION_REQUESTED",
            achievement: None,
            redemption: Some(Redemption {
                id: "red_1".to_owned(),
                reward: named("A mug"),
                member_ref: "ref_1".to_owned(),
                quantity: 2,
                points_spent: 20,
                status: "HELD",
                requested_at: "2026-11-21T12:00:00Z".to_owned(),
                expires_at: Some("2026-12-21T12:00:00Z".to_owned()),
                settled_at: None,
            }),
            ..earned("")
        }
    }

    /// The ways to all values of an entry, through objects.
    fn ways(value: &Value, before: &str, found: &mut Vec<String>) {
        match value {
            Value::Object(fields) => {
                for (name, value) in fields {
                    let dot = if before.is_empty() { "" } else { "." };
                    ways(value, &format!("{before}{dot}{name}"), found);
                }
            }
            _ => found.push(before.to_owned()),
        }
    }

    #[test]
    fn every_value_of_an_entry_has_a_column() {
        let mut found = Vec::new();
        for entry in [earned("Calm"), requested()] {
            ways(&serde_json::to_value(entry).unwrap(), "", &mut found);
        }
        found.retain(|way| way != "achievement" && way != "redemption");
        found.sort();
        found.dedup();
        let mut columns = COLUMNS.map(str::to_owned).to_vec();
        columns.sort();
        assert_eq!(found, columns);
    }

    #[test]
    fn a_line_of_csv_has_a_cell_for_each_column() {
        let mut file = Format::Csv.head().unwrap();
        file.extend(
            Format::Csv
                .lines(&[earned("Calm, and \"steady\"\nevery day"), requested()])
                .unwrap(),
        );
        let mut reader = csv::Reader::from_reader(file.as_slice());
        let rows: Vec<_> = reader.records().map(Result::unwrap).collect();
        assert_eq!(rows.len(), 2);
        let cell = |row: usize, name: &str| {
            let place = COLUMNS.iter().position(|column| *column == name).unwrap();
            rows[row].get(place).unwrap().to_owned()
        };
        assert_eq!(cell(0, "position"), "7");
        assert_eq!(cell(0, "achievement.title"), "Calm, and \"steady\"\nevery day");
        assert_eq!(cell(0, "redemption.id"), "");
        assert_eq!(cell(1, "redemption.quantity"), "2");
        assert_eq!(cell(1, "achievement.title"), "");
    }

    #[test]
    fn no_cell_is_taken_for_a_formula() {
        for start in FORMULA {
            let title = format!("{start}HYPERLINK(\"https://example.org\")");
            let entry = serde_json::to_value(earned(&title)).unwrap();
            assert_eq!(cell(&entry, "achievement.title"), format!("'{title}"));
            assert_eq!(cell(&entry, "achievement.program.name"), "'=1+1");
        }
        let entry = serde_json::to_value(earned("Two = 1 + 1")).unwrap();
        assert_eq!(cell(&entry, "achievement.title"), "Two = 1 + 1");
    }

    #[test]
    fn a_line_of_ndjson_is_the_entry() {
        let lines = Format::Ndjson.lines(&[earned("a\nb"), requested()]).unwrap();
        let lines = String::from_utf8(lines).unwrap();
        assert!(lines.ends_with('\n'));
        let read: Vec<Value> = lines
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        assert_eq!(read, [json!(earned("a\nb")), json!(requested())]);
    }
}
