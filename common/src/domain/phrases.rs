//! Whole words and phrases in what people write: never inside a word, whatever the case, ё like е.

/// The words of a text in lower case, ё as е.
pub fn words_of(text: &str) -> Vec<String> {
    text.split(|letter: char| !letter.is_alphanumeric())
        .filter(|word| !word.is_empty())
        .map(fold)
        .collect()
}

/// A text in lower case, ё as е.
pub fn fold(text: &str) -> String {
    text.to_lowercase().replace('ё', "е")
}

/// Whether the words hold the phrase; a `*` behind one of its words makes that word a stem.
pub fn holds(words: &[String], phrase: &str) -> bool {
    let wanted: Vec<Wanted> = phrase.split_whitespace().map(Wanted::read).collect();
    !wanted.is_empty()
        && words
            .windows(wanted.len())
            .any(|words| wanted.iter().zip(words).all(|(it, word)| it.is(word)))
}

struct Wanted {
    word: String,
    is_stem: bool,
}

impl Wanted {
    fn read(word: &str) -> Self {
        Self {
            word: fold(word.trim_end_matches('*')),
            is_stem: word.ends_with('*'),
        }
    }

    fn is(&self, word: &str) -> bool {
        if self.is_stem {
            word.starts_with(&self.word)
        } else {
            word == self.word
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_whole_words_and_stems_match() {
        let cases = [
            ("Пришёл брак!", "брак", true),
            ("Собрал барак", "брак", false),
            ("Это не бракованный?", "брак", false),
            ("Это не бракованный?", "брак*", true),
            ("Хочу оформить ВОЗВРАТ", "возврат*", true),
            ("Где мой заказ?", "где мой заказ", true),
            ("Где же мой заказ?", "где мой заказ", false),
            ("ещё раз", "еще", true),
            ("", "еще", false),
            ("что угодно", "", false),
        ];
        for (text, phrase, expected) in cases {
            assert_eq!(
                holds(&words_of(text), phrase),
                expected,
                "{text} / {phrase}"
            );
        }
    }
}
