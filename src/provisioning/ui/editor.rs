//! The editor of playbooks: a textarea that works by itself, and CodeMirror over it once that is loaded.

use super::while_live;
use crate::{
    app::{beside, refusal},
    authentication::policy::Verb,
    events::{client::use_changes, model::Topic},
    i18n::{say, t, t_string, use_i18n},
    id::Id,
    provisioning::{
        books::{Checked, Mark, Severity},
        books_api::{check_draft, check_playbook},
        ui::examples,
    },
    storage::{Playbook, item::RawRecord},
    ui::{ActionButton, Badge, Panel, TextAreaField, Tone, use_toasts},
};
use icondata_lu as lu;
use leptos::prelude::*;
use leptos_router::hooks::use_location;
use std::time::Duration;

/// How long nothing is typed until the YAML is looked at.
const PAUSE: Duration = Duration::from_millis(700);

/// What an editor writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Written {
    /// Plays: with modules to choose from.
    Playbook,
    /// Other YAML.
    Yaml,
    /// Anything.
    Plain,
}

impl Written {
    /// What a file of that name holds.
    pub fn of(path: &str) -> Self {
        if path.ends_with(".yml") || path.ends_with(".yaml") { Self::Yaml } else { Self::Plain }
    }

    #[cfg(feature = "hydrate")]
    const fn name(self) -> &'static str {
        match self {
            Self::Playbook => "playbook",
            Self::Yaml => "yaml",
            Self::Plain => "plain",
        }
    }
}

/// A text with line numbers, colours and completion. Before that is loaded, and without it, a plain textarea.
#[component]
pub fn CodeEditor(
    /// The input's id and name, unique on the page.
    #[prop(into)]
    name: String,
    /// What it asks for.
    #[prop(into)]
    label: Signal<String>,
    /// What is in it.
    value: RwSignal<String>,
    /// What it is written in.
    written: Written,
    /// Must have a value.
    #[prop(optional)]
    required: bool,
    /// A line of help.
    #[prop(into, optional)]
    hint: MaybeProp<String>,
    /// What is wrong with it.
    #[prop(into, optional)]
    problem: Signal<Option<String>>,
    /// What is said of its lines.
    #[prop(into, optional)]
    marks: Signal<Vec<Mark>>,
    /// Set to lead to a line and column.
    #[prop(optional)]
    go: RwSignal<Option<(u32, u32)>>,
) -> impl IntoView {
    #[cfg(feature = "hydrate")]
    browser::follow(name.clone(), label, value, written, hint, problem, marks, go);
    #[cfg(not(feature = "hydrate"))]
    let _ = (marks, go, written);
    view! {
        <div class="code-editor">
            <TextAreaField name label value code=true rows=20 required hint problem />
        </div>
    }
}

/// What the marks say, with a way to the line of each.
#[component]
pub fn MarkList(
    /// The marks.
    #[prop(into)]
    marks: Signal<Vec<Mark>>,
    /// Leads to a line and column of the playbook itself; none where the text cannot be led to.
    #[prop(optional)]
    go: Option<RwSignal<Option<(u32, u32)>>>,
) -> impl IntoView {
    let i18n = use_i18n();
    let line = move |mark: Mark| {
        let (tone, icon) = match mark.severity {
            Severity::Error => (Tone::Bad, lu::LuCircleX),
            Severity::Warning => (Tone::Warn, lu::LuTriangleAlert),
            Severity::Hint => (Tone::Idle, lu::LuInfo),
        };
        let severity = mark.severity;
        let word = Signal::derive(move || {
            match severity {
                Severity::Error => t_string!(i18n, playbooks.marks.error),
                Severity::Warning => t_string!(i18n, playbooks.marks.warning),
                Severity::Hint => t_string!(i18n, playbooks.marks.hint),
            }
            .to_owned()
        });
        let is_own = mark.path == "playbook.yml";
        let path = mark.path.clone();
        let place = move || {
            let line = mark.line.to_string();
            if is_own {
                t_string!(i18n, playbooks.marks.line, line = line)
            } else {
                t_string!(i18n, playbooks.marks.line_of, line = line, path = path.clone())
            }
        };
        let place = match go.filter(|_| is_own) {
            Some(go) => view! {
                <button type="button" class="marks__place" on:click=move |_| go.set(Some((mark.line, mark.column)))>
                    {place}
                </button>
            }
            .into_any(),
            None => view! { <span class="marks__place">{place}</span> }.into_any(),
        };
        view! {
            <li class="marks__mark">
                <Badge tone icon label=word />
                {place}
                <span class="marks__message">
                    {mark.message}
                    {mark.rule.map(|rule| view! { " " <span class="soft mono">{rule}</span> })}
                </span>
            </li>
        }
    };
    view! {
        {move || {
            let marks = marks.get();
            (!marks.is_empty()).then(|| view! {
                <ul class="marks" aria-label=t!(i18n, playbooks.marks.title)>
                    {marks.into_iter().map(line).collect_view()}
                </ul>
            })
        }}
    }
}

