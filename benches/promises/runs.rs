//! S1, S2, S9 and S10: runs of playbooks beside `ansible-playbook` itself, their events on the way to the browser, and
//! a long run opened in a browser.

use crate::{
    bare::{Bare, Settings},
    figures::{Figures, Times, Verdict, short},
    hosts::Hosts,
    stage::{Stage, Stream, text},
};
use muelle::time::Timestamp;
use serde_json::{Value, json};
use std::{
    os::unix::fs::PermissionsExt as _,
    path::Path,
    process::Command,
    time::{Duration, Instant},
};

/// How many hosts the promises speak of.
const HOSTS: usize = 20;

/// How often a run and its baseline take turns.
const PAIRS: usize = 3;

/// Results that the stand-in for Ansible tells: twice as many events, and some.
const RESULTS: usize = 20_000;

/// Events a second that shall be kept up with.
const EVENTS_PER_SECOND: usize = 2_000;

/// How long an event may take from Ansible to whoever looks on.
const EVENT_LIMIT: Duration = Duration::from_millis(300);

/// The longest time between two pictures that still looks like one movement: every second one of a usual screen.
const FRAME_LIMIT: Duration = Duration::from_millis(34);

/// One play of five tasks with facts, as a small deployment is.
const DEPLOY: &str = r#"
- name: Deploy
  hosts: all
  tasks:
    - name: Make a place
      ansible.builtin.file: {path: /opt/harbour, state: directory, mode: "0755"}
    - name: Write the configuration
      ansible.builtin.copy:
        content: "host={{ inventory_hostname }}\nkernel={{ ansible_facts.kernel }}\n"
        dest: /opt/harbour/harbour.conf
    - name: Write the unit
      ansible.builtin.copy:
        content: "[Service]\nExecStart=/usr/bin/true\n"
        dest: /opt/harbour/harbour.service
    - name: Look at the configuration
      ansible.builtin.command: cat /opt/harbour/harbour.conf
      register: shown
      changed_when: false
    - name: Check it
      ansible.builtin.assert:
        that: inventory_hostname in shown.stdout
"#;

/// Three plays, each of which asks for facts.
const THREE_PLAYS: &str = r#"
- name: Prepare
  hosts: all
  tasks:
    - name: Make a place
      ansible.builtin.file: {path: /opt/quay, state: directory, mode: "0755"}
    - name: Write the configuration
      ansible.builtin.copy:
        content: "host={{ inventory_hostname }}\nkernel={{ ansible_facts.kernel }}\n"
        dest: /opt/quay/quay.conf
- name: Deploy
  hosts: all
  tasks:
    - name: Write the unit
      ansible.builtin.copy:
        content: "[Unit]\nDescription=Quay of {{ ansible_facts.distribution }}\n"
        dest: /opt/quay/quay.service
    - name: Look at it
      ansible.builtin.command: cat /opt/quay/quay.service
      changed_when: false
- name: Verify
  hosts: all
  tasks:
    - name: Look at the configuration
      ansible.builtin.command: cat /opt/quay/quay.conf
      register: shown
      changed_when: false
    - name: Check it
      ansible.builtin.assert:
        that: ansible_facts.kernel in shown.stdout
"#;

/// Real Ansible that says nothing but what `chatter.py` writes.
pub const QUIET: &str = "
- hosts: all
  gather_facts: false
  tasks:
    - name: Say little
      ansible.builtin.debug: {msg: over}
";

/// The callback plugin that makes real Ansible write something, as a file of the project.
pub fn chatter(what: &str) -> Option<(&'static str, String)> {
    Some((
        "callback_plugins/chatter.py",
        include_str!("chatter.py").replace("        WHAT", &format!("        {what}")),
    ))
}

