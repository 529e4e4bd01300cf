//! The collections and roles that a playbook asks for, beside its files.

use super::versions::use_asked;
use crate::{
    app::refusal,
    authentication::policy::Verb,
    i18n::{say, t, t_string, use_i18n},
    id::Id,
    provisioning::{
        books::{ProjectFile, REQUIREMENTS, Requirement, RequirementKind, Requirements},
        books_api::{install_requirements, playbook_requirements},
    },
    storage::Playbook,
    ui::{ActionButton, Ago, Notice, Panel, Tone, Trouble, use_toasts},
};
use icondata_lu as lu;
use leptos::prelude::*;

/// What the files of a playbook ask for; nothing where they do not.
#[component]
pub fn RequirementsPanel(
    /// The playbook.
    id: Id<Playbook>,
    /// Its files: what they ask for is asked anew when they change.
    files: RwSignal<Vec<ProjectFile>>,
) -> impl IntoView {
    let asks = Memo::new(move |_| files.with(|files| files.iter().any(|file| REQUIREMENTS.contains(&&*file.path))));
    let found = use_asked(move || {
        files.track();
        let asks = asks.get_untracked();
        async move { if asks { playbook_requirements(id).await } else { Ok(None) } }
    });
    move || match found.get() {
        Some(Ok(Some(asked))) => view! { <Found id asked /> }.into_any(),
        Some(Err(error)) => view! { <Trouble error=Signal::stored(error) /> }.into_any(),
        Some(Ok(None)) | None => ().into_any(),
    }
}

#[component]
fn Found(id: Id<Playbook>, asked: Requirements) -> impl IntoView {
    let i18n = use_i18n();
    let toasts = use_toasts();
    let path = StoredValue::new(asked.path.clone());
    let shown = RwSignal::new(asked);
    let install = Action::new(move |&()| install_requirements(id));
    Effect::new(move || match install.value().get() {
        Some(Ok(Some(now))) => {
            shown.set(now);
            toasts.done(t_string!(i18n, playbooks.requirements.done, path = path.get_value()));
        }
        Some(Err(error)) => toasts.failed(&error),
        Some(Ok(None)) | None => {}
    });
    let is_installed = Memo::new(move |_| shown.with(|shown| shown.installed_at.is_some()));
    let has_problem = Memo::new(move |_| shown.with(|shown| shown.problem.is_some()));
    let label = Signal::derive(move || match is_installed.get() {
        true => t_string!(i18n, playbooks.requirements.again).to_owned(),
        false => t_string!(i18n, playbooks.requirements.install).to_owned(),
    });
    view! {
        <div class="requirements">
            <Panel
                title=say!(i18n, playbooks.requirements.title)
                end=ViewFn::from(move || (!has_problem.get()).then(|| view! {
                    <ActionButton
                        label
                        icon=lu::LuPackageCheck
                        refused=refusal(Verb::Operate, "run")
                        busy=install.pending()
                        on_press=Callback::new(move |()| drop(install.dispatch(())))
                    />
                }))
            >
                {move || match shown.with(|shown| shown.problem.clone()) {
                    Some(problem) => view! {
                        <div class="panel__body"><Notice tone=Signal::stored(Tone::Bad)>{problem}</Notice></div>
                    }
                    .into_any(),
                    None => view! {
                        <p class="panel__body soft">
                            {t_string!(i18n, playbooks.requirements.text, path = path.get_value())} " "
                            {move || match shown.with(|shown| shown.installed_at) {
                                Some(at) => view! { {t!(i18n, playbooks.requirements.installed_at)} " " <Ago at /> "." }.into_any(),
                                None => view! { {t!(i18n, playbooks.requirements.none_yet)} }.into_any(),
                            }}
                        </p>
                        <div class="table-wrap">
                            <table class="table">
                                <caption class="visually-hidden">{t!(i18n, playbooks.requirements.title)}</caption>
                                <thead>
                                    <tr>
                                        <th scope="col">{t!(i18n, playbooks.requirements.column_name)}</th>
                                        <th scope="col">{t!(i18n, playbooks.requirements.column_kind)}</th>
                                        <th scope="col">{t!(i18n, playbooks.requirements.column_wanted)}</th>
                                        <th scope="col">{t!(i18n, playbooks.requirements.column_installed)}</th>
                                    </tr>
                                </thead>
                                <tbody>
                                    {move || shown.with(|shown| shown.items.clone()).into_iter().map(|item| view! { <Row item /> }).collect_view()}
                                </tbody>
                            </table>
                        </div>
                    }
                    .into_any(),
                }}
            </Panel>
        </div>
    }
}

#[component]
fn Row(item: Requirement) -> impl IntoView {
    let i18n = use_i18n();
    let Requirement { kind, name, wanted, installed } = item;
    let kind = move || match kind {
        RequirementKind::Collection => t_string!(i18n, playbooks.requirements.collection),
        RequirementKind::Role => t_string!(i18n, playbooks.requirements.role_kind),
    };
    let any = move || t_string!(i18n, playbooks.requirements.any);
    view! {
        <tr>
            <td class="table__name mono">{name}</td>
            <td class="soft" data-label=move || t_string!(i18n, playbooks.requirements.column_kind)>{kind}</td>
            <td data-label=move || t_string!(i18n, playbooks.requirements.column_wanted)>
                {match wanted {
                    Some(version) => view! { <span class="mono">{version}</span> }.into_any(),
                    None => view! { <span class="soft">{any}</span> }.into_any(),
                }}
            </td>
            <td data-label=move || t_string!(i18n, playbooks.requirements.column_installed)>
                <span class="mono">{installed.unwrap_or_else(|| "–".to_owned())}</span>
            </td>
        </tr>
    }
}
