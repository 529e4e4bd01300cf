//! The head of a page, and panels.

use leptos::prelude::*;
use leptos_meta::Title;

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
        <Title text=move || title.get() />
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
