//! What a run printed: the job's output, with a search over all of it.

use crate::{
    error::Error,
    events::client::LINES_KEPT,
    i18n::{t_string, use_i18n},
    id::Id,
    jobs::{
        api::search_job,
        model::{Job, LineSearch},
        ui::line_mark,
    },
    ui::{ActionButton, ButtonLook, LinkButton, LogBuffer, LogView, ansi, use_address},
};
use icondata_lu as lu;
use leptos::prelude::*;

/// The console of a run.
#[component]
pub(super) fn Console(
    /// The run.
    id: Id<Job>,
    /// Its lines.
    buffer: LogBuffer,
    /// What the run is called.
    title: Signal<String>,
    /// Whether no line will follow.
    is_over: Memo<bool>,
) -> impl IntoView {
    let i18n = use_i18n();
    let address = use_address();
    let (times, wrap) = (address.get("times"), address.get("wrap"));
    let shows_times = Memo::new(move |_| times.get() == "on");
    let wraps = Memo::new(move |_| wrap.get() != "off");
    let marked = RwSignal::new(None::<String>);
    let count = buffer.count();
    view! {
        <div class="filters log-tools">
            <Search id marked />
            <div class="filters__end">
                <ActionButton
                    label=Signal::derive(move || t_string!(i18n, run_page.console.times).to_owned())
                    icon=lu::LuClock
                    look=ButtonLook::Quiet
                    pressed=shows_times
                    on_press=Callback::new(move |()| {
                        address.set(&[("times", if shows_times.get_untracked() { "" } else { "on" })]);
                    })
                />
                <ActionButton
                    label=Signal::derive(move || t_string!(i18n, run_page.console.wrap).to_owned())
                    icon=lu::LuWrapText
                    look=ButtonLook::Quiet
                    pressed=wraps
                    on_press=Callback::new(move |()| {
                        address.set(&[("wrap", if wraps.get_untracked() { "off" } else { "" })]);
                    })
                />
                <LinkButton
                    href=format!("/api/v1/jobs/{id}/output?download=true")
                    label=Signal::derive(move || t_string!(i18n, run_page.console.download).to_owned())
                    icon=lu::LuDownload
                    look=ButtonLook::Quiet
                    download=true
                />
            </div>
        </div>
        {move || (count.get() + 100 > LINES_KEPT).then(|| view! {
            <p class="soft run__older">{t_string!(i18n, run_page.console.older, count = count.get().to_string())}</p>
        })}
        <Output buffer title is_over wrap=Signal::from(wraps) times=Signal::from(shows_times) marked=Signal::from(marked) />
    }
}

/// The lines alone.
#[component]
pub(super) fn Output(
    /// The lines.
    buffer: LogBuffer,
    /// What the run is called.
    title: Signal<String>,
    /// Whether no line will follow.
    is_over: Memo<bool>,
    /// Long lines go on in the next row.
    wrap: Signal<bool>,
    /// Each line begins with its time.
    times: Signal<bool>,
    /// The line that is looked for.
    #[prop(optional)]
    marked: Signal<Option<String>>,
) -> impl IntoView {
    let i18n = use_i18n();
    let empty = Signal::derive(move || {
        if is_over.get() {
            t_string!(i18n, run_page.console.said_nothing)
        } else {
            t_string!(i18n, run_page.console.says_nothing)
        }
        .to_owned()
    });
    let label = Signal::derive(move || t_string!(i18n, run_page.console.of, title = title.get()));
    view! { <LogView buffer label wrap times marked empty /> }
}

/// Searches the whole output where it is kept, and steps through what was found.
#[component]
fn Search(id: Id<Job>, marked: RwSignal<Option<String>>) -> impl IntoView {
    let i18n = use_i18n();
    let words = RwSignal::new(String::new());
    let found = RwSignal::new(None::<Result<LineSearch, Error>>);
    let place = RwSignal::new(0_usize);
    let busy = RwSignal::new(false);
    let count = Memo::new(move |_| {
        found.with(|found| found.as_ref().and_then(|it| it.as_ref().ok()).map_or(0, |it| it.matches.len()))
    });
    let hit = Memo::new(move |_| {
        found.with(|found| {
            found.as_ref().and_then(|it| it.as_ref().ok()).and_then(|it| it.matches.get(place.get()).cloned())
        })
    });
    let show = move |to: usize| {
        place.set(to);
        marked.set(hit.get_untracked().as_ref().map(line_mark));
    };
    let clear = move || {
        found.set(None);
        marked.set(None);
    };
    let search = move || {
        let words = words.get_untracked();
        if words.trim().is_empty() {
            clear();
            return;
        }
        busy.set(true);
        leptos::task::spawn_local(async move {
            let answer = search_job(id, words).await;
            busy.try_set(false);
            let last = answer.as_ref().map_or(0, |found| found.matches.len().saturating_sub(1));
            if found.try_set(Some(answer)).is_none() {
                // People look for what happened last.
                show(last);
            }
        });
    };
    let nothing = Signal::derive(move || (count.get() == 0).then(|| t_string!(i18n, run_page.console.none).to_owned()));
    view! {
        <form
            class="log-search"
            role="search"
            on:submit=move |event| {
                event.prevent_default();
                search();
            }
        >
            <input
                class="input"
                type="search"
                autocomplete="off"
                aria-label=move || t_string!(i18n, run_page.console.search)
                placeholder=move || t_string!(i18n, run_page.console.search)
                prop:value=move || words.get()
                on:input=move |event| {
                    words.set(event_target_value(&event));
                    if words.with_untracked(String::is_empty) {
                        clear();
                    }
                }
            />
            <ActionButton
                label=Signal::derive(move || t_string!(i18n, run_page.console.find).to_owned())
                icon=lu::LuSearch
                look=ButtonLook::Quiet
                kind="submit"
                busy
            />
            {move || found.with(Option::is_some).then(|| view! {
                <ActionButton
                    label=Signal::derive(move || t_string!(i18n, run_page.console.previous).to_owned())
                    icon=lu::LuChevronUp
                    look=ButtonLook::Icon
                    refused=nothing
                    on_press=Callback::new(move |()| {
                        let count = count.get_untracked();
                        show((place.get_untracked() + count - 1) % count);
                    })
                />
                <ActionButton
                    label=Signal::derive(move || t_string!(i18n, run_page.console.next).to_owned())
                    icon=lu::LuChevronDown
                    look=ButtonLook::Icon
                    refused=nothing
                    on_press=Callback::new(move |()| show((place.get_untracked() + 1) % count.get_untracked()))
                />
            })}
            <span class="soft number" role="status">
                {move || found.with(|found| match found {
                    None => String::new(),
                    Some(Err(error)) => error.message(i18n.get_locale()),
                    Some(Ok(found)) if found.matches.is_empty() => t_string!(i18n, run_page.console.none).to_owned(),
                    Some(Ok(found)) => t_string!(
                        i18n,
                        run_page.console.place,
                        place = (place.get() + 1).to_string(),
                        total = found.total.to_string()
                    ),
                })}
            </span>
        </form>
        // A line that the page no longer keeps is shown here.
        {move || hit.get().map(|line| view! {
            <div class="log-hit run__hit">
                <span class="soft">{t_string!(i18n, run_page.console.line, number = line.sequence.to_string())}</span>
                <code class="console">{ansi::view(&line.text)}</code>
            </div>
        })}
    }
}
