//! Processes as `/proc` tells of them: who descends from whom, and who is meant by a number.

use rustix::process::{Pid, Signal};
use std::collections::HashMap;

/// One process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Process {
    /// Its number.
    pub pid: u32,
    /// The number of its parent.
    pub parent: u32,
    /// `Z` once it has ended and nobody has asked how.
    pub state: char,
    /// When it began, in ticks since the machine did: with the number it is unique.
    pub started: u64,
    /// The first letters of its program's name.
    pub name: String,
}

/// Reads one process; `None` when there is none of that number.
pub fn read(pid: u32) -> Option<Process> {
    parse(&std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)
}

/// Reads a line of `/proc/PID/stat`. The name is in brackets and may hold brackets and spaces itself.
fn parse(stat: &str) -> Option<Process> {
    let (pid, rest) = stat.split_once(" (")?;
    let (name, rest) = rest.rsplit_once(") ")?;
    let fields: Vec<&str> = rest.split_whitespace().collect();
    Some(Process {
        pid: pid.parse().ok()?,
        parent: fields.get(1)?.parse().ok()?,
        state: fields.first()?.chars().next()?,
        started: fields.get(19)?.parse().ok()?,
        name: name.to_owned(),
    })
}

/// Every process there is.
pub fn all() -> Vec<Process> {
    let entries = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).filter_map(read).collect()
}

/// Everything that descends from a process, itself left out.
pub fn descendants(of: u32) -> Vec<Process> {
    let mut children: HashMap<u32, Vec<Process>> = HashMap::new();
    for process in all() {
        children.entry(process.parent).or_default().push(process);
    }
    let mut found = Vec::new();
    let mut open = vec![of];
    while let Some(pid) = open.pop() {
        for child in children.remove(&pid).unwrap_or_default() {
            open.push(child.pid);
            found.push(child);
        }
    }
    found
}

/// Whether the process of that number is still the one that began then, and has not ended.
pub fn is_alive(pid: u32, started: u64) -> bool {
    read(pid).is_some_and(|process| process.started == started && process.state != 'Z')
}

/// Processes whose environment or command line holds a text that nothing else would hold.
pub fn mentioning(text: &str) -> Vec<u32> {
    found(|process| holds(process.pid, "environ", text) || holds(process.pid, "cmdline", text))
}

/// What is left of a run whose supervisor is gone: what inherited its environment, and its agent, which has none.
/// Somebody who merely speaks of the run is not meant.
pub fn of_run(id: &str) -> Vec<u32> {
    let variable = format!("{}={id}", super::supervisor::RUN);
    // Places outside the data folder are named after the end of the identifier.
    let end = &id[id.len().saturating_sub(12)..];
    found(|process| {
        holds(process.pid, "environ", &variable) || (process.name == "ssh-agent" && holds(process.pid, "cmdline", end))
    })
}

fn found(is_meant: impl Fn(&Process) -> bool) -> Vec<u32> {
    let own = std::process::id();
    let others = all().into_iter().filter(|process| process.state != 'Z' && process.pid != own);
    others.filter(is_meant).map(|process| process.pid).collect()
}

fn holds(pid: u32, file: &str, text: &str) -> bool {
    std::fs::read(format!("/proc/{pid}/{file}"))
        .is_ok_and(|bytes| bytes.windows(text.len()).any(|window| window == text.as_bytes()))
}

/// Sends a signal; one that is gone needs none.
pub fn signal(pid: u32, signal: Signal) {
    if let Some(pid) = i32::try_from(pid).ok().and_then(Pid::from_raw) {
        let _ = rustix::process::kill_process(pid, signal);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_brackets_hides_no_field() {
        let stat = "42 (a) b (c)) S 7 42 42 0 -1 4194560 1 0 0 0 0 0 0 0 20 0 1 0 987654 1 2 3";

        let read = parse(stat).expect("it is a line of stat");

        assert_eq!((read.pid, read.parent, read.state, read.started), (42, 7, 'S', 987_654));
        assert_eq!(read.name, "a) b (c)");
    }

    #[test]
    fn this_test_descends_from_its_parent_and_lives() {
        let own = read(std::process::id()).expect("this process is there");

        assert!(descendants(own.parent).iter().any(|process| process.pid == own.pid));
        assert!(is_alive(own.pid, own.started));
        assert!(!is_alive(own.pid, own.started + 1));
    }
}
