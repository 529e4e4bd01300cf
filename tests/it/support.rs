//! The whole server in process, with people who ask it for things.

#![allow(dead_code, reason = "every story uses a part of it")]

use muelle::{
    authentication::{
        model::{CustomerName, Role, Session},
        server::{Act, Actor, Context, Permit, System, context::Parts, login, password::Cost},
    },
    i18n::Locale,
    id::Id,
    platform::{config::Config, db::sql, serve, state::State},
    storage::{
        Customer, User, entry,
        item::{Fields, Kind, RawRecord, server::store},
    },
    time::Timestamp,
};
use serde_json::{Value, json};
use std::{future::Future, net::SocketAddr};
use tempfile::TempDir;

/// The password of everybody in the tests.
pub const PASSWORD: &str = "a lantern on the seventh pier";

/// The system's own hand in tests.
pub const SYSTEM: System = System::because("prepare a test");

/// The two customers of every test.
pub const CUSTOMERS: [&str; 2] = ["acme", "globex"];

/// Where the data lie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Database {
    /// One file.
    Sqlite,
    /// A database of its own on the server of `MUELLE_TEST_POSTGRES`.
    Postgres,
}

/// Somebody: a role, and a customer's domain or the platform.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Person {
    /// What they may do.
    pub role: Role,
    /// The domain of their customer; `None` for the platform.
    pub customer: Option<&'static str>,
}

/// The platform's administrator.
pub const ROOT: Person = Person { role: Role::Admin, customer: None };
/// Acme's administrator.
pub const ADMIN: Person = Person { role: Role::Admin, customer: Some("acme") };
/// Acme's regular user.
pub const REGULAR: Person = Person { role: Role::Regular, customer: Some("acme") };
/// Acme's viewer.
pub const VIEWER: Person = Person { role: Role::Viewer, customer: Some("acme") };
/// The administrator of the other customer, Globex.
pub const STRANGER: Person = Person { role: Role::Admin, customer: Some("globex") };

/// Everybody there is.
pub const PEOPLE: [Person; 9] = [
    ROOT,
    Person { role: Role::Regular, customer: None },
    Person { role: Role::Viewer, customer: None },
    ADMIN,
    REGULAR,
    VIEWER,
    STRANGER,
    Person { role: Role::Regular, customer: Some("globex") },
    Person { role: Role::Viewer, customer: Some("globex") },
];

impl Person {
    /// The name they sign in with, unique over all.
    pub fn username(self) -> String {
        let role = json!(self.role).as_str().unwrap_or_default().to_owned();
        format!("{}-{role}", self.customer.unwrap_or("platform"))
    }
}

/// A running server with two customers and nine people.
pub struct TestApp {
    /// Its handles.
    pub state: State,
    /// Where it listens.
    pub address: SocketAddr,
    /// Which database it runs on.
    pub database: Database,
    customers: Vec<CustomerName>,
    people: Vec<(Person, Session)>,
    postgres: Option<PostgresDatabase>,
    folder: TempDir,
}

impl TestApp {
    /// Starts on SQLite.
    pub async fn start() -> Self {
        Self::start_on(Database::Sqlite).await
    }

    /// Starts on the given database.
    pub async fn start_on(database: Database) -> Self {
        Self::start_with(database, "").await
    }

