//! Stories across the whole server: started in process, on both databases.

mod contract;
mod records;
mod seventh;
mod support;
