//! The head of a page, and panels.

use leptos::prelude::*;
use leptos_meta::Title;

/// The document's title.
#[component]
pub fn DocumentTitle(
    /// The title.
    #[prop(into)]
    text: Signal<String>,
) -> impl IntoView {
    // The server asks for it after the page is written, when what it follows may be gone.
    #[cfg(feature = "ssr")]
    let text = text.get_untracked();
    // The browser may ask once more for the title of a page that it has left, whose texts are gone.
    #[cfg(not(feature = "ssr"))]
    let text = move || text.try_get().unwrap_or_default();
    view! { <Title text /> }
}

/// A page's title, a line of state and its actions.
#[component]
pub fn PageHead(
    /// The title; also the document's.
    #[prop(into)]
    title: Signal<String>,
    /// A line of state under it.
    #[prop(optional)]
    line: Option<ViewFn>,
    /// The actions at its end.
    #[prop(optional)]
    children: Option<Children>,
) -> impl IntoView {
    view! {
        <DocumentTitle text=title />
        <div class="page-head">
            <div>
                <h1 tabindex="-1">{move || title.get()}</h1>
                {line.map(|line| view! { <p>{move || line.run()}</p> })}
            </div>
            {children.map(|children| view! { <div class="page-head__actions">{children()}</div> })}
        </div>
    }
}

/// A bordered part of a page with a heading.
#[component]
pub fn Panel(
    /// The heading.
    #[prop(into)]
    title: Signal<String>,
    /// What stands at the heading's end.
    #[prop(optional)]
    end: Option<ViewFn>,
    /// The content.
    children: Children,
) -> impl IntoView {
    view! {
        <section class="panel">
            <header>
                <h2>{move || title.get()}</h2>
                {end.map(|end| view! { <div class="panel__end">{move || end.run()}</div> })}
            </header>
            {children()}
        </section>
    }
}
