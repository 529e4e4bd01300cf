//! The frame around every page of a signed-in person: sidebar, top bar, toasts.

use super::{palette::Palette, session::use_session, theme::ThemeButton};
use crate::{
    authentication::policy::{self, Verb},
    events::client::{self as events, Lamp},
    i18n::{self, Locale, say, t, t_string, td_string, use_i18n},
    storage::{
        item::{Tenancy, ui::use_names},
        kinds,
    },
    ui::{
        ActionButton, ButtonLook, Icon, Menu, MenuItem, MenuLink, ToastStack, Tone, address::escaped, dialog, format,
        setting, toast, use_address,
    },
};
use icondata_lu as lu;
use leptos::prelude::*;
use leptos_i18n::I18nContext;
use leptos_router::{components::Outlet, hooks::use_location};

/// One page of the navigation.
#[derive(Clone, Copy)]
pub(super) struct Destination {
    /// Its address.
    pub path: &'static str,
    /// Its name.
    pub label: fn(Locale) -> &'static str,
    /// Its icon.
    pub icon: icondata_core::Icon,
    /// What one must be allowed to read to see it.
    subject: &'static str,
}

/// A part of the navigation: a module of the application.
struct Group {
    label: Option<fn(Locale) -> &'static str>,
    destinations: &'static [Destination],
}

macro_rules! destination {
    ($path:literal, $subject:literal, $icon:ident, $($key:tt)+) => {
        Destination {
            path: $path,
            label: |locale| td_string!(locale, $($key)+),
            icon: lu::$icon,
            subject: $subject,
        }
    };
}

static GROUPS: &[Group] = &[
    Group { label: None, destinations: &[destination!("/", "home", LuHouse, common.nav.home)] },
    Group {
        label: Some(|locale| td_string!(locale, common.nav.deployments)),
        destinations: &[
            destination!("/containers", "container", LuContainer, common.nav.containers),
            destination!("/images", "image", LuLayers, common.nav.images),
            destination!("/registries", "registry", LuWarehouse, records.registry.many),
            destination!("/jobs", "job", LuListChecks, common.nav.jobs),
        ],
    },
    Group {
        label: Some(|locale| td_string!(locale, common.nav.provisioning)),
        destinations: &[
            destination!("/playbooks", "playbook", LuBookOpen, records.playbook.many),
            destination!("/hosts", "host", LuServer, records.host.many),
            destination!("/runs", "run", LuPlay, run_page.runs),
            destination!("/schedules", "schedule", LuCalendarClock, schedules.title),
            destination!("/credentials", "credential", LuLockKeyhole, secrets.many),
        ],
    },
    Group {
        label: Some(|locale| td_string!(locale, common.nav.records)),
        destinations: &[
            destination!("/machines", "machine", LuMonitor, records.machine.many),
            destination!("/customers", "customer", LuBuilding2, records.customer.many),
        ],
    },
    Group {
        label: Some(|locale| td_string!(locale, common.nav.administration)),
        destinations: &[
            destination!("/users", "user", LuUsers, records.user.many),
            destination!("/logins", "login", LuKeyRound, records.login.many),
        ],
    },
];

/// The destinations that the signed-in person may see.
pub(super) fn destinations() -> Vec<Destination> {
    let Some(session) = use_session() else {
        return Vec::new();
    };
    GROUPS
        .iter()
        .flat_map(|group| group.destinations)
        .filter(|destination| policy::decide(&session, Verb::Read, destination.subject).is_ok())
        .copied()
        .collect()
}

/// The frame. Somebody who is not signed in is sent to the sign-in page and back afterwards.
#[component]
pub(super) fn Frame() -> impl IntoView {
    if use_session().is_none() {
        let location = use_location();
        let wanted = format!("{}{}", location.pathname.get_untracked(), location.search.get_untracked());
        return view! { <ToSignIn wanted /> }.into_any();
    }
    view! { <SignedInFrame /> }.into_any()
}

/// Sends the visitor to the sign-in page.
#[component]
fn ToSignIn(wanted: String) -> impl IntoView {
    let target = if wanted.is_empty() || wanted == "/" {
        "/sign-in".to_owned()
    } else {
        format!("/sign-in?next={}", escaped(&wanted))
    };
    #[cfg(feature = "ssr")]
    leptos_axum::redirect(&target);
    #[cfg(not(feature = "ssr"))]
    Effect::new(move || {
        // A fresh document, because the session is fixed for the life of one.
        drop(window().location().set_href(&target));
    });
}