    /// Starts on the given database with further configuration (TOML, whole keys: `jobs.parallel = 1`).
    pub async fn start_with(database: Database, more: &str) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port is free");
        listener.set_nonblocking(true).expect("a listener can be made not to block");
        let address = listener.local_addr().expect("a listener has an address");
        let postgres = match database {
            Database::Sqlite => None,
            Database::Postgres => Some(PostgresDatabase::create().await),
        };
        let url = postgres.as_ref().map(|postgres| postgres.url.clone()).unwrap_or_default();
        // Tests ask more in a minute than people do.
        let calls = if more.contains("calls_per_minute") { "" } else { "server.calls_per_minute = 0\n" };
        // An engine is there for those who name it.
        let engine =
            if more.contains("engine.address") { "" } else { "engine.address = \"unix:///nowhere/engine.sock\"\n" };
        // Runs are supervised by the binary that was built with the tests, not by the tests themselves.
        let mut provisioning = format!("provisioning.supervisor = {:?}\n", env!("CARGO_BIN_EXE_muelle"));
        if !more.contains("provisioning.ansible") {
            let ansible = std::env::var("MUELLE_TEST_ANSIBLE").unwrap_or_default();
            provisioning.push_str(&format!("provisioning.ansible = {ansible:?}\n"));
        }
        let text = format!(
            "server.address = \"{address}\"\ndata.dir = {:?}\ndatabase.url = {url:?}\ndatabase.connections = 4\n\
             {calls}{engine}{provisioning}{more}",
            folder.path().join("data"),
        );
        let config = Config::from_text(&text).expect("the test's configuration is good");
        let state = State::start_with(config, Cost::LEAST).await.expect("the server starts");
        crate::contract::prepare(&state).await;
        let router = serve::router(state.clone()).expect("the routes can be made");
        let listener = tokio::net::TcpListener::from_std(listener).expect("the listener can be taken over");
        let stopping = state.stopping.clone();
        tokio::spawn(async move {
            axum::serve(listener, router.into_make_service_with_connect_info::<SocketAddr>())
                .with_graceful_shutdown(stopping.cancelled_owned())
                .await
        });
        let mut app = Self { state, address, database, customers: vec![], people: vec![], postgres, folder };
        app.populate().await;
        app
    }

    async fn populate(&mut self) {
        for domain in CUSTOMERS {
            let fields = fields(json!({ "name": format!("{domain} Inc."), "domain": domain }));
            let record = store::create(&self.state, &SYSTEM, kind("customer"), fields).await;
            let record = record.expect("a customer can be made");
            self.customers.push(CustomerName {
                id: record.base.id.cast(),
                name: format!("{domain} Inc."),
                domain: domain.to_owned(),
            });
        }
        // One hash serves everybody and every test: making one is slow on purpose.
        static HASH: tokio::sync::OnceCell<String> = tokio::sync::OnceCell::const_new();
        let hash = HASH
            .get_or_init(async || {
                self.state.authority.passwords.hash(PASSWORD, Locale::en).await.expect("a password can be hashed")
            })
            .await;
        for person in PEOPLE {
            let customer = person.customer.map(|domain| self.customer(domain).clone());
            let user = Id::<User>::new();
            let role = json!(person.role).as_str().unwrap_or_default().to_owned();
            let statement = sql("insert into users
                   (id, customer, revision, enabled, created_at, updated_at, username, username_key, email, email_key,
                    role, password)
                 values ($1, $2, 1, true, $3, $3, $4, $4, $5, $5, $6, $7)")
            .bind(user.to_string())
            .bind(customer.as_ref().map(|customer| customer.id.to_string()))
            .bind(Timestamp::now().millis())
            .bind(person.username())
            .bind(format!("{}@example.org", person.username()))
            .bind(role)
            .bind(hash.as_str());
            self.state.db.execute(&SYSTEM, statement).await.expect("a user can be written");
            let session = Session {
                login: Id::new(),
                user,
                username: person.username(),
                name: person.username(),
                role: person.role,
                customer,
                expires_at: Timestamp::now() + std::time::Duration::from_secs(3600),
            };
            self.people.push((person, session));
        }
    }

    /// The customer with that domain.
    pub fn customer(&self, domain: &str) -> &CustomerName {
        self.customers.iter().find(|customer| customer.domain == domain).expect("the customer is one of the two")
    }

    /// The id of the customer with that domain.
    pub fn customer_id(&self, domain: &str) -> Id<Customer> {
        self.customer(domain).id
    }

    /// The session of somebody, made by hand: no sign-in took place.
    pub fn session(&self, person: Person) -> Session {
        let found = self.people.iter().find(|(known, _)| *known == person);
        found.map(|(_, session)| session.clone()).expect("the person is one of the nine")
    }

    /// The context of a request that somebody makes, as the gate would make it.
    pub fn context(&self, person: Person) -> Context {
        Context::new(Parts {
            actor: Actor::Person(self.session(person)),
            locale: Locale::en,
            request: "000000000000".to_owned(),
            address: Some([127, 0, 0, 1].into()),
            agent: "test".to_owned(),
            state: self.state.clone(),
        })
    }

    /// The permit of somebody for an act on a kind.
    pub fn permit<A: Act>(&self, person: Person, kind: &'static Kind) -> Permit<A> {
        self.context(person).permit(kind.name).expect("the person may do it")
    }

    /// Where a path of the server is.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// Somebody at a program of their own, with the token of a login made without asking for the password.
    pub async fn client(&self, person: Person) -> Client {
        let user = self.session(person).user;
        let entrance = login::enter(&self.context(person), user).await;
        let token = entrance.expect("a login can be made").bearer(&self.state).expect("a token can be sealed");
        Client { base: self.url(""), token: Some(token), http: reqwest::Client::new() }
    }

    /// Somebody who signs in over the API, with name and password.
    pub async fn sign_in(&self, person: Person) -> Client {
        let answer = self
            .anonymous()
            .post(
                "/api/v1/login",
                &json!({ "customer": person.customer, "username": person.username(), "password": PASSWORD }),
            )
            .await
            .expect(200);
        let token = answer.json()["token"].as_str().expect("the answer has a token").to_owned();
        Client { base: self.url(""), token: Some(token), http: reqwest::Client::new() }
    }

    /// Somebody who is not signed in.
    pub fn anonymous(&self) -> Client {
        Client { base: self.url(""), token: None, http: reqwest::Client::new() }
    }

    /// Makes a record as somebody, with values that fit.
    pub async fn make(&self, person: Person, kind: &'static Kind, input: Value) -> RawRecord {
        let permit = self.permit(person, kind);
        store::create(&self.state, &permit, kind, fields(input)).await.expect("the record can be made")
    }
}

