//! Import from a CSV file: choose or paste it, see what it would do, then do it.

use super::super::{
    Kind,
    calls::{self, Import, ImportAction, ImportLine},
};
use crate::{
    app::refusal,
    authentication::policy::Verb,
    i18n::{say, t, t_string, use_i18n},
    ui::{ActionButton, Badge, ButtonLook, Icon, LinkButton, Notice, PageHead, TextAreaField, Tone, use_toasts},
};
use icondata_lu as lu;
use leptos::{html, prelude::*};
use leptos_router::{NavigateOptions, hooks::use_navigate};

/// Lines of the preview that the page shows; the counts are of all.
const SHOWN: usize = 200;

/// The page of an import.
#[component]
pub fn ImportPage(
    /// The kind.
    kind: &'static Kind,
) -> impl IntoView {
    let i18n = use_i18n();
    let toasts = use_toasts();
    let navigate = StoredValue::new(use_navigate());
    let csv = RwSignal::new(String::new());
    let problem = RwSignal::new(None::<String>);
    let plan = RwSignal::new(None::<Import>);
    let file = NodeRef::<html::Input>::new();
    let look = Action::new(move |text: &String| {
        let text = text.clone();
        async move { calls::preview_import(kind.name.to_owned(), text).await }
    });
    let take = Action::new(move |text: &String| {
        let text = text.clone();
        async move { calls::import_records(kind.name.to_owned(), text).await }
    });
    // What was looked at is no longer what stands there.
    Effect::watch(
        move || csv.get(),
        move |_, _, _| {
            plan.set(None);
            problem.set(None);
        },
        false,
    );
    Effect::new(move || match look.value().get() {
        Some(Ok(answer)) => plan.set(Some(answer)),
        Some(Err(error)) => problem.set(Some(error.message(i18n.get_locale_untracked()))),
        None => {}
    });
    Effect::new(move || match take.value().get() {
        Some(Ok(done)) if done.refused == 0 => {
            let (created, changed) = (done.created.to_string(), done.changed.to_string());
            toasts.done(t_string!(i18n, records.page.imported, created = created, changed = changed));
            let address = format!("/{}", kind.plural);
            navigate.with_value(|navigate| navigate(&address, NavigateOptions::default()));
        }
        Some(Ok(refused)) => plan.set(Some(refused)),
        Some(Err(error)) => toasts.failed(&error),
        None => {}
    });
    let refused = refusal(Verb::Create, kind.name);
    let columns =
        kind.fields.iter().filter(|field| !field.read_only).map(|field| field.name).collect::<Vec<_>>().join(", ");
    let hint = Signal::derive(move || t_string!(i18n, records.page.csv_hint, columns = columns.clone()));
    view! {
        <nav class="crumbs" aria-label=t!(i18n, records.page.crumbs)>
            <a href=format!("/{}", kind.plural)>{move || (kind.many)(i18n.get_locale())}</a>
        </nav>
        <PageHead title=Signal::derive(move || {
            t_string!(i18n, records.page.import_title, what = (kind.many)(i18n.get_locale()).to_lowercase())
        }) />
        <form
            class="form record-form"
            aria-label=t!(i18n, records.page.import)
            on:submit=move |event| {
                event.prevent_default();
                if refused.get_untracked().is_none() {
                    look.dispatch(csv.get_untracked());
                }
            }
        >
            {move || refused.get().map(|reason| view! { <Notice tone=Tone::Warn>{reason}</Notice> })}
            <fieldset class="panel record-form__group">
                <legend class="visually-hidden">{t!(i18n, records.page.csv)}</legend>
                <div class="form__grid">
                    <div class="field form__wide">
                        <label class="field__label" for="import-file">{t!(i18n, records.page.csv_file)}</label>
                        <input
                            node_ref=file
                            class="input record-form__file"
                            type="file"
                            id="import-file"
                            accept=".csv,text/csv"
                            on:change=move |_| read_file(file, csv)
                        />
                    </div>
                    <div class="form__wide">
                        <TextAreaField
                            name="import-csv"
                            label=say!(i18n, records.page.csv)
                            value=csv
                            code=true
                            rows=10
                            required=true
                            hint
                            problem
                            placeholder="name,type,ipv4,tags\nweb-1,remote,192.168.1.10,\"web,prod\""
                        />
                    </div>
                </div>
            </fieldset>
            <div class="form__actions">
                <ActionButton
                    label=say!(i18n, records.page.preview)
                    icon=lu::LuEye
                    kind="submit"
                    look=if plan.with_untracked(Option::is_some) { ButtonLook::Plain } else { ButtonLook::Primary }
                    refused=Signal::derive(move || {
                        refused.get().or_else(|| {
                            csv.with(|csv| csv.trim().is_empty()).then(|| t_string!(i18n, records.page.csv_missing).to_owned())
                        })
                    })
                    busy=look.pending()
                />
                <LinkButton
                    href=format!("/{}", kind.plural)
                    label=say!(i18n, common.cancel)
                />
            </div>
        </form>
        {move || plan.get().map(|plan| {
            let none = plan.created + plan.changed == 0;
            let why = Signal::derive(move || {
                refused.get().or_else(|| match (plan.refused, none) {
                    (0, false) => None,
                    (0, true) => Some(t_string!(i18n, records.page.nothing_to_import).to_owned()),
                    _ => Some(t_string!(i18n, records.page.import_refused).to_owned()),
                })
            });
            view! {
                <Preview plan=plan.clone() />
                <div class="form__actions">
                    <ActionButton
                        label=say!(i18n, records.page.import)
                        icon=lu::LuUpload
                        look=ButtonLook::Primary
                        refused=why
                        busy=take.pending()
                        on_press=Callback::new(move |()| drop(take.dispatch(csv.get_untracked())))
                    />
                </div>
            }
        })}
    }
}

