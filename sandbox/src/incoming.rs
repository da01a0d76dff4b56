//! What did a client ask, once its whole body has arrived?

use axum::body::Body;
use axum::extract::{DefaultBodyLimit, FromRequest, Multipart};
use axum::http::{HeaderMap, Method, Request, header};
use bytes::Bytes;

use crate::faults::Twist;

/// A complete request to a simulated marketplace.
#[derive(Debug)]
pub(crate) struct Incoming {
    /// HTTP method.
    pub method: Method,
    /// Path without the marketplace's prefix, percent-decoding left alone.
    pub path: String,
    /// Query parameters, decoded, in order.
    pub query: Vec<(String, String)>,
    /// All headers.
    pub headers: HeaderMap,
    /// The whole body.
    pub body: Bytes,
    /// The parts of a multipart body; `None` if it is none or a broken one.
    pub form: Option<Vec<Part>>,
    /// How the faults in force change a list.
    pub twist: Twist,
}

/// One part of a multipart body.
#[derive(Debug)]
pub(crate) struct Part {
    /// Field name.
    pub name: String,
    /// File name, if the part is a file.
    pub file_name: Option<String>,
    /// The content.
    pub content: Bytes,
}

impl Incoming {
    /// A header's text; `None` if it is missing, empty or not ASCII.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        header_text(&self.headers, name)
    }

    /// The first query parameter of that name.
    pub(crate) fn query(&self, name: &str) -> Option<&str> {
        let found = self.query.iter().find(|(key, _)| key == name)?;
        Some(&found.1)
    }

    /// Whether the content type says JSON.
    pub(crate) fn says_json(&self) -> bool {
        self.header("content-type")
            .and_then(|text| text.split(';').next())
            .is_some_and(|kind| kind.trim().eq_ignore_ascii_case("application/json"))
    }

    /// Where the caller reached us, for links back to our files.
    pub(crate) fn base(&self) -> String {
        let host = self.header("host").unwrap_or("127.0.0.1");
        format!("http://{host}")
    }
}

/// A header's text; `None` if it is missing, empty or not ASCII.
pub(crate) fn header_text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let text = headers.get(name)?.to_str().ok()?.trim();
    (!text.is_empty()).then_some(text)
}

/// Decodes a query string.
pub(crate) fn parse_query(query: &str) -> Vec<(String, String)> {
    let pairs = query.split('&').filter(|pair| !pair.is_empty());
    pairs
        .map(|pair| {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            (decode(key), decode(value))
        })
        .collect()
}

/// Decodes percent escapes; `+` is a space.
pub(crate) fn decode(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let escaped = (bytes[at] == b'%')
            .then(|| text.get(at + 1..at + 3))
            .flatten()
            .and_then(|digits| u8::from_str_radix(digits, 16).ok());
        match (bytes[at], escaped) {
            (_, Some(byte)) => {
                decoded.push(byte);
                at += 2;
            }
            (b'+', None) => decoded.push(b' '),
            (byte, None) => decoded.push(byte),
        }
        at += 1;
    }
    String::from_utf8_lossy(&decoded).into_owned()
}

/// Reads the parts of a multipart body that has already arrived.
pub(crate) async fn parse_form(headers: &HeaderMap, body: &Bytes) -> Option<Vec<Part>> {
    let kind = headers.get(header::CONTENT_TYPE)?;
    if !kind.to_str().ok()?.starts_with("multipart/form-data") {
        return None;
    }
    let mut request = Request::new(Body::from(body.clone()));
    request
        .headers_mut()
        .insert(header::CONTENT_TYPE, kind.clone());
    DefaultBodyLimit::disable().apply(&mut request);
    let mut form = Multipart::from_request(request, &()).await.ok()?;
    let mut parts = Vec::new();
    while let Some(field) = form.next_field().await.ok()? {
        let name = field.name().unwrap_or_default().to_owned();
        let file_name = field.file_name().map(ToOwned::to_owned);
        let content = field.bytes().await.ok()?;
        parts.push(Part {
            name,
            file_name,
            content,
        });
    }
    Some(parts)
}

#[cfg(test)]
mod tests {
    use super::{decode, parse_query};

    #[test]
    fn escapes_are_decoded_and_broken_ones_left_alone() {
        assert_eq!(decode("1%3Aab%2f+c"), "1:ab/ c");
        assert_eq!(decode("%D0%9F%zz%"), "П%zz%");
        assert_eq!(parse_query("a=1&b&c=x%26y").len(), 3);
        assert_eq!(parse_query("a=1&b&c=x%26y")[2].1, "x&y");
    }
}
