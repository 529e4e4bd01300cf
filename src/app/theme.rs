//! Light and dark: the system's choice until the person makes one, which a cookie keeps so that the
//! server renders it from the first byte.

use crate::{
    i18n::{t_string, use_i18n},
    ui::{ActionButton, ButtonLook, setting},
};
use leptos::prelude::*;
use leptos_meta::Html;

#[derive(Clone, Copy)]
struct Theme {
    chosen: ReadSignal<Option<String>>,
    choose: WriteSignal<Option<String>>,
}

/// Puts the chosen theme on the document.
#[component]
pub(super) fn ThemeAttribute() -> impl IntoView {
    let (chosen, choose) = setting("theme");
    provide_context(Theme { chosen, choose });
    let attribute =
        move || chosen.get().filter(|theme| theme == "dark" || theme == "light").unwrap_or_else(|| "system".to_owned());
    view! { <Html attr:data-theme=attribute /> }
}

/// Whether the page is dark, and how to switch.
pub(super) fn use_theme() -> (Memo<bool>, Callback<()>) {
    let theme = use_context::<Theme>().expect("the application provides the theme");
    let system_is_dark = leptos_use::use_preferred_dark();
    let mounted = RwSignal::new(false);
    Effect::new(move || mounted.set(true));
    // What the system prefers is known in the browser only, so it counts after the first rendering.
    let is_dark = Memo::new(move |_| match theme.chosen.get().as_deref() {
        Some("dark") => true,
        Some("light") => false,
        _ => mounted.get() && system_is_dark.get(),
    });
    let switch = Callback::new(move |()| {
        theme.choose.set(Some(if is_dark.get_untracked() { "light" } else { "dark" }.to_owned()));
    });
    (is_dark, switch)
}

/// Switches between light and dark.
#[component]
pub(super) fn ThemeButton() -> impl IntoView {
    let i18n = use_i18n();
    let (is_dark, switch) = use_theme();
    view! {
        <ActionButton
            label=Signal::derive(move || {
                if is_dark.get() { t_string!(i18n, common.top.light) } else { t_string!(i18n, common.top.dark) }.to_owned()
            })
            icon=Signal::derive(move || if is_dark.get() { icondata_lu::LuSun } else { icondata_lu::LuMoon })
            look=ButtonLook::Icon
            on_press=switch
        />
    }
}