/// S1 and S2: how long runs take beside `ansible-playbook` on the same hosts, in turns.
pub async fn durations(figures: &mut Figures, wants_same: bool, wants_defaults: bool) {
    let hosts = Hosts::bring(HOSTS).await;
    let stage = Stage::set(&hosts, |_| {}).await;
    let bare = Bare::new(&hosts);
    if wants_same {
        // Both gather facts once in every run.
        let fields = json!({ "no_fact_cache": true });
        let playbook = stage.playbook("deploy", DEPLOY, fields, None).await;
        for count in [1, HOSTS] {
            let machines = &stage.machines[..count];
            let settings = Settings::LikeMuelle { forks: count };
            let pairs = Pairs::of(
                async || shown(&stage, &playbook, machines).await,
                async || bare.run(DEPLOY, count, settings).await,
            )
            .await;
            let what = format!("run on {}, submit → recap shown, median of {PAIRS}", hosts_in_words(count));
            pairs.tell(figures, "S1", what, "with the same options", 1.05);
        }
    }
    if wants_defaults {
        let playbook = stage.playbook("three plays", THREE_PLAYS, json!({}), None).await;
        for (what, forgets) in [("facts never gathered before", true), ("facts known from an earlier run", false)] {
            let pairs = Pairs::of(
                async || {
                    if forgets {
                        forget_facts(&stage).await;
                    }
                    shown(&stage, &playbook, &stage.machines).await
                },
                async || bare.run(THREE_PLAYS, HOSTS, Settings::Defaults).await,
            )
            .await;
            let what = format!("3 plays with facts on {HOSTS} hosts, {what}, median of {PAIRS}");
            pairs.tell(figures, "S2", what, "as it comes", 0.5);
        }
    }
    drop(stage);
    hosts.send_away().await;
}

fn hosts_in_words(count: usize) -> String {
    if count == 1 { "1 host".to_owned() } else { format!("{count} hosts") }
}

/// A run and its baseline, measured in turns.
struct Pairs {
    ours: Vec<Shown>,
    theirs: Vec<Duration>,
}

impl Pairs {
    async fn of(ours: impl AsyncFn() -> Shown, theirs: impl AsyncFn() -> Duration) -> Self {
        // The first of each fills caches and leaves the hosts as the others find them.
        ours().await;
        theirs().await;
        let mut pairs = Self { ours: Vec::new(), theirs: Vec::new() };
        for number in 0..PAIRS {
            // A machine that becomes slower harms both alike.
            if number % 2 == 0 {
                pairs.ours.push(ours().await);
                pairs.theirs.push(theirs().await);
            } else {
                pairs.theirs.push(theirs().await);
                pairs.ours.push(ours().await);
            }
        }
        pairs
    }

    fn tell(&self, figures: &mut Figures, promise: &'static str, what: String, how: &str, promised: f64) {
        let middle =
            |of: fn(&Shown) -> Duration| short(Times::from(self.ours.iter().map(of).collect::<Vec<_>>()).median());
        eprintln!(
            "  the server answers after {}, Ansible has begun after {}, its recap stands after {}, is shown after {}, the run is over after {}",
            middle(|it| it.answered),
            middle(|it| it.began),
            middle(|it| it.recapped),
            middle(|it| it.shown),
            middle(|it| it.over),
        );
        let mut ratios: Vec<f64> = self
            .ours
            .iter()
            .zip(&self.theirs)
            .map(|(ours, theirs)| ours.shown.as_secs_f64() / theirs.as_secs_f64())
            .collect();
        ratios.sort_by(f64::total_cmp);
        let theirs = Times::from(self.theirs.clone()).median();
        let baseline = format!("{} for `ansible-playbook` {how}", short(theirs));
        figures.add(
            promise,
            what,
            middle(|it| it.shown),
            baseline,
            Verdict::ratio_at_most(ratios[ratios.len() / 2], promised),
        );
    }
}

/// Moments of one run, since it was asked for.
struct Shown {
    /// The server has answered.
    answered: Duration,
    /// Ansible has told its first event.
    began: Duration,
    /// Ansible has told the recap.
    recapped: Duration,
    /// Whoever looks on has the recap.
    shown: Duration,
    /// And knows that the run is over.
    over: Duration,
}

