//! Stories across the whole server: started in process, on both databases.

mod access;
mod ansible;
mod api;
mod binary;
mod contract;
mod credentials;
mod deployments;
mod door;
mod durability;
mod engine_faults;
mod events;
mod jobs;
mod machines;
mod matrix;
mod playbooks;
mod process;
mod records;
mod run_faults;
mod run_injection;
mod run_options;
mod runs;
mod schedules;
mod security;
mod seventh;
mod stage;
mod support;
