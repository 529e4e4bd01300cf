//! Parts of the browser's program that are loaded when a page of theirs is opened.

use super::{page::DocumentTitle, states::Trouble};
use crate::{
    authentication::api::read_account,
    error::{Error, SERVER},
};
use leptos::{prelude::*, reactive::computed::ScopedFuture};
use std::pin::Pin;

/// Makes the views of routes whose code stands in one part: `part! { jobs: Route => view, ... }`.
///
/// A first visit loads the program without its parts. What several parts share is cut out and loaded with the first.
/// Parts are few on purpose: each further one makes more such shares, and each share is a request.
macro_rules! part {
    ($part:ident: $($route:ident => $view:expr),* $(,)?) => {
        $(
            pub(super) struct $route;

            const _: () = {
                use leptos::{
                    prelude::{AnyView, IntoAny as _},
                    wasm_split::SplitLoaderError,
                };

                #[leptos::wasm_split::wasm_split($part, wasm_split_path = leptos::wasm_split, preload(load), fallible)]
                #[allow(non_snake_case, reason = "symbols are made of it, so it must be the route's own")]
                fn $route() -> Result<AnyView, SplitLoaderError> {
                    Ok($view.into_any())
                }

                impl leptos_router::LazyRoute for $route {
                    fn data() -> Self {
                        Self
                    }

                    async fn view(_route: Self) -> AnyView {
                        // A page that the server writes names its part, so that it is loaded beside the program.
                        leptos::prefetch_lazy_fn_on_server(stringify!($part));
                        match $route().await {
                            Ok(view) => view,
                            Err(_) => $crate::ui::part::not_loaded(|| Box::pin(async { $route().await.ok() })),
                        }
                    }

                    // The page that the server wrote is taken over at once, so its part must be there by then.
                    async fn preload() {
                        drop(load().await);
                    }
                }
            };
        )*
    };
}

pub(crate) use part;

/// Stands for a page whose part did not come, until it is asked for again and comes.
///
/// A server that answers and does not have it is a newer one with other parts: the document is loaded anew then.
pub(crate) fn not_loaded(load: fn() -> Pin<Box<dyn Future<Output = Option<AnyView>>>>) -> AnyView {
    let error = Signal::stored(Error::unavailable(SERVER, ""));
    let has_come = RwSignal::new(false);
    let page = StoredValue::new_local(None);
    let owner = StoredValue::new(Owner::current());
    let retry = Callback::new(move |()| {
        let Some(owner) = owner.get_value() else { return };
        // What the page makes belongs to its route.
        let asked = owner.with(|| ScopedFuture::new(load()));
        leptos::task::spawn_local(async move {
            if let Some(view) = asked.await {
                page.try_set_value(Some(view));
                has_come.try_set(true);
            } else if !matches!(read_account().await, Err(Error::Unavailable { .. })) {
                drop(window().location().reload());
            }
        });
    });
    (move || {
        has_come.track();
        page.try_update_value(Option::take).flatten().unwrap_or_else(|| {
            view! {
                <DocumentTitle text="" />
                <Trouble error retry />
            }
            .into_any()
        })
    })
    .into_any()
}
