//! The form of a kind: for a new record, and for one that stands.

use super::{
    super::{Entry, Field, Kind, Language, Shape, Tenancy, Text, calls, calls::Shown},
    draft::{Draft, Input},
    filters::RecordPicker,
    name_of,
    value::Labels,
    words::switch_words,
};
use crate::{
    app::{beside, refusal, use_session},
    authentication::policy::Verb,
    error::Error,
    i18n::{say, t, t_string, use_i18n},
    id::Id,
    json::resource,
    ui::{
        ActionButton, Awaited, ButtonLook, CheckField, LinkButton, Notice, PageHead, SelectField, Skeleton,
        TextAreaField, TextField, Tone, Trouble, UnsavedGuard, use_toasts,
    },
};
use leptos::{html, prelude::*, web_sys};
use leptos_router::{
    NavigateOptions,
    hooks::{use_navigate, use_query_map},
};
use std::collections::BTreeMap;

/// Fields from which on a form takes two columns of text apart by what they are about.
const LONG: usize = 8;

/// The page for a new record.
#[component]
pub fn NewPage(
    /// The entity.
    entry: &'static Entry,
) -> impl IntoView {
    let i18n = use_i18n();
    let kind = entry.kind;
    let query = use_query_map();
    let begun = beside::begins_from(kind).and_then(|name| query.with_untracked(|query| query.get(name)));
    view! {
        <PageHead title=Signal::derive(move || {
            t_string!(i18n, records.page.new, what = (kind.one)(i18n.get_locale()).to_lowercase())
        }) />
        {match begun {
            None => view! { <Form draft=Draft::of(entry, None, &Labels::new()) id=None /> }.into_any(),
            Some(from) => view! { <BegunForm entry from /> }.into_any(),
        }}
    }
}

/// The form of a new record that is begun from something else.
#[component]
fn BegunForm(entry: &'static Entry, from: String) -> impl IntoView {
    let found = resource(|| (), move |()| beside::begin(entry.kind, from.clone()));
    view! {
        <Awaited
            resource=found
            fallback=|| view! { <Skeleton rows=6 /> }
            view=move || move || found.get().map(|answer| match answer {
                Ok(begun) => view! { <Form draft=Draft::begun(entry, &begun) id=None /> }.into_any(),
                Err(error) => {
                    let retry = Callback::new(move |()| found.refetch());
                    view! { <Trouble error=Signal::derive(move || error.clone()) retry /> }.into_any()
                }
            })
        />
    }
}

/// The page to change a record.
#[component]
pub fn EditPage(
    /// The entity.
    entry: &'static Entry,
    /// The record.
    id: Id<()>,
) -> impl IntoView {
    let i18n = use_i18n();
    let kind = entry.kind;
    let found = resource(|| (), move |()| super::ask(kind, id));
    view! {
        <Awaited
            resource=found
            fallback=|| view! { <Skeleton rows=6 /> }
            view=move || move || found.get().map(|answer| match answer {
                Ok(found) => view! { <EditForm entry found /> }.into_any(),
                Err(error) => {
                    let retry = Callback::new(move |()| found.refetch());
                    view! {
                        <PageHead title=Signal::derive(move || (kind.one)(i18n.get_locale()).to_owned()) />
                        <Trouble error=Signal::derive(move || error.clone()) retry />
                    }
                    .into_any()
                }
            })
        />
    }
}

#[component]
fn EditForm(entry: &'static Entry, found: Shown) -> impl IntoView {
    let i18n = use_i18n();
    let name = name_of(entry.kind, &found.record);
    let draft = Draft::of(entry, Some(&found.record), &found.labels);
    view! {
        <PageHead title=Signal::derive(move || t_string!(i18n, records.page.edit_title, name = name.clone())) />
        <Form draft id=Some(found.record.base.id) />
    }
}

