//! What can be done with containers, from a row, the bulk bar or a container's own page: calls,
//! messages, and the questions before them.

use super::prune::PruneDialog;
use crate::{
    app::refusal,
    authentication::policy::Verb,
    deployments::{
        api::operate_containers,
        model::{Answer, Container, ContainerOperation, ContainerState},
    },
    error::Result,
    i18n::{Locale, say, t_string, td_string, use_i18n},
    ui::{ActionButton, ButtonLook, CheckField, ConfirmDialog, Dialog, SelectField, TextField, Toasts, use_toasts},
};
use leptos::prelude::*;
use std::collections::{BTreeMap, HashSet};

/// Signals that people send, most used first.
const SIGNALS: [&str; 8] = ["SIGKILL", "SIGTERM", "SIGINT", "SIGHUP", "SIGQUIT", "SIGUSR1", "SIGUSR2", "SIGWINCH"];

/// A container that something is done with.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Target {
    pub id: String,
    pub name: String,
    /// Whether removing it needs force.
    pub is_alive: bool,
}

impl From<&Container> for Target {
    fn from(container: &Container) -> Self {
        Self { id: container.id.clone(), name: container.name.clone(), is_alive: is_alive(container.state) }
    }
}

/// Whether a container has a process.
pub(super) const fn is_alive(state: ContainerState) -> bool {
    matches!(state, ContainerState::Running | ContainerState::Paused | ContainerState::Restarting)
}

/// The actions of a page. Cheap to copy.
#[derive(Clone, Copy)]
pub(super) struct Actions {
    engine: StoredValue<String>,
    i18n: leptos_i18n::I18nContext<Locale>,
    toasts: Toasts,
    busy: RwSignal<HashSet<String>>,
    targets: RwSignal<Vec<Target>>,
    removing: RwSignal<bool>,
    killing: RwSignal<bool>,
    renaming: RwSignal<bool>,
    pruning: RwSignal<bool>,
    /// Called after something was done, with the operation.
    after: Callback<ContainerOperation>,
    /// Why the person may not operate.
    pub refused: Signal<Option<String>>,
}

impl Actions {
    /// The actions on an engine.
    pub fn new(engine: String, after: Callback<ContainerOperation>) -> Self {
        Self {
            engine: StoredValue::new(engine),
            i18n: use_i18n(),
            toasts: use_toasts(),
            busy: RwSignal::default(),
            targets: RwSignal::default(),
            removing: RwSignal::new(false),
            killing: RwSignal::new(false),
            renaming: RwSignal::new(false),
            pruning: RwSignal::new(false),
            after,
            refused: refusal(Verb::Operate, "container"),
        }
    }

    /// Whether something is being done with a container.
    pub fn is_busy(self, id: &str) -> bool {
        self.busy.with(|busy| busy.contains(id))
    }

    /// Asks before removing.
    pub fn ask_remove(self, targets: Vec<Target>) {
        self.targets.set(targets);
        self.removing.set(true);
    }

    /// Asks for the signal.
    pub fn ask_kill(self, targets: Vec<Target>) {
        self.targets.set(targets);
        self.killing.set(true);
    }

    /// Asks for the new name.
    pub fn ask_rename(self, target: Target) {
        self.targets.set(vec![target]);
        self.renaming.set(true);
    }

    /// Asks what to clear away.
    pub fn ask_prune(self) {
        self.pruning.set(true);
    }

    /// Does it, and tells what came of it.
    pub fn run(self, operation: ContainerOperation, targets: Vec<Target>) {
        leptos::task::spawn_local(async move {
            if let Err(error) = self.call(operation, targets).await {
                self.toasts.failed(&error);
            }
        });
    }