/// Asks for a run and looks on until its recap is there; waits for its end.
async fn shown(stage: &Stage, playbook: &str, machines: &[String]) -> Shown {
    let (asked, began) = (Timestamp::now(), Instant::now());
    let id = stage.start(playbook, machines, json!({})).await;
    let answered = began.elapsed();
    let mut stream = stage.events(&id).await;
    let (mut first, mut shown) = (None, None);
    while let Some(piece) = stream.next().await {
        if piece.event != "events" {
            continue;
        }
        let now = began.elapsed();
        for event in piece.json().as_array().into_iter().flatten() {
            let since = || between(asked, at(event));
            first.get_or_insert_with(since);
            if event["kind"] == "stats" {
                shown = Some((since(), now));
            }
        }
    }
    let over = began.elapsed();
    let run = stage.ended(&id).await;
    let is_good = matches!(run["state"].as_str(), Some("changed" | "succeeded"));
    let Some(((recapped, shown), began)) = shown.zip(first).filter(|_| is_good) else {
        panic!("the run ended otherwise: {run}\n{}", console(stage, &id).await);
    };
    Shown { answered, began, recapped, shown, over }
}

/// What a run printed.
async fn console(stage: &Stage, id: &str) -> String {
    stage.body(&format!("jobs/{id}/output?tail=100")).await.text().await.unwrap_or_default()
}

fn at(event: &Value) -> Timestamp {
    text(event, "at").parse().expect("an event has its time")
}

fn between(from: Timestamp, to: Timestamp) -> Duration {
    Duration::from_millis(u64::try_from(to.millis() - from.millis()).unwrap_or(0))
}

/// Forgets what earlier runs found out, as if the machines were new.
async fn forget_facts(stage: &Stage) {
    let mut connection = crate::records::open(&stage.server).await;
    sqlx::query("delete from machine_facts").execute(&mut connection).await.expect("they are forgotten");
    sqlx::Connection::close(connection).await.expect("the file closes");
}

/// S9: events into the store and out to whoever looks on, faster than Ansible makes them and at its own pace.
pub async fn events(figures: &mut Figures) {
    let hosts = Hosts::bring(HOSTS).await;
    let stand_in = tempfile::tempdir().expect("a temporary folder can be made");
    let bin = stand_in.path().join("bin");
    put_stand_in(&bin);
    let stage =
        Stage::set(&hosts, |server| server.set("MUELLE_PROVISIONING__ANSIBLE", &bin.display().to_string())).await;
    let playbook = stage.playbook("storm", QUIET, json!({}), None).await;

    let id = stage.start(&playbook, &stage.machines, json!({ "results": RESULTS, "per_second": 0 })).await;
    let flood = Arrivals::of(stage.events(&id).await).await;
    let rate = flood.count as f64 / flood.took.as_secs_f64();
    let what = format!("{} events as fast as they come, told → stored and shown", flood.count);
    let verdict = Verdict::of("≥ 2,000/s", rate >= EVENTS_PER_SECOND as f64);
    figures.add("S9", what, format!("{rate:.0}/s"), "–", verdict);

    let variables = json!({ "results": EVENTS_PER_SECOND * 5, "per_second": EVENTS_PER_SECOND });
    let id = stage.start(&playbook, &stage.machines, variables).await;
    let steady = Arrivals::of(stage.events(&id).await).await;
    steady.tell(&format!("{EVENTS_PER_SECOND} events/s"), figures);
    drop(stage);

    let stage = Stage::set(&hosts, |_| {}).await;
    let playbook = stage.playbook("three plays", THREE_PLAYS, json!({}), None).await;
    let id = stage.start(&playbook, &stage.machines, json!({})).await;
    let real = Arrivals::of(stage.events(&id).await).await;
    real.tell(&format!("real Ansible on {HOSTS} hosts"), figures);
    drop(stage);
    hosts.send_away().await;
}

fn put_stand_in(bin: &Path) {
    std::fs::create_dir(bin).expect("a folder can be made");
    let program = bin.join("ansible-playbook");
    std::fs::write(&program, include_str!("ansible_stand_in.py")).expect("it can be written");
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).expect("it can be run");
}

