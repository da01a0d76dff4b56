//! What kind of file this is: by its bytes, never by anybody's word.

/// So many bytes of a file tell its type.
pub const HEAD_BYTES: usize = 8 * 1024;

/// The MIME type that the first bytes prove. Whatever a browser might run is plain text.
pub fn content_type(head: &[u8]) -> &'static str {
    match infer::get(head).map(|kind| kind.mime_type()) {
        Some(found) if !found.starts_with("text/") && !found.contains("xml") => found,
        Some(_) => "text/plain",
        None if is_text(head) => "text/plain",
        None => "application/octet-stream",
    }
}

/// Whether a MIME type is that of a picture.
pub fn is_image(content_type: &str) -> bool {
    content_type.starts_with("image/")
}

fn is_text(head: &[u8]) -> bool {
    let valid = match std::str::from_utf8(head) {
        Ok(text) => text,
        // The last letter may be cut.
        Err(error) if error.valid_up_to() + 4 > head.len() => {
            std::str::from_utf8(&head[..error.valid_up_to()]).unwrap_or_default()
        }
        Err(_) => return false,
    };
    let is_odd =
        |letter: char| letter.is_control() && !matches!(letter, '\t' | '\n' | '\r' | '\x0c');
    !valid.is_empty() && !valid.contains(is_odd)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_tell_the_type() {
        for (head, expected) in [
            (&b"\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR"[..], "image/png"),
            (b"\xff\xd8\xff\xe0\0\x10JFIF", "image/jpeg"),
            (b"%PDF-1.7\n", "application/pdf"),
            (b"\0\0\0\x18ftypmp42\0\0\0\0mp42isom", "video/mp4"),
            ("Чек № 5\r\n".as_bytes(), "text/plain"),
            (b"\0\x01\x02\x03", "application/octet-stream"),
        ] {
            assert_eq!(content_type(head), expected);
        }
    }

    #[test]
    fn whatever_runs_in_a_browser_is_text() {
        for head in [
            "<!DOCTYPE html><script>alert(1)</script>",
            "<html><body onload=alert(1)>",
            "<svg xmlns=\"http://www.w3.org/2000/svg\" onload=\"alert(1)\"/>",
            "<?xml version=\"1.0\"?><svg/>",
            "#!/bin/sh\nrm -rf ~",
        ] {
            assert_eq!(content_type(head.as_bytes()), "text/plain", "{head}");
        }
    }

    #[test]
    fn a_letter_cut_at_the_end_is_still_text() {
        let text = "ж".repeat(10);
        assert_eq!(content_type(&text.as_bytes()[..19]), "text/plain");
        assert_eq!(
            content_type(b"ok \xd0\xd0\xd0\xd0\xd0 no"),
            "application/octet-stream"
        );
    }
}
