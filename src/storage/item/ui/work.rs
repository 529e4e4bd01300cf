//! What a person does with records that stand already: remove, restore, purge, enable, disable. One
//! path for a row, the bulk bar and the details.

use super::{
    super::{Kind, calls},
    words::switch_words,
    writable,
};
use crate::{
    app::use_session,
    error::Result,
    i18n::{t_string, use_i18n},
    id::Id,
    ui::{ConfirmDialog, use_toasts},
};
use leptos::prelude::*;

/// What is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Task {
    /// Marks as removed.
    Remove,
    /// Brings back.
    Restore,
    /// Deletes for good.
    Purge,
    /// Switches on.
    Enable,
    /// Switches off.
    Disable,
}

/// A record and what a person calls it.
pub type Named = (Id<()>, String);

/// Does things to records of one kind, asks before what destroys, and tells how it went.
#[derive(Clone, Copy)]
pub struct Work {
    kind: &'static Kind,
    question: RwSignal<Option<(Task, Vec<Named>)>>,
    action: Action<(Task, Vec<Named>), Vec<(Named, Result<()>)>>,
}

impl Work {
    /// Work on records of `kind`; `done` is called after each piece with what was done to which.
    pub fn on(kind: &'static Kind, done: impl Fn(Task, Vec<Named>) + Send + Sync + 'static) -> Self {
        let i18n = use_i18n();
        let toasts = use_toasts();
        let session = use_session();
        let question = RwSignal::new(None);
        let running = StoredValue::new(Task::Remove);
        let action = Action::new(move |(task, records): &(Task, Vec<Named>)| {
            let (task, records) = (*task, records.clone());
            async move { run(kind, task, records).await }
        });
        let undo = StoredValue::new(Vec::<Named>::new());
        let take_back = Callback::new(move |()| {
            running.set_value(Task::Restore);
            action.dispatch((Task::Restore, undo.get_value()));
        });
        Effect::new(move || {
            let Some(results) = action.value().get() else { return };
            let task = running.get_value();
            let locale = i18n.get_locale_untracked();
            question.set(None);
            let (done_ones, failed): (Vec<_>, Vec<_>) = results.into_iter().partition(|(_, result)| result.is_ok());
            for ((_, name), result) in failed {
                if let Err(error) = result {
                    toasts.warn(format!("{name}: {}", error.message(locale)));
                }
            }
            let done_ones: Vec<Named> = done_ones.into_iter().map(|(named, _)| named).collect();
            // Whoever ended the session they are in is signed out by now.
            let own = session.as_ref().filter(|_| kind.name == "login").map(|session| session.login.cast());
            if task == Task::Remove && done_ones.iter().any(|(id, _)| Some(*id) == own) {
                #[cfg(feature = "hydrate")]
                crate::app::end_session();
                return;
            }
            let text = match (task, done_ones.as_slice()) {
                (_, []) => return,
                (Task::Remove, [(_, name)]) => t_string!(i18n, records.page.removed_one, name = name.clone()),
                (Task::Restore, [(_, name)]) => t_string!(i18n, records.page.restored_one, name = name.clone()),
                (Task::Purge, [(_, name)]) => t_string!(i18n, records.page.purged_one, name = name.clone()),
                (Task::Enable | Task::Disable, several) => {
                    let one = if let [(_, name)] = several { Some(name.clone()) } else { None };
                    switch_words(kind).done(task, locale, one, several.len())
                }
                (task, many) => {
                    let count = many.len().to_string();
                    match task {
                        Task::Remove => t_string!(i18n, records.page.removed_many, count = count),
                        Task::Restore => t_string!(i18n, records.page.restored_many, count = count),
                        Task::Purge | Task::Enable | Task::Disable => {
                            t_string!(i18n, records.page.purged_many, count = count)
                        }
                    }
                }
            };
            // A login that has ended stays so.
            if task == Task::Remove && !kind.read_only {
                undo.set_value(done_ones.clone());
                toasts.done_with_undo(text, take_back);
            } else {
                toasts.done(text);
            }
            done(task, done_ones);
        });
        // Remembers the task beside the action, because its result does not name it.
        Effect::new(move || {
            if let Some((task, _)) = action.input().get() {
                running.set_value(task);
            }
        });
        Self { kind, question, action }
    }

    /// True while something is being done.
    pub fn busy(self) -> Signal<bool> {
        self.action.pending().into()
    }

