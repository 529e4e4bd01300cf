//! The store: find, save, remove, history, over every entity.
//!
//! [`store`] is what everybody calls: plain functions over a description and JSON values. Each takes
//! a proof that it may be done; the customer comes from the proof and from nowhere else.

pub mod audit;
pub mod exchange;
pub mod hooks;
pub mod keys;
pub mod openapi;
pub mod rest;
pub mod sql;
pub mod store;
pub mod totals;
