//! N2, N3 and N7: what runs become when the server is killed, when viewers are cut off, and when output has no end.

use crate::{
    figures::{Figures, Times, Verdict, short},
    hosts::Hosts,
    is_full,
    runs::{QUIET, chatter},
    stage::{PATIENCE, Stage, text},
    start::resident_megabytes,
};
use muelle::{provisioning::server::processes, time::Timestamp};
use serde_json::{Value, json};
use std::{
    collections::BTreeSet,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};
use tokio::time::sleep;

/// Runs in flight at each kill.
const IN_FLIGHT: usize = 10;

/// How long a run may take from the kill to a true end.
const END: Duration = Duration::from_secs(30);

/// How often a viewer is cut off.
const CUTS: usize = 50;

/// How much the server may grow, in bytes: 64 MiB.
const GROWTH: f64 = 67.108_864;

/// Works for some seconds on its host, leaves a mark there, and fails where it is told to.
const VOYAGE: &str = "
- hosts: all
  gather_facts: false
  tasks:
    - name: Sail
      ansible.builtin.command: sleep {{ seconds }}
      changed_when: false
    - name: Leave a mark
      ansible.builtin.copy: {content: '{{ mark }}', dest: '/tmp/voyage-{{ mark }}'}
    - name: Run aground
      ansible.builtin.fail: {msg: the keel is dry}
      when: aground
";

/// N2: the server is killed with ten runs in flight, again and again. One of the ten loses its supervisor as well.
pub async fn kills(figures: &mut Figures) {
    let rounds = if is_full() { 50 } else { 10 };
    let hosts = Hosts::bring(IN_FLIGHT).await;
    let mut stage = Stage::set(&hosts, |_| {}).await;
    let playbook = stage.playbook("voyage", VOYAGE, json!({}), None).await;
    let mut tally = Tally::default();
    for round in 0..rounds {
        kill_once(&mut stage, &playbook, round, &mut tally).await;
        eprintln!("  kill {} of {rounds}: {tally:?}", round + 1);
    }
    let ends = Times::from(std::mem::take(&mut tally.ends));
    let total = rounds * IN_FLIGHT;
    let what = |text: &str| format!("{rounds} × SIGKILL with {IN_FLIGHT} runs in flight: {text}");
    let is_true = tally.untrue.is_empty();
    let measured = format!("{} of {total}", total - tally.untrue.len());
    figures.add("N2", what("runs that ended with a true state"), measured, "–", Verdict::of("all", is_true));
    for untrue in &tally.untrue {
        eprintln!("  {untrue}");
    }
    let late = Times::from(std::mem::take(&mut tally.late));
    let measured = format!("{} at most, {} in the median", short(late.percentile(100)), short(late.median()));
    let baseline = format!("{} from the kill itself, at most", short(ends.percentile(100)));
    let verdict = Verdict::within(late.percentile(100), END);
    let text = "from the kill, or the playbook's own end where that came later, until it is told";
    figures.add("N2", what(text), measured, baseline, verdict);
    let measured = format!("{} of {}", tally.went_on, tally.left_alone);
    let verdict = Verdict::of("all", tally.went_on == tally.left_alone);
    figures.add("N2", what("playbooks that did all of their work all the same"), measured, "–", verdict);
    let verdict = Verdict::of("0", tally.orphans == 0);
    figures.add("N2", what("processes and folders left behind"), tally.orphans.to_string(), "–", verdict);
    drop(stage);
    hosts.send_away().await;
}

/// What came of all kills.
#[derive(Debug, Default)]
struct Tally {
    /// From the kill to the end that is told.
    ends: Vec<Duration>,
    /// The same without the time for which the playbook went on.
    late: Vec<Duration>,
    untrue: Vec<String>,
    /// Runs whose supervisor was left alone, and those of them whose playbook did all of its work.
    left_alone: usize,
    went_on: usize,
    orphans: usize,
}

/// How long each run works on its host.
const SAIL: Duration = Duration::from_secs(5);

