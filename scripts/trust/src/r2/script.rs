//! What agents reply, and what else happens in the same chats.

use std::time::Duration;

use rand::RngExt;
use rand::rngs::StdRng;

/// What stands behind the number: also what marketplaces escape, trim or take for Markdown.
const TAILS: [&str; 10] = [
    "Здравствуйте! Уже отправили.",
    "**важно**: `код` _тут_ *и* тут",
    "1. Первое\n2. Второе - (третье)",
    "цена 1 200 руб. (без скидки) + доставка!",
    "[размер](M) \\ {L} ~XL~ | >XXL #1",
    "да.",
    "спасибо!!! \u{1f64f}",
    "a_b*c*d_e [x] (y)",
    "—«Ёлка»— №7, 50%",
    "строка  с   пробелами\n\nи абзацем",
];

/// What somebody does in the marketplace's cabinet beside a reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Beside {
    Nothing,
    /// Writes the same words, this long after the reply was posted.
    Twin(Duration),
    /// Writes the same words just before the reply is posted.
    TwinBefore,
    /// Writes something else.
    Other(Duration),
    /// The buyer writes meanwhile.
    Buyer,
}

/// One reply of the script.
#[derive(Clone, Debug)]
pub(super) struct Line {
    pub(super) chat: usize,
    pub(super) text: String,
    /// When, counted from the beginning.
    pub(super) at: Duration,
    pub(super) times: u64,
    pub(super) beside: Beside,
}

/// Makes lines that come to so many replies.
pub(super) fn learn(
    rng: &mut StdRng,
    first: u64,
    chats: usize,
    replies: usize,
    window: Duration,
) -> Vec<Line> {
    let (mut lines, mut made) = (Vec::new(), 0);
    while made < replies {
        let times = if made + 1 < replies && rng.random_bool(0.1) {
            2
        } else {
            1
        };
        let tail = TAILS[rng.random_range(0..TAILS.len())];
        lines.push(Line {
            chat: rng.random_range(0..chats),
            text: format!("r{:06} {tail}", first + lines.len() as u64),
            at: window.mul_f64(made as f64 / replies as f64),
            times: times as u64,
            beside: beside(rng),
        });
        made += times;
    }
    lines
}

fn beside(rng: &mut StdRng) -> Beside {
    let later = Duration::from_millis(rng.random_range(0..1_500));
    match rng.random_range(0..100) {
        0..4 => Beside::Twin(later),
        4..6 => Beside::TwinBefore,
        6..8 => Beside::Other(later),
        8..20 => Beside::Buyer,
        _ => Beside::Nothing,
    }
}
