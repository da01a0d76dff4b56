//! How Ozon's Markdown becomes plain text and a list of files.

/// Labels and addresses are sought no farther than this, in Unicode characters.
const LINK_LIMIT_CHARS: usize = 8192;
/// After so many brackets that open no link, none is sought any more.
const FALSE_LINKS_LIMIT: usize = 200;

/// Plain text and the files that were among it.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Markdown {
    pub text: String,
    pub files: Vec<MarkdownFile>,
}

/// An image, or a link that leads to a file.
#[derive(Debug, PartialEq, Eq)]
pub struct MarkdownFile {
    /// The label; empty if the image has none.
    pub name: String,
    pub url: String,
    pub is_image: bool,
}

/// Reads Markdown: escaped punctuation becomes itself, `[label](url)` becomes `label (url)`, images
/// and links for which `is_file` holds become files. Other marks stay as they are written.
pub fn read_markdown(source: &str, is_file: impl Fn(&str) -> bool) -> Markdown {
    let mut read = Markdown::default();
    walk(source, |piece| match piece {
        Piece::Char(char) => read.text.push(char),
        Piece::Link(link) if link.is_image || is_file(&link.url) => read.files.push(MarkdownFile {
            name: link.label,
            url: link.url,
            is_image: link.is_image,
        }),
        Piece::Link(link) if link.label.is_empty() || link.label == link.url => {
            read.text.push_str(&link.url);
        }
        Piece::Link(link) => {
            read.text.push_str(&link.label);
            read.text.push_str(&format!(" ({})", link.url));
        }
    });
    read
}

/// The text of [`read_markdown`].
pub fn unescape_markdown(source: &str) -> String {
    read_markdown(source, |_| false).text
}

/// The text with images as links, so that nothing of it is lost.
pub(super) fn flatten(source: &str) -> String {
    let mut text = String::with_capacity(source.len());
    walk(source, |piece| match piece {
        Piece::Char(char) => text.push(char),
        Piece::Link(link) => {
            if link.is_image {
                text.push('!');
            }
            if link.label != link.url {
                text.push_str(&link.label);
            }
            text.push_str(&link.url);
        }
    });
    text
}

enum Piece {
    Char(char),
    Link(Link),
}

struct Link {
    label: String,
    url: String,
    is_image: bool,
}

fn walk(source: &str, mut take: impl FnMut(Piece)) {
    let (mut rest, mut false_links) = (source, 0);
    while let Some(char) = rest.chars().next() {
        if matches!(char, '[' | '!' | '<') && false_links < FALSE_LINKS_LIMIT {
            if let Some((link, after)) = parse_link(rest) {
                take(Piece::Link(link));
                rest = after;
                continue;
            }
            false_links += usize::from(char != '!');
        }
        rest = &rest[char.len_utf8()..];
        match rest.chars().next() {
            // https://spec.commonmark.org/0.31.2/#backslash-escapes
            Some(next) if char == '\\' && (next.is_ascii_punctuation() || next == '\n') => {
                take(Piece::Char(next));
                rest = &rest[next.len_utf8()..];
            }
            _ => take(Piece::Char(char)),
        }
    }
}

/// A link with a full address at the start of `rest`, and what follows it.
fn parse_link(rest: &str) -> Option<(Link, &str)> {
    if let Some(inner) = rest.strip_prefix('<') {
        let (url, after) = inner.split_once('>')?;
        let link = Link {
            label: String::new(),
            url: address(url)?,
            is_image: false,
        };
        return Some((link, after));
    }
    let is_image = rest.starts_with("![");
    let inner = rest.strip_prefix(if is_image { "![" } else { "[" })?;
    let (label, after) = split_closing(inner, '[', ']')?;
    let (url, after) = split_closing(after.strip_prefix('(')?, '(', ')')?;
    let link = Link {
        label: unescape(label).trim().to_owned(),
        url: address(url.trim())?,
        is_image,
    };
    Some((link, after))
}

/// Only full addresses make a link: `[x](y)` is how people write, too.
fn address(written: &str) -> Option<String> {
    let is_full = written.starts_with("https://") || written.starts_with("http://");
    (is_full && !written.contains(char::is_whitespace)).then(|| unescape(written))
}

/// What stands before the bracket that closes an already open one, and what follows it.
fn split_closing(text: &str, open: char, close: char) -> Option<(&str, &str)> {
    let (mut depth, mut escaped) = (1, false);
    for (at, char) in text.char_indices().take(LINK_LIMIT_CHARS) {
        if escaped {
            escaped = false;
        } else if char == '\\' {
            escaped = true;
        } else if char == open {
            depth += 1;
        } else if char == close {
            depth -= 1;
            if depth == 0 {
                return Some((&text[..at], &text[at + close.len_utf8()..]));
            }
        }
    }
    None
}

fn unescape(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    while let Some(char) = chars.next() {
        let escaped = (char == '\\')
            .then(|| chars.next_if(char::is_ascii_punctuation))
            .flatten();
        plain.push(escaped.unwrap_or(char));
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escaped_punctuation_becomes_itself() {
        assert_eq!(
            unescape_markdown(r"Цена \- 1\.5 \(руб\.\) \\ C:\папка"),
            r"Цена - 1.5 (руб.) \ C:\папка"
        );
    }

    #[test]
    fn links_keep_label_and_address() {
        // The label with blanks is the example of /v3/chat/history.
        assert_eq!(
            unescape_markdown(r"на [ модель ](https://www.ozon.ru/a\_b) телефона"),
            "на модель (https://www.ozon.ru/a_b) телефона"
        );
        assert_eq!(
            unescape_markdown("[https://a.ru](https://a.ru)"),
            "https://a.ru"
        );
        assert_eq!(unescape_markdown("<https://a.ru>"), "https://a.ru");
    }

    #[test]
    fn what_only_looks_like_a_link_stays() {
        for text in ["[x](y)", "[не закрыто", "a <b> c", "[a] (https://b.ru)"] {
            assert_eq!(unescape_markdown(text), text);
        }
        assert_eq!(
            unescape_markdown(r"\[a\]\(https://b\.ru\)"),
            "[a](https://b.ru)"
        );
    }

    #[test]
    fn images_and_file_links_become_files() {
        // FACTS 1.5: how attachments are written.
        let source = "Вот ![](https://api-seller.ozon.ru/v2/chat/file/m/x.jpg)\
            [Screenshot_1 (24.5KB)](https://api-seller.ozon.ru/v2/chat/file/m/y)";
        let read = read_markdown(source, |url| url.contains("/chat/file/"));
        assert_eq!(read.text, "Вот ");
        assert_eq!(read.files.len(), 2);
        assert!(read.files[0].is_image && read.files[0].name.is_empty());
        assert_eq!(read.files[1].name, "Screenshot_1 (24.5KB)");
    }

    #[test]
    fn hostile_nesting_takes_no_long_time() {
        let text = "[".repeat(1_000_000);
        assert_eq!(unescape_markdown(&text), text);
    }
}
