//! The text catalogue, English and Spanish, made from `src/locales` by the build script.

#![allow(missing_docs, clippy::all)]

include!(concat!(env!("OUT_DIR"), "/i18n.rs"));

pub use i18n::*;
pub use leptos_i18n::{t, t_string, td_string, tu_string};
