//! Numbers written as words: «три дня», «пятьсот рублей», «восемь девятьсот двенадцать».

use std::collections::HashMap;
use std::sync::LazyLock;

/// Every form that people write, and its value.
const FORMS: &[(u64, &str)] = &[
    (0, "ноль нуль ноля нуля"),
    (1, "один одна одно одного одной одну одному"),
    (2, "два две двух двум"),
    (3, "три трех трем"),
    (4, "четыре четырех"),
    (5, "пять пяти"),
    (6, "шесть шести"),
    (7, "семь семи"),
    (8, "восемь восьми"),
    (9, "девять девяти"),
    (10, "десять десяти"),
    (11, "одиннадцать одиннадцати"),
    (12, "двенадцать двенадцати"),
    (13, "тринадцать тринадцати"),
    (14, "четырнадцать четырнадцати"),
    (15, "пятнадцать пятнадцати"),
    (16, "шестнадцать шестнадцати"),
    (17, "семнадцать семнадцати"),
    (18, "восемнадцать восемнадцати"),
    (19, "девятнадцать девятнадцати"),
    (20, "двадцать двадцати"),
    (30, "тридцать тридцати"),
    (40, "сорок сорока"),
    (50, "пятьдесят пятидесяти"),
    (60, "шестьдесят шестидесяти"),
    (70, "семьдесят семидесяти"),
    (80, "восемьдесят восьмидесяти"),
    (90, "девяносто девяноста"),
    (100, "сто ста"),
    (200, "двести двухсот"),
    (300, "триста трехсот"),
    (400, "четыреста четырехсот"),
    (500, "пятьсот пятисот"),
    (600, "шестьсот шестисот"),
    (700, "семьсот семисот"),
    (800, "восемьсот восьмисот"),
    (900, "девятьсот девятисот"),
    (1000, "тысяча тысячу тысячи тысяч тыс"),
];

static VALUES: LazyLock<HashMap<&str, u64>> = LazyLock::new(|| {
    let forms = FORMS.iter();
    forms
        .flat_map(|(value, words)| words.split(' ').map(move |word| (word, *value)))
        .collect()
});

/// Any of the words, for a pattern.
pub(super) static ANY: LazyLock<String> = LazyLock::new(|| {
    let words: Vec<&str> = FORMS.iter().flat_map(|(_, it)| it.split(' ')).collect();
    format!("({})", words.join("|"))
});

/// What one word or run of digits is worth.
pub(super) fn value(word: &str) -> Option<u64> {
    word.parse()
        .ok()
        .or_else(|| VALUES.get(word).copied())
        .filter(|value| *value <= 1_000_000_000_000)
}

/// What a row of words is worth: «две тысячи триста», «1 990», «2 тыс».
pub(super) fn sum<'a>(words: impl IntoIterator<Item = &'a str>) -> Option<u64> {
    let (mut total, mut thousands, mut any) = (0_u64, 0_u64, false);
    for word in words {
        let Some(value) = value(word) else { continue };
        any = true;
        let is_group = word.len() == 3 && word.starts_with(|it: char| it.is_ascii_digit());
        if value == 1000 && !word.starts_with('1') {
            thousands += total.max(1) * 1000;
            total = 0;
        } else if is_group && total > 0 {
            total = total.saturating_mul(1000).saturating_add(value);
        } else {
            total = total.saturating_add(value);
        }
    }
    any.then_some(thousands.saturating_add(total))
}

/// The digits that dictated words stand for: «девятьсот двенадцать» is 912, «сорок пять» 45.
pub(super) fn dictated<'a>(words: impl IntoIterator<Item = &'a str>) -> String {
    let (mut digits, mut open, mut room) = (String::new(), 0_u64, 0_u64);
    let close = |digits: &mut String, open: &mut u64, room: &mut u64| {
        if *room > 0 {
            digits.push_str(&open.to_string());
        }
        (*open, *room) = (0, 0);
    };
    for word in words {
        let Some(&value) = VALUES.get(word) else {
            close(&mut digits, &mut open, &mut room);
            digits.push_str(word);
            continue;
        };
        // `room` is what may still be added to the open number: 900 takes 12, 40 takes 5.
        if value == 0 || value >= room {
            close(&mut digits, &mut open, &mut room);
        }
        open += value;
        room = match value {
            100..=900 => 100,
            20..=90 => 10,
            _ => 1,
        };
    }
    close(&mut digits, &mut open, &mut room);
    digits
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dictated_words_become_digits() {
        let words = "восемь девятьсот двенадцать триста сорок пять ноль семь восемьдесят девять";
        assert_eq!(dictated(words.split(' ')), "89123450789");
        assert_eq!(dictated("девять один 2 сто".split(' ')), "912100");
    }

    #[test]
    fn words_and_groups_of_digits_are_worth_the_same() {
        let worth = |words: &str| sum(words.split(' '));
        assert_eq!(worth("пятьсот"), Some(500));
        assert_eq!(worth("две тысячи триста"), Some(2300));
        assert_eq!(worth("1 990"), Some(1990));
        assert_eq!(worth("2 тыс"), Some(2000));
        assert_eq!(worth("тысячу"), Some(1000));
        assert_eq!(worth("рублей"), None);
    }
}