    /// Does it; a refusal of the only container is given back, everything else is told as a message.
    async fn call(self, operation: ContainerOperation, targets: Vec<Target>) -> Result<()> {
        let ids: Vec<String> = targets.iter().map(|target| target.id.clone()).collect();
        self.busy.try_update(|busy| busy.extend(ids.iter().cloned()));
        let answer = operate_containers(self.engine.get_value(), operation.clone(), ids.clone()).await;
        self.busy.try_update(|busy| busy.retain(|id| !ids.contains(id)));
        match answer? {
            Answer::Result(_) => self.toasts.done(done_text(self.locale(), &operation, &targets)),
            Answer::Job { id } => self.toasts.begun(
                td_string!(self.locale(), deployments.containers.begun),
                (td_string!(self.locale(), deployments.images.job_page).to_owned(), format!("/jobs/{id}")),
            ),
            Answer::Results(results) => {
                let name_of = |object: &str| {
                    targets
                        .iter()
                        .find(|target| target.id == object)
                        .map_or_else(|| object.to_owned(), |it| it.name.clone())
                };
                let done: Vec<Target> = targets
                    .iter()
                    .filter(|target| results.iter().any(|result| result.ok && result.object == target.id))
                    .cloned()
                    .collect();
                if !done.is_empty() {
                    self.toasts.done(done_text(self.locale(), &operation, &done));
                }
                for result in results.iter().filter(|result| !result.ok) {
                    let words = result.error.as_ref().map(|error| error.message(self.locale())).unwrap_or_default();
                    self.toasts.warn(format!("{}: {words}", name_of(&result.object)));
                }
            }
        }
        self.after.try_run(operation);
        Ok(())
    }

    fn locale(self) -> Locale {
        self.i18n.get_locale_untracked()
    }

    fn names(self) -> Vec<String> {
        self.targets.with(|targets| targets.iter().map(|target| target.name.clone()).collect())
    }
}

/// What was done, as a sentence.
fn done_text(locale: Locale, operation: &ContainerOperation, targets: &[Target]) -> String {
    let what = match targets {
        [one] => one.name.clone(),
        many => td_string!(locale, deployments.containers.many, count = many.len().to_string()),
    };
    match operation {
        ContainerOperation::Start {} => td_string!(locale, deployments.containers.done.start, what = what),
        ContainerOperation::Stop { .. } => td_string!(locale, deployments.containers.done.stop, what = what),
        ContainerOperation::Restart { .. } => td_string!(locale, deployments.containers.done.restart, what = what),
        ContainerOperation::Pause {} => td_string!(locale, deployments.containers.done.pause, what = what),
        ContainerOperation::Unpause {} => td_string!(locale, deployments.containers.done.unpause, what = what),
        ContainerOperation::Kill { signal } => {
            let signal = signal.clone().unwrap_or_else(|| SIGNALS[0].to_owned());
            td_string!(locale, deployments.containers.done.kill, what = what, signal = signal)
        }
        ContainerOperation::Rename { name } => {
            td_string!(locale, deployments.containers.done.rename, what = what, name = name.clone())
        }
        ContainerOperation::Remove { .. } => td_string!(locale, deployments.containers.done.remove, what = what),
        ContainerOperation::Reload {}
        | ContainerOperation::Run(_)
        | ContainerOperation::Create(_)
        | ContainerOperation::Logs(_)
        | ContainerOperation::Inspect {}
        | ContainerOperation::Prune { .. } => td_string!(locale, deployments.containers.done.other, what = what),
    }
}

/// The dialogs of the actions; stands once on a page.
#[component]
pub(super) fn ActionDialogs(
    /// The actions.
    actions: Actions,
    /// Every container in reach, for what a prune would take.
    #[prop(into, optional)]
    containers: Signal<Vec<Container>>,
) -> impl IntoView {
    view! {
        <RemoveDialog actions />
        <KillDialog actions />
        <RenameDialog actions />
        <PruneContainers actions containers />
    }
}

