//! Telling what changed to everybody who listens.

/// Where changes are told. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Bus {}

impl Bus {
    /// A bus that nobody listens to yet.
    pub fn new() -> Self {
        Self::default()
    }
}
