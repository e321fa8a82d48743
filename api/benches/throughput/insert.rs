//! Plain statements of many rows.

use entity::db::Kind;
use entity::id::TypedId;
use sea_orm::sea_query::{ArrayType, Value};
use sea_orm::{ConnectionTrait, DbBackend, Statement};

/// An insert of many rows: arrays on PostgreSQL, a list of values on SQLite, which is each one's quickest plain form.
pub struct Insert {
    table: &'static str,
    count: usize,
    columns: Vec<(&'static str, &'static str, Vec<Value>)>,
}

impl Insert {
    /// So many rows, without columns so far.
    pub fn new(table: &'static str, count: usize) -> Self {
        Self {
            table,
            count,
            columns: Vec::new(),
        }
    }

    /// A column with the same value in every row.
    pub fn all(self, name: &'static str, ty: &'static str, value: impl Into<Value>) -> Self {
        let values = vec![value.into(); self.count];
        self.each(name, ty, values)
    }

    /// A column with a value for each row.
    pub fn each(
        mut self,
        name: &'static str,
        ty: &'static str,
        values: impl IntoIterator<Item = Value>,
    ) -> Self {
        self.columns.push((name, ty, values.into_iter().collect()));
        self
    }

    /// Writes the rows; `end` is what the statement ends with.
    pub async fn run(self, connection: &impl ConnectionTrait, end: &str) -> anyhow::Result<()> {
        let kind = Kind::of(connection);
        if self.count == 0 {
            return Ok(());
        }
        let names: Vec<&str> = self.columns.iter().map(|(name, _, _)| *name).collect();
        let names = names.join(", ");
        let (source, values) = match kind {
            Kind::Sqlite => self.values(),
            Kind::Postgres => self.arrays(),
        };
        let sql = format!("INSERT INTO {} ({names}) {source} {end}", self.table);
        connection
            .execute_raw(Statement::from_sql_and_values(backend(kind), sql, values))
            .await?;
        Ok(())
    }

    fn values(&self) -> (String, Vec<Value>) {
        let row = format!("({})", vec!["?"; self.columns.len()].join(", "));
        let rows = vec![row.as_str(); self.count].join(", ");
        let mut columns: Vec<_> = self
            .columns
            .iter()
            .map(|(_, _, values)| values.iter().cloned())
            .collect();
        let values =
            (0..self.count).flat_map(|_| columns.iter_mut().filter_map(Iterator::next).collect::<Vec<_>>());
        (format!("VALUES {rows}"), values.collect())
    }

    fn arrays(&self) -> (String, Vec<Value>) {
        let (mut arrays, mut selected, mut names, mut values) =
            (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        for (index, (name, ty, column)) in self.columns.iter().enumerate() {
            // A date travels as text.
            let (sent, element) = match *ty {
                "uuid" => ("uuid", ArrayType::Uuid),
                "bigint" => ("bigint", ArrayType::BigInt),
                "bytea" => ("bytea", ArrayType::Bytes),
                "boolean" => ("boolean", ArrayType::Bool),
                _ => ("text", ArrayType::String),
            };
            arrays.push(format!("${}::{sent}[]", index + 1));
            selected.push(format!("{name}::{ty}"));
            names.push(*name);
            values.push(Value::Array(element, Some(Box::new(column.clone()))));
        }
        let source = format!(
            "SELECT {} FROM unnest({}) AS bound ({})",
            selected.join(", "),
            arrays.join(", "),
            names.join(", ")
        );
        (source, values)
    }
}

/// An id as a value.
pub fn uuid(id: impl TypedId) -> Value {
    id.uuid().into()
}

/// The same kind, as the driver calls it.
pub fn backend(kind: Kind) -> DbBackend {
    match kind {
        Kind::Sqlite => DbBackend::Sqlite,
        Kind::Postgres => DbBackend::Postgres,
    }
}
