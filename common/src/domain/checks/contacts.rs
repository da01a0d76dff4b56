//! Ways to reach somebody outside the chat: phones, e-mail, nicknames, street addresses, cards.

use std::ops::Range;
use std::sync::LazyLock;

use regex::Regex;

use super::reading::{Reading, phrase};
use super::{Hit, links, numerals};

/// Digits with at most three marks between them; «о» and «з» stand in for digits.
#[expect(clippy::expect_used, reason = "a constant, and the tests compile it")]
static DIGITS: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"(?:\+[ (]{0,2})?\(?[0-9](?:[ \t()\-.*_/|,]{0,3}[0-9оoз])+")
        .expect("the pattern of digits compiles")
});

#[expect(clippy::expect_used, reason = "a constant, and the tests compile it")]
static EMAIL: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(
        r"[a-z0-9][a-z0-9._%+-]*(?: ?@ ?| ?[(\[](?:at|собака)[)\]] ?| собака )[a-zа-я0-9-]+(?:(?: ?\. ?| точка | dot )[a-zа-я0-9-]+)*",
    )
    .expect("the pattern of an e-mail compiles")
});

#[expect(clippy::expect_used, reason = "a constant, and the tests compile it")]
static HANDLE: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"@[a-z][a-z0-9_.]{3,}").expect("the pattern of a handle compiles")
});

/// Services of mail that are named without their host: «ivan собака яндекс».
const MAILS: &[&str] = &[
    "mail",
    "gmail",
    "yandex",
    "ya",
    "rambler",
    "inbox",
    "list",
    "bk",
    "icloud",
    "outlook",
    "hotmail",
    "яндекс",
    "мейл",
    "майл",
    "маил",
    "гмейл",
    "джимейл",
    "рамблер",
];

static NICKNAME: LazyLock<Regex> = LazyLock::new(|| {
    phrase(
        "(ник|никнейм|логин|юзернейм|username|nickname)( (в|наш|мой|нашего|моего)( [а-яa-z]+)?)?( [:-])? [a-z][a-z0-9_]{3,}",
    )
});

static ADDRESS: LazyLock<Regex> = LazyLock::new(|| {
    let name = "([а-я0-9-]+ ){1,3}";
    let house = "((д|дом|дома|доме) ([.] )?)?# ?([а-я]( /)?)?";
    phrase(&format!(
        "(г ([.] )?[а-я-]+ , )?(ул|улица|улице|улицу|улицы|пр-т|пр-кт|просп|проспект|проспекте|переулок|переулке|пер|шоссе|наб|набережная|бульвар|бульваре|б-р|проезд) ([.] )?{name}(, |(д|дом|дома|доме) ([.] )?)((д|дом|дома|доме) ([.] )?)?#( [а-гa-d])?\
        |(г ([.] )?[а-я-]+ , )?(ул [.]|улица|улице|проспект|проспекте|пр-т|просп|переулок|переулке|бульвар|бульваре) ([а-я0-9-]+ ){{0,2}}[а-я-]+(а|я|ой|ый|ий|ая|ого|ов|их|ых) {house}\
        |([а-я-]+ , )?(д|дом) ([.] )?#( [а-г])? (, )?(кв|квартира|офис|оф|корп|корпус|стр|строение|подъезд) ([.] )?#"
    ))
});

/// After these a bare row of digits is somebody's number, not a phone.
static NUMBERED: LazyLock<Regex> = LazyLock::new(|| {
    phrase(
        "(заказ|артикул|трек|накладн|отправлени|штрихкод|посылк|возврат|чек)~( -|-)?( (номер|код)~)?( :| №)?|трек-номер~|№|sku|арт( [.])?|код~ товара",
    )
});

/// Before a bare row of ten digits these make it a phone.
static CALLED: LazyLock<Regex> = LazyLock::new(|| {
    phrase(
        "(тел|телефон~|звоните|позвоните|звони|набирайте|моб|whatsapp|ватсап~|вотсап~|viber|вайбер~)( [.])?( :| -)?",
    )
});

pub(super) fn find(reading: &Reading) -> Vec<Hit> {
    let phone = "В тексте номер телефона.";
    let mut hits = Vec::new();
    hits.extend(numbers(reading));
    let dictated = dictated(reading).into_iter();
    hits.extend(dictated.map(|words| Hit::new(reading.span(&words), phone)));
    let emails = emails(reading);
    let handles = HANDLE.find_iter(&reading.folded).map(|hit| hit.range());
    let handles = handles.filter(|it| !emails.iter().any(|email| email.contains(&it.start)));
    let handles = handles.filter(|it| !ends_with_word(&reading.folded[..it.start]));
    hits.extend(handles.map(|it| {
        Hit::new(
            reading.span_of_bytes(&it),
            "В тексте имя в мессенджере или соцсети.",
        )
    }));
    hits.extend(
        emails
            .iter()
            .map(|it| Hit::new(reading.span_of_bytes(it), "В тексте адрес почты.")),
    );
    let nicknames = reading.find(&NICKNAME).into_iter();
    hits.extend(
        nicknames.map(|it| Hit::new(reading.span(&it), "В тексте имя в мессенджере или соцсети.")),
    );
    let addresses = reading.find(&ADDRESS).into_iter();
    hits.extend(addresses.map(|it| Hit::new(reading.span(&it), "В тексте почтовый адрес.")));
    hits
}

fn ends_with_word(text: &str) -> bool {
    text.chars().next_back().is_some_and(char::is_alphanumeric)
}

