//! Which message of a marketplace's history is the echo of one that we sent.
//!
//! Marketplaces show our own messages like anybody's of the shop, under ids that the send did not
//! return. An echo is told by its text, its files, its order and its time: it is bound to the message
//! that we have, never stored as a second one.

use std::time::Duration;

use chrono::{DateTime, Utc};

use super::delivery::MessageState;
use crate::ids::MessageId;

/// One of our messages that has no external id yet. Given in the order of sending.
#[derive(Clone, Debug)]
pub struct Unbound {
    pub id: MessageId,
    /// The text in the form in which both sides compare equal.
    pub canonical: String,
    pub files: Vec<FileMark>,
    pub state: MessageState,
    /// The newest message of the chat when it, or one of the same text shortly before it, was first
    /// sent; an echo is not older.
    pub baseline_at: Option<DateTime<Utc>>,
    /// Its echo should have shown long ago, or it was given up: it takes one only if no other can.
    pub overdue: bool,
    /// The marketplace's own time of the message, where its answer told it.
    pub vendor_at: Option<DateTime<Utc>>,
}

/// A message of our side that the history shows and that is not stored yet, oldest first.
#[derive(Clone, Debug)]
pub struct Shown {
    pub canonical: String,
    pub files: Vec<FileMark>,
    pub at: DateTime<Utc>,
    /// Surely written by hand in the marketplace's cabinet.
    pub by_hand: bool,
}

/// What tells a file of a message on both sides: its bytes come back under another address, pictures
/// often without their name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileMark {
    is_picture: bool,
    /// Its letters and digits; none where the marketplace shows no name.
    name: Option<String>,
}

impl FileMark {
    /// The mark of a file of this kind, and this name if that is known.
    pub fn new(content_type: Option<&str>, name: Option<&str>) -> Self {
        let letters = |name: &str| {
            let kept = name.chars().filter(|it| it.is_alphanumeric());
            kept.flat_map(char::to_lowercase).collect()
        };
        Self {
            is_picture: content_type.is_some_and(is_picture),
            name: name.map(letters),
        }
    }

    fn fits(&self, other: &Self) -> bool {
        match (&self.name, &other.name) {
            (Some(one), Some(two)) => one == two,
            _ => self.is_picture == other.is_picture,
        }
    }
}

/// Whether chats show a file of this type as a picture.
pub fn is_picture(content_type: &str) -> bool {
    const KINDS: [&str; 6] = ["jpeg", "png", "gif", "webp", "heic", "heif"];
    let kind = content_type.strip_prefix("image/");
    kind.is_some_and(|kind| KINDS.contains(&kind))
}

/// Whether each shown file is another one of those that were sent.
fn are_among(shown: &[FileMark], sent: &[FileMark]) -> bool {
    let mut left: Vec<&FileMark> = sent.iter().collect();
    // Those with a name first: the others take what is left.
    let (named, nameless): (Vec<_>, Vec<_>) = shown.iter().partition(|it| it.name.is_some());
    named.into_iter().chain(nameless).all(|file| {
        let found = left.iter().position(|it| file.fits(it));
        found.map(|at| left.remove(at)).is_some()
    })
}

/// Whose a shown message is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// The echo of this message.
    Echo(MessageId),
    /// It may be the echo of a message that is being sent right now: look again later.
    NotYetClear,
    /// Written elsewhere, by somebody of the shop.
    Elsewhere,
}

/// A message that surely was sent should show within this time.
pub const ECHO_WITHIN: Duration = Duration::from_secs(600);

/// Tells for each shown message whose it is; no message is bound twice.
pub fn attribute(unbound: &[Unbound], shown: &[Shown]) -> Vec<Origin> {
    let mut free: Vec<&Unbound> = unbound.iter().collect();
    free.sort_by_key(|message| message.overdue);
    shown
        .iter()
        .map(|message| {
            let Some(position) = position_of_echo(&free, message) else {
                return Origin::Elsewhere;
            };
            if free[position].state == MessageState::Sending {
                return Origin::NotYetClear;
            }
            Origin::Echo(free.remove(position).id)
        })
        .collect()
}

