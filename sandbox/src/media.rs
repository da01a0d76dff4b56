//! What kind of file is this, by its content first and by its name second?

/// The MIME type which the first bytes prove.
pub(crate) fn sniff(content: &[u8]) -> Option<&'static str> {
    let starts: [(&[u8], &str); 5] = [
        (b"\x89PNG\r\n\x1a\n", "image/png"),
        (b"\xff\xd8\xff", "image/jpeg"),
        (b"%PDF-", "application/pdf"),
        (b"GIF8", "image/gif"),
        (b"PK\x03\x04", "application/zip"),
    ];
    let found = starts.iter().find(|(start, _)| content.starts_with(start));
    if let Some((_, kind)) = found {
        return Some(kind);
    }
    let is_video = content.get(4..8) == Some(b"ftyp");
    is_video.then_some("video/mp4")
}

/// The MIME type, guessed from the name if the content says nothing.
pub(crate) fn type_of(name: &str, content: &[u8]) -> &'static str {
    sniff(content).unwrap_or_else(|| {
        let (_, extension) = name.rsplit_once('.').unwrap_or_default();
        match extension.to_ascii_lowercase().as_str() {
            "png" => "image/png",
            "jpg" | "jpeg" => "image/jpeg",
            "gif" => "image/gif",
            "webp" => "image/webp",
            "pdf" => "application/pdf",
            "mp4" => "video/mp4",
            "txt" => "text/plain",
            _ => "application/octet-stream",
        }
    })
}

/// A picture of one pixel, for buyers who send one.
pub(crate) const PIXEL_PNG: &[u8] = &[
    0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a, 0, 0, 0, 0x0d, 0x49, 0x48, 0x44, 0x52, 0, 0, 0,
    1, 0, 0, 0, 1, 8, 4, 0, 0, 0, 0xb5, 0x1c, 0x0c, 2, 0, 0, 0, 0x0b, 0x49, 0x44, 0x41, 0x54, 0x78,
    0xda, 0x63, 0x64, 0xf8, 0x0f, 0, 1, 5, 1, 1, 0x27, 0x18, 0xe3, 0x66, 0, 0, 0, 0, 0x49, 0x45,
    0x4e, 0x44, 0xae, 0x42, 0x60, 0x82,
];

#[cfg(test)]
mod tests {
    use super::{PIXEL_PNG, sniff, type_of};

    #[test]
    fn content_wins_over_the_name() {
        assert_eq!(type_of("x.pdf", PIXEL_PNG), "image/png");
        assert_eq!(type_of("x.PDF", b"hello"), "application/pdf");
        assert_eq!(sniff(b"hello"), None);
        assert_eq!(sniff(b"\0\0\0\x18ftypmp42"), Some("video/mp4"));
    }
}
