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

use crate::{
    authentication::ui::{ResetPage, SetupPage, SignInPage},
    deployments::ui as deployments,
    error::Error,
    i18n::{self, I18nContextProvider, say, t, use_i18n},
    provisioning::ui as provisioning,
    storage::item::ui::RecordRoutes,
    ui::{DocumentTitle, Icon, answer_with, part},
};
use frame::Frame;
use icondata_lu as lu;
use leptos::prelude::*;
use leptos_meta::{HashedStylesheet, MetaTags, Title, provide_meta_context};
use leptos_router::{
    SsrMode,
    components::{ParentRoute, Route, Router, Routes},
    path,
};

// Where people begin, so these come without the rest of their modules.
part! { start:
    CONTAINERS_PAGE => deployments::ContainersPage(),
    RESET_PAGE => ResetPage(),
    SETUP_PAGE => SetupPage(),
}

part! { deployments:
    CONTAINER_PAGE => deployments::ContainerPage(),
    CREATE_PAGE => deployments::CreatePage(),
    IMAGE_PAGE => deployments::ImagePage(),
    IMAGES_PAGE => deployments::ImagesPage(),
    JOBS_PAGE => crate::jobs::ui::JobsPage(),
    ONE_JOB_PAGE => crate::jobs::ui::OneJobPage(),
}

// The account is small and nobody's part: it stands where the least is loaded for it.
part! { provisioning:
    ACCOUNT_PAGE => crate::authentication::ui::AccountPage(),
    COMPARE_PAGE => provisioning::ComparePage(),
    NEW_RUN_PAGE => provisioning::NewRunPage(),
    RUN_PAGE => provisioning::RunPage(),
    RUN_PLAYBOOK_PAGE => provisioning::RunPlaybookPage(),
    RUNS_PAGE => provisioning::RunsPage(),
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
    view! {
        <I18nContextProvider ssr_lang_header_getter=i18n::asked()>
            <theme::ThemeAttribute />
            <Title formatter=|title: String| if title.is_empty() { "Muelle".to_owned() } else { format!("{title} · Muelle") } />
            <Router>
                <Routes fallback=NotFound>
                    <Route path=path!("/sign-in") view=SignInPage ssr=SsrMode::Async />
                    <Route path=path!("/setup") view=SETUP_PAGE ssr=SsrMode::Async />
                    <Route path=path!("/reset") view=RESET_PAGE ssr=SsrMode::Async />
                    <ParentRoute path=path!("/") view=Frame ssr=SsrMode::Async>
                        <Route path=path!("/containers") view=CONTAINERS_PAGE />
                        <Route path=path!("/containers/new") view=CREATE_PAGE />
                        <Route path=path!("/containers/:id") view=CONTAINER_PAGE />
                        <Route path=path!("/images") view=IMAGES_PAGE />
                        <Route path=path!("/images/:id") view=IMAGE_PAGE />
                        <Route path=path!("") view=crate::home::HomePage />
                        <Route path=path!("/jobs") view=JOBS_PAGE />
                        <Route path=path!("/jobs/:id") view=ONE_JOB_PAGE />
                        <Route path=path!("account") view=ACCOUNT_PAGE />
                        <Route path=path!("/runs") view=RUNS_PAGE />
                        <Route path=path!("/runs/new") view=NEW_RUN_PAGE />
                        <Route path=path!("/runs/:id") view=RUN_PAGE />
                        <Route path=path!("/runs/:id/compare/:other") view=COMPARE_PAGE />
                        <Route path=path!("/playbooks/:id/run") view=RUN_PLAYBOOK_PAGE />
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
