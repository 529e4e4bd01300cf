//! Statements with their values, before it is known which database runs them.

use sea_query::{
    DeleteStatement, InsertStatement, PostgresQueryBuilder, QueryStatementWriter, SelectStatement, SqliteQueryBuilder,
    UpdateStatement, Value, Values,
};
use sea_query_sqlx::SqlxValues;

/// A statement and its values.
pub enum Sql {
    /// Plain SQL with `$1`, `$2` … and their values in order.
    Fixed(&'static str, Vec<Value>),
    /// A built selection.
    Select(Box<SelectStatement>),
    /// A built insertion.
    Insert(Box<InsertStatement>),
    /// A built change.
    Update(Box<UpdateStatement>),
    /// A built deletion.
    Delete(Box<DeleteStatement>),
}

/// Plain SQL that both databases understand, with `$1`, `$2` … as parameters.
pub fn sql(text: &'static str) -> Sql {
    Sql::Fixed(text, Vec::new())
}

impl Sql {
    /// The same with the value of the next parameter. An `Option` gives a typed null.
    #[must_use]
    pub fn bind(mut self, value: impl Into<Value>) -> Self {
        if let Self::Fixed(_, values) = &mut self {
            values.push(value.into());
        }
        self
    }

    /// Text and values in the database's own dialect.
    pub(super) fn build(self, postgres: bool) -> (String, SqlxValues) {
        fn one(statement: &impl QueryStatementWriter, postgres: bool) -> (String, Values) {
            if postgres {
                let mut values = Values(Vec::new());
                let (text, built) = statement.build_any(&PostgresQueryBuilder);
                values.0.extend(built.0);
                (text, values)
            } else {
                statement.build_any(&SqliteQueryBuilder)
            }
        }
        let (text, values) = match self {
            Self::Fixed(text, values) => (text.to_owned(), Values(values)),
            Self::Select(statement) => one(&*statement, postgres),
            Self::Insert(statement) => one(&*statement, postgres),
            Self::Update(statement) => one(&*statement, postgres),
            Self::Delete(statement) => one(&*statement, postgres),
        };
        (text, SqlxValues(values))
    }
}

macro_rules! from_statements {
    ($($statement:ident => $case:ident),*) => {$(
        impl From<$statement> for Sql {
            fn from(statement: $statement) -> Self {
                Self::$case(Box::new(statement))
            }
        }

        impl From<&mut $statement> for Sql {
            fn from(statement: &mut $statement) -> Self {
                Self::$case(Box::new(statement.take()))
            }
        }
    )*};
}

from_statements!(SelectStatement => Select, InsertStatement => Insert, UpdateStatement => Update, DeleteStatement => Delete);
