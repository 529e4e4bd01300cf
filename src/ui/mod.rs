//! Components that know no domain; pages compose them.

pub mod address;
pub mod ansi;
pub mod badge;
pub mod browser;
pub mod button;
pub mod dialog;
pub mod field;
pub mod format;
pub mod guard;
pub mod icon;
pub mod list;
pub mod live;
pub mod log_view;
pub mod menu;
pub mod page;
pub mod picker;
pub mod states;
pub mod toast;

pub use address::{Address, use_address};
pub use badge::{Badge, Tone};
pub use browser::CopyButton;
pub use button::{ActionButton, ButtonLook, LinkButton};
pub use dialog::{ConfirmDialog, Dialog};
pub use field::{CheckField, SelectField, TextAreaField, TextField};
pub use format::{Ago, Bytes, bytes};
pub use guard::UnsavedGuard;
pub use icon::Icon;
pub use list::{ChoiceChip, ClearFilters, OlderTurns, PageTurns, SearchBox, SortHead};
pub use live::{Awaited, Live, LiveView};
pub use log_view::{LogBuffer, LogRow, LogView};
pub use menu::{Menu, MenuItem, MenuLink, hide_popover};
pub use page::{DocumentTitle, PageHead, Panel};
pub use picker::{Pick, PickerField};
pub use states::{Empty, Notice, Skeleton, Trouble, answer_with};
pub use toast::{ToastStack, Toasts, provide_toasts, use_toasts};
