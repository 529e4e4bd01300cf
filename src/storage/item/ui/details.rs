//! One record in full: its facts and what can be done with it, and its history.

use super::{
    super::{Field, Kind, Language, RawRecord, Shape, Tenancy, calls::Shown},
    history::History,
    name_of, short,
    value::{self, Labels, full, reference},
    words::switch_words,
    work::{Task, Work, WorkQuestion},
};
use crate::{
    app::{beside, refusal, use_session},
    authentication::policy::Verb,
    error::Error,
    events::{client::use_changes, model::Topic},
    i18n::{say, t, t_string, use_i18n},
    id::Id,
    storage::User,
    ui::{
        ActionButton, Ago, Badge, ButtonLook, LinkButton, Live, LiveView, Menu, MenuItem, Notice, Outdated, PageHead,
        Panel, Tone, Trouble,
    },
};
use icondata_lu as lu;
use leptos::prelude::*;
use leptos_router::{
    NavigateOptions,
    hooks::{use_navigate, use_query_map},
};
use serde_json::Value;

/// The page of one record.
///
/// It is made once for a record and follows its changes in place, so that an open dialog or a half-filled
/// input of a tab outlives what somebody else saves meanwhile.
#[component]
pub fn DetailsPage(
    /// The kind.
    kind: &'static Kind,
    /// The record.
    id: Id<()>,
) -> impl IntoView {
    let i18n = use_i18n();
    let changes = use_changes(vec![Topic::Records(kind.name.to_owned())]);
    let head = move || view! { <PageHead title=Signal::derive(move || (kind.one)(i18n.get_locale()).to_owned()) /> };
    view! {
        <LiveView
            fetch=move || super::ask(kind, id)
            changes
            head=head
            view=move |live| view! { <Found kind id live /> }
        />
    }
}

/// The record, or that it is gone since.
#[component]
fn Found(kind: &'static Kind, id: Id<()>, live: Live<Shown>) -> impl IntoView {
    let i18n = use_i18n();
    let navigate = StoredValue::new(use_navigate());
    let work = Work::on(kind, move |task, _| {
        let ended = task == Task::Purge || (task == Task::Remove && kind.read_only);
        if !ended {
            // A removed record stays in sight, so that it can be restored.
            return live.again();
        }
        let address = format!("/{}", kind.plural);
        navigate.with_value(|navigate| navigate(&address, NavigateOptions::default()));
    });
    let is_gone = Memo::new(move |_| matches!(live.trouble().get(), Some(Error::NotFound { .. })));
    view! {
        {move || if is_gone.get() {
            view! {
                <PageHead title=Signal::derive(move || (kind.one)(i18n.get_locale()).to_owned()) />
                <Trouble
                    error=Signal::stored(Error::not_found(kind.name))
                    retry=Callback::new(move |()| live.again())
                />
            }
            .into_any()
        } else {
            view! { <Details kind id live work /> }.into_any()
        }}
        <WorkQuestion work />
    }
}

