//! Pages of containers and images.

mod actions;
mod badges;
mod container;
mod containers;
mod create;
mod draft;
mod engine_notice;
mod image;
mod images;
mod logs;
mod progress;
mod prune;
mod pull;
mod rows;

pub use container::ContainerPage;
pub use containers::ContainersPage;
pub use create::CreatePage;
pub use image::ImagePage;
pub use images::ImagesPage;

use crate::{deployments::model::LOCAL, ui::use_address};
use leptos::prelude::*;

/// The engine in scope: the one that the address names, or the local one.
fn use_engine() -> Memo<String> {
    let named = use_address().get("engine");
    Memo::new(move |_| Some(named.get()).filter(|name| !name.is_empty()).unwrap_or_else(|| LOCAL.to_owned()))
}