#[component]
fn RemoveDialog(actions: Actions) -> impl IntoView {
    let i18n = actions.i18n;
    let open = actions.removing;
    let volumes = RwSignal::new(false);
    let force = RwSignal::new(false);
    let typed = RwSignal::new(String::new());
    Effect::new(move || {
        if open.get() {
            volumes.set(false);
            force.set(false);
            typed.set(String::new());
        }
    });
    let alive = Memo::new(move |_| {
        actions.targets.with(|targets| {
            targets.iter().filter(|target| target.is_alive).map(|target| target.name.clone()).collect::<Vec<_>>()
        })
    });
    // Volumes hold what cannot be made again, so their loss is typed, not clicked.
    let word = Memo::new(move |_| match actions.names().as_slice() {
        [one] => one.clone(),
        many => many.len().to_string(),
    });
    let refused = Signal::derive(move || {
        if !alive.with(Vec::is_empty) && !force.get() {
            return Some(t_string!(i18n, deployments.containers.remove.needs_force).to_owned());
        }
        (volumes.get() && typed.get().trim() != word.get())
            .then(|| t_string!(i18n, deployments.containers.remove.needs_word, word = word.get()))
    });
    let title = Signal::derive(move || match actions.names().as_slice() {
        [one] => t_string!(i18n, deployments.containers.remove.title_one, name = one.clone()),
        many => t_string!(i18n, deployments.containers.remove.title_many, count = many.len().to_string()),
    });
    let confirm = Callback::new(move |()| {
        let operation = ContainerOperation::Remove { force: force.get_untracked(), volumes: volumes.get_untracked() };
        actions.run(operation, actions.targets.get_untracked());
        open.set(false);
    });
    view! {
        <ConfirmDialog
            open
            title
            text=say!(i18n, deployments.containers.remove.text)
            names=Signal::derive(move || actions.names())
            action=say!(i18n, common.remove)
            refused
            on_confirm=confirm
        >
            {move || (!alive.with(Vec::is_empty)).then(|| view! {
                <CheckField
                    name="remove-force"
                    label=say!(i18n, deployments.containers.remove.force)
                    hint=Signal::derive(move || t_string!(i18n, deployments.containers.remove.alive, names = alive.get().join(", ")))
                    value=force
                />
            })}
            <CheckField
                name="remove-volumes"
                label=say!(i18n, deployments.containers.remove.volumes)
                hint=say!(i18n, deployments.containers.remove.volumes_hint)
                value=volumes
            />
            {move || volumes.get().then(|| view! {
                <TextField
                    name="remove-word"
                    label=Signal::derive(move || t_string!(i18n, deployments.containers.remove.word, word = word.get()))
                    value=typed
                    required=true
                />
            })}
        </ConfirmDialog>
    }
}

#[component]
fn KillDialog(actions: Actions) -> impl IntoView {
    let i18n = actions.i18n;
    let open = actions.killing;
    let signal = RwSignal::new(SIGNALS[0].to_owned());
    let options =
        Signal::stored(SIGNALS.iter().map(|name| ((*name).to_owned(), (*name).to_owned())).collect::<Vec<_>>());
    let confirm = Callback::new(move |()| {
        actions.run(ContainerOperation::Kill { signal: Some(signal.get_untracked()) }, actions.targets.get_untracked());
        open.set(false);
    });
    view! {
        <ConfirmDialog
            open
            title=say!(i18n, deployments.containers.kill.title)
            text=say!(i18n, deployments.containers.kill.text)
            names=Signal::derive(move || actions.names())
            action=say!(i18n, deployments.containers.kill.action)
            on_confirm=confirm
        >
            <SelectField
                name="kill-signal"
                label=say!(i18n, deployments.containers.kill.signal)
                value=signal
                options
                required=true
            />
        </ConfirmDialog>
    }
}