/// What a check came to, in a sentence.
fn verdict(checked: &Checked, i18n: leptos_i18n::I18nContext<crate::i18n::Locale>) -> String {
    match (checked.marks.len(), checked.by_ansible) {
        (0, true) => t_string!(i18n, playbooks.marks.none).to_owned(),
        (0, false) => t_string!(i18n, playbooks.marks.no_ansible).to_owned(),
        (1, _) => t_string!(i18n, playbooks.marks.single).to_owned(),
        (count, _) => t_string!(i18n, playbooks.marks.several, count = count.to_string()),
    }
}

/// The input of a playbook's plays: the editor, an example to start from, and a check.
pub fn content_control(input: beside::Input) -> AnyView {
    view! { <ContentControl input /> }.into_any()
}

#[component]
fn ContentControl(input: beside::Input) -> impl IntoView {
    let i18n = use_i18n();
    let toasts = use_toasts();
    let beside::Input { name, label, value, required, is_new, hint, problem, other, .. } = input;
    let checked = RwSignal::new(None::<Checked>);
    let go = RwSignal::new(None::<(u32, u32)>);
    let marks = Signal::derive(move || {
        checked.with(|checked| checked.as_ref().map(|checked| checked.marks.clone()).unwrap_or_default())
    });
    let path = use_location().pathname;
    // `/playbooks/ID/edit`; a new one has no files yet.
    let id =
        Memo::new(move |_| path.with(|path| path.split('/').nth(2).and_then(|id| id.parse::<Id<Playbook>>().ok())));
    let check = Action::new(move |text: &String| {
        let text = text.clone();
        async move { (text.clone(), check_draft(id.get_untracked(), text, true).await) }
    });
    Effect::new(move || match check.value().get() {
        // What was typed since is looked at by itself.
        Some((text, Ok(answer))) if value.with_untracked(|value| *value == text) => checked.set(Some(answer)),
        Some((_, Ok(_))) | None => {}
        Some((_, Err(error))) => toasts.failed(&error),
    });
    // Counts what was typed and asked for: an answer to what was before is of no use.
    let turn = StoredValue::new(0_u32);
    let press = Callback::new(move |()| {
        turn.update_value(|turn| *turn += 1);
        check.dispatch(value.get_untracked());
    });
    Effect::watch(
        move || value.get(),
        move |_, _, _| {
            turn.update_value(|turn| *turn += 1);
            let mine = turn.get_value();
            let look = move || {
                if turn.try_get_value() != Some(mine) {
                    return;
                }
                leptos::task::spawn_local(async move {
                    let text = value.get_untracked();
                    if text.trim().is_empty() {
                        checked.try_set(None);
                        return;
                    }
                    // A look that fails says nothing; saving asks again.
                    if let Ok(answer) = check_draft(None, text, false).await
                        && turn.try_get_value() == Some(mine)
                    {
                        checked.try_set((!answer.marks.is_empty()).then_some(answer));
                    }
                });
            };
            set_timeout(look, PAUSE);
        },
        false,
    );
    let refused = refusal(Verb::Update, "playbook");
    let survey = other.run("survey");
    let given = other.run("name");
    view! {
        <div class="playbook-content">
            {is_new.then(|| view! { <examples::StartFrom content=value survey name=given /> })}
            <CodeEditor name label value written=Written::Playbook required hint problem marks go />
            <div class="playbook-content__check">
                <ActionButton
                    label=say!(i18n, playbooks.marks.check)
                    icon=lu::LuCheckCheck
                    refused
                    busy=check.pending()
                    on_press=press
                />
                <span class="soft" role="status">
                    {move || {
                        if check.pending().get() {
                            return t_string!(i18n, playbooks.marks.checking).to_owned();
                        }
                        checked.with(|checked| checked.as_ref().map(|checked| verdict(checked, i18n)).unwrap_or_default())
                    }}
                </span>
            </div>
            <MarkList marks go />
        </div>
    }
}

