//! Statements over many rows at once, in one form for both databases.
//!
//! [`Sql`] puts a statement together from text and bound values. [`Rows`] is a set of rows bound as parameters that a statement
//! can select from, join or insert: on PostgreSQL one array a column (`unnest`), on SQLite one JSON text (`json_each`). Either
//! way the text of the statement does not depend on the number of rows, so it is prepared once, and a thousand rows cost one
//! round trip.

#![expect(
    clippy::indexing_slicing,
    reason = "the columns of one set of rows are of one length, and rows are counted from it"
)]

use sea_orm::sea_query::{ArrayType, Value};
use sea_orm::{ConnectionTrait, DbErr, FromQueryResult, Statement};
use serde_json::Value as Json;
use uuid::Uuid;

use super::Kind;
use crate::id::{EmployerId, MemberId, TypedId};

/// A statement in the making.
#[derive(Debug)]
pub struct Sql {
    kind: Kind,
    text: String,
    values: Vec<Value>,
}

impl Sql {
    /// An empty statement for this kind of database.
    pub fn new(kind: Kind) -> Self {
        Self {
            kind,
            text: String::new(),
            values: Vec::new(),
        }
    }

    /// A statement for the database behind `connection` that starts with `text`.
    pub fn on(connection: &impl ConnectionTrait, text: &str) -> Self {
        Self::new(Kind::of(connection)).push(text)
    }

    /// Which database it is for.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// Adds text.
    pub fn push(mut self, text: &str) -> Self {
        self.text.push_str(text);
        self
    }

    /// Adds the text of one form on SQLite, of another on PostgreSQL.
    pub fn either(self, sqlite: &str, postgres: &str) -> Self {
        let text = if self.kind == Kind::Sqlite {
            sqlite
        } else {
            postgres
        };
        self.push(text)
    }

    /// Adds a value.
    pub fn bind(mut self, value: impl Into<Value>) -> Self {
        self.values.push(value.into());
        let place = format!("${}", self.values.len());
        self.push(&place)
    }

    /// Adds rows, as a parenthesised table expression whose columns bear the names given to [`Rows`].
    pub fn rows(mut self, rows: Rows) -> Self {
        let first = self.values.len() + 1;
        match self.kind {
            Kind::Sqlite => {
                let columns: Vec<String> = rows
                    .columns
                    .iter()
                    .enumerate()
                    .map(|(index, (name, column))| column.over_json(index, name))
                    .collect();
                self.text.push_str(&format!(
                    "(SELECT {} FROM json_each(${first}))",
                    columns.join(", ")
                ));
                self.values.push(Value::String(Some(rows.into_json())));
            }
            Kind::Postgres => {
                let mut arrays = Vec::new();
                let mut names = Vec::new();
                let mut columns = Vec::new();
                for (index, (name, column)) in rows.columns.into_iter().enumerate() {
                    // Behind a subselect the planner does not see how long the array is, and takes it for short: then it looks each
                    // row up by an index, whatever it thinks of reading a whole table, and the plan is one for few rows and many.
                    arrays.push(format!("(SELECT ${}::{}[])", first + index, column.array_type()));
                    columns.push(column.over_array(name));
                    names.push(name);
                    self.values.push(column.into_array());
                }
                self.text.push_str(&format!(
                    "(SELECT {} FROM unnest({}) AS bound({}))",
                    columns.join(", "),
                    arrays.join(", "),
                    names.join(", ")
                ));
            }
        }
        self
    }

    /// The finished statement.
    pub fn statement(self) -> Statement {
        let backend = match self.kind {
            Kind::Sqlite => sea_orm::DbBackend::Sqlite,
            Kind::Postgres => sea_orm::DbBackend::Postgres,
        };
        Statement::from_sql_and_values(backend, self.text, self.values)
    }

    /// Runs it and counts the rows changed.
    pub async fn execute(self, connection: &impl ConnectionTrait) -> Result<u64, DbErr> {
        super::execute(connection, self.statement()).await
    }

    /// Runs it and reads every row.
    pub async fn all<M: FromQueryResult>(self, connection: &impl ConnectionTrait) -> Result<Vec<M>, DbErr> {
        super::query(connection, self.statement())
            .await?
            .iter()
            .map(|row| M::from_query_result(row, ""))
            .collect()
    }