#[component]
fn RenameDialog(actions: Actions) -> impl IntoView {
    let i18n = actions.i18n;
    let open = actions.renaming;
    let name = RwSignal::new(String::new());
    let problem = RwSignal::new(None::<String>);
    let busy = RwSignal::new(false);
    Effect::new(move || {
        if open.get() {
            name.set(actions.targets.get_untracked().first().map(|target| target.name.clone()).unwrap_or_default());
            problem.set(None);
        }
    });
    let save = move || {
        busy.set(true);
        leptos::task::spawn_local(async move {
            let operation = ContainerOperation::Rename { name: name.get_untracked().trim().to_owned() };
            match actions.call(operation, actions.targets.get_untracked()).await {
                Ok(()) => {
                    open.try_set(false);
                }
                Err(error) => {
                    problem.try_set(Some(error.message(actions.locale())));
                }
            }
            busy.try_set(false);
        });
    };
    view! {
        <Dialog
            open
            title=Signal::derive(move || {
                t_string!(i18n, deployments.containers.rename.title, name = actions.names().first().cloned().unwrap_or_default())
            })
        >
            <form
                on:submit=move |event| {
                    event.prevent_default();
                    if !busy.get_untracked() {
                        save();
                    }
                }
            >
                <div class="dialog__body">
                    <TextField
                        name="rename-name"
                        label=say!(i18n, deployments.containers.rename.name)
                        value=name
                        required=true
                        problem
                    />
                </div>
                <div class="dialog__actions">
                    <ActionButton
                        label=say!(i18n, common.cancel)
                        on_press=Callback::new(move |()| open.set(false))
                    />
                    <ActionButton
                        label=say!(i18n, deployments.containers.rename.action)
                        look=ButtonLook::Primary
                        kind="submit"
                        busy
                    />
                </div>
            </form>
        </Dialog>
    }
}

/// Asks before what stopped is cleared away; a label narrows it.
#[component]
fn PruneContainers(actions: Actions, containers: Signal<Vec<Container>>) -> impl IntoView {
    let i18n = actions.i18n;
    let open = actions.pruning;
    let label = RwSignal::new(String::new());
    Effect::new(move || {
        if open.get() {
            label.set(String::new());
        }
    });
    let goes = Memo::new(move |_| {
        let label = label.get();
        let label = label.trim();
        containers.with(|containers| {
            containers
                .iter()
                .filter(|container| {
                    matches!(container.state, ContainerState::Created | ContainerState::Exited | ContainerState::Dead)
                        && has_label(&container.labels, label)
                })
                .map(|container| container.name.clone())
                .collect::<Vec<_>>()
        })
    });
    let begin = move || async move {
        let label = label.get_untracked().trim().to_owned();
        let filters = match label.as_str() {
            "" => BTreeMap::new(),
            label => BTreeMap::from([("label".to_owned(), serde_json::json!([label]))]),
        };
        operate_containers(actions.engine.get_value(), ContainerOperation::Prune { filters }, Vec::new()).await
    };
    view! {
        <PruneDialog
            open
            title=say!(i18n, deployments.containers.prune.title)
            text=say!(i18n, deployments.containers.prune.text)
            goes
            refused=actions.refused
            begin
            on_end=Callback::new(move |()| actions.after.run(ContainerOperation::Prune { filters: BTreeMap::new() }))
        >
            <TextField
                name="prune-label"
                label=say!(i18n, deployments.containers.prune.label)
                placeholder="team=blue"
                value=label
            />
        </PruneDialog>
    }
}

/// Whether labels match `name` or `name=value`; everything does when it is empty.
fn has_label(labels: &BTreeMap<String, String>, wanted: &str) -> bool {
    match wanted.split_once('=') {
        _ if wanted.is_empty() => true,
        Some((name, value)) => labels.get(name).is_some_and(|it| it == value),
        None => labels.contains_key(wanted),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_is_matched_by_name_or_by_name_and_value() {
        let labels = BTreeMap::from([("team".to_owned(), "blue".to_owned())]);

        assert!(has_label(&labels, "") && has_label(&labels, "team") && has_label(&labels, "team=blue"));
        assert!(!has_label(&labels, "team=red") && !has_label(&labels, "tea"));
    }
}
