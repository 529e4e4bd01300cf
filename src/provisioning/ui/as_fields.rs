//! Texts of YAML with inputs for what stands in them; whoever wants to writes them by hand.

use crate::{
    app::beside,
    error::Result,
    i18n::{t_string, use_i18n},
    provisioning::ui::editor::{CodeEditor, Written},
    ui::{ActionButton, ButtonLook, Skeleton},
};
use icondata_lu as lu;
use leptos::prelude::*;

/// What is shown of the text.
#[derive(Clone, Copy, PartialEq)]
enum Look {
    /// Nothing: it is being read.
    Reading,
    /// Inputs for what stands in it.
    Fields,
    /// The text itself.
    Text,
}

/// The input of a text that has fields. The text stays the form's value: looking at the fields changes nothing
/// of it, and changing one writes all of it anew.
#[component]
pub(super) fn AsFields<T, Read, Answer>(
    /// The form's input.
    input: beside::Input,
    /// The way back from the text.
    #[prop(into)]
    to_fields: Signal<String>,
    /// Reads the text.
    read: Read,
    /// Puts what was read into the fields.
    take: Callback<T>,
    /// The text that the fields stand for.
    #[prop(into)]
    written: Signal<String>,
    /// The fields.
    #[prop(into)]
    fields: ViewFn,
) -> impl IntoView
where
    T: 'static,
    Read: Fn(String) -> Answer + Copy + Send + Sync + 'static,
    Answer: Future<Output = Result<T>> + 'static,
{
    let i18n = use_i18n();
    let beside::Input { name, label, value, hint, problem, .. } = input;
    let look = RwSignal::new(Look::Reading);
    // The text that the fields stand for, and how the fields themselves would write it.
    let stands = StoredValue::new(None::<String>);
    let own = StoredValue::new(String::new());
    let unread = RwSignal::new(None::<String>);
    // Which reading is under way; an answer to an older one says nothing.
    let turn = StoredValue::new(0_u32);
    // What is made for the fields lives as long as the input.
    let owner = StoredValue::new(Owner::current());
    let begin = move |text: String| {
        stands.set_value(Some(text.clone()));
        turn.update_value(|turn| *turn += 1);
        let mine = turn.get_value();
        leptos::task::spawn_local(async move {
            let answer = read(text).await;
            if turn.try_get_value() != Some(mine) {
                return;
            }
            match answer {
                Ok(found) => {
                    match owner.get_value() {
                        Some(owner) => owner.with(|| take.run(found)),
                        None => take.run(found),
                    }
                    own.set_value(written.get_untracked());
                    unread.set(None);
                    look.set(Look::Fields);
                }
                Err(error) => {
                    unread.set(Some(error.message(i18n.get_locale_untracked())));
                    look.set(Look::Text);
                }
            }
        });
    };
    // What stands there from the start, and what an example or a reload puts there.
    Effect::new(move || {
        let text = value.get();
        let is_own = stands.with_value(|stands| stands.as_ref() == Some(&text));
        if !is_own && look.get_untracked() != Look::Text {
            begin(text);
        }
    });
    Effect::new(move || {
        if look.get() != Look::Fields {
            return;
        }
        let text = written.get();
        if own.with_value(|own| *own != text) {
            own.set_value(text.clone());
            stands.set_value(Some(text.clone()));
            value.set(text);
        }
    });
    let heading = format!("{name}-fields");
    let labelled_by = heading.clone();
    let name = StoredValue::new(name);
    view! {
        <div class="as-fields" role="group" aria-labelledby=labelled_by>
            <div class="row as-fields__head">
                <span class="field__label" id=heading>{move || label.get()}</span>
                <ActionButton
                    label=Signal::derive(move || match look.get() {
                        Look::Text => to_fields.get(),
                        Look::Fields | Look::Reading => t_string!(i18n, common.as_yaml).to_owned(),
                    })
                    look=ButtonLook::Quiet
                    icon=Signal::derive(move || if look.get() == Look::Text { lu::LuRows3 } else { lu::LuCodeXml })
                    on_press=Callback::new(move |()| if look.get_untracked() == Look::Text {
                        // Letters that are typed while it is read would be lost.
                        look.set(Look::Reading);
                        begin(value.get_untracked());
                    } else {
                        // A reading that is under way shall not take the text away again.
                        turn.update_value(|turn| *turn += 1);
                        look.set(Look::Text);
                    })
                />
            </div>
            {move || match look.get() {
                Look::Reading => view! { <Skeleton rows=3 /> }.into_any(),
                Look::Fields => view! {
                    {move || problem.get().map(|problem| view! { <p class="field__problem" role="alert">{problem}</p> })}
                    {fields.run()}
                }
                .into_any(),
                Look::Text => {
                    let problem = Signal::derive(move || problem.get().or_else(|| unread.get()));
                    view! { <CodeEditor name=name.get_value() label value written=Written::Yaml hint problem /> }.into_any()
                }
            }}
        </div>
    }
}

/// A text as YAML takes it: JSON's way of quoting is YAML's too.
pub(super) fn quoted(text: &str) -> String {
    let mut letters = text.chars();
    let is_plain = letters.next().is_some_and(|first| first.is_ascii_alphabetic())
        && text.chars().all(|letter| letter.is_ascii_alphanumeric() || letter == '_')
        && !["yes", "no", "on", "off", "true", "false", "null", "y", "n"].contains(&text.to_ascii_lowercase().as_str());
    if is_plain { text.to_owned() } else { serde_json::to_string(text).unwrap_or_default() }
}

#[cfg(test)]
mod tests {
    use super::quoted;

    #[test]
    fn texts_are_quoted_where_yaml_would_read_them_differently() {
        for (text, yaml) in [
            ("web", "web"),
            ("no", "\"no\""),
            ("1.5", "\"1.5\""),
            ("a: b", "\"a: b\""),
            ("", "\"\""),
            ("Yes", "\"Yes\""),
        ] {
            assert_eq!(quoted(text), yaml);
        }
    }
}