/// Puts the text of the chosen file into the field.
#[cfg(feature = "hydrate")]
fn read_file(input: NodeRef<html::Input>, csv: RwSignal<String>) {
    use leptos::wasm_bindgen::{JsCast as _, JsValue, closure::Closure};

    let Some(file) = input.get_untracked().and_then(|input| input.files()).and_then(|files| files.get(0)) else {
        return;
    };
    let take = Closure::<dyn FnMut(JsValue)>::once(move |text: JsValue| {
        // The page may be gone by then.
        csv.try_set(text.as_string().unwrap_or_default());
    });
    let blob: &leptos::web_sys::Blob = file.unchecked_ref();
    drop(blob.text().then(&take));
    // The browser calls it once and then lets it go.
    take.forget();
}

/// There is no file to read on the server.
#[cfg(not(feature = "hydrate"))]
fn read_file(_: NodeRef<html::Input>, _: RwSignal<String>) {}

fn look_of(action: ImportAction) -> (Tone, icondata_core::Icon) {
    match action {
        ImportAction::Create => (Tone::Good, lu::LuPlus),
        ImportAction::Update => (Tone::Busy, lu::LuPencil),
        ImportAction::Unchanged => (Tone::Idle, lu::LuEqual),
        ImportAction::Refuse => (Tone::Bad, lu::LuX),
    }
}

/// What the import would do: the counts, and every line with its reasons.
#[component]
fn Preview(plan: Import) -> impl IntoView {
    let i18n = use_i18n();
    let word = move |action: ImportAction| match action {
        ImportAction::Create => t_string!(i18n, records.page.import_create),
        ImportAction::Update => t_string!(i18n, records.page.import_update),
        ImportAction::Unchanged => t_string!(i18n, records.page.import_unchanged),
        ImportAction::Refuse => t_string!(i18n, records.page.import_refuse),
    };
    let counts = [
        (ImportAction::Create, plan.created),
        (ImportAction::Update, plan.changed),
        (ImportAction::Unchanged, plan.unchanged),
        (ImportAction::Refuse, plan.refused),
    ];
    let counts = counts
        .into_iter()
        .filter(|(_, count)| *count > 0)
        .map(|(action, count)| {
            let (tone, icon) = look_of(action);
            view! { <Badge tone icon label=Signal::derive(move || format!("{count} {}", word(action).to_lowercase())) /> }
        })
        .collect_view();
    let total = plan.lines.len();
    // What was refused comes first: it has to be mended before anything is imported.
    let mut lines = plan.lines;
    lines.sort_by_key(|line| line.action != ImportAction::Refuse);
    lines.truncate(SHOWN);
    let hidden = total - lines.len();
    let rows = lines
        .into_iter()
        .map(|ImportLine { line, name, action, problems }| {
            let (tone, icon) = look_of(action);
            let reasons = problems
                .into_iter()
                .map(|problem| {
                    view! {
                        <li>
                            <Icon icon=lu::LuCircleAlert />
                            {if problem.field.is_empty() {
                                problem.message
                            } else {
                                format!("{}: {}", problem.field, problem.message)
                            }}
                        </li>
                    }
                })
                .collect_view();
            view! {
                <tr>
                    <td class="number soft">{line}</td>
                    <td class="table__name">{name}</td>
                    <td><Badge tone icon label=Signal::derive(move || word(action).to_owned()) /></td>
                    <td><ul class="import__reasons">{reasons}</ul></td>
                </tr>
            }
        })
        .collect_view();
    view! {
        <section class="import" aria-label=t!(i18n, records.page.preview)>
            <div class="row" role="status">{counts}</div>
            <div class="table-wrap">
                <table class="table import__table">
                    <thead>
                        <tr>
                            <th scope="col">{t!(i18n, records.page.line)}</th>
                            <th scope="col">{t!(i18n, records.page.record)}</th>
                            <th scope="col">{t!(i18n, records.page.what)}</th>
                            <th scope="col">{t!(i18n, records.page.why)}</th>
                        </tr>
                    </thead>
                    <tbody>{rows}</tbody>
                </table>
            </div>
            {(hidden > 0).then(|| view! {
                <p class="soft">{t_string!(i18n, common.and_more, count = hidden.to_string())}</p>
            })}
        </section>
    }
}