    /// Runs it and reads the first row, if there is one.
    pub async fn one<M: FromQueryResult>(
        self,
        connection: &impl ConnectionTrait,
    ) -> Result<Option<M>, DbErr> {
        let row = connection.query_one_raw(self.statement()).await?;
        row.map(|row| M::from_query_result(&row, "")).transpose()
    }
}

/// Deletes what a table holds of one member of an employer; says how many rows.
pub(crate) async fn delete_of_member(
    connection: &impl ConnectionTrait,
    table: &'static str,
    (employer, member): (EmployerId, MemberId),
) -> Result<u64, DbErr> {
    Sql::on(connection, "DELETE FROM ")
        .push(table)
        .push(" WHERE employer_id = ")
        .bind(employer)
        .push(" AND member_id = ")
        .bind(member)
        .execute(connection)
        .await
}

/// The rows of a tenant's table with these (employer, id), in no order; one statement however many.
pub(crate) async fn list_by_ids<M: FromQueryResult, I: TypedId>(
    connection: &impl ConnectionTrait,
    table: &'static str,
    wanted: &[(EmployerId, I)],
) -> Result<Vec<M>, DbErr> {
    let rows = Rows::new()
        .id("employer_id", wanted.iter().map(|(employer, _)| *employer))
        .id("id", wanted.iter().map(|(_, id)| *id));
    Sql::on(connection, "SELECT found.* FROM ")
        .rows(rows)
        .push(" AS wanted JOIN ")
        .push(table)
        .push(" AS found ON found.employer_id = wanted.employer_id AND found.id = wanted.id")
        .all(connection)
        .await
}

/// One column of bound rows. A column that may be null has a kind of its own, because an array of the driver cannot hold nulls.
#[derive(Debug, Clone)]
enum Column {
    Id(Vec<Uuid>),
    IdOrNull(Vec<Option<Uuid>>),
    Bytes(Vec<Vec<u8>>),
    BytesOrNull(Vec<Option<Vec<u8>>>),
    Text(Vec<String>),
    TextOrNull(Vec<Option<String>>),
    Int(Vec<i64>),
    IntOrNull(Vec<Option<i64>>),
    Bool(Vec<bool>),
    Date(Vec<chrono::NaiveDate>),
    Json(Vec<String>),
}

/// Rows bound as parameters, column by column.
#[derive(Debug, Clone, Default)]
pub struct Rows {
    columns: Vec<(&'static str, Column)>,
}

impl Rows {
    /// No columns yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// A column of ids.
    pub fn id<I: TypedId>(self, name: &'static str, values: impl IntoIterator<Item = I>) -> Self {
        self.with(name, Column::Id(values.into_iter().map(TypedId::uuid).collect()))
    }

    /// A column of ids, some of them null.
    pub fn id_or_null<I: TypedId>(
        self,
        name: &'static str,
        values: impl IntoIterator<Item = Option<I>>,
    ) -> Self {
        self.with(
            name,
            Column::IdOrNull(values.into_iter().map(|id| id.map(TypedId::uuid)).collect()),
        )
    }

    /// A column of byte strings.
    pub fn bytes(self, name: &'static str, values: impl IntoIterator<Item = Vec<u8>>) -> Self {
        self.with(name, Column::Bytes(values.into_iter().collect()))
    }

    /// A column of byte strings, some of them null. None of them is empty.
    pub fn bytes_or_null(
        self,
        name: &'static str,
        values: impl IntoIterator<Item = Option<Vec<u8>>>,
    ) -> Self {
        self.with(name, Column::BytesOrNull(values.into_iter().collect()))
    }

    /// A column of text.
    pub fn text(self, name: &'static str, values: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.with(name, Column::Text(values.into_iter().map(Into::into).collect()))
    }

    /// A column of text, some of it null.
    pub fn text_or_null(self, name: &'static str, values: impl IntoIterator<Item = Option<String>>) -> Self {
        self.with(name, Column::TextOrNull(values.into_iter().collect()))
    }

    /// A column of 64-bit integers; instants are such, in microseconds.
    pub fn int(self, name: &'static str, values: impl IntoIterator<Item = i64>) -> Self {
        self.with(name, Column::Int(values.into_iter().collect()))
    }

    /// A column of 64-bit integers, some of them null. None of them is the least there is.
    pub fn int_or_null(self, name: &'static str, values: impl IntoIterator<Item = Option<i64>>) -> Self {
        self.with(name, Column::IntOrNull(values.into_iter().collect()))
    }

