//! Inputs with their label, help and problem.

use super::icon::Icon;
use crate::i18n::{t, use_i18n};
use leptos::prelude::*;

/// The frame of an input: label above, help and problem below.
#[component]
pub(super) fn FieldFrame(
    id: String,
    label: Signal<String>,
    required: bool,
    hint: MaybeProp<String>,
    problem: Signal<Option<String>>,
    children: Children,
) -> impl IntoView {
    let i18n = use_i18n();
    let hint_id = format!("{id}-hint");
    let problem_id = format!("{id}-problem");
    view! {
        <div class="field">
            <label class="field__label" for=id>
                {move || label.get()}
                {(!required).then(|| view! { " " <span class="field__optional">{t!(i18n, common.optional)}</span> })}
            </label>
            {children()}
            {move || hint.get().map(|hint| view! { <span class="field__hint" id=hint_id.clone()>{hint}</span> })}
            {move || {
                problem.get().map(|problem| view! {
                    <span class="field__problem" id=problem_id.clone()>
                        <Icon icon=icondata_lu::LuCircleAlert />
                        {problem}
                    </span>
                })
            }}
        </div>
    }
}

/// Which texts describe an input to a screen reader.
pub(super) fn described_by(
    id: &str,
    hint: MaybeProp<String>,
    problem: Signal<Option<String>>,
) -> impl Fn() -> Option<String> + Clone + use<> {
    let id = id.to_owned();
    move || {
        let mut parts = Vec::new();
        if hint.get().is_some() {
            parts.push(format!("{id}-hint"));
        }
        if problem.get().is_some() {
            parts.push(format!("{id}-problem"));
        }
        (!parts.is_empty()).then(|| parts.join(" "))
    }
}

/// A line of text.
#[component]
pub fn TextField(
    /// The input's id and name, unique on the page.
    #[prop(into)]
    name: String,
    /// What it asks for.
    #[prop(into)]
    label: Signal<String>,
    /// What is in it.
    value: RwSignal<String>,
    /// `text`, `password`, `number`, `email`, `search` …
    #[prop(default = "text")]
    kind: &'static str,
    /// Must have a value.
    #[prop(optional)]
    required: bool,
    /// Cannot be changed.
    #[prop(optional)]
    read_only: bool,
    /// A line of help.
    #[prop(into, optional)]
    hint: MaybeProp<String>,
    /// What is wrong with it.
    #[prop(into, optional)]
    problem: Signal<Option<String>>,
    /// An example.
    #[prop(into, optional)]
    placeholder: MaybeProp<String>,
    /// What the browser may fill in.
    #[prop(default = "off")]
    autocomplete: &'static str,
    /// The id of a `<datalist>` with suggestions.
    #[prop(optional)]
    list: Option<&'static str>,
) -> impl IntoView {
    let described = described_by(&name, hint, problem);
    view! {
        <FieldFrame id=name.clone() label required hint problem>
            <input
                class="input"
                id=name.clone()
                name=name
                type=kind
                required=required
                readonly=read_only
                autocomplete=autocomplete
                placeholder=move || placeholder.get()
                list=list
                aria-invalid=move || problem.get().is_some().then_some("true")
                aria-describedby=described
                prop:value=move || value.get()
                value=value.get_untracked()
                on:input=move |event| value.set(event_target_value(&event))
            />
        </FieldFrame>
    }
}

/// Several lines of text.
#[component]
pub fn TextAreaField(
    /// The input's id and name, unique on the page.
    #[prop(into)]
    name: String,
    /// What it asks for.
    #[prop(into)]
    label: Signal<String>,
    /// What is in it.
    value: RwSignal<String>,
    /// Shown in the code face, lines not wrapped.
    #[prop(optional)]
    code: bool,
    /// Lines shown from the start.
    #[prop(default = 4)]
    rows: u32,
    /// Must have a value.
    #[prop(optional)]
    required: bool,
    /// A line of help.
    #[prop(into, optional)]
    hint: MaybeProp<String>,
    /// What is wrong with it.
    #[prop(into, optional)]
    problem: Signal<Option<String>>,
    /// An example.
    #[prop(into, optional)]
    placeholder: MaybeProp<String>,
) -> impl IntoView {
    let described = described_by(&name, hint, problem);
    view! {
        <FieldFrame id=name.clone() label required hint problem>
            <textarea
                class=if code { "input input--code" } else { "input" }
                id=name.clone()
                name=name
                rows=rows.to_string()
                required=required
                spellcheck=if code { "false" } else { "true" }
                autocomplete=code.then_some("off")
                placeholder=move || placeholder.get()
                aria-invalid=move || problem.get().is_some().then_some("true")
                aria-describedby=described
                prop:value=move || value.get()
                on:input=move |event| value.set(event_target_value(&event))
            >
                {value.get_untracked()}
            </textarea>
        </FieldFrame>
    }
}

/// One of a few values.
#[component]
pub fn SelectField(
    /// The input's id and name, unique on the page.
    #[prop(into)]
    name: String,
    /// What it asks for.
    #[prop(into)]
    label: Signal<String>,
    /// The chosen value.
    value: RwSignal<String>,
    /// Values and what a person reads; an empty value is "none".
    #[prop(into)]
    options: Signal<Vec<(String, String)>>,
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
    let described = described_by(&name, hint, problem);
    view! {
        <FieldFrame id=name.clone() label required hint problem>
            <select
                class="input"
                id=name.clone()
                name=name
                required=required
                aria-invalid=move || problem.get().is_some().then_some("true")
                aria-describedby=described
                prop:value=move || value.get()
                on:change=move |event| value.set(event_target_value(&event))
            >
                {move || {
                    let chosen = value.get();
                    options
                        .get()
                        .into_iter()
                        .map(|(value, label)| {
                            let selected = value == chosen;
                            view! { <option value=value selected=selected>{label}</option> }
                        })
                        .collect_view()
                }}
            </select>
        </FieldFrame>
    }
}

/// Yes or no.
#[component]
pub fn CheckField(
    /// The input's id and name, unique on the page.
    #[prop(into)]
    name: String,
    /// What it says when on.
    #[prop(into)]
    label: Signal<String>,
    /// Whether it is on.
    value: RwSignal<bool>,
    /// A line of help.
    #[prop(into, optional)]
    hint: MaybeProp<String>,
    /// Why it cannot be switched now.
    #[prop(into, optional)]
    refused: Signal<Option<String>>,
    /// What is wrong with it.
    #[prop(into, optional)]
    problem: Signal<Option<String>>,
) -> impl IntoView {
    let id = name.clone();
    view! {
        <div class="field field--switch">
            <input
                type="checkbox"
                id=id.clone()
                name=name
                disabled=move || refused.get().is_some()
                prop:checked=move || value.get()
                checked=value.get_untracked()
                on:change=move |event| value.set(event_target_checked(&event))
            />
            <label for=id>
                {move || label.get()}
                {move || refused.get().or_else(|| hint.get()).map(|hint| view! { <br /><span class="field__hint">{hint}</span> })}
                {move || problem.get().map(|problem| view! { <br /><span class="field__problem">{problem}</span> })}
            </label>
        </div>
    }
}
