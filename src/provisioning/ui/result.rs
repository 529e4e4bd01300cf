//! What came of one task on one host: message, output, difference, the items of its loop, and all of it.

use super::{
    badge::TaskBadge,
    diff::{Piece, difference},
    duration,
};
use crate::{
    error::Error,
    i18n::{t, t_string, use_i18n},
    id::Id,
    jobs::model::Job,
    provisioning::{
        api::run_result,
        model::{Cell, TaskNode, TaskState, Tree},
    },
    ui::{CopyButton, Dialog, Notice, Skeleton, Tone, ansi},
};
use leptos::prelude::*;
use serde_json::Value;
use std::collections::BTreeMap;

/// Lines of a difference that are drawn; the whole result has all.
const DRAWN: usize = 2000;

/// The dialog of a task on a host.
#[component]
pub(super) fn ResultDialog(
    /// The run.
    run: Id<Job>,
    /// What happened in it.
    tree: RwSignal<Tree>,
    /// The task and the host that are looked at, by their numbers.
    chosen: RwSignal<Option<(usize, usize)>>,
) -> impl IntoView {
    let i18n = use_i18n();
    let open = RwSignal::new(false);
    Effect::new(move || open.set(chosen.with(Option::is_some)));
    Effect::watch(
        move || open.get(),
        move |is_open, _, _| {
            if !is_open && chosen.with_untracked(Option::is_some) {
                chosen.set(None);
            }
        },
        false,
    );
    let found = Memo::new(move |_| {
        let (task, host) = chosen.get()?;
        tree.with(|tree| {
            let node = tree.tasks.get(task)?;
            let cell = node.cells.get(&host)?.clone();
            Some((named(node), cell, tree.hosts.get(host)?.clone()))
        })
    });
    let title = Signal::derive(move || {
        found.get().map_or_else(String::new, |(task, _, host)| {
            t_string!(i18n, run_page.result.title, task = name_of(&task), host = host)
        })
    });
    view! {
        <Dialog open title wide=true>
            {move || found.get().map(|(task, cell, _)| view! { <Shown run task cell /> })}
        </Dialog>
    }
}

/// A task without its cells: those of other hosts are not looked at here.
fn named(node: &TaskNode) -> TaskNode {
    TaskNode {
        play: node.play,
        name: node.name.clone(),
        action: node.action.clone(),
        handler: node.handler,
        path: node.path.clone(),
        at: node.at,
        cells: BTreeMap::new(),
    }
}

fn name_of(task: &TaskNode) -> String {
    if task.name.is_empty() { task.action.clone() } else { task.name.clone() }
}

#[component]
fn Shown(run: Id<Job>, task: TaskNode, cell: Cell) -> impl IntoView {
    let i18n = use_i18n();
    let Cell { state, took_ms, sequence, items, .. } = cell;
    let is_running = state == TaskState::Running;
    let has_items = !items.is_empty();
    view! {
        <div class="dialog__body run-result">
            <dl class="facts">
                <dt>{t!(i18n, run_page.result.state)}</dt>
                <dd><TaskBadge state=Signal::stored(Some(state)) /></dd>
                {(!is_running).then(|| view! { <dt>{t!(i18n, run_page.result.took)}</dt> <dd class="number">{duration(took_ms)}</dd> })}
                <dt>{t!(i18n, run_page.result.module)}</dt>
                <dd class="mono">{task.action}</dd>
                {task.path.map(|path| view! { <dt>{t!(i18n, run_page.result.path)}</dt> <dd class="mono">{path}</dd> })}
            </dl>
            {match (is_running, sequence) {
                (true, _) => view! { <p class="soft" role="status">{t!(i18n, run_page.result.under_way)}</p> }.into_any(),
                (false, 0) => view! { <p class="soft">{cell.message.unwrap_or_else(|| t_string!(i18n, run_page.result.no_result).to_owned())}</p> }.into_any(),
                (false, sequence) => view! { <Outcome run sequence /> }.into_any(),
            }}
            {has_items.then(|| view! {
                <section class="run-result__part">
                    <h3>{t!(i18n, run_page.result.items)}</h3>
                    {items.into_iter().map(|(name, state, sequence)| view! { <Item run name state sequence /> }).collect_view()}
                </section>
            })}
        </div>
    }
}

