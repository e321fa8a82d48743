//! Relay connections over keyset pages.

use async_graphql::OutputType;
use async_graphql::connection::{Connection, CursorType, Edge, EmptyFields};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use entity::id::TypedId;
use entity::page::{Page, Slice};

use super::error::ApiError;

/// Nodes of one page.
pub const PAGE_MAX: i32 = 100;
/// Nodes of a page when nothing is said.
pub const PAGE_DEFAULT: i32 = 20;

/// The place of a node in a list: opaque to clients, and good for lists of its own kind only.
#[derive(Debug, Clone)]
pub struct Cursor(String);

impl CursorType for Cursor {
    type Error = std::convert::Infallible;

    fn decode_cursor(text: &str) -> Result<Self, Self::Error> {
        Ok(Self(text.to_owned()))
    }

    fn encode_cursor(&self) -> String {
        self.0.clone()
    }
}

impl Cursor {
    fn of<I: TypedId>(id: I) -> Self {
        Self(URL_SAFE_NO_PAD.encode(id.to_string()))
    }

    /// A cursor of another form.
    pub fn of_text(text: String) -> Self {
        Self(text)
    }

    fn read<I: TypedId>(argument: &str, text: &str) -> Result<I, ApiError> {
        let id = URL_SAFE_NO_PAD
            .decode(text)
            .ok()
            .and_then(|bytes| String::from_utf8(bytes).ok())
            .and_then(|text| text.parse().ok());
        id.ok_or_else(|| ApiError::BadInput(format!("`{argument}` is not a cursor of this list")))
    }
}

/// The arguments of a connection.
#[derive(Debug, Default)]
pub struct Arguments {
    /// Nodes after this cursor.
    pub after: Option<String>,
    /// Nodes before this cursor.
    pub before: Option<String>,
    /// At most so many, from the start.
    pub first: Option<i32>,
    /// At most so many, from the end.
    pub last: Option<i32>,
}

impl Arguments {
    /// The arguments of a connection that only goes forward.
    pub fn forward(first: Option<i32>, after: Option<String>) -> Self {
        Self {
            after,
            first,
            ..Self::default()
        }
    }

    /// The page they ask for.
    pub fn page<I: TypedId>(&self) -> Result<Page<I>, ApiError> {
        if self.first.is_some() && self.last.is_some() {
            return Err(ApiError::BadInput("give `first` or `last`, not both".to_owned()));
        }
        let backward = self.last.is_some();
        let limit = self.first.or(self.last).unwrap_or(PAGE_DEFAULT);
        if !(1..=PAGE_MAX).contains(&limit) {
            let argument = if backward { "last" } else { "first" };
            return Err(ApiError::BadInput(format!(
                "`{argument}` is from 1 to {PAGE_MAX}"
            )));
        }
        let read = |argument: &str, text: &Option<String>| {
            text.as_deref()
                .map(|text| Cursor::read(argument, text))
                .transpose()
        };
        let (after, before) = (read("after", &self.after)?, read("before", &self.before)?);
        Ok(Page {
            after,
            before,
            limit: u64::try_from(limit).unwrap_or(1),
            backward,
        })
    }
}

/// The connection over a page.
pub fn connection<M, I: TypedId, T: OutputType>(
    slice: Slice<M>,
    id: impl Fn(&M) -> I,
    node: impl Fn(M) -> T,
) -> Connection<Cursor, T, EmptyFields, EmptyFields> {
    let mut connection = Connection::new(slice.has_previous, slice.has_next);
    connection.edges.extend(
        slice
            .rows
            .into_iter()
            .map(|row| Edge::new(Cursor::of(id(&row)), node(row))),
    );
    connection
}
