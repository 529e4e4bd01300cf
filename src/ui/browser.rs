//! What only a browser can do: save a file, fill the clipboard. On the server these do nothing.

use super::{button::ActionButton, button::ButtonLook};
use crate::i18n::{t_string, use_i18n};
use leptos::prelude::*;

/// Lets the person save a text as a file.
pub fn save(name: &str, text: &str) {
    #[cfg(feature = "hydrate")]
    {
        use wasm_bindgen::JsCast as _;

        let parts = js_sys::Array::of1(&text.into());
        let Ok(blob) = web_sys::Blob::new_with_str_sequence(&parts) else { return };
        let Ok(url) = web_sys::Url::create_object_url_with_blob(&blob) else { return };
        let link =
            document().create_element("a").ok().and_then(|link| link.dyn_into::<web_sys::HtmlAnchorElement>().ok());
        if let Some(link) = link {
            link.set_href(&url);
            link.set_download(name);
            link.click();
        }
        // The browser has begun to read it by then; without this it would keep the text for good.
        set_timeout(move || drop(web_sys::Url::revoke_object_url(&url)), std::time::Duration::from_secs(20));
    }
    #[cfg(not(feature = "hydrate"))]
    let _ = (name, text);
}

/// Fills the clipboard.
pub fn copy(text: &str) {
    #[cfg(feature = "hydrate")]
    drop(window().navigator().clipboard().write_text(text));
    #[cfg(not(feature = "hydrate"))]
    let _ = text;
}

/// The attribute of the document that tells tests that the page listens to the person.
#[cfg(feature = "hydrate")]
const TAKEN_OVER: &str = "data-hydrated";

/// Tells that the page which the server wrote was taken over.
#[cfg(feature = "hydrate")]
pub fn tell_taken_over() {
    if let Some(root) = document().document_element() {
        drop(root.set_attribute(TAKEN_OVER, "true"));
    }
}

/// Whether the page which the server wrote was taken over.
pub fn is_taken_over() -> bool {
    #[cfg(feature = "hydrate")]
    return document().document_element().is_some_and(|root| root.has_attribute(TAKEN_OVER));
    #[cfg(not(feature = "hydrate"))]
    false
}

/// Passes time.
pub async fn wait(time: std::time::Duration) {
    #[cfg(feature = "hydrate")]
    {
        let begin = |done: js_sys::Function, _| set_timeout(move || drop(done.call0(&done)), time);
        drop(wasm_bindgen_futures::JsFuture::from(js_sys::Promise::new(&mut { begin })).await);
    }
    #[cfg(not(feature = "hydrate"))]
    let _ = time;
}

/// Rows as CSV that spreadsheets open: quoted where needed, and nothing that they would run as a formula.
pub fn csv(rows: impl IntoIterator<Item = Vec<String>>) -> String {
    let mut text = String::new();
    for row in rows {
        let cells: Vec<String> = row.into_iter().map(cell).collect();
        text.push_str(&cells.join(","));
        text.push_str("\r\n");
    }
    text
}

fn cell(value: String) -> String {
    let value = if value.starts_with(['=', '+', '-', '@', '\t', '\r']) { format!("'{value}") } else { value };
    if value.contains([',', '"', '\n', '\r']) { format!("\"{}\"", value.replace('"', "\"\"")) } else { value }
}

/// A button that copies a text and says so for a moment.
#[component]
pub fn CopyButton(
    /// What is copied.
    #[prop(into)]
    text: Signal<String>,
    /// How it looks.
    #[prop(default = ButtonLook::Quiet)]
    look: ButtonLook,
) -> impl IntoView {
    let i18n = use_i18n();
    let copied = RwSignal::new(false);
    view! {
        <ActionButton
            label=Signal::derive(move || {
                if copied.get() { t_string!(i18n, common.copied) } else { t_string!(i18n, common.copy) }.to_owned()
            })
            icon=Signal::derive(move || if copied.get() { icondata_lu::LuCheck } else { icondata_lu::LuCopy })
            look
            on_press=Callback::new(move |()| {
                copy(&text.get_untracked());
                copied.set(true);
                set_timeout(
                    move || {
                        copied.try_set(false);
                    },
                    std::time::Duration::from_secs(2),
                );
            })
        />
    }
}

#[cfg(test)]
mod tests {
    use super::csv;

    #[test]
    fn a_cell_is_quoted_where_needed_and_never_a_formula() {
        let rows = [vec!["a,b".to_owned(), "say \"hi\"".to_owned(), "=1+1".to_owned(), "plain".to_owned()]];

        assert_eq!(csv(rows), "\"a,b\",\"say \"\"hi\"\"\",'=1+1,plain\r\n");
    }
}