/// One item of a loop, folded; its result is asked for when it is opened.
#[component]
fn Item(run: Id<Job>, name: String, state: TaskState, sequence: i64) -> impl IntoView {
    let open = RwSignal::new(false);
    view! {
        <details class="run-result__item" on:toggle=move |_| open.set(true)>
            <summary>
                <span class="mono">{name}</span>
                <TaskBadge state=Signal::stored(Some(state)) />
            </summary>
            {move || open.get().then(|| view! { <Outcome run sequence /> })}
        </details>
    }
}

/// The result that an event holds.
#[component]
fn Outcome(run: Id<Job>, sequence: i64) -> impl IntoView {
    let i18n = use_i18n();
    let answer = RwSignal::new(None::<Result<Value, Error>>);
    Effect::new(move || {
        leptos::task::spawn_local(async move {
            let found = run_result(run, sequence).await;
            answer.try_set(Some(found));
        });
    });
    move || match answer.get() {
        None => view! { <Skeleton rows=2 /> }.into_any(),
        Some(Err(error)) => {
            view! { <Notice tone=Signal::stored(Tone::Warn)>{error.message(i18n.get_locale())}</Notice> }.into_any()
        }
        Some(Ok(value)) => view! { <Told value /> }.into_any(),
    }
}

/// What a result says, the usual parts first.
#[component]
fn Told(value: Value) -> impl IntoView {
    let i18n = use_i18n();
    let text = |name: &str| value.get(name).and_then(readable).filter(|text| !text.trim().is_empty());
    let is_hidden = value.get("censored").is_some();
    let message = text("msg").or_else(|| text("message"));
    let command = value.get("cmd").and_then(|cmd| match cmd {
        Value::Array(words) => Some(shell_words::join(
            words.iter().map(|word| word.as_str().map_or_else(|| word.to_string(), str::to_owned)),
        )),
        other => readable(other),
    });
    let exit = value.get("rc").map(Value::to_string);
    let stdout = text("stdout").or_else(|| text("module_stdout"));
    let stderr = text("stderr").or_else(|| text("module_stderr"));
    let exception = text("exception");
    let diffs: Vec<Diff> = diffs(&value);
    let whole = serde_json::to_string_pretty(&value).unwrap_or_default();
    let copied = Signal::stored(whole.clone());
    view! {
        {is_hidden.then(|| view! { <p class="soft">{t!(i18n, run_page.result.hidden)}</p> })}
        {message.map(|message| view! { <TextPart title=t_string!(i18n, run_page.result.message).to_owned() text=message /> })}
        {diffs.into_iter().map(|diff| view! { <DiffPart diff /> }).collect_view()}
        {command.map(|command| view! { <TextPart title=t_string!(i18n, run_page.result.command).to_owned() text=command /> })}
        {exit.map(|exit| view! { <p>{t!(i18n, run_page.result.exit)} ": " <span class="mono">{exit}</span></p> })}
        {stdout.map(|text| view! { <TextPart title=t_string!(i18n, run_page.result.stdout).to_owned() text /> })}
        {stderr.map(|text| view! { <TextPart title=t_string!(i18n, run_page.result.stderr).to_owned() text /> })}
        {exception.map(|text| view! { <TextPart title=t_string!(i18n, run_page.result.exception).to_owned() text /> })}
        <details class="run-result__whole">
            <summary>{t!(i18n, run_page.result.whole)}</summary>
            <CopyButton text=copied />
            <pre class="console console--wrap" tabindex="0">{whole}</pre>
        </details>
    }
}

/// A value as a person reads it: words as they are, the rest as JSON.
fn readable(value: &Value) -> Option<String> {
    match value {
        Value::Null => None,
        Value::String(text) => Some(text.clone()),
        Value::Bool(_) | Value::Number(_) => Some(value.to_string()),
        Value::Array(_) | Value::Object(_) => serde_json::to_string_pretty(value).ok(),
    }
}

#[component]
fn TextPart(title: String, text: String) -> impl IntoView {
    view! {
        <section class="run-result__part">
            <h3>{title.clone()}</h3>
            <pre class="console console--wrap" tabindex="0" aria-label=title>
                {text.lines().take(DRAWN).map(|line| view! { <div class="console__line">{ansi::view(line)}</div> }).collect_view()}
            </pre>
        </section>
    }
}

/// One difference of a result.
#[derive(Clone, Debug, PartialEq)]
enum Diff {
    /// Two texts, with a name where they have one.
    Texts { name: Option<String>, before: String, after: String },
    /// Prepared by the module.
    Prepared(String),
    /// Of what is no text.
    Binary(Option<String>),
}

