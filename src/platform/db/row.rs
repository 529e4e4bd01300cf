//! Rows as both databases give them.

use anyhow::{Context as _, bail};
use sqlx::{Column as _, Row as _, TypeInfo as _, ValueRef as _, postgres::PgRow, sqlite::SqliteRow};

/// One value of a row.
#[derive(Clone, Debug, PartialEq)]
pub enum Cell {
    /// No value.
    Null,
    /// A boolean; SQLite gives one for columns declared `boolean`.
    Bool(bool),
    /// An integer of 64 bits.
    Int(i64),
    /// A float of 64 bits.
    Float(f64),
    /// A text.
    Text(String),
}

/// One row: names and values in the order of the statement.
#[derive(Clone, Debug, PartialEq)]
pub struct Row(Vec<(String, Cell)>);

impl Row {
    pub(super) fn from_sqlite(row: &SqliteRow) -> anyhow::Result<Self> {
        let mut cells = Vec::with_capacity(row.len());
        for (index, column) in row.columns().iter().enumerate() {
            let raw = row.try_get_raw(index)?;
            let cell = if raw.is_null() {
                Cell::Null
            } else {
                // A boolean column holds integers; only its declaration tells.
                let is_boolean = column.type_info().name() == "BOOLEAN";
                let held = raw.type_info().into_owned();
                match if is_boolean { "BOOLEAN" } else { held.name() } {
                    "BOOLEAN" => Cell::Bool(row.try_get(index)?),
                    "INTEGER" => Cell::Int(row.try_get(index)?),
                    "REAL" => Cell::Float(row.try_get(index)?),
                    "TEXT" => Cell::Text(row.try_get(index)?),
                    other => bail!("column {} has the type {other}, which is not one of ours", column.name()),
                }
            };
            cells.push((column.name().to_owned(), cell));
        }
        Ok(Self(cells))
    }

    pub(super) fn from_postgres(row: &PgRow) -> anyhow::Result<Self> {
        let mut cells = Vec::with_capacity(row.len());
        for (index, column) in row.columns().iter().enumerate() {
            let raw = row.try_get_raw(index)?;
            let cell = if raw.is_null() {
                Cell::Null
            } else {
                match column.type_info().name() {
                    "BOOL" => Cell::Bool(row.try_get(index)?),
                    "INT8" => Cell::Int(row.try_get(index)?),
                    "INT4" => Cell::Int(row.try_get::<i32, _>(index)?.into()),
                    "FLOAT8" => Cell::Float(row.try_get(index)?),
                    "TEXT" | "VARCHAR" | "NAME" => Cell::Text(row.try_get(index)?),
                    other => bail!("column {} has the type {other}, which is not one of ours", column.name()),
                }
            };
            cells.push((column.name().to_owned(), cell));
        }
        Ok(Self(cells))
    }

    /// The value of a column.
    pub fn cell(&self, name: &str) -> anyhow::Result<&Cell> {
        self.0
            .iter()
            .find_map(|(known, cell)| (known == name).then_some(cell))
            .with_context(|| format!("the row has no column {name}"))
    }

    /// A text that is always there.
    pub fn text(&self, name: &str) -> anyhow::Result<String> {
        self.opt_text(name)?.with_context(|| format!("column {name} is null"))
    }

    /// A text that may be missing.
    pub fn opt_text(&self, name: &str) -> anyhow::Result<Option<String>> {
        match self.cell(name)? {
            Cell::Null => Ok(None),
            Cell::Text(text) => Ok(Some(text.clone())),
            other => bail!("column {name} holds {other:?} where a text was expected"),
        }
    }

    /// An integer that is always there.
    pub fn int(&self, name: &str) -> anyhow::Result<i64> {
        self.opt_int(name)?.with_context(|| format!("column {name} is null"))
    }

    /// An integer that may be missing.
    pub fn opt_int(&self, name: &str) -> anyhow::Result<Option<i64>> {
        match self.cell(name)? {
            Cell::Null => Ok(None),
            Cell::Int(number) => Ok(Some(*number)),
            Cell::Bool(flag) => Ok(Some(i64::from(*flag))),
            other => bail!("column {name} holds {other:?} where an integer was expected"),
        }
    }

    /// A boolean that is always there.
    pub fn bool(&self, name: &str) -> anyhow::Result<bool> {
        match self.cell(name)? {
            Cell::Bool(flag) => Ok(*flag),
            Cell::Int(number) => Ok(*number != 0),
            other => bail!("column {name} holds {other:?} where a boolean was expected"),
        }
    }

    /// A value that is written as text and read by its own rules, such as an id.
    pub fn parsed<T>(&self, name: &str) -> anyhow::Result<T>
    where
        T: std::str::FromStr,
        T::Err: std::error::Error + Send + Sync + 'static,
    {
        self.text(name)?.parse().with_context(|| format!("reading column {name}"))
    }

    /// As [`Row::parsed`], for one that may be missing.
    pub fn opt_parsed<T>(&self, name: &str) -> anyhow::Result<Option<T>>
    where
        T: std::str::FromStr,
        T::Err: std::error::Error + Send + Sync + 'static,
    {
        self.opt_text(name)?.map(|text| text.parse()).transpose().with_context(|| format!("reading column {name}"))
    }
}