async fn kill_once(stage: &mut Stage, playbook: &str, round: usize, tally: &mut Tally) {
    let mut runs = Vec::new();
    for number in 0..IN_FLIGHT {
        let aground = number % 3 == 0;
        // Hosts of the services may keep marks of an earlier measurement.
        let mark = format!("{}-{number}", Timestamp::now().millis());
        let variables = json!({ "seconds": SAIL.as_secs(), "aground": aground, "mark": mark });
        let id = stage.start(playbook, &stage.machines[number..=number], variables).await;
        runs.push((id, if aground { "failed" } else { "changed" }));
    }
    for (id, _) in &runs {
        sails(stage, id).await;
    }
    // In every round another one loses the supervisor too; nobody knows then how its playbook ended.
    let widow = round % IN_FLIGHT;
    let holder =
        std::fs::read(stage.workspace(&runs[widow].0).join("supervisor.json")).expect("a run under way has a holder");
    let holder: Value = serde_json::from_slice(&holder).expect("it is JSON");
    runs[widow].1 = "lost";

    let (killed, killed_at) = (Instant::now(), Timestamp::now());
    stage.server.kill();
    let status = std::process::Command::new("kill").args(["-KILL", &holder["pid"].to_string()]).status();
    assert!(status.is_ok_and(|status| status.success()), "the supervisor was there");
    // Sometimes the server is back before the playbooks are over, and sometimes after.
    sleep(Duration::from_secs((round % 3) as u64 * 4)).await;
    stage.resume().await;

    let mut open: BTreeSet<usize> = (0..IN_FLIGHT).collect();
    while !open.is_empty() && killed.elapsed() < PATIENCE {
        for number in open.clone() {
            let (id, expected) = &runs[number];
            let run = stage.run(id).await;
            let state = text(&run, "state");
            if matches!(state.as_str(), "queued" | "running") {
                continue;
            }
            open.remove(&number);
            tally.ends.push(killed.elapsed());
            let own_end = own_end(stage, id).await.unwrap_or(killed_at).max(killed_at);
            let told: Timestamp = text(&run, "finished_at").parse().expect("it has its time");
            tally.late.push(Duration::from_millis(u64::try_from(told.millis() - own_end.millis()).unwrap_or(0)));
            if state != *expected {
                tally.untrue.push(format!("round {round}, run {number} should be {expected}: {run}"));
            }
            if *expected != "lost" {
                tally.left_alone += 1;
                tally.went_on += usize::from(run["recap"][0]["changed"] == 1);
            }
        }
        sleep(Duration::from_millis(100)).await;
    }
    tally.untrue.extend(open.iter().map(|number| format!("round {round}, run {number} has not ended")));
    // What belongs to a run goes a moment after its end is told.
    let until = Instant::now() + Duration::from_secs(10);
    let mut left = left_behind(stage, &runs);
    while !left.is_empty() && Instant::now() < until {
        sleep(Duration::from_millis(200)).await;
        left = left_behind(stage, &runs);
    }
    left.iter().for_each(|what| eprintln!("  left behind: {what}"));
    tally.orphans += left.len();
}

/// Waits until a run is at work on its host.
async fn sails(stage: &Stage, id: &str) {
    let mut stream = stage.events(id).await;
    while let Some(piece) = stream.next().await {
        if piece.event == "events"
            && piece.json().as_array().into_iter().flatten().any(|event| event["kind"] == "host_start")
        {
            return;
        }
    }
    panic!("the run has not begun: {}", stage.run(id).await);
}

/// When a playbook told its recap.
async fn own_end(stage: &Stage, id: &str) -> Option<Timestamp> {
    let events = stage.get(&format!("provisioning/runs/{id}/events")).await;
    let recap = events["items"].as_array().into_iter().flatten().find(|event| event["kind"] == "stats")?;
    text(recap, "at").parse().ok()
}

/// Processes and folders of runs that have ended.
fn left_behind(stage: &Stage, runs: &[(String, &str)]) -> Vec<String> {
    let processes: BTreeSet<u32> = runs.iter().flat_map(|(id, _)| processes::mentioning(id)).collect();
    let processes = processes.into_iter().filter_map(processes::read);
    let mut left: Vec<String> = processes.map(|process| format!("{process:?}")).collect();
    let folders = runs.iter().map(|(id, _)| stage.workspace(id)).filter(|folder| folder.exists());
    left.extend(folders.map(|folder| folder.display().to_string()));
    left
}

