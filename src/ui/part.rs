//! Parts of the browser's program that are loaded when a page of theirs is opened.

use super::{
    browser::{is_taken_over, wait},
    page::DocumentTitle,
    states::Trouble,
};
use crate::{
    authentication::api::check_login,
    error::{Error, SERVER},
};
use leptos::{prelude::*, reactive::computed::ScopedFuture};
use leptos_router::ChooseView;
use std::{pin::Pin, time::Duration};

/// Makes the views of routes whose code stands in one part: `part! { jobs: ROUTE => view, ... }`.
///
/// A first visit loads the program without its parts. What several parts share is cut out and loaded with the first.
/// Parts are few on purpose: each further one makes more such shares, and each share is a request.
macro_rules! part {
    ($part:ident: $($route:ident => $view:expr),* $(,)?) => {
        $(
            pub(super) const $route: $crate::ui::part::PartRoute = {
                use leptos::{
                    prelude::{AnyView, IntoAny as _},
                    wasm_split::SplitLoaderError,
                };

                #[leptos::wasm_split::wasm_split($part, wasm_split_path = leptos::wasm_split, preload(load), fallible)]
                #[allow(non_snake_case, reason = "symbols are made of it, so it must be the route's own")]
                fn $route() -> Result<AnyView, SplitLoaderError> {
                    Ok($view.into_any())
                }

                $crate::ui::part::PartRoute {
                    part: stringify!($part),
                    load: || Box::pin(async { load().await.is_ok() }),
                    show: || Box::pin(async { $route().await.ok() }),
                }
            };
        )*
    };
}

pub(crate) use part;

/// Between the first two attempts to load the part of a page that the server wrote.
const FIRST_PAUSE: Duration = Duration::from_secs(1);

/// The longest pause between two attempts.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

type Loading<T> = Pin<Box<dyn Future<Output = T>>>;

/// A page whose code stands in a part. One type for all of them, so that the router is compiled for them once.
#[derive(Clone, Copy)]
pub struct PartRoute {
    /// The part's name.
    pub part: &'static str,
    /// Loads it; whether it came.
    pub load: fn() -> Loading<bool>,
    /// Loads it and shows the page; `None` where it does not come.
    pub show: fn() -> Loading<Option<AnyView>>,
}

impl ChooseView for PartRoute {
    async fn choose(self) -> AnyView {
        // A page that the server writes names its part, so that it is loaded beside the program.
        leptos::prefetch_lazy_fn_on_server(self.part);
        (self.show)().await.unwrap_or_else(|| not_loaded(self.show))
    }

    // The page that the server wrote is taken over with its part, so that must be there by then. Until it is, the
    // page stands as it was written.
    async fn preload(&self) {
        let mut pause = FIRST_PAUSE;
        while !(self.load)().await && !is_taken_over() {
            wait(pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }
}

/// A view that comes with a part, once it is asked for. Cheap to copy.
#[derive(Clone, Copy)]
pub struct Coming {
    // Where a view is kept is bound to one thread, so the server, which asks for none, must not make the place.
    view: RwSignal<Option<StoredValue<Option<AnyView>, LocalStorage>>>,
    owner: StoredValue<Option<Owner>>,
}

impl Coming {
    /// What the view makes belongs to the component that calls this.
    pub fn new() -> Self {
        Self { view: RwSignal::new(None), owner: StoredValue::new(Owner::current()) }
    }

    /// Asks for it; `missed` is called where it does not come.
    pub fn ask<Fut: Future<Output = Option<AnyView>> + 'static>(
        self,
        load: impl FnOnce() -> Fut,
        missed: impl FnOnce() + 'static,
    ) {
        let Some(owner) = self.owner.get_value() else { return };
        let asked = owner.with(|| ScopedFuture::new(load()));
        leptos::task::spawn_local(async move {
            match asked.await {
                Some(view) => drop(self.view.try_set(Some(owner.with(|| StoredValue::new_local(Some(view)))))),
                None => missed(),
            }
        });
    }

    /// The view, when it has come; to be shown once.
    pub fn take(self) -> Option<AnyView> {
        self.view.get()?.try_update_value(Option::take).flatten()
    }

    /// Whether it has come.
    pub fn has_come(self) -> bool {
        self.view.with_untracked(Option::is_some)
    }
}

/// Stands for a page whose part did not come, until it is asked for again and comes.
fn not_loaded(load: fn() -> Loading<Option<AnyView>>) -> AnyView {
    let error = Signal::stored(Error::unavailable(SERVER, ""));
    let page = Coming::new();
    let retry = Callback::new(move |()| page.ask(load, || leptos::task::spawn_local(load_anew_where_it_is_another())));
    (move || {
        page.take().unwrap_or_else(|| {
            view! {
                <DocumentTitle text="" />
                <Trouble error retry />
            }
            .into_any()
        })
    })
    .into_any()
}

/// A server that answers and does not have a part is a newer one with other parts: the document is loaded anew then.
async fn load_anew_where_it_is_another() {
    if !matches!(check_login().await, Err(Error::Unavailable { .. })) {
        drop(window().location().reload());
    }
}
