//! Stories across the whole server: started in process, on both databases.

mod access;
mod api;
mod binary;
mod contract;
mod deployments;
mod door;
mod durability;
mod engine_faults;
mod events;
mod jobs;
mod matrix;
mod process;
mod records;
mod security;
mod seventh;
mod support;
