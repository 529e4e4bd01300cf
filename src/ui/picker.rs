//! Picking things by name: type a part of it, choose from what is found.

use super::{
    field::{FieldFrame, described_by},
    icon::Icon,
};
use crate::i18n::{t, t_string, use_i18n};
use leptos::prelude::*;

/// One thing that can be picked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pick {
    /// What identifies it.
    pub id: String,
    /// What a person reads.
    pub label: String,
}

/// An input that finds things by name and keeps those that were picked, one or several.
///
/// The list opens by a press, by typing and by the arrow key, and not by focus alone: it would hide what
/// stands below, such as what is wrong with the field. The arrow keys walk through what is found, Enter
/// picks, Escape closes, and Backspace in an empty input takes the last one back.
#[component]
pub fn PickerField(
    /// The input's id and name, unique on the page.
    #[prop(into)]
    name: String,
    /// What it asks for.
    #[prop(into)]
    label: Signal<String>,
    /// What is picked.
    chosen: RwSignal<Vec<Pick>>,
    /// Several can be picked; otherwise a further one takes the place of the first.
    #[prop(optional)]
    many: bool,
    /// The words that are looked for; the page answers with `offers`.
    words: RwSignal<String>,
    /// What was found for the words.
    #[prop(into)]
    offers: Signal<Vec<Pick>>,
    /// Whether the answer to what is typed is still to come.
    #[prop(into, optional)]
    waiting: Signal<bool>,
    /// Called when the list opens, before anything was typed.
    #[prop(optional)]
    on_open: Option<Callback<()>>,
    /// Must have a value.
    #[prop(optional)]
    required: bool,
    /// A line of help.
    #[prop(into, optional)]
    hint: MaybeProp<String>,
    /// What is wrong with it.
    #[prop(into, optional)]
    problem: Signal<Option<String>>,
) -> impl IntoView {
    let i18n = use_i18n();
    let described = described_by(&name, hint, problem);
    let open = RwSignal::new(false);
    let at = RwSignal::new(0_usize);
    let list_id = format!("{name}-list");
    let option_id = StoredValue::new(format!("{name}-option"));
    let left = Memo::new(move |_| {
        let chosen = chosen.get();
        offers.get().into_iter().filter(|offer| chosen.iter().all(|known| known.id != offer.id)).collect::<Vec<_>>()
    });
    let show = move || {
        if !open.get_untracked() {
            at.set(0);
            open.set(true);
            if let Some(on_open) = on_open {
                on_open.run(());
            }
        }
    };
    let pick = move |index: usize| {
        let Some(offer) = left.with_untracked(|left| left.get(index).cloned()) else { return };
        chosen.update(|chosen| {
            if !many {
                chosen.clear();
            }
            chosen.push(offer);
        });
        words.set(String::new());
        at.set(0);
        open.set(many);
    };
    let drop_one = move |id: &str| chosen.update(|chosen| chosen.retain(|known| known.id != id));
    let is_shown = move || open.get() && (!left.with(Vec::is_empty) || !words.with(String::is_empty));
    view! {
        <FieldFrame id=name.clone() label required hint problem>
            <div class="picker">
                <div class="picker__box input" aria-invalid=move || problem.get().is_some().then_some("true")>
                    <For each=move || chosen.get() key=|pick| (pick.id.clone(), pick.label.clone()) let:pick>
                        {
                            let id = pick.id.clone();
                            let text = pick.label.clone();
                            view! {
                                <span class="chip picker__chip">
                                    <span class="truncate">{pick.label.clone()}</span>
                                    <button
                                        type="button"
                                        aria-label=move || t_string!(i18n, common.take_out, name = text.clone())
                                        title=t!(i18n, common.remove)
                                        on:click=move |_| drop_one(&id)
                                    >
                                        <Icon icon=icondata_lu::LuX />
                                    </button>
                                </span>
                            }
                        }
                    </For>
                    <input
                        type="text"
                        role="combobox"
                        id=name.clone()
                        name=name.clone()
                        autocomplete="off"
                        aria-autocomplete="list"
                        aria-controls=list_id.clone()
                        aria-expanded=move || if is_shown() { "true" } else { "false" }
                        aria-activedescendant=move || {
                            is_shown().then(|| format!("{}-{}", option_id.get_value(), at.get()))
                        }
                        aria-invalid=move || problem.get().is_some().then_some("true")
                        aria-describedby=described
                        aria-required=required.then_some("true")
                        placeholder=t!(i18n, common.pick)
                        prop:value=move || words.get()
                        on:click=move |_| show()
                        on:blur=move |_| {
                            open.set(false);
                            words.set(String::new());
                        }
                        on:input=move |event| {
                            words.set(event_target_value(&event));
                            at.set(0);
                            show();
                        }
                        on:keydown=move |event| {
                            let last = left.with_untracked(Vec::len).saturating_sub(1);
                            match event.key().as_str() {
                                "ArrowDown" if open.get_untracked() => at.update(|at| *at = (*at + 1).min(last)),
                                "ArrowDown" => show(),
                                "ArrowUp" => at.update(|at| *at = at.saturating_sub(1)),
                                "Enter" if open.get_untracked() => pick(at.get_untracked()),
                                "Escape" if open.get_untracked() => {
                                    event.stop_propagation();
                                    open.set(false);
                                }
                                "Backspace" if words.with_untracked(String::is_empty) => {
                                    chosen.update(|chosen| drop(chosen.pop()));
                                    return;
                                }
                                _ => return,
                            }
                            event.prevent_default();
                        }
                    />
                </div>
                <ul
                    class="picker__list"
                    id=list_id
                    role="listbox"
                    aria-label=move || label.get()
                    hidden=move || !is_shown()
                    // A press must not take the focus from the input, which would close the list first.
                    on:mousedown=|event| event.prevent_default()
                >
                    {move || {
                        left.get()
                            .into_iter()
                            .enumerate()
                            .map(|(index, offer)| view! {
                                <li
                                    id=format!("{}-{index}", option_id.get_value())
                                    role="option"
                                    aria-selected=move || if at.get() == index { "true" } else { "false" }
                                    on:click=move |_| pick(index)
                                >
                                    {offer.label}
                                </li>
                            })
                            .collect_view()
                    }}
                    {move || left.with(Vec::is_empty).then(|| view! {
                        <li class="picker__none" role="option" aria-selected="false" aria-disabled="true">
                            {move || if waiting.get() { t_string!(i18n, common.loading) } else { t_string!(i18n, common.list.nothing_found) }}
                        </li>
                    })}
                </ul>
            </div>
        </FieldFrame>
    }
}