/// What stands first on a playbook's page: what Ansible says of it.
pub fn overview(record: Signal<RawRecord>) -> AnyView {
    while_live(record, |id| view! { <Verdict id /> }.into_any())
}

/// The marks of a playbook as it stands. The browser asks, because Ansible takes seconds.
#[component]
fn Verdict(id: Id<Playbook>) -> impl IntoView {
    let i18n = use_i18n();
    let toasts = use_toasts();
    let checked = RwSignal::new(None::<Checked>);
    let check = Action::new(move |by_hand: &bool| {
        let by_hand = *by_hand;
        async move { (by_hand, check_playbook(id).await) }
    });
    let changes = use_changes(vec![Topic::Records("playbook".to_owned())]);
    Effect::new(move || {
        changes.track();
        check.dispatch(false);
    });
    Effect::new(move || match check.value().get() {
        Some((_, Ok(answer))) => checked.set(Some(answer)),
        Some((true, Err(error))) => toasts.failed(&error),
        Some((false, Err(_))) | None => {}
    });
    let marks = Signal::derive(move || {
        checked.with(|checked| checked.as_ref().map(|checked| checked.marks.clone()).unwrap_or_default())
    });
    view! {
        <Panel
            title=say!(i18n, playbooks.marks.title)
            end=ViewFn::from(move || view! {
                <ActionButton
                    label=say!(i18n, playbooks.marks.check)
                    icon=lu::LuCheckCheck
                    busy=check.pending()
                    on_press=Callback::new(move |()| drop(check.dispatch(true)))
                />
            })
        >
            <div class="panel__body playbook-verdict">
                <p role="status">
                    {move || checked.with(|checked| match checked {
                        Some(checked) => verdict(checked, i18n),
                        None => t_string!(i18n, playbooks.marks.checking).to_owned(),
                    })}
                </p>
                <MarkList marks />
                {move || checked.with(|checked| checked.as_ref().is_some_and(|checked| checked.by_ansible && !checked.by_lint && checked.marks.is_empty()))
                    .then(|| view! { <p class="soft">{t!(i18n, playbooks.marks.no_lint)}</p> })}
            </div>
        </Panel>
    }
}

/// What only a browser does: the program is loaded when the first editor opens, and called by its names.
#[cfg(feature = "hydrate")]
mod browser {
    use super::{Mark, Written};
    use crate::i18n::{t_string, use_i18n};
    use js_sys::{Array, Function, Object, Reflect};
    use leptos::prelude::*;
    use wasm_bindgen::{JsCast as _, JsValue, closure::Closure};

    const ADDRESS: &str = "/editor/editor.js";
    const ELEMENT: &str = "muelle-editor";

    /// CodeMirror's own words, by the words of its source.
    fn phrases() -> JsValue {
        let i18n = use_i18n();
        let pairs = [
            ("Find", t_string!(i18n, playbooks.editor.find)),
            ("Replace", t_string!(i18n, playbooks.editor.replace)),
            ("next", t_string!(i18n, playbooks.editor.next)),
            ("previous", t_string!(i18n, playbooks.editor.previous)),
            ("all", t_string!(i18n, playbooks.editor.all)),
            ("match case", t_string!(i18n, playbooks.editor.match_case)),
            ("by word", t_string!(i18n, playbooks.editor.by_word)),
            ("regexp", t_string!(i18n, playbooks.editor.regexp)),
            ("replace", t_string!(i18n, playbooks.editor.replace)),
            ("replace all", t_string!(i18n, playbooks.editor.replace_all)),
            ("close", t_string!(i18n, common.close)),
            ("Completions", t_string!(i18n, playbooks.editor.completions)),
            ("Diagnostics", t_string!(i18n, playbooks.marks.title)),
        ];
        let object = Object::new();
        for (name, word) in pairs {
            put(&object, name, &word.into());
        }
        object.into()
    }