#[component]
fn Details(kind: &'static Kind, id: Id<()>, live: Live<Shown>, work: Work) -> impl IntoView {
    let i18n = use_i18n();
    let shown = Memo::new(move |_| live.value().get());
    let record = Signal::from(Memo::new(move |_| shown.with(|shown| shown.record.clone())));
    let labels = Signal::from(Memo::new(move |_| shown.with(|shown| shown.labels.clone())));
    let name = Memo::new(move |_| record.with(|record| name_of(kind, record)));
    let is_removed = Memo::new(move |_| record.with(|record| record.base.deleted_at.is_some()));
    let is_enabled = Memo::new(move |_| record.with(|record| record.base.enabled));
    let changed = Memo::new(move |_| record.with(|record| record.base.updated_at));
    let is_own = kind.name == "login" && use_session().is_some_and(|session| session.login.cast() == id);
    let query = use_query_map();
    let tab = Memo::new(move |_| query.with(|query| query.get("tab")).unwrap_or_default());
    let to_tab = move |name: &str| format!("/{}/{id}?tab={name}", kind.plural);
    let words = switch_words(kind);
    let is_history = Memo::new(move |_| tab.with(|tab| tab == "history"));
    let tabs = beside::tabs(kind);
    // Another tab is another view; whatever else changes in the address is none of its business.
    let beside_tab = Memo::new(move |_| tab.with(|tab| tabs.iter().position(|known| known.name == *tab)));
    let is_overview = move || !is_history.get() && beside_tab.get().is_none();
    view! {
        <nav class="crumbs" aria-label=t!(i18n, records.page.crumbs)>
            <a href=format!("/{}", kind.plural)>{move || (kind.many)(i18n.get_locale())}</a>
        </nav>
        <Outdated live />
        <PageHead
            title=name
            line=ViewFn::from(move || view! {
                {is_removed.get().then(|| view! {
                    <Badge
                        tone=Tone::Warn
                        icon=lu::LuTrash2
                        label=say!(i18n, records.page.removed)
                    />
                    " "
                })}
                {(!is_enabled.get()).then(|| view! {
                    <Badge
                        tone=Tone::Idle
                        icon=words.icon_off
                        label=Signal::derive(move || (words.off)(i18n.get_locale()).to_owned())
                    />
                    " "
                })}
                {is_own.then(|| view! {
                    <Badge
                        tone=Tone::Busy
                        icon=lu::LuMapPin
                        label=say!(i18n, records.page.own_login)
                    />
                    " "
                })}
                {(kind.one)(i18n.get_locale())} " · " {t!(i18n, records.page.changed)} " " <Ago at=changed />
            })
        >
            {move || (!is_removed.get()).then(|| beside::actions(kind, record)).flatten()}
            {move || if is_removed.get() {
                view! { <RemovedActions kind id name work /> }.into_any()
            } else {
                view! { <DetailActions kind id name is_enabled work /> }.into_any()
            }}
        </PageHead>
        {move || is_removed.get().then(|| view! { <Notice tone=Tone::Warn>{t!(i18n, records.page.removed_notice)}</Notice> })}
        {(!kind.read_only).then(|| view! {
            <nav class="tabs" aria-label=t!(i18n, records.page.tabs)>
                <a href=to_tab("overview") data-noscroll aria-current=move || is_overview().then_some("page")>
                    {t!(i18n, records.page.overview)}
                </a>
                {tabs
                    .iter()
                    .enumerate()
                    .map(|(place, other)| view! {
                        <a
                            href=to_tab(other.name)
                            data-noscroll
                            aria-current=move || (beside_tab.get() == Some(place)).then_some("page")
                        >
                            {move || (other.label)(i18n.get_locale())}
                        </a>
                    })
                    .collect_view()}
                <a href=to_tab("history") data-noscroll aria-current=move || is_history.get().then_some("page")>
                    {t!(i18n, records.page.history)}
                </a>
            </nav>
        })}
        {move || if is_history.get() && !kind.read_only {
            view! { <History kind id labels /> }.into_any()
        } else if let Some(place) = beside_tab.get() {
            (tabs[place].view)(record)
        } else {
            view! {
                {beside::overview(kind, record)}
                {move || shown.with(|shown| view! {
                    <Overview kind record=shown.record.clone() labels=shown.labels.clone() />
                })}
            }.into_any()
        }}
    }
}

/// Starts a piece of work on the record as it is called when the button is pressed.
fn start(work: Work, task: Task, id: Id<()>, name: Memo<String>) -> Callback<()> {
    Callback::new(move |()| work.start(task, vec![(id, name.get_untracked())]))
}

#[component]
fn RemovedActions(kind: &'static Kind, id: Id<()>, name: Memo<String>, work: Work) -> impl IntoView {
    let i18n = use_i18n();
    let may_remove = refusal(Verb::Remove, kind.name);
    view! {
        <ActionButton
            label=say!(i18n, records.page.purge)
            icon=lu::LuTrash2
            look=ButtonLook::Danger
            refused=may_remove
            on_press=start(work, Task::Purge, id, name)
        />
        <ActionButton
            label=say!(i18n, common.restore)
            icon=lu::LuUndo2
            look=ButtonLook::Primary
            refused=may_remove
            busy=work.busy()
            on_press=start(work, Task::Restore, id, name)
        />
    }
}

