//! The document, the route table and the frame around every page.

pub mod beside;
mod frame;
mod palette;
mod session;
mod theme;

pub use frame::Mark;
#[cfg(feature = "hydrate")]
pub use session::end_session;
pub use session::{refusal, use_session};
pub use theme::setting;

use crate::{
    authentication::ui::{SetupPage, SignInPage},
    deployments::ui as deployments,
    error::Error,
    i18n::{I18nContextProvider, say, t, use_i18n},
    provisioning::ui as provisioning,
    storage::item::ui::RecordRoutes,
    ui::{DocumentTitle, Icon, answer_with, part},
};
use frame::Frame;
use icondata_lu as lu;
use leptos::prelude::*;
use leptos_meta::{HashedStylesheet, MetaTags, Title, provide_meta_context};
use leptos_router::{
    Lazy, SsrMode,
    components::{ParentRoute, Route, Router, Routes},
    path,
};

part! { deployments:
    ContainerPage => deployments::ContainerPage(),
    ContainersPage => deployments::ContainersPage(),
    CreatePage => deployments::CreatePage(),
    ImagePage => deployments::ImagePage(),
    ImagesPage => deployments::ImagesPage(),
    JobsPage => crate::jobs::ui::JobsPage(),
    OneJobPage => crate::jobs::ui::OneJobPage(),
}

// The account is small and nobody's part: it stands where the least is loaded for it.
part! { provisioning:
    AccountPage => crate::authentication::ui::AccountPage(),
    ComparePage => provisioning::ComparePage(),
    NewRunPage => provisioning::NewRunPage(),
    RunPage => provisioning::RunPage(),
    RunPlaybookPage => provisioning::RunPlaybookPage(),
    RunsPage => provisioning::RunsPage(),
}

/// The document that the server sends.
pub fn shell(options: LeptosOptions) -> impl IntoView {
    view! {
        <!DOCTYPE html>
        <html>
            <head>
                <meta charset="utf-8" />
                <meta name="viewport" content="width=device-width, initial-scale=1" />
                <meta name="color-scheme" content="light dark" />
                <link rel="preload" href="/fonts/inter.woff2" r#as="font" type="font/woff2" crossorigin="anonymous" />
                <link rel="icon" href="/favicon.svg" type="image/svg+xml" />
                <HashedStylesheet options=options.clone() id="muelle" />
                <HydrationScripts options />
                <MetaTags />
            </head>
            <body>
                <App />
            </body>
        </html>
    }
}

/// The application: texts, metadata and routes.
#[component]
pub fn App() -> impl IntoView {
    provide_meta_context();
    session::provide_session();
    // Tells tests and style sheets that the page listens; effects run in the browser only.
    Effect::new(|| {
        if let Some(root) = document().document_element() {
            drop(root.set_attribute("data-hydrated", "true"));
        }
    });
    view! {
        <I18nContextProvider>
            <theme::ThemeAttribute />
            <Title formatter=|title: String| if title.is_empty() { "Muelle".to_owned() } else { format!("{title} · Muelle") } />
            <Router>
                <Routes fallback=NotFound>
                    <Route path=path!("/sign-in") view=SignInPage ssr=SsrMode::Async />
                    <Route path=path!("/setup") view=SetupPage ssr=SsrMode::Async />
                    <ParentRoute path=path!("/") view=Frame ssr=SsrMode::Async>
                        <Route path=path!("/containers") view={Lazy::<ContainersPage>::new()} />
                        <Route path=path!("/containers/new") view={Lazy::<CreatePage>::new()} />
                        <Route path=path!("/containers/:id") view={Lazy::<ContainerPage>::new()} />
                        <Route path=path!("/images") view={Lazy::<ImagesPage>::new()} />
                        <Route path=path!("/images/:id") view={Lazy::<ImagePage>::new()} />
                        <Route path=path!("") view=crate::home::HomePage />
                        <Route path=path!("/jobs") view={Lazy::<JobsPage>::new()} />
                        <Route path=path!("/jobs/:id") view={Lazy::<OneJobPage>::new()} />
                        <Route path=path!("account") view={Lazy::<AccountPage>::new()} />
                        <Route path=path!("/runs") view={Lazy::<RunsPage>::new()} />
                        <Route path=path!("/runs/new") view={Lazy::<NewRunPage>::new()} />
                        <Route path=path!("/runs/:id") view={Lazy::<RunPage>::new()} />
                        <Route path=path!("/runs/:id/compare/:other") view={Lazy::<ComparePage>::new()} />
                        <Route path=path!("/playbooks/:id/run") view={Lazy::<RunPlaybookPage>::new()} />
                        // Takes any first part of an address, so it stands last.
                        <RecordRoutes />
                    </ParentRoute>
                </Routes>
            </Router>
        </I18nContextProvider>
    }
}

/// There is no page at this address.
#[component]
pub fn NotFound() -> impl IntoView {
    view! {
        <main class="signin">
            <NotHere />
        </main>
    }
}

/// Says that there is no page at this address, within a page's frame.
#[component]
pub fn NotHere() -> impl IntoView {
    let i18n = use_i18n();
    answer_with(&Error::not_found("page"));
    view! {
        <DocumentTitle text=say!(i18n, common.not_found.title) />
        <div class="empty">
            <Icon icon=lu::LuAnchor />
            <h1>{t!(i18n, common.not_found.title)}</h1>
            <p>{t!(i18n, common.not_found.text)}</p>
            <a class="button" href="/">{t!(i18n, common.not_found.home)}</a>
        </div>
    }
}