#[component]
fn SignedInFrame() -> impl IntoView {
    let i18n = use_i18n();
    toast::provide_toasts();
    dialog::provide_count();
    format::provide_now();
    events::provide_events();
    let (sidebar, set_sidebar) = setting("sidebar");
    let is_narrow = Signal::derive(move || sidebar.get().as_deref() == Some("narrow"));
    let drawer = RwSignal::new(false);
    let location = use_location();
    // A tap on a link closes the drawer of a phone.
    Effect::new(move || {
        location.pathname.track();
        drawer.set(false);
    });
    view! {
        <div
            class="frame"
            data-sidebar=move || is_narrow.get().then_some("narrow")
            data-drawer=move || drawer.get().then_some("open")
            on:keydown=move |event| {
                if event.key() == "Escape" {
                    drawer.set(false);
                }
            }
        >
            <a class="button frame__skip" href="#content">{t!(i18n, common.nav.skip)}</a>
            <Sidebar is_narrow set_sidebar />
            <TopBar drawer />
            <main class="frame__main" id="content" tabindex="-1" on:click=move |_| drawer.set(false)>
                <Outlet />
            </main>
            <ToastStack />
        </div>
    }
}

#[component]
fn Sidebar(is_narrow: Signal<bool>, set_sidebar: WriteSignal<Option<String>>) -> impl IntoView {
    let i18n = use_i18n();
    let Some(session) = use_session() else {
        return ().into_any();
    };
    let location = use_location();
    let scope = use_scope();
    let groups = GROUPS
        .iter()
        .filter_map(|group| {
            let links = group
                .destinations
                .iter()
                .filter(|destination| policy::decide(&session, Verb::Read, destination.subject).is_ok())
                .map(|destination| {
                    let path = destination.path;
                    let label = destination.label;
                    let is_current = move || {
                        let here = location.pathname.get();
                        here == path || (path != "/" && here.strip_prefix(path).is_some_and(|rest| rest.starts_with('/')))
                    };
                    view! {
                        <li>
                            <a
                                href=move || scope.with(|customer| scoped(path, customer))
                                aria-current=move || is_current().then_some("page")
                                title=move || is_narrow.get().then(|| label(i18n.get_locale()))
                            >
                                <Icon icon=destination.icon />
                                <span class="sidebar__label">{move || label(i18n.get_locale())}</span>
                            </a>
                        </li>
                    }
                })
                .collect::<Vec<_>>();
            (!links.is_empty()).then(|| {
                view! {
                    {group.label.map(|label| view! { <div class="sidebar__group">{move || label(i18n.get_locale())}</div> })}
                    <ul class="sidebar__list">{links}</ul>
                }
            })
        })
        .collect_view();
    view! {
        <nav class="sidebar" aria-label=t!(i18n, common.nav.main)>
            <a class="sidebar__brand" href="/">
                <Mark />
                <span class="sidebar__label">"Muelle"</span>
            </a>
            {groups}
            <div class="sidebar__fold">
                <ActionButton
                    label=Signal::derive(move || {
                        if is_narrow.get() { t_string!(i18n, common.nav.unfold) } else { t_string!(i18n, common.nav.fold) }.to_owned()
                    })
                    icon=Signal::derive(move || if is_narrow.get() { lu::LuPanelLeftOpen } else { lu::LuPanelLeftClose })
                    look=ButtonLook::Icon
                    on_press=Callback::new(move |()| {
                        set_sidebar.set((!is_narrow.get_untracked()).then(|| "narrow".to_owned()));
                    })
                />
            </div>
        </nav>
    }
    .into_any()
}

/// The mark: a bollard over water.
#[component]
pub fn Mark() -> impl IntoView {
    view! {
        <svg viewBox="0 0 24 24" aria-hidden="true">
            <path d="M8.2 4.2h7.6a1.6 1.6 0 0 1 0 3.2H15l1 8H8l1-8h-.8a1.6 1.6 0 0 1 0-3.2z" fill="var(--accent)" />
            <path
                d="M2 19.2c1.7 0 1.7-1.3 3.4-1.3s1.7 1.3 3.3 1.3 1.7-1.3 3.3-1.3 1.7 1.3 3.3 1.3 1.7-1.3 3.4-1.3 1.6 1.3 3.3 1.3"
                fill="none"
                stroke="var(--accent)"
                stroke-width="1.9"
                stroke-linecap="round"
            />
        </svg>
    }
}

/// Whether changes arrive as they happen.
#[component]
fn ConnectionLamp() -> impl IntoView {
    let i18n = use_i18n();
    let lamp = events::use_lamp();
    view! {
        <span
            class="lamp"
            role="status"
            data-tone=move || match lamp.get() {
                Lamp::Live => Tone::Good,
                Lamp::Reconnecting => Tone::Warn,
                Lamp::Offline => Tone::Bad,
            }.name()
        >
            <span class="lamp__word">
                {move || match lamp.get() {
                    Lamp::Live => t_string!(i18n, common.lamp.live),
                    Lamp::Reconnecting => t_string!(i18n, common.lamp.reconnecting),
                    Lamp::Offline => t_string!(i18n, common.lamp.offline),
                }}
            </span>
        </span>
    }
}

/// Shows everything in the other language.
pub(super) fn switch_language(i18n: I18nContext<Locale>) {
    i18n::choose(
        i18n,
        match i18n.get_locale_untracked() {
            Locale::en => Locale::es,
            Locale::es => Locale::en,
        },
    );
}