/// When the events of a run came to one who looks on.
struct Arrivals {
    count: usize,
    /// From the first event's own time to the arrival of the last.
    took: Duration,
    /// How long each was on its way.
    late: Times,
}

impl Arrivals {
    async fn of(mut stream: Stream) -> Self {
        let (mut late, mut first, mut last) = (Vec::new(), None, 0);
        let mut took = Duration::ZERO;
        while let Some(piece) = stream.next().await {
            if piece.event != "events" {
                continue;
            }
            let now = Timestamp::now();
            for event in piece.json().as_array().into_iter().flatten() {
                let at = at(event);
                took = between(*first.get_or_insert(at), now);
                late.push(between(at, now));
                assert_eq!(event["sequence"].as_i64(), Some(last + 1), "no event is missing or comes twice");
                last += 1;
            }
        }
        assert!(!late.is_empty(), "the run told nothing");
        Self { count: late.len(), took, late: Times::from(late) }
    }

    /// The figure of how late they came.
    fn tell(&self, source: &str, figures: &mut Figures) {
        let p95 = self.late.percentile(95);
        figures.add(
            "S9",
            format!("event → who looks on, {source}, p95 of {}", self.count),
            short(p95),
            format!("{} in the median", short(self.late.median())),
            Verdict::within(p95, EVENT_LIMIT),
        );
    }
}

/// S10: a run of 100,000 lines, opened in a browser.
pub async fn long_output(figures: &mut Figures) {
    const LINES: usize = 100_000;
    let hosts = Hosts::bring(1).await;
    let stage = Stage::set(&hosts, |_| {}).await;
    let file = chatter(&format!("lines({LINES}, 90)"));
    let playbook = stage.playbook("chatter", QUIET, json!({}), file).await;
    let id = stage.start(&playbook, &stage.machines, json!({})).await;
    let run = stage.ended(&id).await;
    let kept = lines_kept(&stage, &id).await;
    assert!(kept > LINES, "all lines are kept: {kept}, {run}");
    let cookie = stage.server.sign_in_as_browser().await;
    let url = format!("{}/runs/{id}", stage.server.url);
    let Some(seen) = look(&url, &cookie) else { return };
    for (part, name) in [("tasks", "its tasks"), ("console", "its console")] {
        let first = millis(&seen, part);
        let what = format!("run of {kept} lines opened, first screen: {name}");
        figures.add("S10", what, short(first), "–", Verdict::within(first, Duration::from_secs(1)));
    }
    let (p95, longest) = (millis(&seen["frames"], "p95"), millis(&seen["frames"], "longest"));
    let still = &seen["still"];
    figures.add(
        "S10",
        "its console scrolled, time between two pictures, p95",
        format!("{}, {} at most", short(p95), short(longest)),
        format!(
            "{}, {} at most, for a still page of as many lines",
            short(millis(still, "p95")),
            short(millis(still, "longest"))
        ),
        Verdict::within(p95, FRAME_LIMIT),
    );
}

async fn lines_kept(stage: &Stage, id: &str) -> usize {
    let mut body = stage.body(&format!("jobs/{id}/output")).await;
    let mut lines = 0;
    while let Some(chunk) = body.chunk().await.expect("the body comes") {
        lines += chunk.iter().filter(|byte| **byte == b'\n').count();
    }
    lines
}

fn millis(value: &Value, field: &str) -> Duration {
    let millis = value[field].as_f64().unwrap_or_else(|| panic!("no {field} in {value}"));
    Duration::from_secs_f64(millis / 1000.0)
}

/// What a browser sees of a run; `None` where there is no browser.
fn look(url: &str, cookie: &str) -> Option<Value> {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/end2end/scrolling.mjs");
    let output = Command::new("node").args([script, url, cookie]).output().ok()?;
    if !output.status.success() {
        eprintln!("no figure from the browser: {}", String::from_utf8_lossy(&output.stderr));
        return None;
    }
    serde_json::from_slice(&output.stdout).ok()
}
