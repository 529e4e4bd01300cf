//! The document, the route table and the frame around every page.

use crate::i18n::I18nContextProvider;
use leptos::prelude::*;
use leptos_meta::{HashedStylesheet, MetaTags, Title, provide_meta_context};
use leptos_router::{
    components::{Route, Router, Routes},
    path,
};

/// The document that the server sends.
pub fn shell(options: LeptosOptions) -> impl IntoView {
    view! {
        <!DOCTYPE html>
        <html lang="en">
            <head>
                <meta charset="utf-8" />
                <meta name="viewport" content="width=device-width, initial-scale=1" />
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
    view! {
        <I18nContextProvider>
            <Title formatter=|title: String| if title.is_empty() { "Muelle".to_owned() } else { format!("{title} · Muelle") } />
            <Router>
                <Routes fallback=|| view! { <p>"404"</p> }>
                    <Route path=path!("/") view=|| view! { <h1>"Muelle"</h1> } />
                </Routes>
            </Router>
        </I18nContextProvider>
    }
}