/// The differences in a result; Ansible gives one or a list of them.
fn diffs(value: &Value) -> Vec<Diff> {
    let all: Vec<&Value> = match value.get("diff") {
        Some(Value::Array(all)) => all.iter().collect(),
        Some(one @ Value::Object(_)) => vec![one],
        _ => Vec::new(),
    };
    all.into_iter().filter_map(one_diff).collect()
}

fn one_diff(value: &Value) -> Option<Diff> {
    let text = |name: &str| value.get(name).and_then(readable).filter(|text| !text.is_empty());
    let name = text("after_header").or_else(|| text("before_header"));
    if let Some(prepared) = text("prepared") {
        return Some(Diff::Prepared(prepared));
    }
    let is_binary =
        ["src_binary", "dst_binary", "src_larger", "dst_larger"].iter().any(|key| value.get(*key).is_some());
    if is_binary && value.get("before").is_none_or(|it| it == "") && value.get("after").is_none_or(|it| it == "") {
        return Some(Diff::Binary(name));
    }
    let (before, after) = (text("before").unwrap_or_default(), text("after").unwrap_or_default());
    (before != after).then_some(Diff::Texts { name, before, after })
}

#[component]
fn DiffPart(diff: Diff) -> impl IntoView {
    let i18n = use_i18n();
    let (name, pieces) = match diff {
        Diff::Binary(name) => {
            let what = name.unwrap_or_default();
            return view! { <p class="soft"><span class="mono">{what}</span> " " {t!(i18n, run_page.result.binary)}</p> }.into_any();
        }
        Diff::Texts { name, before, after } => (name, difference(&before, &after)),
        Diff::Prepared(text) => (None, prepared(&text)),
    };
    let title = match name {
        Some(name) => t_string!(i18n, run_page.result.diff_of, name = name),
        None => t_string!(i18n, run_page.result.diff).to_owned(),
    };
    view! {
        <section class="run-result__part">
            <h3>{title.clone()}</h3>
            <pre class="console console--wrap diff" tabindex="0" aria-label=title>
                {pieces.into_iter().take(DRAWN).map(|piece| match piece {
                    Piece::Same(line) => view! { <div class="console__line"><span class="diff__sign">" "</span>{line}</div> }.into_any(),
                    Piece::Gone(line) => view! { <div class="console__line" data-change="gone"><del><span class="diff__sign">"-"</span>{line}</del></div> }.into_any(),
                    Piece::Come(line) => view! { <div class="console__line" data-change="come"><ins><span class="diff__sign">"+"</span>{line}</ins></div> }.into_any(),
                    Piece::Left(count) => view! {
                        <div class="console__line" data-stream="note">{t_string!(i18n, run_page.result.same, count = count.to_string())}</div>
                    }.into_any(),
                }).collect_view()}
            </pre>
        </section>
    }
    .into_any()
}

/// A difference as a module prepared it, in the format of `diff -u`.
fn prepared(text: &str) -> Vec<Piece> {
    text.lines()
        .map(|line| match line.chars().next() {
            Some('-') if !line.starts_with("---") => Piece::Gone(line[1..].to_owned()),
            Some('+') if !line.starts_with("+++") => Piece::Come(line[1..].to_owned()),
            _ => Piece::Same(line.to_owned()),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn differences_are_read_in_all_the_forms_that_modules_give() {
        let value = json!({"diff": [
            {"before": "a\n", "after": "b\n", "before_header": "/etc/motd", "after_header": "/etc/motd"},
            {"before": {"mode": "0644"}, "after": {"mode": "0600"}},
            {"prepared": "-old\n+new\n"},
            {"before": "same", "after": "same"},
            {"src_binary": 1, "before_header": "/bin/x", "before": "", "after": ""},
        ]});

        let told = diffs(&value);

        assert_eq!(told.len(), 4);
        assert!(matches!(&told[0], Diff::Texts { name: Some(name), .. } if name == "/etc/motd"));
        assert!(matches!(&told[1], Diff::Texts { before, .. } if before.contains("0644")));
        assert_eq!(told[2], Diff::Prepared("-old\n+new\n".to_owned()));
        assert_eq!(told[3], Diff::Binary(Some("/bin/x".to_owned())));
        assert_eq!(
            prepared("-old\n+new\n--- a"),
            [Piece::Gone("old".to_owned()), Piece::Come("new".to_owned()), Piece::Same("--- a".to_owned())]
        );
    }

    #[test]
    fn a_value_is_read_as_words_where_it_has_some() {
        assert_eq!(readable(&json!("hi")), Some("hi".to_owned()));
        assert_eq!(readable(&json!(3)), Some("3".to_owned()));
        assert_eq!(readable(&json!(null)), None);
    }
}