/// N3: a million numbered lines, read by a viewer who is cut off again and again, once because the server is killed.
pub async fn viewers(figures: &mut Figures) {
    const LINES: u64 = 1_000_000;
    let hosts = Hosts::bring(1).await;
    let mut stage = Stage::set(&hosts, |_| {}).await;
    let playbook = stage.playbook("chatter", QUIET, json!({}), chatter(&format!("lines({LINES}, 14)"))).await;
    let began = Instant::now();
    let id = stage.start(&playbook, &stage.machines, json!({})).await;

    let (mut last, mut next, mut cuts) = (0, 1, 0);
    let (mut wrong, mut is_over) = (Vec::new(), false);
    while !is_over {
        assert!(began.elapsed() < PATIENCE, "{next} lines after {PATIENCE:?}");
        // Browsers read the stream of the page, programs that of the API.
        let is_page = cuts % 2 == 0;
        let mut stream = if is_page {
            stage.stream(&format!("/events?topic=job/{id}"), &format!("0.{last}")).await
        } else {
            stage.stream(&format!("/api/v1/jobs/{id}/output"), &last.to_string()).await
        };
        // Another number of lines each time, so that the cuts fall into other moments.
        let enough = last + 15_000 + (cuts as i64 * 7_919) % 9_000;
        while let Some(piece) = stream.next().await {
            let lines = match piece.event.as_str() {
                "lines" => piece.json()["lines"].as_array().cloned().unwrap_or_default(),
                "line" => vec![piece.json()],
                "end" => {
                    is_over = piece.json()["reason"] == "finished";
                    break;
                }
                _ => continue,
            };
            for line in lines {
                let sequence = line["sequence"].as_i64().unwrap_or_default();
                if sequence != last + 1 {
                    wrong.push(format!("line {sequence} follows line {last}"));
                }
                last = sequence;
                if let Some(number) = line["text"].as_str().and_then(|text| text.strip_prefix("line ")) {
                    if number.trim().parse() != Ok(next) {
                        wrong.push(format!("{number} stands where {next} should"));
                    }
                    next += 1;
                }
            }
            if cuts < CUTS && last >= enough {
                break;
            }
        }
        if is_over {
            break;
        }
        cuts += 1;
        drop(stream);
        if cuts == CUTS / 2 {
            stage.server.kill();
            sleep(Duration::from_secs(2)).await;
            stage.resume().await;
        }
    }
    let took = began.elapsed();
    let run = stage.ended(&id).await;
    wrong.iter().take(10).for_each(|wrong| eprintln!("  {wrong}"));
    let is_whole = next - 1 == LINES && wrong.is_empty() && run["state"] == "succeeded";
    figures.add(
        "N3",
        format!("{LINES} numbered lines, the viewer cut off {cuts} ×, the server killed once"),
        format!("{} lines in order, {} missing or twice", next - 1, wrong.len()),
        format!("read in {}, {:.0} lines/s", short(took), LINES as f64 / took.as_secs_f64()),
        Verdict::of("complete and unique", is_whole),
    );
    drop(stage);
    hosts.send_away().await;
}

/// N7: output without measure, one line without end, and noise.
pub async fn floods(figures: &mut Figures) {
    const MIB: u64 = 1 << 20;
    let hosts = Hosts::bring(1).await;
    let gigabytes: u64 = if is_full() { 5 } else { 1 };
    let stage = Stage::set(&hosts, |_| {}).await;
    let flood = flood(&stage, &format!("lines({}, 99)", gigabytes * 10_000_000)).await;
    let has_mark = flood.tail.contains("output reached its limit");
    flood.tell(figures, format!("{gigabytes} GB of output, cut at its limit"), has_mark);
    drop(stage);

    // Nothing is cut here, so that all of it passes through the server.
    let limit = (1 << 30).to_string();
    let stage = Stage::set(&hosts, |server| server.set("MUELLE_JOBS__OUTPUT_LIMIT", &limit)).await;
    let line = self::flood(&stage, &format!("line({})", 200 * MIB)).await;
    let is_whole = line.letters == 200 * MIB && line.marks > 0;
    line.tell(figures, "one line of 200 MiB, kept in pieces that say so".to_owned(), is_whole);
    let noise = self::flood(&stage, &format!("noise({})", 200 * MIB)).await;
    let is_text = noise.is_text && noise.tail.contains("PLAY RECAP");
    noise.tell(figures, "200 MiB of noise, kept as text".to_owned(), is_text);
    drop(stage);
    hosts.send_away().await;
}

