//! Measures the promises of docs/promises.md against the real server, each beside its baseline in the
//! same minute, and prints them as a table.
//!
//! Times on shared machines drift, so a promise about speed is a ratio. Names of promises (`S3 N2`) as
//! arguments measure only those; `BENCH_FULL=1` measures S3 with 10,000 containers too, N2 with 50 kills and N7 with 5 GB.

#[path = "../../tests/it/process.rs"]
mod process;

mod bare;
mod containers;
mod engine;
mod faults;
mod figures;
mod hosts;
mod records;
mod requests;
mod runs;
mod stage;
mod start;

use figures::Figures;

fn main() {
    let wanted: Vec<String> = std::env::args().skip(1).filter(|word| word.starts_with(['S', 'N'])).collect();
    let is_wanted = |name: &str| wanted.is_empty() || wanted.iter().any(|word| word == name);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime can be made");
    let mut figures = Figures::default();
    runtime.block_on(async {
        if is_wanted("S12") {
            start::measure(&mut figures).await;
        }
        if is_wanted("S8") {
            requests::measure(&mut figures).await;
        }
        if is_wanted("S7") || is_wanted("S12") {
            records::measure(&mut figures).await;
        }
        if is_wanted("S3") || is_wanted("S4") {
            containers::measure(&mut figures).await;
        }
        if is_wanted("S1") || is_wanted("S2") {
            runs::durations(&mut figures, is_wanted("S1"), is_wanted("S2")).await;
        }
        if is_wanted("S9") {
            runs::events(&mut figures).await;
        }
        if is_wanted("S10") {
            runs::long_output(&mut figures).await;
        }
        if is_wanted("N2") {
            faults::kills(&mut figures).await;
        }
        if is_wanted("N3") {
            faults::viewers(&mut figures).await;
        }
        if is_wanted("N7") {
            faults::floods(&mut figures).await;
        }
    });
    println!("\n{figures}");
}

/// Whether everything is wanted, however long it takes.
fn is_full() -> bool {
    std::env::var_os("BENCH_FULL").is_some()
}

/// The binary that is measured: the one named by `BENCH_BINARY`, or that of the same build as this program.
fn binary() -> &'static str {
    match std::env::var("BENCH_BINARY") {
        Ok(path) if !path.is_empty() => path.leak(),
        _ => env!("CARGO_BIN_EXE_muelle"),
    }
}
