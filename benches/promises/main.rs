//! Measures the promises of docs/promises.md against the real server, each beside its baseline in the
//! same minute, and prints them as a table.
//!
//! Times on shared machines drift, so a promise about speed is a ratio. Names of promises (`S3 S8`) as
//! arguments measure only those; `BENCH_FULL=1` measures S3 with 10,000 containers too.

#[path = "../../tests/it/process.rs"]
mod process;

mod containers;
mod figures;
mod records;
mod requests;
mod start;

use figures::Figures;

fn main() {
    let wanted: Vec<String> = std::env::args().skip(1).filter(|word| word.starts_with('S')).collect();
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
    });
    println!("\n{figures}");
}

/// The binary that is measured, of the same build as this program.
const BINARY: &str = env!("CARGO_BIN_EXE_muelle");
