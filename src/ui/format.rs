//! Sizes and times for people.

use crate::{
    i18n::{Locale, t_string, use_i18n},
    time::Timestamp,
};
use leptos::prelude::*;

/// A size in bytes in the unit that keeps it short: `1.4 GB`, powers of 1000 as Docker shows them.
pub fn bytes(size: i64, locale: Locale) -> String {
    const UNITS: [&str; 5] = ["B", "kB", "MB", "GB", "TB"];
    // Room for the factors below; nothing is half an exabyte.
    let size = size.clamp(0, i64::MAX / 20);
    let (mut scale, mut unit) = (1_i64, 0);
    while 2 * size >= 1999 * scale && unit + 1 < UNITS.len() {
        scale *= 1000;
        unit += 1;
    }
    let tenths = (10 * size + scale / 2) / scale;
    let text = if unit > 0 && tenths < 1000 {
        format!("{}.{} {}", tenths / 10, tenths % 10, UNITS[unit])
    } else {
        format!("{} {}", (size + scale / 2) / scale, UNITS[unit])
    };
    match locale {
        Locale::en => text,
        Locale::es => text.replace('.', ","),
    }
}

/// A size in bytes.
#[component]
pub fn Bytes(
    /// How many.
    #[prop(into)]
    size: Signal<i64>,
) -> impl IntoView {
    let i18n = use_i18n();
    view! { <span class="number">{move || bytes(size.get(), i18n.get_locale())}</span> }
}

/// How long ago something was, or how far it is ahead, kept current; the exact time is the tooltip.
///
/// The server and the first rendering show the date; the browser's clock is asked afterwards.
#[component]
pub fn Ago(
    /// When it was.
    #[prop(into)]
    at: Signal<Timestamp>,
) -> impl IntoView {
    let i18n = use_i18n();
    let now = use_now();
    let text = move || {
        let at = at.get();
        let Some(now) = now.get() else {
            return at.to_string().chars().take(16).collect::<String>().replace('T', " ");
        };
        let is_ahead = at > now;
        let seconds = if is_ahead { now.age(at) } else { at.age(now) }.as_secs();
        let (count, unit) = match seconds {
            0..=44 => return t_string!(i18n, common.ago.now).to_owned(),
            45..=3_599 => ((seconds + 30) / 60, Unit::Minute),
            3_600..=86_399 => (seconds / 3_600, Unit::Hour),
            _ => (seconds / 86_400, Unit::Day),
        };
        let count_text = count.to_string();
        if is_ahead {
            return match (unit, count) {
                (Unit::Minute, 0 | 1) => t_string!(i18n, common.ahead.minute).to_owned(),
                (Unit::Minute, _) => t_string!(i18n, common.ahead.minutes, count = count_text),
                (Unit::Hour, 1) => t_string!(i18n, common.ahead.hour).to_owned(),
                (Unit::Hour, _) => t_string!(i18n, common.ahead.hours, count = count_text),
                (Unit::Day, 1) => t_string!(i18n, common.ahead.day).to_owned(),
                (Unit::Day, _) => t_string!(i18n, common.ahead.days, count = count_text),
            };
        }
        match (unit, count) {
            (Unit::Minute, 0 | 1) => t_string!(i18n, common.ago.minute).to_owned(),
            (Unit::Minute, _) => t_string!(i18n, common.ago.minutes, count = count_text),
            (Unit::Hour, 1) => t_string!(i18n, common.ago.hour).to_owned(),
            (Unit::Hour, _) => t_string!(i18n, common.ago.hours, count = count_text),
            (Unit::Day, 1) => t_string!(i18n, common.ago.day).to_owned(),
            (Unit::Day, _) => t_string!(i18n, common.ago.days, count = count_text),
        }
    };
    view! {
        <time class="number" datetime=move || at.get().to_string() title=move || at.get().to_string()>
            {text}
        </time>
    }
}

/// A point in time to the second, as the person's own clock and language write it.
///
/// The server and the first rendering show UTC; only the browser knows the person's time zone.
#[component]
pub fn Moment(
    /// When it is.
    #[prop(into)]
    at: Signal<Timestamp>,
) -> impl IntoView {
    let i18n = use_i18n();
    let now = use_now();
    let text = move || match now.with(Option::is_some) {
        true => local(at.get(), i18n.get_locale()),
        false => utc(at.get()),
    };
    view! {
        <time class="number" datetime=move || at.get().to_string() title=move || at.get().to_string()>
            {text}
        </time>
    }
}

/// `2026-11-30 21:29:42 UTC`.
fn utc(at: Timestamp) -> String {
    format!("{} UTC", at.to_string().chars().take(19).collect::<String>().replace('T', " "))
}

#[cfg(feature = "hydrate")]
fn local(at: Timestamp, locale: Locale) -> String {
    use leptos_i18n::Locale as _;

    let date = js_sys::Date::new(&wasm_bindgen::JsValue::from_f64(at.millis() as f64));
    date.to_locale_string(locale.as_str(), &wasm_bindgen::JsValue::UNDEFINED).into()
}

#[cfg(not(feature = "hydrate"))]
fn local(at: Timestamp, _: Locale) -> String {
    utc(at)
}

#[derive(Clone, Copy)]
enum Unit {
    Minute,
    Hour,
    Day,
}

/// The time, moving on every half minute; `None` on the server and at the first rendering.
#[derive(Clone, Copy)]
struct Now(RwSignal<Option<Timestamp>>);

/// The browser's clock for texts such as "3 minutes ago"; made once by the frame, see [`provide_now`].
fn use_now() -> Signal<Option<Timestamp>> {
    use_context::<Now>().map_or_else(|| Signal::derive(|| None), |Now(now)| now.into())
}

/// Makes the one clock of the application; called once by the frame.
pub fn provide_now() {
    let now = RwSignal::new(None);
    provide_context(Now(now));
    #[cfg(feature = "hydrate")]
    Effect::new(move || {
        now.set(Some(Timestamp::now()));
        let timer =
            set_interval_with_handle(move || now.set(Some(Timestamp::now())), std::time::Duration::from_secs(30));
        on_cleanup(move || {
            if let Ok(timer) = timer {
                timer.clear();
            }
        });
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_short_and_in_the_readers_spelling() {
        assert_eq!(bytes(0, Locale::en), "0 B");
        assert_eq!(bytes(1_499, Locale::en), "1.5 kB");
        assert_eq!(bytes(999_999, Locale::en), "1.0 MB");
        assert_eq!(bytes(118_000_000_000, Locale::es), "118 GB");
        assert_eq!(bytes(1_400_000_000, Locale::es), "1,4 GB");
    }

    #[test]
    fn a_moment_of_the_server_says_whose_clock_it_is() {
        assert_eq!(utc(Timestamp::from_millis(1_764_538_182_828)), "2025-11-30 21:29:42 UTC");
    }
}