/// What a list calls the customer whose things it shows, in its address; `None` where it shows no customer's.
fn scope_key(path: &str) -> Option<&'static str> {
    if matches!(path, "/containers" | "/jobs") {
        return Some("customer");
    }
    let kind = kinds().find(|kind| path.strip_prefix('/') == Some(kind.plural))?;
    (kind.tenancy == Tenancy::PerCustomer).then_some("filter[customer]")
}

/// The customer whose things the list in sight shows, as its address says; empty for all.
fn use_scope() -> Memo<String> {
    let address = use_address();
    let (plain, filter) = (address.get("customer"), address.get("filter[customer]"));
    Memo::new(move |_| if filter.with(String::is_empty) { plain.get() } else { filter.get() })
}

/// The address of a list that shows one customer's things, where it can.
fn scoped(path: &str, customer: &str) -> String {
    match scope_key(path).filter(|_| !customer.is_empty()) {
        Some(key) => format!("{path}?{}={}", escaped(key), escaped(customer)),
        None => path.to_owned(),
    }
}

/// Chooses the customer whose things the lists show; for people of the platform. The choice stands in the
/// address and goes along from list to list.
#[component]
fn ScopeSwitch() -> impl IntoView {
    let i18n = use_i18n();
    let address = use_address();
    let location = use_location();
    let scope = use_scope();
    let customers = use_names("customer");
    let choose = move |customer: String| match location.pathname.with_untracked(|path| scope_key(path)) {
        Some(key) => address.set(&[(key, &customer), ("page", ""), ("before", "")]),
        None => address.go(&scoped("/containers", &customer)),
    };
    view! {
        <select
            class="topbar__choice"
            aria-label=t!(i18n, common.top.scope)
            prop:value=move || scope.get()
            on:change=move |event| choose(event_target_value(&event))
        >
            <option value="" selected=move || scope.with(String::is_empty)>{t!(i18n, common.top.platform)}</option>
            {move || {
                let chosen = scope.get();
                customers
                    .get()
                    .into_iter()
                    .map(|(id, name)| {
                        let is_chosen = id == chosen;
                        view! { <option value=id selected=is_chosen>{name}</option> }
                    })
                    .collect_view()
            }}
        </select>
    }
}

#[component]
fn TopBar(drawer: RwSignal<bool>) -> impl IntoView {
    let i18n = use_i18n();
    let session = use_session();
    let scope = session.as_ref().and_then(|session| session.customer.as_ref().map(|customer| customer.name.clone()));
    let person = session.map(|session| session.username).unwrap_or_default();
    let palette = RwSignal::new(false);
    view! {
        <header class="topbar">
            <span class="topbar__menu">
                <ActionButton
                    label=say!(i18n, common.nav.open)
                    icon=lu::LuMenu
                    look=ButtonLook::Icon
                    on_press=Callback::new(move |()| drawer.update(|open| *open = !*open))
                />
            </span>
            <span class="topbar__scope wide">
                <Icon icon=lu::LuBuilding2 />
                {match scope {
                    Some(name) => view! { {name} }.into_any(),
                    None => view! { <ScopeSwitch /> }.into_any(),
                }}
            </span>
            <button type="button" class="topbar__search" on:click=move |_| palette.set(true)>
                <Icon icon=lu::LuSearch />
                <span>{t!(i18n, common.top.search)}</span>
                <kbd>"Ctrl K"</kbd>
            </button>
            <Palette open=palette />
            <div class="topbar__end">
                <span class="wide">
                    <button
                        type="button"
                        class="button button--quiet"
                        aria-label=t!(i18n, common.top.language_label)
                        on:click=move |_| switch_language(i18n)
                    >
                        {move || match i18n.get_locale() {
                            Locale::en => "EN",
                            Locale::es => "ES",
                        }}
                    </button>
                </span>
                <crate::jobs::ui::JobsDrawer />
                <ConnectionLamp />
                <ThemeButton />
                <Menu id="account-menu" label=person icon=lu::LuCircleUserRound with_label=true>
                    <MenuLink
                        label=say!(i18n, common.top.account)
                        icon=lu::LuUserRoundCog
                        href="/account"
                    />
                    <MenuItem
                        label=say!(i18n, common.top.language_label)
                        icon=lu::LuLanguages
                        on_press=Callback::new(move |()| switch_language(i18n))
                    />
                    <form method="post" action="/sign-out">
                        <button type="submit" class="menu__item">
                            <Icon icon=lu::LuLogOut />
                            {t!(i18n, common.top.sign_out)}
                        </button>
                    </form>
                </Menu>
            </div>
        </header>
    }
}

#[cfg(test)]
mod tests {
    use super::scoped;

    #[test]
    fn the_customer_goes_along_to_lists_that_know_one() {
        assert_eq!(scoped("/jobs", "0190"), "/jobs?customer=0190");
        assert_eq!(scoped("/machines", "0190"), "/machines?filter%5Bcustomer%5D=0190");
        assert_eq!([scoped("/images", "0190"), scoped("/customers", "0190")], ["/images", "/customers"]);
        assert_eq!(scoped("/machines", ""), "/machines");
    }
}
