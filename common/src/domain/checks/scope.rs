//! What is said and what is not: negations and questions are no promises.

use std::ops::Range;

use super::reading::Reading;

/// So far back, and forward, a negation is looked for, in words.
const REACH: (usize, usize) = (14, 4);

/// Where a clause ends; a negation does not reach over it.
const BREAKS: &[&str] = &[
    ",",
    ";",
    ":",
    "-",
    "(",
    ")",
    "но",
    "а",
    "и",
    "однако",
    "зато",
    "поэтому",
    "если",
    "когда",
    "после",
    "хотя",
];

/// A clause that begins so belongs to the one before: «не обещаем, что вернём».
const CONTINUES: &[&str] = &[
    "что",
    "чтобы",
    "когда",
    "сколько",
    "как",
    "какой",
    "какая",
    "какую",
    "какое",
    "куда",
];

/// «не» before these denies the promise that follows.
const DENIED: &[&str] = &[
    "мож",
    "могу",
    "смож",
    "смогу",
    "обеща",
    "гаранти",
    "зна",
    "готов",
    "вправе",
    "планир",
    "предусм",
    "получит",
    "имее",
    "буд",
    "уполномоч",
    "нужн",
    "дае",
    "дам",
    "дади",
    "дела",
    "предоставл",
    "возвраща",
    "возмеща",
    "компенсир",
    "прос",
    "треб",
    "надо",
    "стоит",
    "осуществ",
    "возмож",
    "произв",
    "полож",
    "распростран",
    "действ",
    "покрыва",
    "выплачив",
    "рекоменд",
    "совету",
    "предлага",
    "осталось",
    "говор",
    "указ",
    "утвержда",
    "полага",
    "отправля",
    "раскрыва",
    "передав",
];

/// Deny whatever follows them in the clause.
const NEVERS: &[&str] = &[
    "нельзя",
    "невозможно",
    "невозможен",
    "невозможна",
    "неизвестно",
    "вряд",
    "запрещено",
    "запрещает",
    "запрещают",
    "запрещены",
    "отказано",
];

/// Whether the clause denies what these words say.
pub(super) fn is_negated(reading: &Reading, words: &Range<usize>) -> bool {
    is_denied_before(reading, words.start)
        || is_denied_within(reading, words)
        || is_denied_after(reading, words.end)
}

/// «деньги не вернутся»: a denied last word, or a denied verb on the way to it.
fn is_denied_within(reading: &Reading, words: &Range<usize>) -> bool {
    let inner = words.start + 1..words.end.saturating_sub(1);
    inner.into_iter().any(|at| {
        let is_last = at + 2 == words.end;
        reading.word(at) == "не"
            && reading.word(at - 1) != "никогда"
            && (is_last || starts_with_any(reading.word(at + 1), DENIED))
    })
}

fn is_denied_before(reading: &Reading, start: usize) -> bool {
    let first = start.saturating_sub(REACH.0);
    for at in (first..start).rev() {
        if !reading.is_same_sentence(at, start) {
            return false;
        }
        let (word, next) = (reading.word(at), reading.word(at + 1));
        if BREAKS.contains(&word) && !(word == "," && CONTINUES.contains(&next)) {
            // «когда» opens the clause it belongs to; the comma before it decides.
            if CONTINUES.contains(&word) && at > 0 && reading.word(at - 1) == "," {
                continue;
            }
            return false;
        }
        let is_next_to_it = at + 1 == start;
        let denies = match word {
            "не" => is_next_to_it || starts_with_any(next, DENIED),
            "ни" => is_next_to_it,
            "без" => is_next_to_it,
            "нет" => is_next_to_it || next.starts_with("возможност"),
            word => NEVERS.contains(&word),
        };
        if denies {
            return true;
        }
    }
    false
}

fn is_denied_after(reading: &Reading, end: usize) -> bool {
    for at in end..end + REACH.1 {
        if !reading.is_same_sentence(at, end.saturating_sub(1)) {
            return false;
        }
        let (word, next) = (reading.word(at), reading.word(at + 1));
        match word {
            "не" if starts_with_any(next, DENIED) => return true,
            "нет" => return true,
            word if NEVERS.contains(&word) => return true,
            word if BREAKS.contains(&word) => return false,
            _ => {}
        }
    }
    false
}

fn starts_with_any(word: &str, stems: &[&str]) -> bool {
    stems.iter().any(|stem| word.starts_with(stem))
}

/// Whether the words only ask what is or what the buyer wants.
pub(super) fn is_asked(reading: &Reading, words: &Range<usize>) -> bool {
    reading.is_question(words.start)
}
