//! How foreign text becomes text that can be parsed, stored, shown and compared.

mod markdown;

use std::borrow::Cow;

pub use self::markdown::{Markdown, MarkdownFile, read_markdown, unescape_markdown};

/// The longest quotation of a marketplace's own words, in Unicode characters.
const WORDS_LIMIT_CHARS: usize = 300;

/// JSON that `serde_json` can read without loss: lone surrogates (`\ud800`) and invalid UTF-8
/// become U+FFFD, and whole numbers of 20 digits and more become strings, since as numbers they
/// would be rounded (Ozon's example of a message id is larger than 64 bits).
pub fn clean_json(body: &[u8]) -> Cow<'_, [u8]> {
    let body = match String::from_utf8_lossy(body) {
        Cow::Borrowed(text) => Cow::Borrowed(text.as_bytes()),
        Cow::Owned(text) => Cow::Owned(text.into_bytes()),
    };
    match mend_json(&body) {
        None => body,
        Some(mended) => Cow::Owned(mended),
    }
}

/// None: nothing to mend.
fn mend_json(body: &[u8]) -> Option<Vec<u8>> {
    let (mut mended, mut copied) = (Vec::new(), 0);
    let (mut at, mut in_string) = (0, false);
    while let Some(rest) = body.get(at..).filter(|rest| !rest.is_empty()) {
        let (length, replacement) = match rest[0] {
            b'\\' if in_string => escape(rest),
            b'"' => {
                in_string = !in_string;
                (1, None)
            }
            b'-' | b'0'..=b'9' if !in_string => number(rest),
            _ => (1, None),
        };
        if let Some(replacement) = replacement {
            mended.extend_from_slice(&body[copied..at]);
            mended.extend_from_slice(&replacement);
            copied = at + length;
        }
        at += length;
    }
    (copied > 0).then(|| {
        mended.extend_from_slice(&body[copied..]);
        mended
    })
}

type Token = (usize, Option<Vec<u8>>);

fn escape(rest: &[u8]) -> Token {
    match escaped_unit(rest) {
        None => (2, None),
        Some(0xd800..=0xdbff)
            if matches!(rest.get(6..).and_then(escaped_unit), Some(0xdc00..=0xdfff)) =>
        {
            (12, None)
        }
        Some(0xd800..=0xdfff) => (6, Some(br"\ufffd".to_vec())),
        Some(_) => (6, None),
    }
}

fn escaped_unit(rest: &[u8]) -> Option<u16> {
    let digits = rest.strip_prefix(br"\u")?.get(..4)?;
    let digits = std::str::from_utf8(digits).ok()?;
    u16::from_str_radix(digits, 16).ok()
}

fn number(rest: &[u8]) -> Token {
    let in_number = |byte: &&u8| byte.is_ascii_digit() || b"+-.eE".contains(byte);
    let length = rest.iter().take_while(in_number).count();
    let literal = &rest[..length];
    let is_rounded = length >= 20 && literal.iter().all(u8::is_ascii_digit);
    (length, is_rounded.then(|| [b"\"", literal, b"\""].concat()))
}

/// Text that PostgreSQL stores: without NUL.
pub fn clean_text(text: &str) -> String {
    text.replace('\0', "")
}

/// One line of at most `chars` Unicode characters.
pub fn preview(text: &str, chars: usize) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(chars) {
        None => line,
        Some(_) => {
            let kept: String = line.chars().take(chars.saturating_sub(1)).collect();
            format!("{}…", kept.trim_end())
        }
    }
}

/// What a marketplace said, fit for pages and logs: one short line without the key, which an
/// error might repeat whole or, for a token, part by part.
pub fn quote_words(words: &str, secret: &str) -> String {
    let secret = secret.trim();
    let parts = secret.split('.').filter(|part| part.len() >= 16);
    let quoted = std::iter::once(secret)
        .chain(parts)
        .filter(|part| !part.is_empty())
        .fold(clean_text(words), |text, part| text.replace(part, "***"));
    preview(&quoted, WORDS_LIMIT_CHARS)
}

/// The form in which a text that we sent equals what the marketplace returns of it.
///
/// Both sides go through this one function: our text as it was sent, and `VendorMessage::text`,
/// which is already unescaped. White space, invisible characters, brackets and the marks of
/// emphasis are left out, because marketplaces trim, break lines anew, and may or may not escape
/// text that looks like Markdown. Letters, digits, emoji and all other punctuation stay; only a
/// link whose label is its address counts once.
pub fn canonical(text: &str) -> String {
    let plain = markdown::flatten(text);
    let kept: String = plain.chars().filter(|&char| is_kept(char)).collect();
    if kept.is_empty() {
        let visible = |&char: &char| is_visible(char) && char != '\\';
        return plain.chars().filter(visible).collect();
    }
    kept
}

fn is_kept(char: char) -> bool {
    is_visible(char) && !r"\*_`~[]()<>".contains(char)
}

