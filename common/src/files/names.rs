//! How a file may be called: what somebody outside named it is hostile text.

/// The longest name, in Unicode characters.
const LIMIT_CHARS: usize = 120;
/// What counts as an extension is not longer.
const EXTENSION_CHARS: usize = 8;

/// A name that is one path component, one line, and reads as it is written; with an extension that fits
/// the type, if it had none.
pub fn clean_name(name: &str, content_type: Option<&str>) -> String {
    let last = name.rsplit(['/', '\\']).next().unwrap_or_default();
    let kept: String = last.chars().filter(|&char| is_kept(char)).collect();
    let kept = kept.trim_matches([' ', '.']);
    let (stem, extension) = split(kept);
    let stem = if stem.is_empty() { "file" } else { stem };
    let extension = extension.or_else(|| usual_extension(content_type?));
    let room = LIMIT_CHARS - EXTENSION_CHARS - 1;
    let mut clean: String = stem.chars().take(room).collect();
    clean.truncate(clean.trim_end_matches([' ', '.']).len());
    if let Some(extension) = extension {
        clean.push('.');
        clean.push_str(extension);
    }
    clean
}

/// Letters that hide, reorder or end a line are left out, and those that no file system takes.
fn is_kept(char: char) -> bool {
    let reorders = matches!(char, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{2028}' | '\u{2029}');
    !char.is_control() && !reorders && !"<>:\"|?*".contains(char)
}

fn split(name: &str) -> (&str, Option<&str>) {
    match name.rsplit_once('.') {
        Some((stem, extension)) if is_extension(extension) => {
            (stem.trim_end_matches([' ', '.']), Some(extension))
        }
        _ => (name, None),
    }
}

fn is_extension(text: &str) -> bool {
    (1..=EXTENSION_CHARS).contains(&text.len()) && text.bytes().all(|it| it.is_ascii_alphanumeric())
}

fn usual_extension(content_type: &str) -> Option<&'static str> {
    Some(match content_type {
        "image/jpeg" => "jpg",
        "image/png" => "png",
        "image/gif" => "gif",
        "image/webp" => "webp",
        "image/heif" | "image/heic" => "heic",
        "application/pdf" => "pdf",
        "video/mp4" => "mp4",
        "video/quicktime" => "mov",
        "application/zip" => "zip",
        "text/plain" => "txt",
        "application/octet-stream" => "bin",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{any, prop_assert, prop_assert_eq, proptest};

    use super::*;

    #[test]
    fn hostile_names_become_plain_ones() {
        for (name, content_type, expected) in [
            ("../../etc/passwd", None, "passwd"),
            ("..\\..\\boot.ini", None, "boot.ini"),
            ("a\r\nSet-Cookie: b.png", None, "aSet-Cookie b.png"),
            ("\u{202e}gnp.exe", None, "gnp.exe"),
            ("..", Some("image/png"), "file.png"),
            ("", None, "file"),
            (".htaccess", None, "htaccess"),
            ("чек \"5\".pdf", None, "чек 5.pdf"),
            ("photo", Some("image/jpeg"), "photo.jpg"),
            ("v1.2 of Tuesday", Some("text/plain"), "v1.2 of Tuesday.txt"),
            ("a\0b.PNG", Some("image/png"), "ab.PNG"),
        ] {
            assert_eq!(clean_name(name, content_type), expected, "{name:?}");
        }
    }

    proptest! {
        #[test]
        fn any_name_becomes_one_short_line(name in any::<String>()) {
            let clean = clean_name(&name, Some("image/png"));
            prop_assert!((1..=LIMIT_CHARS).contains(&clean.chars().count()));
            prop_assert!(!clean.contains(|it: char| it.is_control() || "/\\\"".contains(it)));
            prop_assert!(!clean.starts_with('.') && !clean.ends_with('.'));
            prop_assert_eq!(&clean_name(&clean, Some("image/png")), &clean);
        }
    }
}
