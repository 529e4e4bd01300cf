//! Everything that talks to an engine.
//!
//! [`engine`] keeps the connection and what is known, [`watch`] keeps that true, [`convert`] turns the
//! engine's words into ours. What people ask for enters through [`lists`], [`operations`], [`logs`] and,
//! when it takes long, [`jobs`]; [`rest`] and the server functions call the same.

mod breaker;
mod convert;
mod create;
pub mod engine;
pub mod fault;
pub mod jobs;
pub mod lists;
pub mod logs;
pub mod operations;
mod pull;
pub mod reach;
mod reference;
pub mod registries;
pub mod rest;
mod spec;
mod watch;
mod wire;

pub use engine::{Engine, Engines};
