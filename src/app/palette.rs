//! The command palette: every page by name, from the keyboard.

use super::frame::destinations;
use crate::{
    i18n::{t, t_string, use_i18n},
    ui::{Dialog, Icon},
};
use leptos::{html, prelude::*};
use leptos_router::hooks::use_navigate;

/// The palette; Ctrl-K (or Command-K) opens it.
#[component]
pub(super) fn Palette(
    /// Whether it is shown.
    open: RwSignal<bool>,
) -> impl IntoView {
    let i18n = use_i18n();
    let words = RwSignal::new(String::new());
    let chosen = RwSignal::new(0_usize);
    let all = StoredValue::new(destinations());
    let found = Memo::new(move |_| {
        let words = words.get().to_lowercase();
        let locale = i18n.get_locale();
        all.get_value()
            .into_iter()
            .enumerate()
            .filter(|(_, destination)| (destination.label)(locale).to_lowercase().contains(words.trim()))
            .map(|(index, _)| index)
            .collect::<Vec<_>>()
    });
    let navigate = StoredValue::new(use_navigate());
    let go = move || {
        let target = found.with_untracked(|found| found.get(chosen.get_untracked()).copied());
        if let Some(index) = target {
            open.set(false);
            let path = all.with_value(|all| all[index].path);
            navigate.with_value(|navigate| navigate(path, leptos_router::NavigateOptions::default()));
        }
    };
    #[cfg(feature = "hydrate")]
    {
        let listening = window_event_listener(leptos::ev::keydown, move |event| {
            if (event.ctrl_key() || event.meta_key()) && event.key().eq_ignore_ascii_case("k") {
                event.prevent_default();
                words.set(String::new());
                chosen.set(0);
                open.set(true);
            }
        });
        on_cleanup(move || listening.remove());
    }
    let input = NodeRef::<html::Input>::new();
    Effect::new(move || {
        if let (true, Some(input)) = (open.get(), input.get()) {
            // The dialog is open by now; an input that cannot take focus leaves it at the heading.
            drop(input.focus());
        }
    });
    view! {
        <Dialog open title=Signal::derive(move || t_string!(i18n, common.top.palette).to_owned())>
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
                aria-label=move || t_string!(i18n, common.top.palette_input)
                placeholder=move || t_string!(i18n, common.top.palette_input)
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
            <ul class="palette__list" id="palette-list" role="listbox" aria-label=move || t_string!(i18n, common.top.palette)>
                {move || {
                    found
                        .get()
                        .into_iter()
                        .enumerate()
                        .map(|(place, index)| {
                            let destination = all.with_value(|all| all[index]);
                            view! {
                                <li
                                    id=format!("palette-{place}")
                                    role="option"
                                    aria-selected=move || if chosen.get() == place { "true" } else { "false" }
                                    on:click=move |_| {
                                        chosen.set(place);
                                        go();
                                    }
                                >
                                    <span class="palette__entry">
                                        <Icon icon=destination.icon />
                                        {(destination.label)(i18n.get_locale())}
                                    </span>
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