fn position_of_echo(free: &[&Unbound], shown: &Shown) -> Option<usize> {
    if shown.by_hand {
        return None;
    }
    let alike = |message: &&Unbound| {
        message.canonical == shown.canonical
            && are_among(&shown.files, &message.files)
            && message.baseline_at.is_none_or(|oldest| shown.at >= oldest)
    };
    // Where the marketplace told the time, some of the files may not have been taken.
    free.iter()
        .position(|message| message.vendor_at == Some(shown.at) && alike(message))
        .or_else(|| {
            let whole = |message: &&Unbound| shown.files.len() == message.files.len();
            free.iter().position(|it| whole(it) && alike(it))
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_800_000_000 + second, 0).unwrap()
    }

    fn unbound(id: i64, text: &str, state: MessageState) -> Unbound {
        Unbound {
            id: MessageId(id),
            canonical: text.to_owned(),
            files: Vec::new(),
            state,
            baseline_at: Some(at(10)),
            overdue: state == MessageState::Failed,
            vendor_at: None,
        }
    }

    fn shown(text: &str, second: i64) -> Shown {
        Shown {
            canonical: text.to_owned(),
            files: Vec::new(),
            at: at(second),
            by_hand: false,
        }
    }

    #[test]
    fn the_same_text_sent_twice_is_bound_in_order() {
        let ours = [
            unbound(1, "да", MessageState::Sent),
            unbound(2, "да", MessageState::Sent),
        ];
        let origins = attribute(&ours, &[shown("да", 11), shown("да", 12), shown("да", 13)]);
        assert_eq!(
            origins,
            [
                Origin::Echo(MessageId(1)),
                Origin::Echo(MessageId(2)),
                Origin::Elsewhere
            ]
        );
    }

    #[test]
    fn a_message_older_than_the_attempt_is_not_its_echo() {
        let ours = [unbound(1, "да", MessageState::Unknown)];
        assert_eq!(attribute(&ours, &[shown("да", 9)]), [Origin::Elsewhere]);
    }

    #[test]
    fn nothing_is_decided_while_the_send_runs() {
        let ours = [unbound(1, "да", MessageState::Sending)];
        assert_eq!(attribute(&ours, &[shown("да", 11)]), [Origin::NotYetClear]);
        assert_eq!(attribute(&ours, &[shown("нет", 11)]), [Origin::Elsewhere]);
    }

    #[test]
    fn what_was_surely_sent_comes_before_what_was_given_up() {
        let ours = [
            unbound(1, "да", MessageState::Failed),
            unbound(2, "да", MessageState::Sent),
        ];
        let origins = attribute(&ours, &[shown("да", 11), shown("да", 12)]);
        assert_eq!(
            origins,
            [Origin::Echo(MessageId(2)), Origin::Echo(MessageId(1))]
        );
    }

    #[test]
    fn a_told_time_decides_between_equal_texts() {
        let mut second = unbound(2, "да", MessageState::Sent);
        second.vendor_at = Some(at(11));
        let ours = [unbound(1, "да", MessageState::Unknown), second];
        let origins = attribute(&ours, &[shown("да", 11)]);
        assert_eq!(origins, [Origin::Echo(MessageId(2))]);
    }

    fn mark(content_type: &str, name: Option<&str>) -> FileMark {
        FileMark::new(Some(content_type), name)
    }

    fn with_files(mut message: Unbound, files: &[FileMark]) -> Unbound {
        message.files = files.to_vec();
        message
    }

    fn showing(files: &[FileMark], second: i64) -> Shown {
        Shown {
            files: files.to_vec(),
            ..shown("", second)
        }
    }

    #[test]
    fn a_file_is_told_by_its_name_and_a_nameless_picture_by_being_one() {
        let receipt = mark("application/pdf", Some("Чек 5.pdf"));
        let photo = mark("image/png", Some("a.png"));
        let ours = [
            with_files(unbound(1, "", MessageState::Sent), &[receipt]),
            with_files(unbound(2, "", MessageState::Unknown), &[photo]),
        ];
        let origins = attribute(
            &ours,
            &[
                showing(&[mark("application/pdf", Some("other.pdf"))], 11),
                showing(&[mark("image/jpeg", None)], 12),
                showing(&[mark("application/pdf", Some("чек_5.pdf"))], 13),
                shown("", 14),
            ],
        );
        assert_eq!(
            origins,
            [
                Origin::Elsewhere,
                Origin::Echo(MessageId(2)),
                Origin::Echo(MessageId(1)),
                Origin::Elsewhere
            ]
        );
    }

    #[test]
    fn a_text_and_the_same_text_with_a_file_are_two_messages() {
        let file = [mark("image/png", Some("a.png"))];
        let ours = [
            with_files(unbound(1, "да", MessageState::Sent), &file),
            unbound(2, "да", MessageState::Sent),
        ];
        let origins = attribute(&ours, &[shown("да", 11)]);
        assert_eq!(origins, [Origin::Echo(MessageId(2))]);
    }

    #[test]
    fn a_told_time_binds_what_lacks_a_file_that_was_not_taken() {
        let files = [
            mark("image/png", Some("a.png")),
            mark("application/pdf", Some("b.pdf")),
        ];
        let mut ours = with_files(unbound(1, "", MessageState::Sent), &files);
        let echo = showing(&[mark("image/png", None)], 11);
        let origins = attribute(std::slice::from_ref(&ours), std::slice::from_ref(&echo));
        assert_eq!(origins, [Origin::Elsewhere]);
        ours.vendor_at = Some(at(11));
        assert_eq!(attribute(&[ours], &[echo]), [Origin::Echo(MessageId(1))]);
    }

    #[test]
    fn what_was_written_by_hand_is_never_an_echo() {
        let by_hand = Shown {
            by_hand: true,
            ..shown("да", 11)
        };
        let ours = [unbound(1, "да", MessageState::Sent)];
        assert_eq!(attribute(&ours, &[by_hand]), [Origin::Elsewhere]);
    }
}