#[component]
fn DetailActions(
    kind: &'static Kind,
    id: Id<()>,
    name: Memo<String>,
    is_enabled: Memo<bool>,
    work: Work,
) -> impl IntoView {
    let i18n = use_i18n();
    let may_update = refusal(Verb::Update, kind.name);
    let may_remove = refusal(Verb::Remove, kind.name);
    if kind.read_only {
        return view! {
            <ActionButton
                label=say!(i18n, records.page.end)
                icon=lu::LuLogOut
                look=ButtonLook::Danger
                refused=may_remove
                on_press=start(work, Task::Remove, id, name)
            />
        }
        .into_any();
    }
    let words = switch_words(kind);
    let switch_label = Signal::derive(move || words.turn(is_enabled.get())(i18n.get_locale()).to_owned());
    let switch_icon = Signal::derive(move || words.turn_icon(is_enabled.get()));
    let [disable, enable] = [Task::Disable, Task::Enable].map(|task| start(work, task, id, name));
    let switch = Callback::new(move |()| if is_enabled.get_untracked() { disable } else { enable }.run(()));
    view! {
        {words.is_button.then(|| view! {
            <ActionButton label=switch_label icon=switch_icon refused=may_update busy=work.busy() on_press=switch />
        })}
        <LinkButton
            href=format!("/{}/{id}/edit", kind.plural)
            label=say!(i18n, common.edit)
            icon=lu::LuPencil
            look=ButtonLook::Primary
            refused=may_update
        />
        <Menu
            id="record-actions"
            label=say!(i18n, common.more)
            icon=lu::LuEllipsis
        >
            {(!words.is_button).then(|| view! {
                <MenuItem label=switch_label icon=switch_icon refused=may_update on_press=switch />
                <hr />
            })}
            <MenuItem
                label=Signal::derive(move || format!("{}…", t_string!(i18n, common.remove)))
                icon=lu::LuTrash2
                danger=true
                refused=may_remove
                on_press=start(work, Task::Remove, id, name)
            />
        </Menu>
    }
    .into_any()
}

#[component]
fn Overview(kind: &'static Kind, record: RawRecord, labels: Labels) -> impl IntoView {
    let i18n = use_i18n();
    let labels = Signal::stored(labels);
    let is_platform = use_session().is_some_and(|session| session.is_platform());
    let (long, short_ones): (Vec<&'static Field>, Vec<&'static Field>) = kind
        .fields
        .iter()
        .filter(|field| !matches!(field.shape, Shape::Secret) && !beside::is_told(kind, field))
        .filter(|field| field.applies(|other| record.item.get(other).and_then(Value::as_str)))
        .partition(|field| matches!(field.shape, Shape::Lines { language: Language::Yaml, .. }));
    let value_of = |name: &str| record.item.get(name).cloned().unwrap_or(Value::Null);
    let facts = short_ones
        .into_iter()
        .map(|field| {
            view! {
                <dt>{move || (field.label)(i18n.get_locale())}</dt>
                <dd>{full(field, &value_of(field.name), labels)}</dd>
            }
        })
        .collect_view();
    let texts = long
        .into_iter()
        .filter(|field| !value_of(field.name).is_null())
        .map(|field| {
            let text = full(field, &value_of(field.name), labels);
            view! {
                <Panel title=Signal::derive(move || (field.label)(i18n.get_locale()).to_owned())>{text}</Panel>
            }
        })
        .collect_view();
    let base = record.base.clone();
    let whose = (kind.tenancy == Tenancy::PerCustomer && is_platform).then(|| {
        view! {
            <dt>{t!(i18n, records.page.customer)}</dt>
            <dd>
                {match base.customer {
                    Some(customer) => reference("customer", customer.to_string(), labels),
                    None => view! { {t!(i18n, records.page.platform)} }.into_any(),
                }}
            </dd>
        }
    });
    let by = move |person: Option<Id<User>>| match person {
        Some(person) => view! { " · " {value::reference("user", person.to_string(), labels)} }.into_any(),
        None => view! { " · " {t!(i18n, records.page.system)} }.into_any(),
    };
    view! {
        <div class="record">
            <Panel title=say!(i18n, records.page.facts)>
                <dl class="facts panel__body">{facts}</dl>
            </Panel>
            <Panel title=say!(i18n, records.page.record)>
                <dl class="facts panel__body">
                    {whose}
                    {(!kind.read_only).then(|| view! {
                        <dt>{t!(i18n, records.page.state)}</dt>
                        <dd>
                            {move || switch_words(kind).state(base.enabled)(i18n.get_locale())}
                        </dd>
                        <dt>{t!(i18n, records.page.created_at)}</dt>
                        <dd><Ago at=base.created_at />{by(base.created_by)}</dd>
                        <dt>{t!(i18n, records.page.updated_at)}</dt>
                        <dd><Ago at=base.updated_at />{by(base.updated_by)}</dd>
                        {base.deleted_at.map(|at| view! {
                            <dt>{t!(i18n, records.page.removed)}</dt>
                            <dd><Ago at /></dd>
                        })}
                        <dt>{t!(i18n, records.page.revision)}</dt>
                        <dd class="number">{base.revision}</dd>
                    })}
                    <dt>"ID"</dt>
                    <dd class="mono" title=short(&base.id.to_string())>{base.id.to_string()}</dd>
                </dl>
            </Panel>
            <div class="record__wide">{texts}</div>
        </div>
    }
}
