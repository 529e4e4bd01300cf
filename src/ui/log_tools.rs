//! What stands above every log: a search over all of it where it is kept, times, wrapping, and a download.

use super::{
    address::{Address, use_address},
    ansi,
    button::{ActionButton, ButtonLook, LinkButton},
};
use crate::{
    error::Result,
    i18n::{say, t_string, use_i18n},
};
use icondata_lu as lu;
use leptos::prelude::*;

/// A line that a search found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogMatch {
    /// Its number in the log, from 1.
    pub number: u64,
    /// What finds it again among the lines in sight; see [`LogRow::at`](super::LogRow::at).
    pub mark: Option<String>,
    /// When it was written, for people.
    pub time: Option<String>,
    /// The text with its terminal sequences.
    pub text: String,
}

/// What a search over a whole log found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogFound {
    /// Lines that match, in order.
    pub matches: Vec<LogMatch>,
    /// How many lines match in front of these.
    pub before: u64,
    /// How many lines match.
    pub total: u64,
    /// How many lines were looked at, where that is known.
    pub lines: Option<u64>,
    /// Whether the search ended before the log did.
    pub truncated: bool,
}

/// How a log is shown. It stands in the address. Cheap to copy.
#[derive(Clone, Copy)]
pub struct LogLook {
    /// Each line begins with its time.
    pub times: Memo<bool>,
    /// Long lines go on in the next row.
    pub wrap: Memo<bool>,
    address: Address,
}

/// How the log of this page is shown.
pub fn use_log_look() -> LogLook {
    let address = use_address();
    let (times, wrap) = (address.get("times"), address.get("wrap"));
    LogLook { times: Memo::new(move |_| times.get() == "on"), wrap: Memo::new(move |_| wrap.get() != "off"), address }
}

/// Switches the times and the wrapping of a log, and downloads all of it.
#[component]
pub fn LogTools(
    /// How it is shown.
    look: LogLook,
    /// Where all of it is.
    #[prop(into)]
    download: Signal<String>,
) -> impl IntoView {
    let i18n = use_i18n();
    let LogLook { times, wrap, address } = look;
    view! {
        <div class="filters__end">
            <ActionButton
                label=say!(i18n, common.log.times)
                icon=lu::LuClock
                look=ButtonLook::Quiet
                pressed=times
                on_press=Callback::new(move |()| address.set(&[("times", if times.get_untracked() { "" } else { "on" })]))
            />
            <ActionButton
                label=say!(i18n, common.log.wrap)
                icon=lu::LuWrapText
                look=ButtonLook::Quiet
                pressed=wrap
                on_press=Callback::new(move |()| address.set(&[("wrap", if wrap.get_untracked() { "off" } else { "" })]))
            />
            <LinkButton
                href=download
                label=say!(i18n, common.log.download)
                icon=lu::LuDownload
                look=ButtonLook::Quiet
                download=true
            />
        </div>
    }
}

/// Searches a whole log where it is kept, and steps through what was found.
#[component]
pub fn LogSearch<Search, Answer>(
    /// What it searches, for a person.
    #[prop(into)]
    label: Signal<String>,
    /// Asks for the lines with these words.
    search: Search,
    /// Where the line that is looked at is told, by its mark.
    marked: RwSignal<Option<String>>,
) -> impl IntoView
where
    Search: Fn(String) -> Answer + Copy + Send + Sync + 'static,
    Answer: Future<Output = Result<LogFound>> + 'static,
{
    let i18n = use_i18n();
    let words = RwSignal::new(String::new());
    let found = RwSignal::new(None::<Result<LogFound>>);
    let place = RwSignal::new(0_usize);
    let busy = RwSignal::new(false);
    let good = move |read: &dyn Fn(&LogFound) -> Option<LogMatch>| {
        found.with(|found| found.as_ref().and_then(|it| it.as_ref().ok()).and_then(read))
    };
    let count = Memo::new(move |_| {
        found.with(|found| found.as_ref().and_then(|it| it.as_ref().ok()).map_or(0, |it| it.matches.len()))
    });
    let hit = Memo::new(move |_| good(&|found| found.matches.get(place.get()).cloned()));
    let show = move |to: usize| {
        place.set(to);
        marked.set(hit.get_untracked().and_then(|hit| hit.mark));
    };
    // Which search is under way; an answer to an older one, or to none any more, says nothing.
    let turn = StoredValue::new(0_u32);
    let clear = move || {
        turn.update_value(|turn| *turn += 1);
        busy.set(false);
        found.set(None);
        marked.set(None);
    };
    let ask = move || {
        let words = words.get_untracked();
        if words.trim().is_empty() {
            clear();
            return;
        }
        busy.set(true);
        turn.update_value(|turn| *turn += 1);
        let mine = turn.get_value();
        leptos::task::spawn_local(async move {
            let answer = search(words).await;
            if turn.try_get_value() != Some(mine) {
                return;
            }
            busy.set(false);
            let last = answer.as_ref().map_or(0, |found| found.matches.len().saturating_sub(1));
            found.set(Some(answer));
            // People look for what happened last.
            show(last);
        });
    };
    let is_cut = move || found.with(|found| matches!(found, Some(Ok(found)) if found.truncated));
    let nothing = Signal::derive(move || (count.get() == 0).then(|| t_string!(i18n, common.log.none).to_owned()));
    view! {
        <form
            class="log-search"
            role="search"
            on:submit=move |event| {
                event.prevent_default();
                ask();
            }
        >
            <input
                class="input"
                type="search"
                autocomplete="off"
                aria-label=move || label.get()
                placeholder=move || label.get()
                prop:value=move || words.get()
                on:input=move |event| {
                    words.set(event_target_value(&event));
                    if words.with_untracked(String::is_empty) {
                        clear();
                    }
                }
            />
            <ActionButton
                label=say!(i18n, common.search)
                icon=lu::LuSearch
                look=ButtonLook::Quiet
                kind="submit"
                busy
            />
            {move || found.with(Option::is_some).then(|| view! {
                <ActionButton
                    label=say!(i18n, common.log.previous)
                    icon=lu::LuChevronUp
                    look=ButtonLook::Icon
                    refused=nothing
                    on_press=Callback::new(move |()| {
                        let count = count.get_untracked();
                        show((place.get_untracked() + count - 1) % count);
                    })
                />
                <ActionButton
                    label=say!(i18n, common.log.next)
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
                    Some(Ok(found)) if found.matches.is_empty() => match found.lines {
                        Some(lines) => t_string!(i18n, common.log.none_in, lines = lines.to_string()),
                        None => t_string!(i18n, common.log.none).to_owned(),
                    },
                    Some(Ok(found)) => {
                        let place = found.before + place.get() as u64 + 1;
                        t_string!(i18n, common.log.place, place = place.to_string(), total = found.total.to_string())
                    }
                })}
                " "
                {move || is_cut().then(|| t_string!(i18n, common.log.cut))}
            </span>
        </form>
        // A line that the page no longer keeps is shown here.
        {move || hit.get().map(|LogMatch { number, time, text, .. }| view! {
            <div class="log-hit">
                <span class="soft number">
                    {move || t_string!(i18n, common.log.line, number = number.to_string())} " " {time}
                </span>
                <code class="console__line">{ansi::view(&text)}</code>
            </div>
        })}
    }
}
