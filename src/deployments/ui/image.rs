//! One image in full: its names, its layers, and everything the engine says.

use super::{
    container::Inspect,
    images::{ImageActions, ImageDialogs, UseBadge, display_name},
    rows::short_id,
    use_engine,
};
use crate::{
    deployments::{
        api::image,
        model::{ImageDetail, Layer},
    },
    error::Error,
    events::{client::use_changes, model::Topic},
    i18n::{say, t, use_i18n},
    ui::{
        ActionButton, Ago, ButtonLook, Bytes, CopyButton, DocumentTitle, Icon, LinkButton, Live, LiveView, Notice,
        PageHead, Panel, Tone, address::escaped, answer_with, use_address,
    },
};
use icondata_lu as lu;
use leptos::prelude::*;
use leptos_router::hooks::use_params_map;

/// The page of the image that the address names.
#[component]
pub fn ImagePage() -> impl IntoView {
    let engine = use_engine();
    let params = use_params_map();
    let id = Memo::new(move |_| params.with(|params| params.get("id").unwrap_or_default()));
    move || view! { <ImageOf engine=engine.get() id=id.get() /> }
}

#[component]
fn ImageOf(engine: String, id: String) -> impl IntoView {
    let changes = use_changes(vec![Topic::Images(engine.clone()), Topic::Engine(engine.clone())]);
    let (engine, id) = (StoredValue::new(engine), StoredValue::new(id));
    view! {
        <LiveView
            fetch=move || image(engine.get_value(), id.get_value())
            changes
            head=move || view! { <PageHead title=Signal::stored(id.get_value()) /> }
            trouble=|error| matches!(error, Error::NotFound { .. }).then(|| view! { <Gone /> }.into_any())
            view=move |live| view! { <Detail live engine /> }
        />
    }
}

#[component]
fn Gone() -> impl IntoView {
    let i18n = use_i18n();
    answer_with(&Error::not_found("image"));
    view! {
        <DocumentTitle text=say!(i18n, deployments.images.gone) />
        <div class="empty">
            <Icon icon=lu::LuLayers />
            <h1>{t!(i18n, deployments.images.gone)}</h1>
            <p>{t!(i18n, deployments.images.gone_text)}</p>
            <a class="button" href="/images">{t!(i18n, deployments.images.to_list)}</a>
        </div>
    }
}

#[component]
fn Detail(live: Live<ImageDetail>, engine: StoredValue<String>) -> impl IntoView {
    let i18n = use_i18n();
    let address = use_address();
    let detail = live.value();
    let known = Memo::new(move |_| detail.with(|detail| Some(detail.image.clone())));
    let name = Signal::derive(move || detail.with(|detail| display_name(&detail.image)));
    let after = Callback::new(move |is_gone: bool| if is_gone { address.go("/images") } else { live.again() });
    let actions = ImageActions::new(engine.get_value(), after);
    let tab = address.get("tab");
    let is_gone = Memo::new(move |_| matches!(live.trouble().get(), Some(Error::NotFound { .. })));
    let link = move |it: &'static str, words: Signal<String>| {
        view! {
            <a href=move || address.with(&[("tab", it)]) aria-current=move || (tab.get() == it).then_some("page")>
                {move || words.get()}
            </a>
        }
    };
    view! {
        {move || is_gone.get().then(|| view! {
            <Notice tone=Tone::Bad>
                <p>{t!(i18n, deployments.images.gone)} " " <a class="link" href="/images">{t!(i18n, deployments.images.to_list)}</a></p>
            </Notice>
        })}
        <PageHead
            title=name
            line=ViewFn::from(move || view! {
                <span class="row detail-line">
                    <UseBadge image=known />
                    <code>{move || detail.with(|detail| short_id(&detail.image.id))}</code>
                    <Bytes size=Signal::derive(move || detail.with(|detail| detail.image.size)) />
                </span>
            })
        >
            <LinkButton
                href=Signal::derive(move || format!("/containers/new?image={}", escaped(&name.get())))
                label=say!(i18n, deployments.images.run)
                icon=lu::LuPlay
                look=ButtonLook::Primary
                refused=actions.refused
            />
            <ActionButton
                label=say!(i18n, deployments.images.tag.open)
                icon=lu::LuTag
                refused=actions.kept
                on_press=Callback::new(move |()| actions.ask_tag(detail.with_untracked(|detail| detail.image.clone())))
            />
            <ActionButton
                label=say!(i18n, deployments.containers.act.remove)
                icon=lu::LuTrash2
                look=ButtonLook::Danger
                refused=actions.kept
                on_press=Callback::new(move |()| actions.ask_remove(vec![detail.with_untracked(|detail| detail.image.clone())]))
            />
        </PageHead>
        <nav class="tabs" aria-label=t!(i18n, deployments.detail.tabs)>
            {link("", say!(i18n, deployments.images.layers))}
            {link("inspect", say!(i18n, deployments.detail.tab.inspect))}
        </nav>
        {move || if tab.get() == "inspect" {
            view! { <Inspect value=Signal::derive(move || detail.with(|detail| detail.inspect.clone())) /> }.into_any()
        } else {
            view! { <Names detail /> <Layers detail /> }.into_any()
        }}
        <ImageDialogs actions />
    }
}