fn is_visible(char: char) -> bool {
    let is_joiner = matches!(char, '\u{200b}'..='\u{200f}' | '\u{2060}' | '\u{feff}');
    let is_variation = matches!(char, '\u{fe00}'..='\u{fe0f}');
    !(char.is_whitespace() || char.is_control() || is_joiner || is_variation)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{any, prop_assert_eq, prop_assert_ne, proptest};
    use serde_json::{Value, json};

    use super::*;

    fn parsed(body: &[u8]) -> Value {
        serde_json::from_slice(&clean_json(body)).unwrap()
    }

    /// As FACTS and `contracts/sandbox.md` describe it: punctuation escaped, ends trimmed.
    fn escape_like_ozon(text: &str) -> String {
        let mut echo = String::new();
        for char in text.trim().chars() {
            match char {
                '\n' => echo.push_str("\r\n"),
                char if char.is_ascii_punctuation() => echo.extend(['\\', char]),
                char => echo.push(char),
            }
        }
        echo
    }

    /// A Markdown writer that escapes fewer characters, as many do.
    fn escape_a_little(text: &str) -> String {
        let mut echo = String::new();
        for char in text.trim().chars() {
            if r"\`*_-+.!".contains(char) {
                echo.push('\\');
            }
            echo.push(char);
        }
        echo
    }

    #[test]
    fn lone_surrogates_are_replaced_and_pairs_stay() {
        let body = br#"{"a":"x\ud800y","b":"\udc00","c":"\ud83d\ude00","d":"\\ud800","e":"\ud800\ud83d\ude00"}"#;
        assert_eq!(
            parsed(body),
            json!({"a": "x\u{fffd}y", "b": "\u{fffd}", "c": "😀", "d": "\\ud800", "e": "\u{fffd}😀"})
        );
    }

    #[test]
    fn clean_bodies_are_not_copied() {
        let body = br#"{"a":"\u0441\"\\","n":[1,-2.5e3,1712848270018]}"#;
        assert!(matches!(clean_json(body), Cow::Borrowed(_)));
    }

    #[test]
    fn invalid_utf8_is_replaced() {
        assert_eq!(parsed(b"[\"a\xff\"]"), json!(["a\u{fffd}"]));
    }

    #[test]
    fn numbers_beyond_64_bits_become_strings() {
        let body = br#"{"id":30000000001280042740,"text":"30000000001280042740","f":-30000000001280042740}"#;
        let value = parsed(body);
        assert_eq!(value["id"], "30000000001280042740");
        assert_eq!(value["text"], "30000000001280042740");
        assert!(value["f"].is_f64());
    }

    #[test]
    fn nul_is_dropped() {
        assert_eq!(clean_text("a\0b\0"), "ab");
    }

    #[test]
    fn previews_are_one_line_within_the_limit() {
        assert_eq!(preview("  Где\n\nмой  заказ? ", 20), "Где мой заказ?");
        assert_eq!(preview("Где мой заказ?", 8), "Где мой…");
    }

    #[test]
    fn a_repeated_key_is_left_out() {
        let key = "header0123456789.payload0123456789.signature0123456";
        let words = format!("bad {key}, namely payload0123456789");
        assert_eq!(quote_words(&words, key), "bad ***, namely ***");
    }

    #[test]
    fn canonical_survives_partial_escaping() {
        for sent in [
            "Здравствуйте! Цена - 1 200 руб. (без скидки)",
            "**важно**: [сайт](https://a.ru/b_c-d) \\- да",
            "[https://a.ru](https://a.ru)",
            ")))",
        ] {
            let read = unescape_markdown(&escape_a_little(sent));
            assert_eq!(canonical(sent), canonical(&read), "{sent}");
        }
    }

    #[test]
    fn canonical_tells_punctuation_and_smileys_apart() {
        assert_ne!(canonical("Да."), canonical("Да!"));
        assert_ne!(canonical("👍"), canonical("👎"));
        assert_ne!(canonical(")))"), canonical("((("));
    }

    proptest! {
        #[test]
        fn canonical_survives_the_echo(text in "\\PC*|[a-я\\\\\\[\\]()!*_<>\\- \n]{0,40}") {
            let read = unescape_markdown(&escape_like_ozon(&text));
            prop_assert_eq!(canonical(&text), canonical(&read));
        }

        #[test]
        fn canonical_survives_any_text(text in any::<String>()) {
            let read = unescape_markdown(&escape_like_ozon(&text));
            prop_assert_eq!(canonical(&text), canonical(&read));
        }

        #[test]
        fn canonical_tells_letters_and_digits_apart(
            one in "[а-яa-z0-9 .,!\\-]{0,30}",
            other in "[а-яa-z0-9 .,!\\-]{0,30}",
        ) {
            let letters = |text: &str| -> String {
                text.chars().filter(|char| char.is_alphanumeric()).collect()
            };
            if letters(&one) != letters(&other) {
                prop_assert_ne!(canonical(&one), canonical(&other));
            }
        }

        #[test]
        fn any_bytes_stay_readable(text in any::<String>()) {
            let body = serde_json::to_vec(&text).unwrap();
            prop_assert_eq!(parsed(&body), Value::String(text));
        }
    }
}
