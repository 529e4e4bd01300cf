//! Telling what changed: the bus within a process, the relay between processes, the streams to browsers.

mod bus;
pub mod relay;
pub mod sse;

pub use bus::{Bus, JobNews, News, Told};
