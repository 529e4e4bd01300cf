//! What carries the four modules on the server: configuration, database, routes, errors, telemetry.

pub mod config;
pub mod csp;
pub mod db;
pub mod disk;
pub mod errors;
pub mod health;
pub mod openapi;
pub mod serve;
pub mod state;
pub mod telemetry;
pub mod tls;
