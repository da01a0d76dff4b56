//! Undoing disguise: letters of the other alphabet, invisible characters, letters with marks.

use super::reading::Glyph;

/// Latin and Cyrillic letters that look the same.
const TWINS: &[(char, char)] = &[
    ('a', 'а'),
    ('c', 'с'),
    ('e', 'е'),
    ('k', 'к'),
    ('o', 'о'),
    ('p', 'р'),
    ('x', 'х'),
    ('y', 'у'),
    ('A', 'А'),
    ('B', 'В'),
    ('C', 'С'),
    ('E', 'Е'),
    ('H', 'Н'),
    ('K', 'К'),
    ('M', 'М'),
    ('O', 'О'),
    ('P', 'Р'),
    ('T', 'Т'),
    ('X', 'Х'),
    ('Y', 'У'),
];

/// The text in lower case, each word in one alphabet, with nothing that cannot be seen.
pub(super) fn undisguise(text: &str) -> Vec<Glyph> {
    let mut glyphs = visible(text);
    let mut at = 0;
    while at < glyphs.len() {
        let letters = glyphs[at..]
            .iter()
            .take_while(|glyph| glyph.char.is_alphabetic())
            .count();
        unify(&mut glyphs[at..at + letters]);
        at += letters.max(1);
    }
    for glyph in &mut glyphs {
        glyph.char = lower(glyph.char);
    }
    for at in 1..glyphs.len().saturating_sub(1) {
        let is_inside = is_cyrillic(glyphs[at - 1].char) && is_cyrillic(glyphs[at + 1].char);
        glyphs[at].char = match glyphs[at].char {
            '0' if is_inside => 'о',
            '3' if is_inside => 'з',
            char => char,
        };
    }
    glyphs
}

fn visible(text: &str) -> Vec<Glyph> {
    let mut glyphs: Vec<Glyph> = Vec::with_capacity(text.len());
    for (at, char) in text.chars().enumerate() {
        if is_invisible(char) {
            if let Some(last) = glyphs.last_mut() {
                last.end = at + 1;
                last.char = composed(last.char, char);
            }
            continue;
        }
        let char = plain(char);
        glyphs.push(Glyph {
            char,
            start: at,
            end: at + 1,
        });
    }
    glyphs
}

/// Joiners, direction marks, soft hyphens, combining marks, variation selectors, keycaps.
fn is_invisible(char: char) -> bool {
    matches!(char,
        '\u{ad}' | '\u{300}'..='\u{36f}' | '\u{115f}' | '\u{180e}'
        | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2064}'
        | '\u{2066}'..='\u{206f}' | '\u{20e3}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}')
}

fn composed(letter: char, mark: char) -> char {
    match (letter, mark) {
        ('и', '\u{306}') => 'й',
        ('И', '\u{306}') => 'Й',
        _ => letter,
    }
}

fn plain(char: char) -> char {
    match char {
        // Full-width forms of ASCII.
        '\u{ff01}'..='\u{ff5e}' => char::from_u32(u32::from(char) - 0xff01 + 0x21).unwrap_or(char),
        '\u{2010}'..='\u{2015}' | '\u{2212}' => '-',
        '\r' => '\n',
        '\u{2028}' | '\u{2029}' => '\n',
        '。' | '․' | '‧' => '.',
        char => char,
    }
}

fn lower(char: char) -> char {
    match char.to_lowercase().next().unwrap_or(char) {
        'ё' => 'е',
        char => char,
    }
}

fn is_cyrillic(char: char) -> bool {
    matches!(char, '\u{400}'..='\u{52f}')
}

/// Writes a word that mixes alphabets in the one that only it can be.
fn unify(word: &mut [Glyph]) {
    let (mut cyrillic, mut latin) = (Script::default(), Script::default());
    for glyph in word.iter() {
        let char = glyph.char;
        if is_cyrillic(char) {
            cyrillic.add(TWINS.iter().any(|twins| twins.1 == char));
        } else if char.is_ascii_alphabetic() {
            latin.add(TWINS.iter().any(|twins| twins.0 == char));
        }
    }
    if !(cyrillic.any && latin.any) || (cyrillic.own && latin.own) {
        return;
    }
    for glyph in word {
        let twins = TWINS
            .iter()
            .find(|(a, b)| *a == glyph.char || *b == glyph.char);
        if let Some((a, b)) = twins {
            glyph.char = if latin.own { *a } else { *b };
        }
    }
}

/// What a word holds of one alphabet.
#[derive(Default)]
struct Script {
    any: bool,
    /// A letter that the other alphabet has not.
    own: bool,
}

impl Script {
    fn add(&mut self, has_twin: bool) {
        self.any = true;
        self.own |= !has_twin;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn undisguised(text: &str) -> String {
        undisguise(text).iter().map(|glyph| glyph.char).collect()
    }

    #[test]
    fn a_word_gets_the_alphabet_that_it_can_only_be() {
        assert_eq!(undisguised("вeрнём"), "вернем");
        assert_eq!(undisguised("wа.mе"), "wa.me");
        assert_eq!(undisguised("В0зврат 30 3A0"), "возврат 30 3a0");
        assert_eq!(undisguised("iPhoneом и XL"), "iphoneом и xl");
    }

    #[test]
    fn places_count_what_cannot_be_seen() {
        let glyphs = undisguise("и\u{306}а\u{200b}б");
        let places: Vec<_> = glyphs
            .iter()
            .map(|it| (it.char, it.start, it.end))
            .collect();
        assert_eq!(places, [('й', 0, 2), ('а', 2, 4), ('б', 4, 5)]);
    }
}