#[component]
fn Form(draft: Draft, id: Option<Id<()>>) -> impl IntoView {
    let i18n = use_i18n();
    let toasts = use_toasts();
    let kind = draft.entry.kind;
    let navigate = StoredValue::new(use_navigate());
    let node = NodeRef::<html::Form>::new();
    let shown = Memo::new(move |_| draft.shown_problems(i18n.get_locale()));
    let conflict = RwSignal::new(None::<String>);
    let saved = RwSignal::new(false);
    let back = id.map_or_else(|| format!("/{}", kind.plural), |id| format!("/{}/{id}", kind.plural));
    // Whatever is typed may decide other values; the first run only looks.
    Effect::watch(move || draft.written(), move |_, _, _| draft.follow(i18n.get_locale_untracked()), false);

    let save = Action::new(move |(): &()| {
        let fields = untrack(|| draft.written());
        let revision = draft.revision.get_untracked();
        async move { calls::save_record(kind.name.to_owned(), id.map(|id| id.to_string()), revision, fields).await }
    });
    Effect::new(move || {
        let Some(answer) = save.value().get() else { return };
        match answer {
            Ok(record) => {
                saved.set(true);
                let name = name_of(kind, &record);
                toasts.done(t_string!(i18n, records.page.saved, name = name));
                let address = format!("/{}/{}", kind.plural, record.base.id);
                navigate.with_value(|navigate| navigate(&address, NavigateOptions::default()));
            }
            Err(Error::Invalid { problems }) => {
                draft.refuse(&problems);
                focus_first_problem(node);
            }
            Err(Error::Conflict { message }) if id.is_some() => conflict.set(Some(message)),
            Err(error) => toasts.failed(&error),
        }
    });
    let reload = Action::new(move |(): &()| async move {
        match id {
            Some(id) => super::ask(kind, id).await,
            None => Err(Error::not_found(kind.name)),
        }
    });
    Effect::new(move || {
        let Some(answer) = reload.value().get() else { return };
        match answer {
            Ok(found) => {
                draft.merge(&found.record, &found.labels);
                conflict.set(None);
                toasts.done(t_string!(i18n, records.page.reloaded));
            }
            Err(error) => toasts.failed(&error),
        }
    });
    let refused = refusal(if id.is_some() { Verb::Update } else { Verb::Create }, kind.name);
    let submit = move || {
        if refused.get_untracked().is_some() || save.pending().get_untracked() {
            return;
        }
        draft.visit_all();
        let wrong = untrack(|| draft.problems(i18n.get_locale_untracked()));
        if wrong.is_empty() {
            save.dispatch(());
        } else {
            focus_first_problem(node);
        }
    };
    let dirty = Memo::new(move |_| !saved.get() && draft.is_changed());
    // What concerns no input in particular stands above them all.
    let whole = move || {
        shown.with(|shown| {
            let named = |field: &str| draft.inputs.with_value(|all| all.iter().any(|(known, _)| known.name == field));
            let base = ["enabled", "customer"];
            let rest: Vec<String> = shown
                .iter()
                .filter(|(field, _)| !named(field) && !base.contains(&field.as_str()))
                .map(|(field, message)| if field.is_empty() { message.clone() } else { format!("{field}: {message}") })
                .collect();
            (!rest.is_empty()).then(|| rest.join(" "))
        })
    };
    let is_platform = use_session().is_some_and(|session| session.is_platform());
    let asks_customer = id.is_none() && is_platform && kind.tenancy == Tenancy::PerCustomer;
    view! {
        <UnsavedGuard dirty />
        <form
            class="form record-form"
            node_ref=node
            novalidate=true
            aria-label=move || (kind.one)(i18n.get_locale())
            on:submit=move |event| {
                event.prevent_default();
                submit();
            }
            on:focusout=move |event| {
                if let Some(field) = field_of(event.target()) {
                    draft.visit(&field);
                }
            }
        >
            {move || refused.get().map(|reason| view! { <Notice tone=Tone::Warn>{reason}</Notice> })}
            {move || conflict.get().map(|message| view! {
                <Notice tone=Tone::Warn>
                    <p>{message}</p>
                    <p class="soft">{t!(i18n, records.page.conflict_text)}</p>
                    <ActionButton
                        label=say!(i18n, records.page.reload)
                        icon=icondata_lu::LuRotateCw
                        busy=reload.pending()
                        on_press=Callback::new(move |()| drop(reload.dispatch(())))
                    />
                </Notice>
            })}
            {move || whole().map(|text| view! { <Notice tone=Tone::Bad>{text}</Notice> })}
            {groups(draft)
                .into_iter()
                .map(|(heading, inputs)| view! {
                    <fieldset class="panel record-form__group">
                        <legend class=if heading.is_some() { "" } else { "visually-hidden" }>
                            {move || match heading {
                                Some(heading) => heading(i18n.get_locale()),
                                None => (kind.one)(i18n.get_locale()),
                            }}
                        </legend>
                        <div class="form__grid">
                            {(heading.is_none() && asks_customer).then(|| view! {
                                <div>
                                    <RecordPicker
                                        name="record-customer".to_owned()
                                        label=say!(i18n, records.page.customer)
                                        kind="customer"
                                        chosen=draft.customer
                                        hint=say!(i18n, records.page.customer_hint)
                                        problem=problem_at("customer", shown)
                                    />
                                </div>
                            })}
                            {inputs
                                .into_iter()
                                .map(|(field, input)| {
                                    let class = if is_wide(kind, field) { "form__wide" } else { "" };
                                    let applies = Memo::new(move |_| draft.applies(field));
                                    view! {
                                        <div class=class hidden=move || !applies.get()>
                                            {control(field, input, shown, draft)}
                                        </div>
                                    }
                                })
                                .collect_view()}
                        </div>
                    </fieldset>
                })
                .collect_view()}
            <CheckField
                name="record-enabled"
                label=Signal::derive(move || (switch_words(kind).on)(i18n.get_locale()).to_owned())
                value=draft.enabled
                hint=Signal::derive(move || (switch_words(kind).hint)(i18n.get_locale()).to_owned())
                problem=problem_at("enabled", shown)
            />
            <div class="form__actions">
                <ActionButton
                    label=say!(i18n, common.save)
                    icon=icondata_lu::LuCheck
                    look=ButtonLook::Primary
                    kind="submit"
                    refused
                    busy=save.pending()
                />
                <LinkButton href=back label=say!(i18n, common.cancel) />
            </div>
        </form>
    }
}

