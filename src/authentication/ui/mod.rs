//! Pages of signing in.
//!
//! Their forms are plain ones that work before the browser has loaded the program; showing a password
//! and the hint about caps lock come with it.

mod account;
mod fields;
mod reset;
mod reset_link;
mod setup;
mod sign_in;

pub use account::AccountPage;
pub use reset::ResetPage;
pub use reset_link::user_actions;
pub use setup::SetupPage;
pub use sign_in::SignInPage;
