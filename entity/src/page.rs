//! Pages by keyset: rows in the order of their ids, which is the order of their making; never an offset.

use sea_orm::{
    ColumnTrait, ConnectionTrait, DbErr, EntityTrait, FromQueryResult, QueryFilter, QueryOrder, QuerySelect,
    Select, Value,
};

/// Which rows of an ordered list are wanted.
#[derive(Debug, Clone, Copy)]
pub struct Page<I> {
    /// Only rows after this one.
    pub after: Option<I>,
    /// Only rows before this one.
    pub before: Option<I>,
    /// At most so many rows.
    pub limit: u64,
    /// Take them from the end of the list instead of its start.
    pub backward: bool,
}

/// A page of rows, in the order of the list.
#[derive(Debug, Clone)]
pub struct Slice<M> {
    /// The rows.
    pub rows: Vec<M>,
    /// Whether there are rows before these.
    pub has_previous: bool,
    /// Whether there are rows after these.
    pub has_next: bool,
}

impl<I> Page<I> {
    /// The first `limit` rows.
    pub fn first(limit: u64) -> Self {
        Self {
            after: None,
            before: None,
            limit,
            backward: false,
        }
    }
}

/// Reads one page of `select`, ordered by the id in `column`.
pub async fn read<E, I>(
    connection: &impl ConnectionTrait,
    select: Select<E>,
    column: E::Column,
    page: Page<I>,
) -> Result<Slice<E::Model>, DbErr>
where
    E: EntityTrait,
    E::Model: FromQueryResult + Sized + Send + Sync,
    I: Into<Value> + Copy,
{
    let mut select = select;
    if let Some(after) = page.after {
        select = select.filter(column.gt(after));
    }
    if let Some(before) = page.before {
        select = select.filter(column.lt(before));
    }
    select = if page.backward {
        select.order_by_desc(column)
    } else {
        select.order_by_asc(column)
    };
    // One row more than asked for tells whether the list goes on.
    let mut rows = select.limit(page.limit + 1).all(connection).await?;
    let more = rows.len() as u64 > page.limit;
    if more {
        rows.pop();
    }
    if page.backward {
        rows.reverse();
    }
    let (has_previous, has_next) = if page.backward {
        (more, page.before.is_some())
    } else {
        (page.after.is_some(), more)
    };
    Ok(Slice {
        rows,
        has_previous,
        has_next,
    })
}