impl Drop for TestApp {
    fn drop(&mut self) {
        self.state.stopping.cancel();
    }
}

/// Runs a story on both databases, one after the other.
pub async fn on_both<F: Future<Output = ()>>(story: impl Fn(TestApp) -> F) {
    for database in [Database::Sqlite, Database::Postgres] {
        eprintln!("on {database:?}");
        story(TestApp::start_on(database).await).await;
    }
}

/// The kind of that name.
pub fn kind(name: &str) -> &'static Kind {
    entry(name).expect("the kind is in the list").kind
}

/// The fields of a JSON object.
pub fn fields(value: Value) -> Fields {
    match value {
        Value::Object(fields) => fields,
        other => panic!("{other} is no object"),
    }
}

/// A database made for one test. It goes with the server, which `scripts/services` throws away: dropping
/// one waits for every connection of the whole server, and many tests at a time wait a minute for each other.
pub struct PostgresDatabase {
    url: String,
}

impl PostgresDatabase {
    /// Makes an empty one.
    pub async fn create() -> Self {
        let server = std::env::var("MUELLE_TEST_POSTGRES")
            .expect("MUELLE_TEST_POSTGRES must name a PostgreSQL server (scripts/services starts one)");
        let name = format!("muelle_{}", Id::<()>::new().to_string().replace('-', ""));
        let (prefix, _) = server.rsplit_once('/').expect("the address ends with a database");
        let url = format!("{prefix}/{name}");
        run_on(&server, &format!("create database {name}")).await;
        Self { url }
    }

    /// Its address.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Ends every connection to it and lets no new one in, as if the database had died.
    pub async fn die(&self) {
        let server = std::env::var("MUELLE_TEST_POSTGRES").expect("it was there when the database was made");
        let name = self.url.rsplit('/').next().unwrap_or_default();
        run_on(&server, &format!("alter database {name} allow_connections false")).await;
        run_on(&server, &format!("select pg_terminate_backend(pid) from pg_stat_activity where datname = '{name}'"))
            .await;
    }
}

async fn run_on(server: &str, statement: &str) {
    use sqlx::Connection as _;

    let mut connection = sqlx::PgConnection::connect(server).await.expect("PostgreSQL answers");
    sqlx::raw_sql(sqlx::AssertSqlSafe(statement)).execute(&mut connection).await.expect("PostgreSQL does as told");
}

/// Somebody at a program that calls the API.
pub struct Client {
    base: String,
    token: Option<String>,
    http: reqwest::Client,
}

/// What came back.
#[derive(Debug)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// The headers.
    pub headers: reqwest::header::HeaderMap,
    /// The body.
    pub text: String,
}

impl Answer {
    /// The body as JSON; `null` when it is empty.
    pub fn json(&self) -> Value {
        if self.text.is_empty() {
            return Value::Null;
        }
        serde_json::from_str(&self.text).unwrap_or_else(|_| panic!("no JSON: {}", self.text))
    }

    /// The fields that have a problem.
    pub fn problem_fields(&self) -> Vec<String> {
        let problems = self.json()["error"]["problems"].as_array().cloned().unwrap_or_default();
        problems.iter().filter_map(|problem| problem["field"].as_str().map(str::to_owned)).collect()
    }

    /// The same, where the status must be `status`.
    pub fn expect(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{}", self.text);
        self
    }
}

impl Client {
    /// The token it sends.
    pub fn token(&self) -> Option<&str> {
        self.token.as_deref()
    }

    /// Sends any request.
    pub async fn send(&self, method: &str, path: &str, body: Option<(&str, Vec<u8>)>) -> Answer {
        let method = method.parse().expect("the test names a method");
        let mut request = self.http.request(method, format!("{}{path}", self.base));
        if let Some(token) = &self.token {
            request = request.bearer_auth(token);
        }
        if let Some((content_type, body)) = body {
            request = request.header("content-type", content_type).body(body);
        }
        let response = request.send().await.expect("the server answers");
        Answer {
            status: response.status().as_u16(),
            headers: response.headers().clone(),
            text: response.text().await.expect("the body is text"),
        }
    }

    /// `GET`.
    pub async fn get(&self, path: &str) -> Answer {
        self.send("GET", path, None).await
    }

    /// `POST` with JSON.
    pub async fn post(&self, path: &str, body: &Value) -> Answer {
        self.send("POST", path, Some(("application/json", body.to_string().into_bytes()))).await
    }

    /// `PUT` with JSON.
    pub async fn put(&self, path: &str, body: &Value) -> Answer {
        self.send("PUT", path, Some(("application/json", body.to_string().into_bytes()))).await
    }

    /// `DELETE`.
    pub async fn delete(&self, path: &str) -> Answer {
        self.send("DELETE", path, None).await
    }
}
