//! JSON, as it travels between the server and the browser.

use leptos::{
    server::codee::{Decoder, Encoder},
    server_fn::{Bytes, ContentType, Decodes, Encodes, Format, FormatType, codec::Post},
};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;

/// The codec of server functions, of their errors, and of resources.
///
/// Text is read into a [`Value`] and that into the type. The browser's program has the reader of text once then;
/// made anew for each type, and for texts and bytes apart, readers were a tenth of it.
pub struct JsonCodec;

/// What a server function takes and gives: `#[server(input = Json, output = Json)]`.
pub type Json = Post<JsonCodec>;

/// A resource whose value the server writes into the page.
pub type Resource<T> = leptos::prelude::Resource<T, JsonCodec>;

/// Reads JSON.
///
/// # Errors
/// When it is no JSON, or not of that type.
pub fn read<T: DeserializeOwned>(text: &str) -> serde_json::Result<T> {
    serde_json::from_str::<Value>(text).and_then(serde_json::from_value)
}

/// A resource that asks again when its source changes; `leptos::prelude::Resource::new` with our codec.
pub fn resource<S, T, Fut>(
    source: impl Fn() -> S + Send + Sync + 'static,
    fetch: impl Fn(S) -> Fut + Send + Sync + 'static,
) -> Resource<T>
where
    S: PartialEq + Clone + Send + Sync + 'static,
    T: Serialize + DeserializeOwned + Send + Sync + 'static,
    Fut: Future<Output = T> + Send + 'static,
{
    Resource::new_with_options(source, fetch, false)
}

impl ContentType for JsonCodec {
    const CONTENT_TYPE: &'static str = "application/json";
}

impl FormatType for JsonCodec {
    const FORMAT_TYPE: Format = Format::Text;
}

impl<T: Serialize> Encodes<T> for JsonCodec {
    type Error = serde_json::Error;

    fn encode(output: &T) -> serde_json::Result<Bytes> {
        serde_json::to_vec(output).map(Bytes::from)
    }
}

impl<T: DeserializeOwned> Decodes<T> for JsonCodec {
    type Error = serde_json::Error;

    fn decode(bytes: Bytes) -> serde_json::Result<T> {
        read(str::from_utf8(&bytes).map_err(serde::de::Error::custom)?)
    }
}

impl<T: Serialize> Encoder<T> for JsonCodec {
    type Error = serde_json::Error;
    type Encoded = String;

    fn encode(value: &T) -> serde_json::Result<String> {
        serde_json::to_string(value)
    }
}

impl<T: DeserializeOwned> Decoder<T> for JsonCodec {
    type Error = serde_json::Error;
    type Encoded = str;

    fn decode(text: &str) -> serde_json::Result<T> {
        read(text)
    }
}

#[cfg(test)]
mod tests {
    use super::{JsonCodec, read};
    use crate::{error::Error, home::Attention, time::Timestamp};
    use leptos::{
        server::codee::{Decoder, Encoder},
        server_fn::{Decodes, Encodes},
    };

    #[test]
    fn what_is_written_is_read_again_as_text_and_as_bytes() {
        let given = vec![
            Ok(Attention::LowDisk {
                engine: None,
                path: "/var/lib/muelle".to_owned(),
                free: 9_007_199_254_740_993,
                total: 1,
            }),
            Err(Error::invalid("name", "two\nlines “quoted”")),
        ];

        let text = <JsonCodec as Encoder<_>>::encode(&given).expect("it can be written");
        let bytes = <JsonCodec as Encodes<_>>::encode(&given).expect("it can be written");
        assert_eq!(<JsonCodec as Decoder<_>>::decode(&text).ok().as_ref(), Some(&given));
        assert_eq!(<JsonCodec as Decodes<_>>::decode(bytes).ok().as_ref(), Some(&given));
    }

    #[test]
    fn what_does_not_fit_is_an_error() {
        assert!(read::<Timestamp>("\"yesterday\"").is_err());
        assert!(read::<Vec<i64>>("[1, 2").is_err());
        assert!(<JsonCodec as Decodes<String>>::decode(leptos::server_fn::Bytes::from_static(b"\"\xff\"")).is_err());
    }
}