    /// A column of truth values.
    pub fn bool(self, name: &'static str, values: impl IntoIterator<Item = bool>) -> Self {
        self.with(name, Column::Bool(values.into_iter().collect()))
    }

    /// A column of civil dates.
    pub fn date(self, name: &'static str, values: impl IntoIterator<Item = chrono::NaiveDate>) -> Self {
        self.with(name, Column::Date(values.into_iter().collect()))
    }

    /// A column of JSON documents, as text.
    pub fn json(self, name: &'static str, values: impl IntoIterator<Item = String>) -> Self {
        self.with(name, Column::Json(values.into_iter().collect()))
    }

    /// How many rows there are.
    pub fn len(&self) -> usize {
        self.columns.first().map_or(0, |(_, column)| column.len())
    }

    /// Whether there is nothing to bind.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn with(mut self, name: &'static str, column: Column) -> Self {
        debug_assert!(
            self.columns.is_empty() || self.len() == column.len(),
            "columns of one set of rows are of one length"
        );
        self.columns.push((name, column));
        self
    }

    /// All rows as one JSON array of arrays.
    fn into_json(self) -> String {
        let mut text = String::with_capacity(self.len() * self.columns.len() * 24);
        text.push('[');
        for row in 0..self.len() {
            text.push_str(if row == 0 { "[" } else { ",[" });
            for (index, (_, column)) in self.columns.iter().enumerate() {
                if index > 0 {
                    text.push(',');
                }
                column.push_json(row, &mut text);
            }
            text.push(']');
        }
        text.push(']');
        text
    }
}

impl Column {
    fn len(&self) -> usize {
        match self {
            Self::Id(values) => values.len(),
            Self::IdOrNull(values) => values.len(),
            Self::Bytes(values) => values.len(),
            Self::BytesOrNull(values) => values.len(),
            Self::IntOrNull(values) => values.len(),
            Self::Text(values) | Self::Json(values) => values.len(),
            Self::TextOrNull(values) => values.len(),
            Self::Int(values) => values.len(),
            Self::Bool(values) => values.len(),
            Self::Date(values) => values.len(),
        }
    }

    /// SQLite: adds the value of one row as JSON.
    fn push_json(&self, row: usize, text: &mut String) {
        match self {
            Self::Id(values) => push_hex(values[row].as_bytes(), text),
            Self::IdOrNull(values) => match &values[row] {
                Some(id) => push_hex(id.as_bytes(), text),
                None => text.push_str("null"),
            },
            Self::Bytes(values) => push_hex(&values[row], text),
            Self::BytesOrNull(values) => match &values[row] {
                Some(bytes) => push_hex(bytes, text),
                None => text.push_str("null"),
            },
            Self::IntOrNull(values) => match values[row] {
                Some(value) => text.push_str(&value.to_string()),
                None => text.push_str("null"),
            },
            Self::Text(values) | Self::Json(values) => push_text(&values[row], text),
            Self::TextOrNull(values) => match &values[row] {
                Some(value) => push_text(value, text),
                None => text.push_str("null"),
            },
            Self::Int(values) => text.push_str(&values[row].to_string()),
            Self::Bool(values) => text.push(if values[row] { '1' } else { '0' }),
            Self::Date(values) => push_text(&values[row].to_string(), text),
        }
    }

    /// SQLite: the column as an expression over the JSON rows.
    fn over_json(&self, index: usize, name: &str) -> String {
        match self {
            Self::Id(_) | Self::IdOrNull(_) | Self::Bytes(_) | Self::BytesOrNull(_) => {
                format!("unhex(value ->> {index}) AS {name}")
            }
            _ => format!("value ->> {index} AS {name}"),
        }
    }

