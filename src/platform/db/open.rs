//! Opening the database and bringing its tables up to date.

use super::Db;
use anyhow::{Context as _, bail};
use sqlx::{
    PgPool, SqlitePool,
    migrate::Migrator,
    postgres::PgPoolOptions,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
};
use std::{fs::OpenOptions, os::unix::fs::OpenOptionsExt as _, path::Path, str::FromStr as _, time::Duration};

/// Our tables, in portable SQL.
pub static MIGRATOR: Migrator = sqlx::migrate!("./migrations");

/// The first SQLite without the WAL-reset fault that can lose committed pages (sqlite.org/wal.html).
const SQLITE_LEAST: i32 = 3_051_003;

impl Db {
    /// Opens the database at `url` (`sqlite:PATH` or `postgres://…`), making a SQLite file that is missing.
    ///
    /// # Errors
    /// When it cannot be reached, or when the linked SQLite is older than 3.51.3.
    pub async fn open(url: &str, connections: u32) -> anyhow::Result<Self> {
        if url.starts_with("postgres:") || url.starts_with("postgresql:") {
            let pool = PgPoolOptions::new()
                .max_connections(connections)
                .acquire_timeout(Duration::from_secs(5))
                .connect(url)
                .await
                .context("connecting to PostgreSQL")?;
            return Ok(Self::Postgres(pool));
        }
        if !url.starts_with("sqlite:") {
            bail!("database.url must begin with sqlite: or postgres://");
        }
        let options = SqliteConnectOptions::from_str(url)
            .with_context(|| format!("reading the database address {url}"))?
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            // FULL: an acknowledged write survives a power cut, not only a killed process.
            .synchronous(SqliteSynchronous::Full)
            .foreign_keys(true)
            .busy_timeout(Duration::from_secs(5))
            // A secret that a job needed goes with its row, and not merely out of sight.
            .pragma("secure_delete", "on")
            .pragma("trusted_schema", "off");
        if !url.contains(":memory:") {
            make_private_file(options.get_filename())?;
        }
        let writer = SqlitePoolOptions::new()
            .max_connections(1)
            .acquire_timeout(Duration::from_secs(10))
            .connect_with(options.clone())
            .await
            .with_context(|| format!("opening {url}"))?;
        let version: String = sqlx::query_scalar("select sqlite_version()")
            .fetch_one(&writer)
            .await
            .context("asking SQLite's version")?;
        if version_number(&version) < SQLITE_LEAST {
            bail!("the linked SQLite {version} can lose committed data; 3.51.3 or newer is needed");
        }
        let readers = SqlitePoolOptions::new()
            .max_connections(connections.max(2))
            .acquire_timeout(Duration::from_secs(5))
            .connect_with(options.pragma("query_only", "on"))
            .await
            .with_context(|| format!("opening {url}"))?;
        Ok(Self::Sqlite { readers, writer })
    }

    /// Brings the tables up to date with [`MIGRATOR`].
    pub async fn migrate(&self) -> anyhow::Result<()> {
        self.migrate_with(&MIGRATOR).await
    }

    /// Brings the tables up to date with a given set, such as a test's own.
    pub async fn migrate_with(&self, migrator: &Migrator) -> anyhow::Result<()> {
        match self {
            Self::Sqlite { writer, .. } => run_sqlite(migrator, writer).await,
            Self::Postgres(pool) => run_postgres(migrator, pool).await,
        }
    }
}

/// The audit trail only grows. The words for this differ, so they are no migration.
const SQLITE_TRIGGERS: &str = "
    create trigger if not exists audit_no_update before update on audit
      begin select raise(abort, 'the audit trail only grows'); end;
    create trigger if not exists audit_no_delete before delete on audit
      begin select raise(abort, 'the audit trail only grows'); end;
";

/// As [`SQLITE_TRIGGERS`]. The lock lets one starting server at a time do it.
const POSTGRES_TRIGGERS: &str = "
    begin;
    select pg_advisory_xact_lock(7021877241);
    create or replace function audit_only_grows() returns trigger language plpgsql as
      $$ begin raise exception 'the audit trail only grows'; end $$;
    create or replace trigger audit_no_change before update or delete on audit
      for each row execute function audit_only_grows();
    create or replace trigger audit_no_truncate before truncate on audit
      for each statement execute function audit_only_grows();
    commit;
";

async fn run_sqlite(migrator: &Migrator, pool: &SqlitePool) -> anyhow::Result<()> {
    migrator.run(pool).await.context("bringing the tables up to date")?;
    sqlx::raw_sql(SQLITE_TRIGGERS).execute(pool).await.context("guarding the audit trail").map(drop)
}

async fn run_postgres(migrator: &Migrator, pool: &PgPool) -> anyhow::Result<()> {
    migrator.run(pool).await.context("bringing the tables up to date")?;
    sqlx::raw_sql(POSTGRES_TRIGGERS).execute(pool).await.context("guarding the audit trail").map(drop)
}

/// Makes the database file so that only this user can read it; SQLite gives the files beside it the same
/// mode. One that exists keeps the mode that somebody chose.
fn make_private_file(path: &Path) -> anyhow::Result<()> {
    let made = OpenOptions::new().append(true).create(true).mode(0o600).open(path);
    made.map(drop).with_context(|| format!("making the database {}", path.display()))
}

/// `3.51.3` as 3051003, the way `SQLITE_VERSION_NUMBER` counts.
fn version_number(version: &str) -> i32 {
    version
        .split('.')
        .map(|part| part.parse().unwrap_or(0))
        .chain([0, 0])
        .take(3)
        .fold(0, |sum, part: i32| sum * 1000 + part)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_linked_sqlite_is_new_enough_and_writes_through() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let db = Db::open(&format!("sqlite:{}", folder.path().join("t.db").display()), 2).await.expect("it opens");

        let Db::Sqlite { writer, .. } = &db else { unreachable!("the address says sqlite") };
        let synchronous: i64 = sqlx::query_scalar("pragma synchronous").fetch_one(writer).await.expect("it answers");
        let secure: i64 = sqlx::query_scalar("pragma secure_delete").fetch_one(writer).await.expect("it answers");

        assert_eq!((synchronous, secure), (2, 1));
        assert_eq!(version_number("3.51.3"), SQLITE_LEAST);
    }

    #[tokio::test]
    async fn nobody_else_can_read_the_database_file() {
        use std::os::unix::fs::PermissionsExt as _;

        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("t.db");
        let db = Db::open(&format!("sqlite:{}", path.display()), 2).await.expect("it opens");
        db.migrate().await.expect("the tables are made");

        for name in ["t.db", "t.db-wal", "t.db-shm"] {
            let mode = std::fs::metadata(folder.path().join(name)).expect("the file is there").permissions().mode();
            assert_eq!(mode & 0o077, 0, "{name}");
        }
    }
}