/// The name of the field that an event came from.
fn field_of(target: Option<web_sys::EventTarget>) -> Option<String> {
    use leptos::wasm_bindgen::JsCast as _;

    let element = target?.dyn_into::<web_sys::Element>().ok()?;
    element.id().strip_prefix("record-").map(str::to_owned)
}

/// Moves the focus to the first input with a problem, once it is marked.
fn focus_first_problem(node: NodeRef<html::Form>) {
    use leptos::wasm_bindgen::JsCast as _;

    request_animation_frame(move || {
        let Some(form) = node.get_untracked() else { return };
        let first = form.query_selector("input[aria-invalid], select[aria-invalid], textarea[aria-invalid]");
        if let Some(input) = first.ok().flatten().and_then(|input| input.dyn_into::<web_sys::HtmlElement>().ok()) {
            // An input in a folded part is shown first.
            if let Some(folded) = input.closest("details").ok().flatten() {
                drop(folded.set_attribute("open", ""));
            }
            // An input that cannot take the focus leaves it at the button.
            drop(input.focus());
        }
    });
}

fn problem_at(field: &'static str, shown: Memo<BTreeMap<String, String>>) -> Signal<Option<String>> {
    Signal::derive(move || shown.with(|shown| shown.get(field).cloned()))
}

type Group = (Option<Text>, Vec<(&'static Field, Input)>);

/// The inputs in groups: a long form keeps addresses apart.
fn groups(draft: Draft) -> Vec<Group> {
    let inputs = draft.inputs.get_value();
    let is_address = |field: &Field| matches!(field.shape, Shape::Ipv4 | Shape::Ipv6 | Shape::Mac);
    if inputs.len() < LONG || !inputs.iter().any(|(field, _)| is_address(field)) {
        return vec![(None, inputs)];
    }
    let (addresses, general) = inputs.into_iter().partition(|(field, _)| is_address(field));
    vec![(None, general), (Some(crate::text!(records.page.addresses)), addresses)]
}

/// Takes the whole width.
fn is_wide(kind: &'static Kind, field: &'static Field) -> bool {
    matches!(field.shape, Shape::Lines { .. } | Shape::References { .. } | Shape::Addresses)
        || (matches!(field.shape, Shape::Secret) && beside::control(kind, field).is_some())
}

/// The input of a field.
fn control(field: &'static Field, input: Input, shown: Memo<BTreeMap<String, String>>, draft: Draft) -> AnyView {
    let i18n = use_i18n();
    let is_new = draft.is_new();
    // What a record refers to belongs to the same customer as itself.
    let whose = Signal::derive(move || Some(draft.whose()));
    let name = format!("record-{}", field.name);
    let label = Signal::derive(move || (field.label)(i18n.get_locale()).to_owned());
    let hint = Signal::derive(move || field.hint.map(|hint| hint(i18n.get_locale()).to_owned()));
    let problem = problem_at(field.name, shown);
    let required = field.required;
    if let (Some(special), Input::Text(value)) = (beside::control(draft.entry.kind, field), input) {
        let other = Callback::new(move |field: &'static str| draft.text(field));
        // A secret that stands needs no new one.
        let required = required && (is_new || !matches!(field.shape, Shape::Secret));
        let picked = Callback::new(move |field: &'static str| draft.picks(field));
        return special(beside::Input { name, label, value, required, is_new, hint, problem, other, picked });
    }
    match (field.shape, input) {
        (_, Input::Switch(value)) => view! { <CheckField name label value hint problem /> }.into_any(),
        (Shape::Reference(kind), Input::Picks(chosen)) => {
            view! { <RecordPicker name label kind chosen whose required hint problem /> }.into_any()
        }
        (Shape::References { kind, .. }, Input::Picks(chosen)) => {
            view! { <RecordPicker name label kind chosen whose many=true required hint problem /> }.into_any()
        }
        (_, Input::Picks(_)) => ().into_any(),
        (Shape::Choice(choices), Input::Text(value)) => {
            let options = Signal::derive(move || {
                let locale = i18n.get_locale();
                let none = (!required).then(|| (String::new(), t_string!(i18n, common.none).to_owned()));
                none.into_iter()
                    .chain(choices.iter().map(|choice| (choice.value.to_owned(), (choice.label)(locale).to_owned())))
                    .collect::<Vec<_>>()
            });
            view! { <SelectField name label value options required hint problem /> }.into_any()
        }
        (Shape::Lines { language, .. }, Input::Text(value)) => {
            let code = language == Language::Yaml;
            let rows = match (code, required) {
                (true, true) => 24,
                (true, false) => 10,
                (false, _) => 3,
            };
            view! { <TextAreaField name label value code rows required hint problem /> }.into_any()
        }
        (Shape::Addresses, Input::Text(value)) => {
            view! { <TextAreaField name label value rows=4 required hint problem /> }.into_any()
        }
        (Shape::Secret, Input::Text(value)) => {
            let hint = Signal::derive(move || {
                if is_new { hint.get() } else { Some(t_string!(i18n, records.page.keep_secret).to_owned()) }
            });
            view! {
                <TextField
                    name
                    label
                    value
                    kind="password"
                    autocomplete="new-password"
                    required=required && is_new
                    hint
                    problem
                />
            }
            .into_any()
        }
        (Shape::Integer { .. }, Input::Text(value)) => {
            view! { <TextField name label value kind="text" required hint problem /> }.into_any()
        }
        (_, Input::Text(value)) => view! { <TextField name label value required hint problem /> }.into_any(),
    }
}
