//! How a text is read: without disguise, as words that know where they stand.
//!
//! Rules match whole words only, because they match a *line*: the words of the text, each between
//! two spaces. Senders who hide something mix alphabets, put invisible characters between letters
//! or space them out; the reading undoes that, and still tells the place in the text as written.

use std::ops::Range;

use regex::Regex;

use super::lookalikes;

/// A character as it is compared, and the characters of the text it stands for.
#[derive(Clone, Debug)]
pub(super) struct Glyph {
    pub(super) char: char,
    pub(super) start: usize,
    pub(super) end: usize,
}

/// A word, a number or a mark.
#[derive(Debug)]
pub(super) struct Word {
    /// Bytes of the line.
    at: Range<usize>,
    /// Characters of the text.
    pub(super) span: Range<usize>,
    /// Whether it was written letter by letter.
    pub(super) is_spaced: bool,
    /// Which sentence it belongs to.
    sentence: usize,
}

/// A text in the forms in which rules look at it.
pub(super) struct Reading {
    /// The text folded: lower case, one alphabet a word, nothing invisible.
    pub(super) folded: String,
    /// The words, each between two spaces.
    line: String,
    glyphs: Vec<Glyph>,
    /// The first byte of each glyph in `folded`.
    starts: Vec<usize>,
    words: Vec<Word>,
    /// Whether each sentence ends with a question mark.
    questions: Vec<bool>,
}

/// After these a full stop does not end a sentence.
const ABBREVIATIONS: &[&str] = &[
    "ул", "д", "г", "пр", "кв", "корп", "стр", "оф", "руб", "р", "тыс", "шт", "т", "е", "им",
    "пер", "наб", "рис", "см", "мин", "ч", "дн", "мес", "тел", "эл", "п", "к",
];

/// Fewer spaced letters than this are words of one letter.
const SPACED_LETTERS: usize = 5;

impl Reading {
    pub(super) fn of(text: &str) -> Self {
        let glyphs = lookalikes::undisguise(text);
        let (mut folded, mut starts) = (String::with_capacity(text.len()), Vec::new());
        for glyph in &glyphs {
            starts.push(folded.len());
            folded.push(glyph.char);
        }
        let mut reading = Self {
            folded,
            line: String::with_capacity(text.len() + text.len() / 4 + 1),
            glyphs,
            starts,
            words: Vec::new(),
            questions: vec![false],
        };
        reading.line.push(' ');
        reading.split();
        reading
    }

    /// Where a pattern made by [`phrase`] matches, as numbers of words.
    pub(super) fn find(&self, pattern: &Regex) -> Vec<Range<usize>> {
        let (mut found, mut from) = (Vec::new(), 0);
        while let Some(hit) = pattern.find_at(&self.line, from) {
            let first = self.word_from(hit.start());
            let last = self.word_from(hit.end() - 1);
            found.push(first..last);
            // The space that ends one match may begin the next.
            from = hit.end() - 1;
        }
        found
    }

    /// The first word that starts after this byte of the line.
    fn word_from(&self, byte: usize) -> usize {
        self.words.partition_point(|word| word.at.start <= byte)
    }

    pub(super) fn words(&self) -> &[Word] {
        &self.words
    }

    /// Whether nothing of it can be seen.
    pub(super) fn is_blank(&self) -> bool {
        self.folded.trim().is_empty()
    }

    /// How a word is compared; nothing beyond the ends.
    pub(super) fn word(&self, number: usize) -> &str {
        self.words
            .get(number)
            .map_or("", |word| &self.line[word.at.clone()])
    }

    pub(super) fn spell(&self, words: Range<usize>) -> impl Iterator<Item = &str> {
        words.map(|number| self.word(number))
    }

    /// The characters of the text that these words take.
    pub(super) fn span(&self, words: &Range<usize>) -> Range<usize> {
        self.words[words.start].span.start..self.words[words.end - 1].span.end
    }

    /// The characters of the text that these bytes of `folded` take, whole words.
    pub(super) fn span_of_bytes(&self, bytes: &Range<usize>) -> Range<usize> {
        let glyph = |byte: usize| self.starts.partition_point(|&start| start < byte);
        let (mut first, mut last) = (glyph(bytes.start), glyph(bytes.end));
        let is_letter = |at: usize| self.glyphs[at].char.is_alphanumeric();
        while first > 0 && is_letter(first) && is_letter(first - 1) {
            first -= 1;
        }
        while last < self.glyphs.len() && is_letter(last) && is_letter(last - 1) {
            last += 1;
        }
        self.glyphs[first].start..self.glyphs[last - 1].end
    }

    pub(super) fn is_same_sentence(&self, one: usize, other: usize) -> bool {
        let sentence = |number: usize| self.words.get(number).map(|word| word.sentence);
        sentence(one).is_some() && sentence(one) == sentence(other)
    }

    pub(super) fn is_question(&self, word: usize) -> bool {
        self.words
            .get(word)
            .and_then(|word| self.questions.get(word.sentence))
            .is_some_and(|it| *it)
    }

    /// The words of the sentence around a word.
    pub(super) fn sentence(&self, word: usize) -> Range<usize> {
        let Some(sentence) = self.words.get(word).map(|word| word.sentence) else {
            return 0..0;
        };
        self.words.partition_point(|it| it.sentence < sentence)
            ..self.words.partition_point(|it| it.sentence <= sentence)
    }

    fn split(&mut self) {
        let mut at = 0;
        while let Some(glyph) = self.glyphs.get(at) {
            let end = match glyph.char {
                '\n' => at + 1,
                char if char.is_whitespace() => {
                    at += 1;
                    continue;
                }
                char if char.is_alphabetic() => self.end_of_word(at),
                char if char.is_numeric() => {
                    self.end_of_run(at, |char| char.is_numeric() && !char.is_alphabetic())
                }
                _ => at + 1,
            };
            self.push(at, end);
            at = end;
        }
    }

