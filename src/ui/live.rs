//! Data that the server rendered and that stays true while the page is open.

use super::states::{Skeleton, Trouble};
use crate::error::{Error, Result};
use leptos::prelude::*;
use serde::{Serialize, de::DeserializeOwned};

/// Something asked from the server, kept current. Cheap to copy.
///
/// What was last known stays when asking again fails; `trouble` then says why it may be out of date.
pub struct Live<T: Send + Sync + 'static> {
    value: RwSignal<T>,
    trouble: RwSignal<Option<Error>>,
    again: RwSignal<u64>,
}

impl<T: Send + Sync + 'static> Clone for Live<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T: Send + Sync + 'static> Copy for Live<T> {}

impl<T: Send + Sync + 'static> Live<T> {
    /// The newest value.
    pub fn value(self) -> RwSignal<T> {
        self.value
    }

    /// Why the value could not be asked for anew; `None` when it could.
    pub fn trouble(self) -> RwSignal<Option<Error>> {
        self.trouble
    }

    /// Asks for the value anew.
    pub fn again(self) {
        self.again.try_update(|count| *count += 1);
    }

    fn follow<F, Fut>(first: T, fetch: F, changes: Signal<u64>) -> Self
    where
        F: Fn() -> Fut + Copy + 'static,
        Fut: Future<Output = Result<T>> + 'static,
    {
        let live = Self { value: RwSignal::new(first), trouble: RwSignal::new(None), again: RwSignal::new(0) };
        let asking = StoredValue::new(false);
        let stale = StoredValue::new(false);
        Effect::new(move |seen: Option<(u64, u64)>| {
            let now = (changes.get(), live.again.get());
            let is_news = seen.is_some_and(|seen| seen != now);
            if is_news && asking.get_value() {
                // One question at a time: what changes meanwhile is asked for once more afterwards.
                stale.set_value(true);
            } else if is_news {
                asking.set_value(true);
                leptos::task::spawn_local(async move {
                    loop {
                        stale.try_set_value(false);
                        let answer = fetch().await;
                        let trouble = match answer {
                            Ok(value) => {
                                live.value.try_set(value);
                                None
                            }
                            Err(error) => Some(error),
                        };
                        live.trouble.try_set(trouble);
                        if stale.try_get_value() != Some(true) {
                            break;
                        }
                    }
                    asking.try_set_value(false);
                });
            }
            now
        });
        live
    }
}

/// Shows what reads a resource, from the moment that the resource has its first value.
///
/// Without waiting, the server could read it in the instant between its arrival and the news of it
/// reaching what is computed from it, and write a page that lacks it.
#[component]
pub fn Awaited<T, V, IV>(
    /// What is waited for.
    resource: Resource<T>,
    /// What stands there until then.
    #[prop(into)]
    fallback: ViewFn,
    /// What reads it.
    view: V,
) -> impl IntoView
where
    T: Send + Sync + 'static,
    V: FnOnce() -> IV + Send + 'static,
    IV: IntoView + 'static,
{
    view! {
        <Transition fallback=move || fallback.run()>
            {Suspend::new(async move {
                resource.ready().await;
                view()
            })}
        </Transition>
    }
}

/// Asks the server for something, shows it, and keeps it current; until then shows a skeleton, and
/// when the first answer is a failure, the trouble with a way to try again.
#[component]
pub fn LiveView<T, F, Fut, V, IV>(
    /// Asks for it.
    fetch: F,
    /// Counts up when it may have changed.
    #[prop(into)]
    changes: Signal<u64>,
    /// What stands above the skeleton and the trouble.
    #[prop(into, optional)]
    head: ViewFn,
    /// What stands for the trouble of a first answer, where it is not the usual.
    #[prop(optional)]
    trouble: Option<fn(&Error) -> Option<AnyView>>,
    /// Shows it.
    view: V,
) -> impl IntoView
where
    T: Clone + Serialize + DeserializeOwned + Send + Sync + 'static,
    F: Fn() -> Fut + Copy + Send + Sync + 'static,
    Fut: Future<Output = Result<T>> + Send + 'static,
    V: Fn(Live<T>) -> IV + Clone + Send + Sync + 'static,
    IV: IntoView + 'static,
{
    let first = Resource::new(|| (), move |()| fetch());
    let skeleton_head = head.clone();
    view! {
        <Suspense fallback=move || view! { {skeleton_head.run()} <Skeleton /> }>
            {move || {
                let (view, head) = (view.clone(), head.clone());
                Suspend::new(async move {
                    match first.await {
                        Ok(value) => view(Live::follow(value, fetch, changes)).into_any(),
                        Err(error) => match trouble.and_then(|trouble| trouble(&error)) {
                            Some(view) => view,
                            None => {
                                view! {
                                    {head.run()}
                                    <Trouble error=Signal::derive(move || error.clone()) retry=Callback::new(move |()| first.refetch()) />
                                }
                                    .into_any()
                            }
                        },
                    }
                })
            }}
        </Suspense>
    }
}
