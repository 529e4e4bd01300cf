//! What unique texts are compared by.
//!
//! The two databases disagree about the case of letters beyond ASCII, so beside each unique text stands
//! its key, made here: `username_key` beside `username`. Whoever looks for a unique value asks for its key.

use super::sql::is_text;
use crate::{
    authentication::server::System,
    platform::db::Db,
    storage::item::{Field, Shape},
};
use sea_query::{Expr, ExprTrait as _, Query as Build};
use serde_json::Value;
use unicode_normalization::UnicodeNormalization as _;

const WHY: System = System::because("complete the keys of unique texts");

/// The texts that were unique before there were keys: table and column.
const OLD: [(&str, &str); 6] = [
    ("customers", "domain"),
    ("users", "username"),
    ("users", "email"),
    ("machines", "name"),
    ("hosts", "name"),
    ("playbooks", "name"),
];

/// The key of a text: in lower case, with each letter and its accents as one character.
pub fn key(text: &str) -> String {
    text.to_lowercase().nfc().collect()
}

/// The name of the column that holds a text's key.
pub fn column(text: &str) -> String {
    format!("{text}_key")
}

/// Whether a key stands beside the field.
pub const fn has_key(field: &Field) -> bool {
    field.unique && is_text(&field.shape) && !matches!(field.shape, Shape::Secret)
}

/// The key of a field's value; null when it has none.
pub fn of_value(value: &Value) -> Option<String> {
    value.as_str().map(key)
}

/// Fills the keys that the migration could not make: those of texts beyond ASCII.
///
/// Two records that only a database without knowledge of such letters could tell apart keep their values;
/// the second is named in the log and found by its key once it was renamed.
///
/// # Errors
/// When the database does not answer.
pub async fn fill(db: &Db) -> anyhow::Result<()> {
    for (table, text) in OLD {
        let mut select = Build::select();
        select
            .columns(["id", text])
            .from(table)
            .and_where(Expr::col(column(text)).is_null())
            .and_where(Expr::cust(format!("octet_length({text}) <> length({text})")));
        for row in db.rows(&WHY, select).await? {
            let id = row.text("id")?;
            let mut update = Build::update();
            update.table(table).value(column(text), key(&row.text(text)?)).and_where(Expr::col("id").eq(id.as_str()));
            match db.execute(&WHY, update).await {
                Err(error) if is_taken(&error) => {
                    tracing::warn!("{table} {id}: another record has the same {text} in another case; rename one");
                }
                done => drop(done?),
            }
        }
    }
    Ok(())
}

fn is_taken(error: &anyhow::Error) -> bool {
    matches!(error.downcast_ref(), Some(sqlx::Error::Database(cause)) if cause.is_unique_violation())
}

#[cfg(test)]
mod tests {
    use super::key;

    #[test]
    fn a_key_knows_the_case_and_the_accents_of_all_letters() {
        for (one, other) in [("Ángel", "ángel"), ("ÑANDÚ", "ñandú"), ("A\u{301}ngel", "ángel"), ("ΣΟΦΊΑ", "σοφία")]
        {
            assert_eq!(key(one), key(other));
        }
        assert_ne!(key("ángel"), key("angel"));
    }
}