    fn char_at(&self, at: usize) -> Option<char> {
        self.glyphs.get(at).map(|glyph| glyph.char)
    }

    fn end_of_run(&self, start: usize, belongs: impl Fn(char) -> bool) -> usize {
        let mut end = start + 1;
        while self.char_at(end).is_some_and(&belongs) {
            end += 1;
        }
        end
    }

    fn end_of_word(&self, start: usize) -> usize {
        if let Some(end) = self.end_of_spaced_letters(start) {
            return end;
        }
        let mut end = self.end_of_run(start, is_of_word);
        while self.char_at(end) == Some('-')
            && self.char_at(end + 1).is_some_and(char::is_alphabetic)
        {
            end = self.end_of_run(end + 1, is_of_word);
        }
        end
    }

    /// «в о т с а п», «т.е.л.е.г.р.а.м»: letters that stand alone, one character apart.
    fn end_of_spaced_letters(&self, start: usize) -> Option<usize> {
        let (mut end, mut letters) = (start + 1, 1);
        while self.char_at(end).is_some_and(|it| " .-_*".contains(it))
            && self.char_at(end + 1).is_some_and(char::is_alphabetic)
            && !self.char_at(end + 2).is_some_and(is_of_word)
        {
            end += 2;
            letters += 1;
        }
        (letters >= SPACED_LETTERS).then_some(end)
    }

    fn push(&mut self, start: usize, end: usize) {
        let from = self.line.len();
        let is_spaced = self.glyphs[start].char.is_alphabetic()
            && end - start >= SPACED_LETTERS * 2 - 1
            && self.end_of_spaced_letters(start) == Some(end);
        for glyph in &self.glyphs[start..end] {
            if !is_spaced || glyph.char.is_alphabetic() {
                self.line.push(glyph.char);
            }
        }
        let at = from..self.line.len();
        self.line.push(' ');
        let ends = self.ends_sentence(end, &at);
        let sentence = self.questions.len() - 1;
        if self.glyphs[start].char == '?' {
            self.questions[sentence] = true;
        }
        let (first, last) = (&self.glyphs[start], &self.glyphs[end - 1]);
        self.words.push(Word {
            at,
            span: first.start..last.end,
            is_spaced,
            sentence,
        });
        if ends {
            self.questions.push(false);
        }
    }

    /// Whether a sentence ends with this word, after which the glyph `next` stands.
    fn ends_sentence(&self, next: usize, at: &Range<usize>) -> bool {
        match &self.line[at.clone()] {
            // A run of marks («?!», «...») ends one sentence, not several.
            "!" | "?" | "…" => !self.char_at(next).is_some_and(|it| ".!?…".contains(it)),
            "\n" => true,
            "." => {
                let before = self.words.len().checked_sub(1).map(|it| self.word(it));
                self.char_at(next).is_none_or(char::is_whitespace)
                    && !before.is_some_and(|it| ABBREVIATIONS.contains(&it))
            }
            _ => false,
        }
    }
}

fn is_of_word(char: char) -> bool {
    char.is_alphanumeric() || char == '_'
}

/// A word that may stand between: not a mark that ends a clause, but «, конечно,» in commas.
const BETWEEN: &str = "(?:,? ?пожалуйста ,? ?|, [^ .!?;:,\n]+ , |[^ .!?;:,\n]+ )";

/// A pattern over the line, in whole words: `~` is the rest of a word, `#` a number, `<3>` up to
/// three words of the same clause.
#[expect(
    clippy::expect_used,
    reason = "patterns are constants, and the tests compile each"
)]
pub(super) fn phrase(pattern: &str) -> Regex {
    let mut written = pattern.replace('~', "[^ ]*").replace('#', "[0-9]+");
    for gap in 1..=6 {
        let words = format!("{BETWEEN}{{0,{gap}}}");
        written = written.replace(&format!("<{gap}>"), &words);
    }
    Regex::new(&format!(" (?:{written}) ")).expect("a pattern of the rules compiles")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(text: &str) -> String {
        Reading::of(text).line
    }

    #[test]
    fn words_stand_between_spaces_and_know_their_place() {
        let reading = Reading::of("Вернём 500р, ДА!");
        assert_eq!(reading.line, " вернем 500 р , да ! ");
        let found = reading.find(&phrase("# р"));
        assert_eq!((found[0].start, found[0].end), (1, 3));
        assert_eq!(reading.span(&found[0]), 7..11);
    }

    #[test]
    fn disguises_are_undone() {
        assert_eq!(line("в\u{200b}ер\u{ad}нём"), " вернем ");
        assert_eq!(line("BOЗBPAT дeнeг"), " возврат денег ");
        assert_eq!(line("т е л е г р а м"), " телеграм ");
        assert_eq!(line("т.е.л.е.г.р.а.м"), " телеграм ");
        assert_eq!(line("8️⃣9️⃣"), " 89 ");
        assert_eq!(line("и т. д., и т. п."), " и т . д . , и т . п . ");
    }

    #[test]
    fn sentences_end_where_people_end_them() {
        let reading = Reading::of("Дом на ул. Ленина. Вернуть?! Да");
        let sentences: Vec<_> = reading.words.iter().map(|word| word.sentence).collect();
        assert_eq!(sentences, [0, 0, 0, 0, 0, 0, 1, 1, 1, 2]);
        assert!(reading.is_question(6) && !reading.is_question(0) && !reading.is_question(9));
    }

    #[test]
    fn neighbours_are_both_found() {
        let reading = Reading::of("завтра завтра");
        assert_eq!(reading.find(&phrase("завтра")), [0..1, 1..2]);
    }
}