    /// PostgreSQL: the element type of the bound array.
    fn array_type(&self) -> &'static str {
        match self {
            Self::Id(_) | Self::IdOrNull(_) => "uuid",
            Self::Bytes(_) | Self::BytesOrNull(_) => "bytea",
            Self::Text(_) | Self::TextOrNull(_) | Self::Json(_) | Self::Date(_) => "text",
            Self::Int(_) | Self::IntOrNull(_) => "bigint",
            Self::Bool(_) => "boolean",
        }
    }

    /// PostgreSQL: the column as an expression over the unnested array.
    fn over_array(&self, name: &str) -> String {
        match self {
            // The nil id stands for null: no id of ours is nil, because each starts with the time.
            Self::IdOrNull(_) => {
                format!("NULLIF({name}, '00000000-0000-0000-0000-000000000000'::uuid) AS {name}")
            }
            // Callers have no use for these two.
            Self::BytesOrNull(_) => format!("NULLIF({name}, ''::bytea) AS {name}"),
            Self::IntOrNull(_) => format!("NULLIF({name}, '{}'::bigint) AS {name}", i64::MIN),
            // Text that may be null has a character before it, and null is empty.
            Self::TextOrNull(_) => format!("substr(NULLIF({name}, ''), 2) AS {name}"),
            Self::Json(_) => format!("{name}::jsonb AS {name}"),
            Self::Date(_) => format!("{name}::date AS {name}"),
            _ => name.to_owned(),
        }
    }

    /// PostgreSQL: the bound array.
    fn into_array(self) -> Value {
        fn array<T>(ty: ArrayType, values: Vec<T>, value: impl Fn(T) -> Value) -> Value {
            Value::Array(ty, Some(Box::new(values.into_iter().map(value).collect())))
        }
        let text = |text| Value::String(Some(text));
        match self {
            Self::Id(values) => array(ArrayType::Uuid, values, |id| Value::Uuid(Some(id))),
            Self::IdOrNull(values) => array(ArrayType::Uuid, values, |id| {
                Value::Uuid(Some(id.unwrap_or(Uuid::nil())))
            }),
            Self::Bytes(values) => array(ArrayType::Bytes, values, |bytes| Value::Bytes(Some(bytes))),
            Self::BytesOrNull(values) => array(ArrayType::Bytes, values, |bytes| {
                Value::Bytes(Some(bytes.unwrap_or_default()))
            }),
            Self::IntOrNull(values) => array(ArrayType::BigInt, values, |value| {
                Value::BigInt(Some(value.unwrap_or(i64::MIN)))
            }),
            Self::Text(values) | Self::Json(values) => array(ArrayType::String, values, text),
            Self::TextOrNull(values) => array(ArrayType::String, values, |value| {
                text(value.map_or_else(String::new, |value| format!("={value}")))
            }),
            Self::Int(values) => array(ArrayType::BigInt, values, |value| Value::BigInt(Some(value))),
            Self::Bool(values) => array(ArrayType::Bool, values, |value| Value::Bool(Some(value))),
            Self::Date(values) => array(ArrayType::String, values, |date| text(date.to_string())),
        }
    }
}

/// Adds bytes as a JSON string of hexadecimal digits.
fn push_hex(bytes: &[u8], text: &mut String) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    text.push('"');
    for byte in bytes {
        text.push(char::from(DIGITS[usize::from(byte >> 4)]));
        text.push(char::from(DIGITS[usize::from(byte & 15)]));
    }
    text.push('"');
}

/// Adds a text as a JSON string.
fn push_text(value: &str, text: &mut String) {
    text.push_str(&Json::from(value).to_string());
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::MemberId;

    #[test]
    fn rows_read_back_from_their_json() {
        let id = MemberId::from_uuid(Uuid::from_u128(0x0123_4567_89ab_cdef_0123_4567_89ab_cdef));
        let rows = Rows::new()
            .id("a", [id, id])
            .id_or_null("b", [None, Some(id)])
            .bytes("c", [vec![0, 255], vec![]])
            .text("d", ["plain", "\"quoted\" \\ \n \u{1} ü"])
            .text_or_null("e", [None, Some("null".to_owned())])
            .int("f", [i64::MIN, i64::MAX])
            .bool("g", [true, false])
            .date("h", [chrono::NaiveDate::MIN, chrono::NaiveDate::default()])
            .json("i", ["{\"x\":1}".to_owned(), "[]".to_owned()]);
        let hex = "0123456789abcdef0123456789abcdef";
        let read: Json = serde_json::from_str(&rows.into_json()).unwrap();
        let min = chrono::NaiveDate::MIN.to_string();
        assert_eq!(
            read,
            serde_json::json!([
                [hex, null, "00ff", "plain", null, i64::MIN, 1, min, "{\"x\":1}"],
                [
                    hex,
                    hex,
                    "",
                    "\"quoted\" \\ \n \u{1} ü",
                    "null",
                    i64::MAX,
                    0,
                    "1970-01-01",
                    "[]"
                ],
            ])
        );
    }

    #[test]
    fn no_rows_are_an_empty_list() {
        assert_eq!(Rows::new().id::<MemberId>("a", []).into_json(), "[]");
    }
}
