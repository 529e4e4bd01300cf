//! Data that the server rendered and that stays true while the page is open.

use super::{
    badge::Tone,
    button::ActionButton,
    states::{Notice, Skeleton, Trouble},
};
use crate::{
    error::{Error, Result},
    i18n::{say, use_i18n},
    json::{Resource, resource},
};
use leptos::prelude::*;
use serde::{Serialize, de::DeserializeOwned};
use std::{pin::Pin, sync::Arc};

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

    fn follow(first: T, fetch: Fetch<T>, changes: Signal<u64>) -> Self {
        let live = Self { value: RwSignal::new(first), trouble: RwSignal::new(None), again: RwSignal::new(0) };
        let ask = handing_on(fetch, move |fresh| drop(live.value.try_set(fresh)));
        ask_again(ask, changes, live.again, live.trouble);
        live
    }
}

type Asked<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// Asks for a value. What kind of future it is is forgotten here, so that pages share their code.
type Fetch<T> = Arc<dyn Fn() -> Asked<Result<T>> + Send + Sync>;

/// Shows a value.
type Show<T> = Arc<dyn Fn(Live<T>) -> AnyView + Send + Sync>;

/// Asks and hands on what was found; gives the trouble, where there was any.
fn handing_on<T: 'static>(
    fetch: Fetch<T>,
    found: impl Fn(T) + Copy + Send + Sync + 'static,
) -> Arc<dyn Fn() -> Asked<Option<Error>>> {
    Arc::new(move || {
        let asked = fetch();
        Box::pin(async move { asked.await.map(found).err() })
    })
}

/// Asks once more whenever something may have changed or `again` counts up.
fn ask_again(
    ask: Arc<dyn Fn() -> Asked<Option<Error>>>,
    changes: Signal<u64>,
    again: RwSignal<u64>,
    trouble: RwSignal<Option<Error>>,
) {
    let asking = StoredValue::new(false);
    let stale = StoredValue::new(false);
    Effect::new(move |seen: Option<(u64, u64)>| {
        let now = (changes.get(), again.get());
        let is_news = seen.is_some_and(|seen| seen != now);
        if is_news && asking.get_value() {
            // One question at a time: what changes meanwhile is asked for once more afterwards.
            stale.set_value(true);
        } else if is_news {
            asking.set_value(true);
            let ask = Arc::clone(&ask);
            leptos::task::spawn_local(async move {
                loop {
                    stale.try_set_value(false);
                    trouble.try_set(ask().await);
                    if stale.try_get_value() != Some(true) {
                        break;
                    }
                }
                asking.try_set_value(false);
            });
        }
        now
    });
}

/// Says why what is shown may be out of date, with a way to ask again; nothing while it is current.
///
/// That it is not there any more is for the page itself to say.
#[component]
pub fn Outdated<T: Send + Sync + 'static>(
    /// What is shown.
    live: Live<T>,
) -> impl IntoView {
    let i18n = use_i18n();
    move || {
        live.trouble.get().filter(|error| !matches!(error, Error::NotFound { .. })).map(|error| {
            view! {
                <Notice tone=Tone::Warn>
                    <p>{move || error.message(i18n.get_locale())}</p>
                    <ActionButton
                        label=say!(i18n, common.retry)
                        icon=icondata_lu::LuRotateCw
                        on_press=Callback::new(move |()| live.again())
                    />
                </Notice>
            }
        })
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
    live_view(Arc::new(move || Box::pin(fetch())), changes, head, trouble, Arc::new(move |live| view(live).into_any()))
}

fn live_view<T>(
    fetch: Fetch<T>,
    changes: Signal<u64>,
    head: ViewFn,
    trouble: Option<fn(&Error) -> Option<AnyView>>,
    show: Show<T>,
) -> AnyView
where
    T: Clone + Serialize + DeserializeOwned + Send + Sync + 'static,
{
    let first = resource(|| (), {
        let fetch = Arc::clone(&fetch);
        move |()| fetch()
    });
    let skeleton_head = head.clone();
    view! {
        <Suspense fallback=move || view! { {skeleton_head.run()} <Skeleton /> }>
            {move || {
                let (fetch, show, head) = (Arc::clone(&fetch), Arc::clone(&show), head.clone());
                Suspend::new(async move {
                    match first.await {
                        Ok(value) => show(Live::follow(value, fetch, changes)),
                        Err(error) => until_found(error, fetch, changes, head, trouble, show),
                    }
                })
            }}
        </Suspense>
    }
    .into_any()
}

/// The trouble of a first answer, until a later one is good: asked for by the person, or because something
/// has changed, which includes that the server is back.
fn until_found<T: Send + Sync + 'static>(
    error: Error,
    fetch: Fetch<T>,
    changes: Signal<u64>,
    head: ViewFn,
    own: Option<fn(&Error) -> Option<AnyView>>,
    show: Show<T>,
) -> AnyView {
    let trouble = RwSignal::new(Some(error.clone()));
    let again = RwSignal::new(0);
    let value = RwSignal::new(None::<RwSignal<T>>);
    // What was found lives as long as its page.
    let owner = StoredValue::new(Owner::current());
    let ask = handing_on(fetch, move |fresh| match value.try_get_untracked() {
        Some(Some(value)) => drop(value.try_set(fresh)),
        Some(None) => {
            let keep = || value.set(Some(RwSignal::new(fresh)));
            match owner.get_value() {
                Some(owner) => owner.with(keep),
                None => keep(),
            }
        }
        None => {}
    });
    ask_again(ask, changes, again, trouble);
    let is_found = Memo::new(move |_| value.with(Option::is_some));
    let last = Memo::new(move |before: Option<&Error>| {
        trouble.get().or_else(|| before.cloned()).unwrap_or_else(|| error.clone())
    });
    (move || match is_found.get().then(|| value.get_untracked()).flatten() {
        Some(value) => show(Live { value, trouble, again }),
        None => match own.and_then(|own| last.with(own)) {
            Some(view) => view,
            None => {
                let retry = Callback::new(move |()| again.update(|count| *count += 1));
                view! { {head.run()} <Trouble error=last retry /> }.into_any()
            }
        },
    })
    .into_any()
}
