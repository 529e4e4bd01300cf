//! Machines as provisioning sees them: host keys and checks against a real SSH server, inventories of nested
//! groups, facts, and waking.

use crate::{
    contract::PRIVATE_KEY,
    support::{ADMIN, Person, REGULAR, ROOT, STRANGER, SYSTEM, TestApp, VIEWER, fields, kind, on_both},
};
use muelle::{
    authentication::server::{Operating, Reading, Updating},
    error::Error,
    id::Id,
    jobs::model::Job,
    platform::db::sql,
    provisioning::{
        machines::{CheckStep, KeyOwner, KeyState, StepState},
        server::{
            check, credentials, facts,
            host_keys::{self, Subject},
            inventory, wake,
        },
    },
    storage::{
        Credential, Host, Machine,
        item::server::{audit, store},
    },
};
use serde_json::{Value, json};
use std::{
    fs,
    net::{Ipv4Addr, TcpListener, TcpStream},
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};
use tempfile::TempDir;

/// An SSH server on a port of its own, with a key of its own; it lets in who has [`PRIVATE_KEY`].
struct Sshd {
    folder: TempDir,
    port: u16,
    child: Child,
}

impl Sshd {
    fn start() -> Self {
        let folder = tempfile::tempdir().expect("a folder can be made");
        let port =
            TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).and_then(|it| it.local_addr()).expect("a port is free").port();
        let private = folder.path().join("id");
        fs::write(&private, PRIVATE_KEY).expect("a key can be written");
        run(Command::new("chmod").arg("600").arg(&private));
        let public = run(Command::new("ssh-keygen").arg("-y").arg("-f").arg(&private));
        fs::write(folder.path().join("authorized"), public).expect("a key can be written");
        make_key(folder.path());
        // Only the root user separates privileges, and needs the folder for it.
        fs::create_dir_all("/run/sshd").ok();
        let child = spawn(folder.path(), port);
        Self { folder, port, child }
    }

    /// The same server with another key, as if the machine had been set up anew.
    fn set_up_anew(&mut self) {
        self.stop();
        make_key(self.folder.path());
        self.child = spawn(self.folder.path(), self.port);
    }

    fn stop(&mut self) {
        self.child.kill().expect("it runs");
        self.child.wait().expect("it ends");
    }

    /// The fingerprint as OpenSSH tells it.
    fn fingerprint(&self) -> String {
        let told = run(Command::new("ssh-keygen").arg("-lf").arg(self.folder.path().join("host")));
        told.split(' ').nth(1).expect("the fingerprint stands second").to_owned()
    }
}