    /// Does it, after a question where something would be lost.
    pub fn start(self, task: Task, records: Vec<Named>) {
        if records.is_empty() {
            return;
        }
        match task {
            Task::Remove | Task::Purge => self.question.set(Some((task, records))),
            Task::Restore | Task::Enable | Task::Disable => drop(self.action.dispatch((task, records))),
        }
    }
}

async fn run(kind: &'static Kind, task: Task, records: Vec<Named>) -> Vec<(Named, Result<()>)> {
    if task == Task::Remove {
        let ids = records.iter().map(|(id, _)| id.to_string()).collect();
        return match calls::remove_records(kind.name.to_owned(), ids).await {
            Ok(outcomes) => {
                let results = outcomes.into_iter().map(|outcome| outcome.error.map_or(Ok(()), Err));
                records.into_iter().zip(results).collect()
            }
            Err(error) => records.into_iter().map(|named| (named, Err(error.clone()))).collect(),
        };
    }
    let mut results = Vec::new();
    for named in records {
        let id = named.0;
        let result = match task {
            Task::Restore => calls::restore_record(kind.name.to_owned(), id.to_string()).await.map(drop),
            Task::Purge => calls::purge_record(kind.name.to_owned(), id.to_string()).await,
            Task::Enable | Task::Disable => switch(kind, id, task == Task::Enable).await,
            Task::Remove => Ok(()),
        };
        results.push((named, result));
    }
    results
}

/// Enables or disables a record and leaves the rest of it as it stands now.
async fn switch(kind: &'static Kind, id: Id<()>, on: bool) -> Result<()> {
    let record = super::ask(kind, id).await?.record;
    let mut fields = writable(kind, &record);
    fields.insert("enabled".to_owned(), on.into());
    calls::save_record(kind.name.to_owned(), Some(id.to_string()), Some(record.base.revision), fields).await.map(drop)
}

/// The question before something is destroyed; stands once on a page.
#[component]
pub fn WorkQuestion(
    /// The work.
    work: Work,
) -> impl IntoView {
    let i18n = use_i18n();
    let kind = work.kind;
    let session = use_session();
    let open = RwSignal::new(false);
    let asked = RwSignal::new((Task::Remove, Vec::<Named>::new()));
    // The dialog keeps its words while it closes.
    Effect::new(move || match work.question.get() {
        Some(question) => {
            asked.set(question);
            open.set(true);
        }
        None if open.get_untracked() => open.set(false),
        None => {}
    });
    Effect::new(move || {
        if !open.get() && work.question.with_untracked(Option::is_some) {
            work.question.set(None);
        }
    });
    let own = session.filter(|_| kind.name == "login").map(|session| session.login.cast());
    let ends_own = move || asked.with(|(_, records)| records.iter().any(|(id, _)| Some(*id) == own));
    let title = move || {
        let locale = i18n.get_locale();
        asked.with(|(task, records)| {
            let what = match records.as_slice() {
                [(_, name)] => name.clone(),
                many => format!("{} {}", many.len(), (kind.many)(locale).to_lowercase()),
            };
            match task {
                Task::Purge => t_string!(i18n, records.page.purge_question, what = what),
                _ if kind.read_only => t_string!(i18n, records.page.end_question, what = what),
                _ => t_string!(i18n, records.page.remove_question, what = what),
            }
        })
    };
    let text = move || match asked.with(|(task, _)| *task) {
        Task::Purge => t_string!(i18n, records.page.purge_text).to_owned(),
        _ if ends_own() => t_string!(i18n, records.page.end_own_text).to_owned(),
        _ if kind.read_only => t_string!(i18n, records.page.end_text).to_owned(),
        _ => t_string!(i18n, records.page.remove_text).to_owned(),
    };
    view! {
        <ConfirmDialog
            open
            title=Signal::derive(title)
            text=Signal::derive(text)
            names=Signal::derive(move || asked.with(|(_, records)| records.iter().map(|(_, name)| name.clone()).collect()))
            action=Signal::derive(move || match asked.with(|(task, _)| *task) {
                Task::Purge => t_string!(i18n, records.page.purge).to_owned(),
                _ if kind.read_only => t_string!(i18n, records.page.end).to_owned(),
                _ => t_string!(i18n, common.remove).to_owned(),
            })
            busy=work.busy()
            on_confirm=Callback::new(move |()| drop(work.action.dispatch(asked.get_untracked())))
        />
    }
}
