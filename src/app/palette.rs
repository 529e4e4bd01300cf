//! The command palette: every page and what can be begun from anywhere, by name, from the keyboard.

use super::{
    frame::{destinations, switch_language},
    session::refusal_now,
    theme::use_theme,
};
use crate::{
    authentication::policy::Verb,
    error::{Error, SERVER},
    i18n::{Locale, say, t, td_string, use_i18n},
    storage::kinds,
    ui::{Dialog, Icon, part::Coming, use_toasts},
};
use icondata_lu as lu;
use leptos::{html, prelude::*, wasm_split::SplitLoaderError};
use std::sync::Arc;

/// Something the palette offers.
#[derive(Clone)]
struct Entry {
    label: Arc<dyn Fn(Locale) -> String + Send + Sync>,
    icon: icondata_core::Icon,
    act: Act,
}

#[derive(Clone)]
enum Act {
    /// Leads to a page.
    Open(String),
    /// Does something here.
    Do(Callback<()>),
}

/// Everything that the signed-in person may open or begin, pages first.
fn offered() -> Vec<Entry> {
    let i18n = use_i18n();
    let (is_dark, switch_theme) = use_theme();
    let opens = |label: fn(Locale) -> &'static str, icon, path: &str| Entry {
        label: Arc::new(move |locale| label(locale).to_owned()),
        icon,
        act: Act::Open(path.to_owned()),
    };
    let mut offered: Vec<Entry> = destinations().into_iter().map(|it| opens(it.label, it.icon, it.path)).collect();
    if refusal_now(Verb::Operate, "container").is_none() {
        offered.push(opens(|locale| td_string!(locale, deployments.containers.new), lu::LuPlus, "/containers/new"));
    }
    if refusal_now(Verb::Operate, "image").is_none() {
        let label = |locale: Locale| td_string!(locale, deployments.containers.pull_image);
        offered.push(opens(label, lu::LuDownload, "/images?pull=new"));
    }
    if refusal_now(Verb::Operate, "run").is_none() {
        offered.push(opens(|locale| td_string!(locale, run_page.start), lu::LuPlay, "/runs/new"));
    }
    for kind in kinds().filter(|kind| !kind.read_only) {
        if refusal_now(Verb::Create, kind.name).is_none() {
            offered.push(Entry {
                label: Arc::new(move |locale| {
                    td_string!(locale, records.page.new, what = (kind.one)(locale).to_lowercase())
                }),
                icon: lu::LuPlus,
                act: Act::Open(format!("/{}/new", kind.plural)),
            });
        }
    }
    offered.push(opens(|locale| td_string!(locale, common.top.account), lu::LuUserRoundCog, "/account"));
    let does = |label: Arc<dyn Fn(Locale) -> String + Send + Sync>, icon, act| Entry { label, icon, act: Act::Do(act) };
    offered.push(does(
        Arc::new(move |locale| {
            if is_dark.get() { td_string!(locale, common.top.light) } else { td_string!(locale, common.top.dark) }
                .to_owned()
        }),
        lu::LuMoon,
        switch_theme,
    ));
    offered.push(does(
        Arc::new(|locale| td_string!(locale, common.top.language_label).to_owned()),
        lu::LuLanguages,
        Callback::new(move |()| switch_language(i18n)),
    ));
    offered.push(does(
        Arc::new(|locale| td_string!(locale, common.top.sign_out).to_owned()),
        lu::LuLogOut,
        Callback::new(|()| {
            #[cfg(feature = "hydrate")]
            {
                use wasm_bindgen::JsCast as _;

                let form = document().create_element("form").ok();
                let form = form.and_then(|form| form.dyn_into::<web_sys::HtmlFormElement>().ok());
                if let (Some(form), Some(body)) = (form, document().body()) {
                    form.set_method("post");
                    form.set_action("/sign-out");
                    drop(body.append_child(&form));
                    drop(form.request_submit());
                }
            }
        }),
    ));
    offered
}

/// The palette; Ctrl-K (or Command-K) opens it. It comes when it is first opened.
#[component]
pub(super) fn Palette(
    /// Whether it is shown.
    open: RwSignal<bool>,
) -> impl IntoView {
    let toasts = use_toasts();
    let dialog = Coming::new();
    Effect::new(move || {
        if open.get() && !dialog.has_come() {
            dialog.ask(
                move || async move { palette_dialog(open).await.ok() },
                move || {
                    toasts.failed(&Error::unavailable(SERVER, ""));
                    open.try_set(false);
                },
            );
        }
    });
    #[cfg(feature = "hydrate")]
    {
        let listening = window_event_listener(leptos::ev::keydown, move |event| {
            if (event.ctrl_key() || event.meta_key()) && event.key().eq_ignore_ascii_case("k") {
                event.prevent_default();
                open.set(true);
            }
        });
        on_cleanup(move || listening.remove());
    }
    move || dialog.take()
}

