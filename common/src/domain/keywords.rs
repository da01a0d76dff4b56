//! Whether a text has a word in it: whole words, never parts of them.

/// Whether the text has the keyword: a word, or several in that order with nothing but white space
/// and punctuation between them. Case does not matter, nor does ё for е; a word that ends with `*`
/// stands for every word that begins so.
pub fn has_keyword(text: &str, keyword: &str) -> bool {
    let wanted = wanted(keyword);
    if wanted.is_empty() {
        return false;
    }
    let text = plain(text);
    let words: Vec<&str> = words(&text).collect();
    words.windows(wanted.len()).any(|words| {
        let mut pairs = wanted.iter().zip(words);
        pairs.all(|(wanted, word)| match wanted {
            Wanted::Whole(whole) => word == whole,
            Wanted::Stem(stem) => word.starts_with(stem.as_str()),
        })
    })
}

/// Whether there is a word in it; what has none is found in no text.
pub fn is_keyword(keyword: &str) -> bool {
    !wanted(keyword).is_empty()
}

enum Wanted {
    Whole(String),
    Stem(String),
}

fn wanted(keyword: &str) -> Vec<Wanted> {
    let keyword = plain(keyword);
    let mut wanted = Vec::new();
    let mut rest = keyword.as_str();
    while let Some(begin) = rest.find(char::is_alphanumeric) {
        let word = &rest[begin..];
        let end = word.find(|char: char| !char.is_alphanumeric());
        let (word, after) = word.split_at(end.unwrap_or(word.len()));
        wanted.push(if after.starts_with('*') {
            Wanted::Stem(word.to_owned())
        } else {
            Wanted::Whole(word.to_owned())
        });
        rest = after;
    }
    wanted
}

fn words(plain: &str) -> impl Iterator<Item = &str> {
    plain
        .split(|char: char| !char.is_alphanumeric())
        .filter(|word| !word.is_empty())
}

/// Small letters without ё, accents of their own and characters that only guide the line break.
fn plain(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    for char in text.chars().flat_map(char::to_lowercase) {
        match char {
            'ё' => plain.push('е'),
            // й may come as и and a breve
            '\u{306}' if plain.ends_with('и') => {
                plain.pop();
                plain.push('й');
            }
            '\u{300}'..='\u{36f}'
            | '\u{ad}'
            | '\u{200c}'
            | '\u{200d}'
            | '\u{2060}'
            | '\u{feff}' => {}
            char => plain.push(char),
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keywords_are_whole_words() {
        for (text, keyword, is_there) in [
            ("Это брак!", "брак", true),
            ("БРАК", "брак", true),
            ("собрака", "брак", false),
            ("барак", "брак", false),
            ("бракованный", "брак", false),
            ("бракованный", "брак*", true),
            ("брак", "брак*", true),
            ("забракован", "брак*", false),
            ("Оформите возврат, денег жду", "возврат денег", true),
            ("возврат\nденег", "Возврат Денег", true),
            ("возврат моих денег", "возврат денег", false),
            ("денег возврат", "возврат денег", false),
            ("возвратите деньги", "возврат* деньг*", true),
            ("верните ещё раз", "еще", true),
            ("верните еще раз", "ЕЩЁ", true),
            ("товар-брак", "брак", true),
            ("брак_2", "брак", true),
            ("брак2", "брак", false),
            ("мо\u{438}\u{306} зака\u{301}з", "мой заказ", true),
            ("воз\u{ad}врат", "возврат", true),
            ("don't want", "don't", true),
            ("размер 42", "42", true),
            ("размер 421", "42", false),
            ("что угодно", "*", false),
            ("что угодно", " ", false),
            ("", "брак", false),
        ] {
            assert_eq!(has_keyword(text, keyword), is_there, "{text:?} {keyword:?}");
        }
    }

    #[test]
    fn a_keyword_has_a_word() {
        assert!(is_keyword("возврат*"));
        assert!(!is_keyword(" * ?!"));
    }
}