impl Drop for Sshd {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

fn make_key(folder: &Path) {
    let key = folder.join("host");
    fs::remove_file(&key).ok();
    fs::remove_file(folder.join("host.pub")).ok();
    run(Command::new("ssh-keygen").args(["-q", "-t", "ed25519", "-N", "", "-f"]).arg(&key));
}

fn spawn(folder: &Path, port: u16) -> Child {
    let path = |name: &str| folder.join(name).display().to_string();
    let config = format!(
        "Port {port}\nListenAddress 127.0.0.1\nHostKey {}\nAuthorizedKeysFile {}\nPidFile none\nStrictModes no\n\
         UsePAM no\nPasswordAuthentication no\nKbdInteractiveAuthentication no\nPermitRootLogin yes\nLogLevel ERROR\n",
        path("host"),
        path("authorized"),
    );
    fs::write(folder.join("config"), config).expect("a configuration can be written");
    let mut server = Command::new("/usr/sbin/sshd");
    server.arg("-f").arg(folder.join("config"));
    // Newer ones shut out for a while whoever came with a wrong key, as tests do.
    let patient = ["-o", "PerSourcePenalties=no"];
    let probe = Command::new("/usr/sbin/sshd").arg("-t").args(patient).arg("-f").arg(folder.join("config")).output();
    if probe.expect("sshd is installed").status.success() {
        server.args(patient);
    }
    let mut child = server.args(["-D", "-e"]).stdin(Stdio::null()).spawn().expect("sshd is installed");
    let until = Instant::now() + Duration::from_secs(30);
    while TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err() {
        assert!(child.try_wait().expect("it can be watched").is_none(), "sshd ended at once");
        assert!(Instant::now() < until, "sshd does not listen");
        std::thread::sleep(Duration::from_millis(20));
    }
    child
}

fn run(command: &mut Command) -> String {
    let output = command.output().expect("the program is installed");
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn user() -> String {
    run(Command::new("id").arg("-un")).trim().to_owned()
}

async fn machine(app: &TestApp, name: &str, port: u16) -> Id<Machine> {
    let input = json!({"name": name, "type": "remote", "ipv4": "127.0.0.1", "ssh_port": port, "ssh_user": user()});
    app.make(ADMIN, kind("machine"), input).await.base.id.cast()
}

async fn host(app: &TestApp, input: Value) -> Id<Host> {
    app.make(ADMIN, kind("host"), input).await.base.id.cast()
}

#[tokio::test]
async fn a_key_is_trusted_once_a_person_approved_it() {
    let sshd = Sshd::start();
    on_both(async |app: TestApp| {
        let id = machine(&app, "db-1", sshd.port).await;
        let (owner, subjects) = (KeyOwner::Machine(id), [Subject::Machine(id)]);
        let operating = app.permit::<Operating>(REGULAR, kind("machine"));
        let known = async || host_keys::known(&app.state, &operating, &subjects).await.expect("it can be asked");

        assert_eq!(known().await.unknown, subjects);
        let shown = host_keys::scan(&operating, owner, None).await.expect("it answers").items;
        let [pending] = shown.as_slice() else { panic!("one identity each: {shown:?}") };
        assert_eq!((pending.state, pending.fingerprint.as_str()), (KeyState::Pending, sshd.fingerprint().as_str()));
        assert_eq!(known().await.unknown, subjects, "it is not trusted for having been seen");

        let trusted = host_keys::decide(&operating, owner, pending.id, true).await.expect("it is there");
        assert_eq!(trusted.state, KeyState::Trusted);
        let lines = known().await.lines;
        assert!(lines.starts_with(&format!("machine-{id} ssh-ed25519 AAAA")), "{lines}");
        let again = host_keys::scan(&operating, owner, None).await.expect("it answers").items;
        assert_eq!(again.iter().map(|key| key.state).collect::<Vec<_>>(), [KeyState::Trusted]);

        let told = audit::lines(&app.state, &SYSTEM, "machine", id.cast(), None, 10).await.expect("there is a trail");
        assert_eq!(told[0].action, "approve_host_key");
        assert!(told[0].after["host_key"].as_str().is_some_and(|text| text.contains(&sshd.fingerprint())));
    })
    .await;
}

#[tokio::test]
async fn another_key_in_its_place_blocks_until_a_person_decides() {
    let mut sshd = Sshd::start();
    let app = TestApp::start().await;
    let id = machine(&app, "db-1", sshd.port).await;
    let (owner, subjects) = (KeyOwner::Machine(id), [Subject::Machine(id)]);
    let operating = app.permit::<Operating>(REGULAR, kind("machine"));
    let first = host_keys::scan(&operating, owner, None).await.expect("it answers").items.remove(0);
    host_keys::decide(&operating, owner, first.id, true).await.expect("it is there");

    sshd.set_up_anew();
    let report = check::check(&operating, id, &[], None).await.expect("it is checked");

    let failed = report.steps.iter().find(|step| step.state == StepState::Failed).expect("it is not what it was");
    assert_eq!(failed.step, CheckStep::HostKey);
    assert!(failed.detail.contains(&sshd.fingerprint()), "{}", failed.detail);
    assert_eq!(report.keys.iter().map(|key| key.state).collect::<Vec<_>>(), [KeyState::Changed]);
    let known = host_keys::known(&app.state, &operating, &subjects).await.expect("it can be asked");
    assert_eq!((known.lines.as_str(), known.unknown.as_slice()), ("", subjects.as_slice()));

    host_keys::decide(&operating, owner, report.keys[0].id, true).await.expect("it is there");
    let keys = host_keys::list(&app.permit::<Reading>(VIEWER, kind("machine")), owner).await.expect("it is in reach");
    let states: Vec<_> = keys.items.iter().map(|key| key.state).collect();
    assert_eq!(states, [KeyState::Trusted, KeyState::Revoked]);
    let lines = host_keys::known(&app.state, &operating, &subjects).await.expect("it can be asked").lines;
    assert_eq!(lines.lines().count(), 1);
}

#[tokio::test]
async fn a_rejected_key_stays_rejected_and_only_its_owner_is_asked() {
    let sshd = Sshd::start();
    let app = TestApp::start().await;
    let (id, other) = (machine(&app, "db-1", sshd.port).await, machine(&app, "db-2", sshd.port).await);
    let owner = KeyOwner::Machine(id);
    let operating = app.permit::<Operating>(REGULAR, kind("machine"));
    let key = host_keys::scan(&operating, owner, None).await.expect("it answers").items.remove(0);

    let elsewhere = host_keys::decide(&operating, KeyOwner::Machine(other), key.id, true).await;
    let stranger = app.permit::<Operating>(STRANGER, kind("machine"));
    let foreign = host_keys::decide(&stranger, owner, key.id, true).await;
    host_keys::decide(&operating, owner, key.id, false).await.expect("it is there");
    let again = host_keys::scan(&operating, owner, None).await.expect("it answers").items;

    assert_eq!(elsewhere, Err(Error::not_found("host_key")));
    assert_eq!(foreign, Err(Error::not_found("machine")));
    assert_eq!(again.iter().map(|key| key.state).collect::<Vec<_>>(), [KeyState::Revoked]);
    assert!(app.context(VIEWER).permit::<Operating>("machine").is_err());
}

#[tokio::test]
async fn a_check_goes_the_way_of_a_run_and_names_the_first_obstacle() {
    let mut sshd = Sshd::start();
    let app = TestApp::start().await;
    let id = machine(&app, "db-1", sshd.port).await;
    let owner = KeyOwner::Machine(id);
    let operating = app.permit::<Operating>(REGULAR, kind("machine"));
    let input = json!({"name": "deploy", "type": "ssh_key", "secret": PRIVATE_KEY});
    let key = app.make(ADMIN, kind("credential"), input).await.base.id.cast();
    let wrong = json!({"name": "other", "type": "ssh_key", "secret": "generate:ed25519"});
    let wrong = app.make(ADMIN, kind("credential"), wrong).await.base.id.cast();
    let failed = async |credentials: &[_]| {
        let report = check::check(&operating, id, credentials, None).await.expect("it is checked");
        assert_eq!(report.steps.len(), CheckStep::ALL.len());
        let place = report.steps.iter().position(|step| step.state == StepState::Failed);
        if let Some(place) = place {
            assert!(report.steps[place].remedy.is_some());
            assert!(report.steps[place + 1..].iter().all(|step| step.state == StepState::NotTried));
        }
        place.map(|place| report.steps[place].step)
    };

    assert_eq!(failed(&[key]).await, Some(CheckStep::HostKey));
    let shown = host_keys::scan(&operating, owner, None).await.expect("it answers").items.remove(0);
    host_keys::decide(&operating, owner, shown.id, true).await.expect("it is there");
    assert_eq!(failed(&[]).await, Some(CheckStep::Login), "nothing to sign in with");
    assert_eq!(failed(&[wrong]).await, Some(CheckStep::Login), "a key that nobody knows");
    let with_key = failed(&[key]).await;
    assert!(matches!(with_key, None | Some(CheckStep::Become)), "{with_key:?}");
    sshd.stop();
    assert_eq!(failed(&[key]).await, Some(CheckStep::Port));
    let left = fs::read_dir(&app.state.config.data.dir).expect("the data are there");
    let left: Vec<_> =
        left.flatten().filter(|entry| entry.file_name().to_string_lossy().starts_with("check-")).collect();
    assert!(left.is_empty(), "a check leaves nothing: {left:?}");
}

#[tokio::test]
async fn a_check_uses_no_credential_of_another_customer() {
    let app = TestApp::start().await;
    let id = machine(&app, "db-1", 1).await;
    let input = json!({"name": "foreign", "type": "ssh_password", "secret": "a buoy off the pier", "customer": app.customer_id("globex")});
    let foreign = app.make(ROOT, kind("credential"), input).await.base.id.cast();

    for person in [ROOT, REGULAR] {
        let refused = check::check(&app.permit::<Operating>(person, kind("machine")), id, &[foreign], None).await;

        let Err(Error::Invalid { problems }) = refused else { panic!("it is another customer's") };
        assert_eq!(problems[0].field, "credentials");
    }
}

#[tokio::test]
async fn the_keys_of_free_addresses_stand_with_their_group() {
    let sshd = Sshd::start();
    on_both(async |app: TestApp| {
        let variables = format!("ansible_port: {}\n", sshd.port);
        let id = host(&app, json!({"name": "web", "addresses": ["127.0.0.1"], "variables": variables})).await;
        let owner = KeyOwner::Host(id);
        let operating = app.permit::<Operating>(REGULAR, kind("host"));

        let shown = host_keys::scan(&operating, owner, Some("127.0.0.1")).await.expect("it answers").items;
        host_keys::decide(&operating, owner, shown[0].id, true).await.expect("it is there");

        let inventory = inventory::build(&app.state, &operating, Some(app.customer_id("acme")), &[id], &[]).await;
        let subjects: Vec<_> = inventory.expect("it can be built").targets.into_iter().map(|it| it.subject).collect();
        let known = host_keys::known(&app.state, &operating, &subjects).await.expect("it can be asked");
        assert!(known.unknown.is_empty());
        assert!(known.lines.contains(&subjects[0].alias()), "{}", known.lines);
        let refused = host_keys::scan(&operating, owner, Some("10.0.0.9")).await.expect_err("it is not in the group");
        assert_eq!(refused.problems()[0].field, "address");
    })
    .await;
}

#[tokio::test]
async fn a_group_never_holds_itself() {
    on_both(async |app: TestApp| {
        let inner = host(&app, json!({"name": "inner"})).await;
        let middle = host(&app, json!({"name": "middle", "groups": [inner]})).await;
        let outer = host(&app, json!({"name": "outer", "groups": [middle]})).await;
        let updating = app.permit::<Updating>(REGULAR, kind("host"));

        for (groups, chain) in [
            (json!([outer]), "inner → outer → middle → inner"),
            (json!([middle]), "inner → middle → inner"),
            (json!([inner]), "inner → inner"),
        ] {
            let input = fields(json!({"name": "inner", "groups": groups, "revision": 1}));
            let refused = store::update(&app.state, &updating, kind("host"), inner.cast(), input).await;

            let Err(Error::Invalid { problems }) = refused else { panic!("it would hold itself: {groups}") };
            assert_eq!(problems[0].field, "groups");
            assert!(problems[0].message.contains(chain), "{}", problems[0].message);
        }
    })
    .await;
}

#[tokio::test]
async fn an_inventory_holds_what_is_in_the_groups_and_there() {
    on_both(async |app: TestApp| {
        let db = machine(&app, "db-1", 22).await;
        let off = app.make(ADMIN, kind("machine"), json!({"name": "off", "type": "remote", "enabled": false})).await;
        let inner =
            host(&app, json!({"name": "inner", "machines": [db, off.base.id], "variables": "a: '{{ x }}'\n"})).await;
        let outer = host(&app, json!({"name": "outer", "groups": [inner], "addresses": ["10.0.0.9"]})).await;
        let acme = Some(app.customer_id("acme"));
        let permit = app.permit::<Reading>(VIEWER, kind("host"));

        let inventory = inventory::build(&app.state, &permit, acme, &[outer], &[db]).await.expect("it can be built");

        let mut names: Vec<_> = inventory.targets.iter().map(|target| target.name.as_str()).collect();
        names.sort_unstable();
        assert_eq!(names, ["10.0.0.9", "db-1"]);
        assert_eq!(inventory.groups, ["outer", "inner"]);
        assert_eq!(inventory.document["all"]["children"]["inner"]["vars"]["a"], json!({"__ansible_unsafe": "{{ x }}"}));
        let view = inventory::view(&permit, outer).await.expect("it can be seen");
        assert_eq!(
            (view.roots.as_slice(), view.hosts["db-1"]["a"].as_str()),
            (["outer".to_owned()].as_slice(), Some("{{ x }}"))
        );

        let gone =
            inventory::build(&app.state, &permit, acme, &[], &[off.base.id.cast()]).await.expect_err("it is off");
        assert_eq!(gone.problems()[0].field, "machines");
        let stranger = app.permit::<Reading>(STRANGER, kind("host"));
        let globex = Some(app.customer_id("globex"));
        assert!(inventory::build(&app.state, &stranger, acme, &[outer], &[]).await.is_err());
        let foreign = inventory::build(&app.state, &stranger, globex, &[outer], &[]).await.expect_err("it is Acme's");
        assert_eq!(foreign.problems()[0].field, "hosts");
        let platform = app.permit::<Reading>(ROOT, kind("host"));
        assert!(
            inventory::build(&app.state, &platform, globex, &[outer], &[]).await.is_err(),
            "one customer at a time"
        );
    })
    .await;
}

#[tokio::test]
async fn variables_that_change_the_connection_are_refused_when_saved_and_when_used() {
    let app = TestApp::start().await;
    let client = app.client(REGULAR).await;
    for variables in ["ansible_connection: local", "ansible_ssh_common_args: -oProxyCommand=id", "ansible_password: x"]
    {
        let refused = client.post("/api/v1/hosts", &json!({"name": "web", "variables": variables})).await.expect(422);
        assert_eq!(refused.problem_fields(), ["variables"], "{variables}");
    }
    let id = host(&app, json!({"name": "old"})).await;
    let statement =
        sql("update hosts set variables = $1 where id = $2").bind("ansible_connection: local").bind(id.to_string());
    app.state.db.execute(&SYSTEM, statement).await.expect("a record from before can be written");

    let permit = app.permit::<Reading>(REGULAR, kind("host"));
    let refused = inventory::build(&app.state, &permit, Some(app.customer_id("acme")), &[id], &[]).await;

    let Err(Error::Invalid { problems }) = refused else { panic!("it must not be used") };
    assert!(problems[0].message.contains("ansible_connection"), "{}", problems[0].message);
}

#[tokio::test]
async fn facts_are_kept_with_their_machine_and_adopted_into_the_record() {
    on_both(async |app: TestApp| {
        let id = machine(&app, "db-1", 22).await;
        let found = json!({
            "ansible_distribution": "Debian",
            "ansible_default_ipv4": {"address": "10.0.0.5", "netmask": "255.255.255.0", "network": "10.0.0.0",
                "broadcast": "10.0.0.255", "gateway": "10.0.0.1", "macaddress": "02:00:00:aa:00:01"},
        });
        let run = Id::<Job>::new();
        let reading = app.permit::<Reading>(VIEWER, kind("machine"));
        let updating = app.permit::<Updating>(REGULAR, kind("machine"));
        assert_eq!(facts::view(&reading, id).await, Ok(None));

        for _ in 0..2 {
            facts::keep(&app.state, &SYSTEM, run, id, fields(found.clone())).await.expect("they are kept");
        }
        facts::keep(&app.state, &SYSTEM, run, Id::new(), fields(found.clone())).await.expect("nobody's are dropped");

        let seen = facts::view(&reading, id).await.expect("it is in reach").expect("they were kept");
        let named: Vec<_> = seen.differences.iter().map(|difference| difference.field.as_str()).collect();
        assert_eq!(
            (seen.run, named.as_slice()),
            (run, ["ipv4", "mac", "netmask", "broadcast", "network", "gateway"].as_slice())
        );
        let cached = facts::cached(&app.state, &reading, &[id]).await.expect("they can be asked for");
        assert_eq!(cached[&id]["ansible_distribution"], "Debian");
        let stranger = app.permit::<Reading>(STRANGER, kind("machine"));
        assert!(facts::cached(&app.state, &stranger, &[id]).await.expect("they can be asked for").is_empty());

        let stale = facts::adopt(&updating, id, &["mac".to_owned()], Some(7)).await;
        assert!(matches!(stale, Err(Error::Conflict { .. })), "{stale:?}");
        let unknown = facts::adopt(&updating, id, &["name".to_owned()], None).await.expect_err("no fact tells it");
        assert_eq!(unknown.problems()[0].field, "fields");
        let all: Vec<_> = named.iter().map(|field| (*field).to_owned()).collect();
        let adopted = facts::adopt(&updating, id, &all, Some(1)).await.expect("they fit each other");
        assert_eq!(
            (adopted.item["ipv4"].as_str(), adopted.item["gateway"].as_str()),
            (Some("10.0.0.5"), Some("10.0.0.1"))
        );
        assert!(
            facts::view(&reading, id).await.expect("it is in reach").expect("they were kept").differences.is_empty()
        );
    })
    .await;
}

#[tokio::test]
async fn a_magic_packet_arrives() {
    let socket = tokio::net::UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a port is free");
    let to = socket.local_addr().expect("it has an address");
    let mac = wake::bytes("02:00:00:aa:00:01").expect("it is an address");

    wake::send(mac, to).await.expect("the loopback takes it");

    let mut packet = [0; 200];
    let received = tokio::time::timeout(Duration::from_secs(10), socket.recv(&mut packet)).await;
    assert_eq!(received.expect("it comes").expect("it can be read"), 102);
    assert_eq!((packet[..6].to_vec(), packet[96..102].to_vec()), (vec![0xff; 6], mac.to_vec()));
}

#[tokio::test]
async fn a_machine_without_a_mac_address_is_not_woken() {
    let app = TestApp::start().await;
    let id = machine(&app, "db-1", 22).await;
    let as_person = async |person: Person| {
        app.client(person).await.post(&format!("/api/v1/machines/{id}/wake"), &Value::Null).await
    };

    assert_eq!(as_person(REGULAR).await.expect(422).problem_fields(), ["mac"]);
    as_person(VIEWER).await.expect(403);
    as_person(STRANGER).await.expect(404);
}

#[tokio::test]
async fn a_credential_is_tried_on_a_machine_whose_key_is_trusted() {
    let sshd = Sshd::start();
    on_both(async |app: TestApp| {
        let id = machine(&app, "db-1", sshd.port).await;
        let foreign = app.make(STRANGER, kind("machine"), json!({"name": "x", "type": "remote", "ipv4": "127.0.0.1"}));
        let foreign: Id<Machine> = foreign.await.base.id.cast();
        let key = async |name: &str, secret: &str| {
            let input = json!({"name": name, "type": "ssh_key", "secret": secret});
            app.make(ADMIN, kind("credential"), input).await.base.id.cast()
        };
        let (good, other): (Id<Credential>, Id<Credential>) =
            (key("good", PRIVATE_KEY).await, key("other", "generate:ed25519").await);
        let password = json!({"name": "password", "type": "ssh_password", "secret": "gull-on-the-quay-7"});
        let password: Id<Credential> = app.make(ADMIN, kind("credential"), password).await.base.id.cast();
        let operating = app.permit::<Operating>(REGULAR, kind("credential"));
        let tried = async |credential, machine| credentials::test(&operating, credential, Some(machine)).await;

        let early = tried(good, id).await.expect("it is tried");
        let machines = app.permit::<Operating>(REGULAR, kind("machine"));
        let shown = host_keys::scan(&machines, KeyOwner::Machine(id), None).await.expect("it answers").items;
        host_keys::decide(&machines, KeyOwner::Machine(id), shown[0].id, true).await.expect("it is there");
        let inside = tried(good, id).await.expect("it is tried");
        let outside = tried(other, id).await.expect("it is tried");
        let refused = tried(password, id).await.expect("it is tried");
        let elsewhere = tried(good, foreign).await.expect_err("it is not there");

        assert!(!early.is_good && early.message.contains("not trusted"), "{early:?}");
        assert!(inside.is_good, "{inside:?}");
        assert!(!outside.is_good && outside.said.is_some_and(|said| said.contains("Permission denied")));
        assert!(!refused.is_good, "{refused:?}");
        assert_eq!(elsewhere.problems()[0].field, "machine");
        let left = fs::read_dir(&app.state.config.data.dir).expect("it is there");
        let left = left
            .filter(|entry| entry.as_ref().is_ok_and(|entry| entry.file_name().to_string_lossy().starts_with("t-")));
        assert_eq!(left.count(), 0, "nothing stays behind");
    })
    .await;
}