#[leptos::wasm_split::wasm_split(start, wasm_split_path = leptos::wasm_split, fallible)]
fn palette_dialog(open: RwSignal<bool>) -> Result<AnyView, SplitLoaderError> {
    Ok(view! { <PaletteDialog open /> }.into_any())
}

#[component]
fn PaletteDialog(open: RwSignal<bool>) -> impl IntoView {
    let i18n = use_i18n();
    let words = RwSignal::new(String::new());
    let chosen = RwSignal::new(0_usize);
    let all = StoredValue::new(offered());
    let found = Memo::new(move |_| {
        let words = words.get().to_lowercase();
        let locale = i18n.get_locale();
        all.with_value(|all| {
            let is_meant = |entry: &Entry| (entry.label)(locale).to_lowercase().contains(words.trim());
            all.iter().enumerate().filter(|(_, entry)| is_meant(entry)).map(|(index, _)| index).collect::<Vec<_>>()
        })
    });
    // Each opening begins anew.
    Effect::new(move || {
        if open.get() {
            words.set(String::new());
            chosen.set(0);
        }
    });
    // A press on the entry itself, so that a page with unsaved changes is asked first.
    let go = move || {
        #[cfg(feature = "hydrate")]
        {
            use wasm_bindgen::JsCast as _;

            let entry = document().query_selector("#palette-list [aria-selected=\"true\"]").ok().flatten();
            if let Some(entry) = entry.and_then(|entry| entry.dyn_into::<web_sys::HtmlElement>().ok()) {
                entry.click();
            }
        }
    };
    let input = NodeRef::<html::Input>::new();
    Effect::new(move || {
        if let (true, Some(input)) = (open.get(), input.get()) {
            // The dialog is open by now; an input that cannot take focus leaves it at the heading.
            drop(input.focus());
        }
    });
    view! {
        <Dialog open title=say!(i18n, common.top.palette)>
            <input
                node_ref=input
                class="input palette__input"
                type="text"
                role="combobox"
                // A dialog that opens looks for this; the effect above looks for a dialog that is open.
                autofocus=true
                autocomplete="off"
                aria-expanded="true"
                aria-controls="palette-list"
                aria-label=t!(i18n, common.top.palette_input)
                placeholder=t!(i18n, common.top.palette_input)
                aria-activedescendant=move || format!("palette-{}", chosen.get())
                prop:value=move || words.get()
                on:input=move |event| {
                    words.set(event_target_value(&event));
                    chosen.set(0);
                }
                on:keydown=move |event| {
                    let last = found.with_untracked(Vec::len).saturating_sub(1);
                    match event.key().as_str() {
                        "ArrowDown" => chosen.update(|chosen| *chosen = (*chosen + 1).min(last)),
                        "ArrowUp" => chosen.update(|chosen| *chosen = chosen.saturating_sub(1)),
                        "Enter" => go(),
                        _ => return,
                    }
                    event.prevent_default();
                }
            />
            <ul class="palette__list" id="palette-list" role="listbox" aria-label=t!(i18n, common.top.palette)>
                {move || {
                    found
                        .get()
                        .into_iter()
                        .enumerate()
                        .map(|(place, index)| {
                            let entry = all.with_value(|all| all[index].clone());
                            let is_chosen = move || if chosen.get() == place { "true" } else { "false" };
                            let content = view! {
                                <Icon icon=entry.icon />
                                {move || (entry.label)(i18n.get_locale())}
                            };
                            view! {
                                <li role="presentation">
                                    {match entry.act {
                                        Act::Open(path) => view! {
                                            <a
                                                id=format!("palette-{place}")
                                                class="palette__entry"
                                                role="option"
                                                aria-selected=is_chosen
                                                href=path
                                                tabindex="-1"
                                                on:click=move |_| open.set(false)
                                            >
                                                {content}
                                            </a>
                                        }
                                        .into_any(),
                                        Act::Do(act) => view! {
                                            <button
                                                type="button"
                                                id=format!("palette-{place}")
                                                class="palette__entry"
                                                role="option"
                                                aria-selected=is_chosen
                                                tabindex="-1"
                                                on:click=move |_| {
                                                    open.set(false);
                                                    act.run(());
                                                }
                                            >
                                                {content}
                                            </button>
                                        }
                                        .into_any(),
                                    }}
                                </li>
                            }
                        })
                        .collect_view()
                }}
            </ul>
            {move || found.with(Vec::is_empty).then(|| view! { <p class="palette__none soft">{t!(i18n, common.top.palette_none)}</p> })}
        </Dialog>
    }
}