/// What a run that says too much cost, and what is shown of it.
struct Flood {
    state: String,
    took: Duration,
    /// Megabytes that the server grew by at most.
    growth: f64,
    /// The last bytes of what is kept.
    tail: String,
    /// How many letters `x` are kept, and how many lines say that they go on.
    letters: u64,
    marks: u64,
    is_text: bool,
}

impl Flood {
    fn tell(&self, figures: &mut Figures, what: String, is_shown: bool) {
        let measured = format!("the server grew by {:.0} MB at most", self.growth);
        let shown = if is_shown { "shown with its mark" } else { "shown **without its mark**" };
        let baseline = format!("run {} after {}, {shown}", self.state, short(self.took));
        let is_kept = self.growth <= GROWTH && is_shown && self.state == "succeeded";
        figures.add("N7", what, measured, baseline, Verdict::of("≤ 64 MiB and a mark", is_kept));
    }
}

/// Lets real Ansible write, and looks at the server's memory meanwhile.
async fn flood(stage: &Stage, what: &str) -> Flood {
    // The first run fills caches that a running server has.
    let quiet = stage.playbook(&format!("quiet before {what}"), QUIET, json!({}), None).await;
    stage.ended(&stage.start(&quiet, &stage.machines, json!({})).await).await;
    let playbook = stage.playbook(what, QUIET, json!({}), chatter(what)).await;

    let before = resident_megabytes(&stage.server);
    let is_over = Arc::new(AtomicBool::new(false));
    let watching = {
        let (pid, is_over) = (stage.server.pid().expect("the server runs"), is_over.clone());
        std::thread::spawn(move || {
            let mut most = 0.0;
            while !is_over.load(Ordering::Relaxed) {
                most = f64::max(most, crate::start::resident_megabytes_of(pid));
                std::thread::sleep(Duration::from_millis(5));
            }
            most
        })
    };
    let began = Instant::now();
    let id = stage.start(&playbook, &stage.machines, json!({})).await;
    // Somebody looks on who does not read.
    let stuck = stage.stream(&format!("/events?topic=job/{id}"), "").await;
    let run = stage.ended(&id).await;
    let took = began.elapsed();
    let mut flood = Flood {
        state: text(&run, "state"),
        took,
        growth: 0.0,
        tail: String::new(),
        letters: 0,
        marks: 0,
        is_text: true,
    };
    read_back(stage, &id, &mut flood).await;
    drop(stuck);
    is_over.store(true, Ordering::Relaxed);
    flood.growth = watching.join().expect("somebody watched") - before;
    flood
}

/// Reads what is kept, as a person who downloads it does.
async fn read_back(stage: &Stage, id: &str, flood: &mut Flood) {
    let mut body = stage.body(&format!("jobs/{id}/output")).await;
    let mut held: Vec<u8> = Vec::new();
    while let Some(chunk) = body.chunk().await.expect("the body comes") {
        held.extend_from_slice(&chunk);
        let whole = held.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
        let Ok(lines) = std::str::from_utf8(&held[..whole]) else {
            flood.is_text = false;
            return;
        };
        for line in lines.lines() {
            flood.marks += u64::from(line.ends_with(" …"));
            if line.starts_with('x') {
                flood.letters += line.bytes().filter(|byte| *byte == b'x').count() as u64;
            }
        }
        flood.is_text &= !lines.contains('\0');
        flood.tail.push_str(lines);
        let cut = flood.tail.floor_char_boundary(flood.tail.len().saturating_sub(4096));
        flood.tail.drain(..cut);
        held.drain(..whole);
    }
}