#[component]
fn Names(detail: RwSignal<ImageDetail>) -> impl IntoView {
    let i18n = use_i18n();
    let created = Memo::new(move |_| detail.with(|detail| detail.image.created_at));
    let list = move |read: fn(&ImageDetail) -> &Vec<String>| {
        move || detail.with(|detail| read(detail).iter().map(|name| view! { <div>{name.clone()}</div> }).collect_view())
    };
    view! {
        <div class="detail detail--one">
            <Panel title=say!(i18n, deployments.detail.facts)>
                <dl class="facts panel__body">
                    <dt>{t!(i18n, deployments.detail.id)}</dt>
                    <dd class="mono row">
                        <span>{move || detail.with(|detail| detail.image.id.clone())}</span>
                        <CopyButton text=Signal::derive(move || detail.with(|detail| detail.image.id.clone())) look=ButtonLook::Icon />
                    </dd>
                    <dt>{t!(i18n, deployments.images.names)}</dt>
                    <dd class="mono">{list(|detail| &detail.image.tags)}</dd>
                    <dt>{t!(i18n, deployments.images.digests)}</dt>
                    <dd class="mono">{list(|detail| &detail.image.digests)}</dd>
                    <dt>{t!(i18n, deployments.containers.column.created)}</dt>
                    <dd><Ago at=created /></dd>
                </dl>
            </Panel>
        </div>
    }
}

#[component]
fn Layers(detail: RwSignal<ImageDetail>) -> impl IntoView {
    let i18n = use_i18n();
    view! {
        <div class="table-wrap layers">
            <table class="table">
                <caption class="visually-hidden">{t!(i18n, deployments.images.layers)}</caption>
                <thead>
                    <tr>
                        <th scope="col">{t!(i18n, deployments.images.layer_command)}</th>
                        <th scope="col">{t!(i18n, deployments.images.column.size)}</th>
                        <th scope="col">{t!(i18n, deployments.containers.column.created)}</th>
                    </tr>
                </thead>
                <tbody>
                    {move || detail.with(|detail| detail.history.iter().cloned().map(|layer| view! { <LayerRow layer /> }).collect_view())}
                </tbody>
            </table>
        </div>
    }
}

#[component]
fn LayerRow(layer: Layer) -> impl IntoView {
    view! {
        <tr>
            <td class="mono layers__command">
                {layer.created_by}
                {(!layer.comment.is_empty()).then(|| view! { <span class="soft">{format!(" — {}", layer.comment)}</span> })}
            </td>
            <td><Bytes size=Signal::stored(layer.size) /></td>
            <td class="soft hide-phone"><Ago at=Signal::stored(layer.created_at) /></td>
        </tr>
    }
}