fn emails(reading: &Reading) -> Vec<Range<usize>> {
    let found = EMAIL.find_iter(&reading.folded).filter_map(|hit| {
        let text = hit.as_str();
        let (_, host) = ["@", "собака", "at"]
            .iter()
            .find_map(|mark| text.split_once(mark))?;
        let host = host
            .replace(" точка ", ".")
            .replace(" dot ", ".")
            .replace(['(', ')', '[', ']', ' '], "");
        let labels: Vec<&str> = host.split('.').collect();
        let last = labels.iter().skip(1).position(|it| links::is_zone(it));
        let is_mail = last.is_some() || MAILS.contains(&labels[0]);
        is_mail.then(|| hit.range())
    });
    found.collect()
}

/// Phones and cards among the rows of digits.
fn numbers(reading: &Reading) -> Vec<Hit> {
    let text = &reading.folded;
    let ends = |pattern: &Regex| -> Vec<usize> {
        let found = reading.find(pattern).into_iter();
        found.map(|words| reading.span(&words).end).collect()
    };
    let (numbered, called) = (ends(&NUMBERED), ends(&CALLED));
    let mut hits = Vec::new();
    for found in DIGITS.find_iter(text) {
        let is_glued = text[..found.start()]
            .chars()
            .next_back()
            .is_some_and(|it| it.is_ascii_alphanumeric() || it == '_');
        if is_glued {
            continue;
        }
        let row = Row::of(found.as_str());
        let span = reading.span_of_bytes(&found.range());
        let near = |ends: &[usize]| {
            let before = ends.partition_point(|end| *end <= span.start);
            before > 0 && span.start - ends[before - 1] <= 2
        };
        if row.is_phone() && (row.groups.len() > 1 || row.has_plus || !near(&numbered))
            || row.is_bare_mobile() && near(&called)
        {
            hits.push(Hit::new(span, "В тексте номер телефона."));
        } else if row.is_card() {
            hits.push(Hit::new(span, "В тексте номер банковской карты."));
        }
    }
    hits
}

/// A row of digits as it is grouped.
struct Row {
    has_plus: bool,
    has_parens: bool,
    digits: String,
    /// How many digits stand together.
    groups: Vec<usize>,
}

impl Row {
    fn of(text: &str) -> Self {
        let (mut digits, mut groups) = (String::new(), Vec::new());
        let mut is_apart = true;
        for char in text.chars() {
            let digit = match char {
                'о' | 'o' => '0',
                'з' => '3',
                char => char,
            };
            if !digit.is_ascii_digit() {
                is_apart = true;
                continue;
            }
            digits.push(digit);
            match groups.last_mut() {
                Some(last) if !is_apart => *last += 1,
                _ => groups.push(1),
            }
            is_apart = false;
        }
        Self {
            has_plus: text.starts_with('+'),
            has_parens: text.contains('('),
            digits,
            groups,
        }
    }

    /// Sizes, order numbers and track numbers are longer, shorter, or grouped otherwise.
    fn is_phone(&self) -> bool {
        let length = self.digits.len();
        if self.has_plus {
            return (10..=15).contains(&length);
        }
        if self.groups == [3, 3, 2, 2] || self.groups == [3, 3, 4] {
            return self.has_parens || self.digits.starts_with('9');
        }
        let mut digits = self.digits.chars();
        let begins = matches!(digits.next(), Some('7' | '8'))
            && matches!(digits.next(), Some('3' | '4' | '8' | '9'));
        let is_grouped = matches!(self.groups[..], [11] | [4, ..] | [1, 1 | 3.., ..]);
        length == 11 && begins && is_grouped
    }

    fn is_bare_mobile(&self) -> bool {
        self.digits.len() == 10 && self.digits.starts_with('9')
    }

    fn is_card(&self) -> bool {
        let begins = self.digits.starts_with(['2', '4', '5', '6']);
        begins && self.groups == [4, 4, 4, 4] && passes_luhn(&self.digits)
    }
}

fn passes_luhn(digits: &str) -> bool {
    let digits = digits.bytes().rev().map(|it| u32::from(it - b'0'));
    let sum: u32 = digits
        .enumerate()
        .map(|(at, digit)| match (at % 2, digit * 2) {
            (0, _) => digit,
            (_, double) if double > 9 => double - 9,
            (_, double) => double,
        })
        .sum();
    sum.is_multiple_of(10)
}

/// «восемь девятьсот двенадцать триста сорок пять 67 89».
fn dictated(reading: &Reading) -> Vec<Range<usize>> {
    let (mut found, mut at) = (Vec::new(), 0);
    let count = reading.words().len();
    while at < count {
        let end = (at..count)
            .find(|&it| !is_dictated(reading.word(it)))
            .unwrap_or(count);
        let is_spoken = (at..end).any(|it| reading.word(it).parse::<u64>().is_err());
        if is_spoken && end - at >= 4 {
            let digits = numerals::dictated(reading.spell(at..end).filter(|it| *it != "-"));
            let begins = digits.starts_with("89")
                || digits.starts_with("79")
                || digits.starts_with("88")
                || digits.starts_with("84");
            if digits.len() == 11 && begins || digits.len() == 10 && digits.starts_with('9') {
                found.push(at..end);
            }
        }
        at = end.max(at + 1);
    }
    found
}

fn is_dictated(word: &str) -> bool {
    word == "-" || numerals::value(word).is_some_and(|value| value < 1000) || is_digits(word)
}

fn is_digits(word: &str) -> bool {
    word.bytes().all(|it| it.is_ascii_digit())
}
