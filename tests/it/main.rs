//! Stories across the whole server: started in process, on both databases.

mod api;
mod contract;
mod events;
mod jobs;
mod records;
mod seventh;
mod support;
