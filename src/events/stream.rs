//! One stream of server-sent events in the browser, which is opened again for as long as it is wanted.

use crate::{authentication::api::check_login, error::Error};
use leptos::{leptos_dom::helpers::TimeoutHandle, prelude::*};
use serde::Deserialize;
use std::{
    cell::{Cell, RefCell},
    rc::Rc,
    time::Duration,
};
use wasm_bindgen::{JsCast as _, closure::Closure};
use web_sys::{EventSource, MessageEvent};

/// After so many failures in a row the server counts as away.
const PATIENCE: u32 = 3;

/// How a stream stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StreamState {
    /// Events arrive as they happen.
    Live,
    /// It broke and is being opened again.
    Waiting,
    /// It could not be opened for a while, or the browser has no network.
    Away,
    /// The server has nothing more to tell.
    Ended,
}

/// Gets each event's name and data, and says whether to go on.
type Hear = Box<dyn Fn(&str, &str) -> bool>;

/// A stream that opens itself again. The server ends it with an event `end` and a reason: `finished` is
/// for good, `session` means that the login is no more, anything else that it shall be opened again.
pub struct EventStream {
    address: Box<dyn Fn(&str) -> String>,
    names: &'static [&'static str],
    hear: Hear,
    tell: Box<dyn Fn(StreamState)>,
    open: RefCell<Option<Open>>,
    cursor: RefCell<String>,
    failures: Cell<u32>,
    timer: Cell<Option<TimeoutHandle>>,
    closed: Cell<bool>,
}

/// An open source with its listeners; closed when dropped.
struct Open {
    source: EventSource,
    _listeners: Vec<Closure<dyn Fn(MessageEvent)>>,
    _handlers: [Closure<dyn Fn()>; 2],
}

impl Drop for Open {
    fn drop(&mut self) {
        self.source.close();
    }
}

#[derive(Deserialize)]
struct End {
    reason: String,
}

impl EventStream {
    /// Opens the stream of the events with these names. `address` makes its path from the id of the last
    /// event, empty at first; `hear` gets each event's name and data, and says whether to go on.
    pub fn open(
        address: impl Fn(&str) -> String + 'static,
        names: &'static [&'static str],
        hear: impl Fn(&str, &str) -> bool + 'static,
        tell: impl Fn(StreamState) + 'static,
    ) -> Rc<Self> {
        let stream = Rc::new(Self {
            address: Box::new(address),
            names,
            hear: Box::new(hear),
            tell: Box::new(tell),
            open: RefCell::new(None),
            cursor: RefCell::default(),
            failures: Cell::new(0),
            timer: Cell::new(None),
            closed: Cell::new(false),
        });
        stream.connect();
        stream
    }

    fn connect(self: &Rc<Self>) {
        if self.closed.get() {
            return;
        }
        let address = (self.address)(&self.cursor.borrow());
        let Ok(source) = EventSource::new(&address) else { return };
        let mut listeners = Vec::new();
        for name in self.names.iter().copied().chain(["end"]) {
            let weak = Rc::downgrade(self);
            let listener = Closure::<dyn Fn(MessageEvent)>::new(move |event: MessageEvent| {
                let Some(stream) = weak.upgrade() else { return };
                let id = event.last_event_id();
                if !id.is_empty() {
                    *stream.cursor.borrow_mut() = id;
                }
                stream.heard(name, &event.data().as_string().unwrap_or_default());
            });
            drop(source.add_event_listener_with_callback(name, listener.as_ref().unchecked_ref()));
            listeners.push(listener);
        }
        let weak = Rc::downgrade(self);
        let opened = Closure::<dyn Fn()>::new(move || {
            if let Some(stream) = weak.upgrade() {
                stream.failures.set(0);
                (stream.tell)(StreamState::Live);
            }
        });
        source.set_onopen(Some(opened.as_ref().unchecked_ref()));
        let weak = Rc::downgrade(self);
        let failed = Closure::<dyn Fn()>::new(move || {
            let Some(stream) = weak.upgrade() else { return };
            let is_refused =
                stream.open.borrow().as_ref().is_some_and(|open| open.source.ready_state() == EventSource::CLOSED);
            if is_refused {
                stream.refused();
            } else {
                // The browser tries again by itself and names the last event it got.
                stream.failures.set(stream.failures.get() + 1);
                (stream.tell)(stream.trouble());
            }
        });
        source.set_onerror(Some(failed.as_ref().unchecked_ref()));
        let open = Open { source, _listeners: listeners, _handlers: [opened, failed] };
        self.replace(Some(open));
    }

    /// Puts another source in place. The former one's listeners may be what is running, so they go a moment later.
    fn replace(&self, open: Option<Open>) {
        if let Some(former) = self.open.replace(open) {
            former.source.close();
            set_timeout(move || drop(former), Duration::ZERO);
        }
    }

    fn heard(self: &Rc<Self>, name: &str, data: &str) {
        if name != "end" {
            if !(self.hear)(name, data) {
                self.close();
            }
            return;
        }
        let reason = crate::json::read::<End>(data).map(|end| end.reason).unwrap_or_default();
        match reason.as_str() {
            "finished" => {
                self.close();
                (self.tell)(StreamState::Ended);
            }
            "session" => {
                self.close();
                crate::app::end_session();
            }
            _ => self.later(),
        }
    }

    /// The server answered, and with no stream: perhaps because the login ended while nobody listened.
    fn refused(self: &Rc<Self>) {
        self.later();
        let weak = Rc::downgrade(self);
        leptos::task::spawn_local(async move {
            if let (Err(Error::Unauthenticated), Some(stream)) = (check_login().await, weak.upgrade()) {
                stream.close();
                crate::app::end_session();
            }
        });
    }

    fn trouble(&self) -> StreamState {
        let is_away = !window().navigator().on_line() || self.failures.get() > PATIENCE;
        if is_away { StreamState::Away } else { StreamState::Waiting }
    }

    /// Opens the stream again after a while: 1, 2, 4 … 30 seconds, and some chance.
    fn later(self: &Rc<Self>) {
        if self.closed.get() {
            return;
        }
        let failures = self.failures.get() + 1;
        self.failures.set(failures);
        (self.tell)(self.trouble());
        self.replace(None);
        let seconds = f64::from(1_u32 << failures.min(5)).min(30.0) / 2.0;
        let delay = Duration::from_secs_f64(seconds * (1.0 + js_sys::Math::random()));
        let weak = Rc::downgrade(self);
        let timer = set_timeout_with_handle(
            move || {
                if let Some(stream) = weak.upgrade() {
                    stream.connect();
                }
            },
            delay,
        );
        if let Some(earlier) = self.timer.replace(timer.ok()) {
            earlier.clear();
        }
    }

    /// Opens it now instead of later, as when the network is back.
    pub fn now(self: &Rc<Self>) {
        if let Some(timer) = self.timer.take() {
            timer.clear();
            self.connect();
        }
    }

    /// Ends it for good.
    pub fn close(&self) {
        self.closed.set(true);
        if let Some(timer) = self.timer.take() {
            timer.clear();
        }
        self.replace(None);
    }
}
