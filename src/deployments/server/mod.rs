//! Everything that talks to an engine.

pub mod jobs;
pub mod lists;
pub mod logs;
pub mod operations;
