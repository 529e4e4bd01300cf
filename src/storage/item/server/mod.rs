//! The store: find, save, remove, history, over every entity.

pub mod hooks;