    fn put(object: &Object, name: &str, value: &JsValue) {
        // Setting a property of a plain object does not fail.
        drop(Reflect::set(object, &name.into(), value));
    }

    /// Calls a function of an object; does nothing where there is none.
    fn call(object: &JsValue, name: &str, arguments: &[JsValue]) -> JsValue {
        let function = Reflect::get(object, &name.into()).ok().and_then(|found| found.dyn_into::<Function>().ok());
        let arguments: Array = arguments.iter().collect();
        function.and_then(|function| function.apply(object, &arguments).ok()).unwrap_or(JsValue::UNDEFINED)
    }

    fn program() -> Option<JsValue> {
        Reflect::get(&window(), &"muelleEditor".into()).ok().filter(JsValue::is_object)
    }

    /// Does something once the program is there; never where it cannot be had.
    fn when_loaded(then: impl FnOnce() + 'static) {
        if program().is_some() {
            then();
            return;
        }
        let script = document().get_element_by_id(ELEMENT).or_else(|| {
            let script = document().create_element("script").ok()?;
            script.set_id(ELEMENT);
            script.set_attribute("src", ADDRESS).ok()?;
            document().document_element()?.append_child(&script).ok()?;
            Some(script)
        });
        let Some(script) = script else { return };
        let loaded = Closure::<dyn FnMut()>::once_into_js(then);
        drop(script.add_event_listener_with_callback("load", loaded.unchecked_ref()));
    }

    /// Keeps an editor over the textarea of that id, for as long as the component lives.
    pub(super) fn follow(
        name: String,
        label: Signal<String>,
        value: RwSignal<String>,
        written: Written,
        hint: MaybeProp<String>,
        problem: Signal<Option<String>>,
        marks: Signal<Vec<Mark>>,
        go: RwSignal<Option<(u32, u32)>>,
    ) {
        let i18n = use_i18n();
        let words = StoredValue::new_local(phrases());
        let editor = RwSignal::new_local(None::<JsValue>);
        let help = move || t_string!(i18n, playbooks.editor.way_out).to_owned();
        let described = {
            let name = name.clone();
            move || {
                let mut parts = Vec::new();
                if hint.get().is_some() {
                    parts.push(format!("{name}-hint"));
                }
                if problem.get().is_some() {
                    parts.push(format!("{name}-problem"));
                }
                parts.join(" ")
            }
        };
        Effect::new({
            let name = name.clone();
            move || {
                let name = name.clone();
                when_loaded(move || {
                    // The page may have been left while it was loading.
                    let (Some(program), Some(textarea)) = (program(), document().get_element_by_id(&name)) else {
                        return;
                    };
                    if label.try_get_untracked().is_none() {
                        return;
                    }
                    let settings = Object::new();
                    put(&settings, "label", &label.get_untracked().into());
                    put(&settings, "help", &untrack(help).into());
                    put(&settings, "language", &written.name().into());
                    words.try_with_value(|words| put(&settings, "phrases", words));
                    let opened = call(&program, "open", &[textarea.into(), settings.into()]);
                    if opened.is_object() {
                        editor.try_set(Some(opened));
                    }
                });
            }
        });
        let tell = move |method: &'static str, arguments: &[JsValue]| {
            editor.with(|editor| editor.as_ref().map(|editor| call(editor, method, arguments)));
        };
        Effect::new(move || tell("setText", &[value.get().into()]));
        Effect::new(move || {
            let own: Vec<Mark> = marks.get().into_iter().filter(|mark| mark.path == "playbook.yml").collect();
            tell("setMarks", &[serde_json::to_string(&own).unwrap_or_else(|_| "[]".to_owned()).into()]);
        });
        Effect::new(move || {
            let invalid = problem.get().is_some();
            tell("setWords", &[label.get().into(), help().into(), described().into(), invalid.into()]);
        });
        Effect::new(move || {
            if let Some((line, column)) = go.get() {
                tell("goTo", &[line.into(), column.into()]);
                go.set(None);
            }
        });
        on_cleanup(move || {
            if let Some(Some(editor)) = editor.try_get_untracked() {
                call(&editor, "close", &[]);
            }
        });
    }
}
