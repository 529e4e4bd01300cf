//! The inputs of these forms.

use crate::{
    app::Mark,
    authentication::model::FormAnswer,
    i18n::{say, t, t_string, use_i18n},
    ui::{ActionButton, ButtonLook},
};
use icondata_lu as lu;
use leptos::{ev::KeyboardEvent, prelude::*};
use leptos_router::hooks::use_query_map;

/// The answer that the page's form got, the same on the server and at the first rendering.
pub fn form_answer() -> FormAnswer {
    SharedValue::new(|| use_context::<FormAnswer>().unwrap_or_default()).into_inner()
}

/// The token of the link that opened the page: the form hands it on.
#[component]
pub fn LinkToken(
    /// What the form answered; it says the token again.
    answer: FormAnswer,
) -> impl IntoView {
    let token = match answer.value("token") {
        token if token.is_empty() => use_query_map().read_untracked().get("token").unwrap_or_default(),
        token => token,
    };
    view! { <input type="hidden" name="token" value=token /> }
}

/// A sentence of trouble that concerns the whole form.
#[component]
pub fn Trouble(
    /// The sentence; nothing is shown without one.
    sentence: Option<String>,
) -> impl IntoView {
    sentence.map(|sentence| view! { <p class="field__problem" id="trouble" role="alert">{sentence}</p> })
}

/// A line of text.
#[component]
pub fn TextField(
    /// Its name in the form.
    name: &'static str,
    /// What stands above it.
    #[prop(into)]
    label: Signal<String>,
    /// Whether it may stay empty.
    #[prop(optional)]
    optional: bool,
    /// What it holds from the start.
    #[prop(into)]
    value: String,
    /// What is wrong with it.
    problem: Option<String>,
    /// What the browser may fill in.
    autocomplete: &'static str,
    /// Whether the cursor stands in it when the page opens.
    #[prop(optional)]
    focused: bool,
) -> impl IntoView {
    let i18n = use_i18n();
    let problem_id = format!("{name}-problem");
    let described = problem.is_some().then(|| problem_id.clone());
    view! {
        <div class="field">
            <label for=name>
                {label} {optional.then(|| view! { " " <span class="field__optional">{t!(i18n, access.optional)}</span> })}
            </label>
            <input
                class="input"
                id=name
                name=name
                value=value
                autocomplete=autocomplete
                autocapitalize="none"
                spellcheck="false"
                required=!optional
                autofocus=focused
                aria-invalid=problem.is_some().then_some("true")
                aria-describedby=described
            />
            {problem.map(|problem| view! { <span class="field__problem" id=problem_id>{problem}</span> })}
        </div>
    }
}

/// A password, which can be shown once the program is there.
#[component]
pub fn PasswordField(
    /// Its name in the form.
    name: &'static str,
    /// What stands above it.
    #[prop(into)]
    label: Signal<String>,
    /// A line of help.
    #[prop(optional, into)]
    hint: Option<Signal<String>>,
    /// What is wrong with it.
    problem: Option<String>,
    /// `current-password` or `new-password`.
    autocomplete: &'static str,
    /// Whether a trouble of the whole form is about it too.
    #[prop(optional)]
    in_trouble: bool,
    /// Whether the cursor stands in it when the page opens.
    #[prop(optional)]
    focused: bool,
) -> impl IntoView {
    let i18n = use_i18n();
    let is_alive = RwSignal::new(false);
    Effect::new(move || is_alive.set(true));
    let is_shown = RwSignal::new(false);
    let caps_lock = RwSignal::new(false);
    let look_at_caps_lock = move |event: KeyboardEvent| caps_lock.set(event.get_modifier_state("CapsLock"));
    let (problem_id, hint_id) = (format!("{name}-problem"), format!("{name}-hint"));
    let described: Vec<&str> = [
        problem.is_some().then_some(problem_id.as_str()),
        hint.is_some().then_some(hint_id.as_str()),
        in_trouble.then_some("trouble"),
    ]
    .into_iter()
    .flatten()
    .collect();
    let described = (!described.is_empty()).then(|| described.join(" "));
    view! {
        <div class="field">
            <label for=name>{label}</label>
            <div class="form__row">
                <input
                    class="input"
                    id=name
                    name=name
                    type=move || if is_shown.get() { "text" } else { "password" }
                    autocomplete=autocomplete
                    required
                    maxlength="1024"
                    autofocus=focused
                    aria-invalid=(problem.is_some() || in_trouble).then_some("true")
                    aria-describedby=described
                    on:keydown=look_at_caps_lock
                    on:keyup=look_at_caps_lock
                />
                <Show when=move || is_alive.get()>
                    <ActionButton
                        label=Signal::derive(move || {
                            if is_shown.get() {
                                t_string!(i18n, access.hide_password)
                            } else {
                                t_string!(i18n, access.show_password)
                            }
                            .to_owned()
                        })
                        icon=Signal::derive(move || if is_shown.get() { lu::LuEyeOff } else { lu::LuEye })
                        look=ButtonLook::Icon
                        on_press=Callback::new(move |()| is_shown.update(|shown| *shown = !*shown))
                    />
                </Show>
            </div>
            {hint.map(|hint| view! { <span class="field__hint" id=hint_id>{hint}</span> })}
            <span class="field__hint" role="status">
                {move || if caps_lock.get() { t_string!(i18n, access.caps_lock) } else { "" }}
            </span>
            {problem.map(|problem| view! { <span class="field__problem" id=problem_id>{problem}</span> })}
        </div>
    }
}

/// A new password, and the same once more.
#[component]
pub fn NewPassword(
    /// What stands above the first.
    #[prop(into)]
    label: Signal<String>,
    /// The answer that the page's form got.
    answer: FormAnswer,
) -> impl IntoView {
    let i18n = use_i18n();
    let again = say!(i18n, access.password_again);
    let hint = say!(i18n, access.password_hint);
    view! {
        <PasswordField
            name="password"
            label
            hint
            problem=answer.problem("password")
            autocomplete="new-password"
        />
        <PasswordField
            name="password_again"
            label=again
            problem=answer.problem("password_again")
            autocomplete="new-password"
        />
    }
}

/// The name and sign of the house, above what the page is for.
#[component]
pub fn Brand() -> impl IntoView {
    view! {
        <div class="sidebar__brand">
            <Mark />
            "Muelle"
        </div>
    }
}

/// Makes a label that follows the language: `label!(i18n, access.username)`.
macro_rules! label {
    ($i18n:ident, $($key:tt)+) => {
        leptos::prelude::Signal::derive(move || $crate::i18n::t_string!($i18n, $($key)+).to_owned())
    };
}
pub(super) use label;
