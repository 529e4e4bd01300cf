//! Components that know no domain; pages compose them.

pub mod badge;
pub mod button;
pub mod dialog;
pub mod field;
pub mod format;
pub mod icon;
pub mod menu;
pub mod page;
pub mod states;
pub mod toast;

pub use badge::{Badge, Tone};
pub use button::{ActionButton, ButtonLook, LinkButton};
pub use dialog::{ConfirmDialog, Dialog};
pub use field::{CheckField, SelectField, TextAreaField, TextField};
pub use format::{Ago, Bytes, bytes};
pub use icon::Icon;
pub use menu::{Menu, MenuItem, MenuLink};
pub use page::{PageHead, Panel};
pub use states::{Empty, Notice, Skeleton, Trouble};
pub use toast::{ToastStack, Toasts, provide_toasts, use_toasts};
