//! Dates and terms: «завтра», «в течение 3 дней», «до 5 мая», «через час».

use std::ops::Range;
use std::sync::LazyLock;

use regex::Regex;

use super::claims::{Claim, Key, Sources};
use super::reading::{Reading, phrase};
use super::{Hit, numerals, scope};

const MONTHS: &[&str] = &[
    "янв", "фев", "мар", "апр", "мая", "июн", "июл", "авг", "сен", "окт", "ноя", "дек",
];

const MONTH: &str = "(январ[яеью]|феврал[яеью]|март[аеу]?|апрел[яеью]|ма[яеюй]|июн[яеью]|июл[яеью]\
    |август[аеу]?|сентябр[яеью]|октябр[яеью]|ноябр[яеью]|декабр[яеью])";

const UNIT: &str = "(минут[аыу]?|мин|час|часа|часов|часу|часик|ч|сутки|суток|суткам|день|дня|дней|дни|дню|дн\
    |недел[яиюеь]|недельку|денек|часок|минутку|полчаса|полгода|месяц|месяца|месяцев|мес|год|года|году|лет)";

/// Units that may follow «до»: «до 3 лет» is a child's age.
const SHORT_UNIT: &str = "(минут[аыу]?|мин|час|часа|часов|ч|суток|дня|дней|дн|недел[иь])";

const WEEKDAY: &str = "(понедельник[ау]?|вторник[ау]?|среду|среды|четверг[ау]?|пятниц[уые]|суббот[уые]|воскресень[еяю])";

/// «рабочих дней», «календарных дня».
const KIND: &str = "((рабоч|календарн|банковск)~ )?";

/// «3», «3-5», «1,5», «трёх», «двух-трёх».
static COUNT: LazyLock<String> = LazyLock::new(|| {
    let one = format!("(#|{})", *numerals::ANY);
    format!(
        "({one}( [-,.] {one})?|пар[уы]|нескольк~|полтор[аы]|(одного|двух|трех|четырех|одну|один|две|два|три)-(двух|трех|четырех|пяти|две|два|три|четыре|пять))"
    )
});

/// A length of time that is a promise by the words around it.
static TERMS: LazyLock<Vec<Regex>> = LazyLock::new(|| {
    let count = &*COUNT;
    let limit = "не (позднее|позже|более|больше|дольше)( чем)?( через| за)?|максимум|максимально";
    let awaited = "(достав|отправ|придет|придут|прибудет|поступ|отгруз|ответ(им|ит)|ответ|срок|верн|возврат|ожида|рассмотр\
        |рассматр|займет|занима|переда(дим|ча|ют)|привез|приед|зачисл|обработ|проверк|провер(им|ят)|составля|составит|обмен(я|ять)?)~";
    vec![
        phrase(&format!(
            "(в течени[еи]|в теч( \\.)?|через|спустя|на протяжении|в пределах|{limit}) ({count} )?(ближайш~ )?{KIND}{UNIT}"
        )),
        phrase(&format!("(до|за) {count} {KIND}{SHORT_UNIT}")),
        phrase(&format!("за {SHORT_UNIT}")),
        phrase("в течени[еи] (ближайш~ )(час~|дней|суток|недели)"),
        phrase(&format!("{awaited} <5>{count} {KIND}{UNIT}")),
        phrase(&format!(
            "{count} {KIND}{UNIT} (на|для) (возврат|обмен|проверк|доставк|рассмотрени|ответ)~"
        )),
        phrase(&format!(
            "в (ближайш|следующ)~ ({count} )?{KIND}(час|часа|часов|сутки|минуты|минут|рабочий день|неделю|месяц)"
        )),
        phrase(&format!("в ближайш~ {count} {KIND}{UNIT}")),
    ]
});

/// A length of time in a sentence with these is about the use of the product, not about us.
static USE: LazyLock<Regex> = LazyLock::new(|| {
    phrase(
        "(заряд|заряж|заряда|держит|батаре|аккумулятор|автоном|хранить|храните|хранени|годност|нанос|нанес|принима|стира|сохн|сушит|высых|нагре|разогре|работы|служб|служит|выдерж|примен|использ|варит|варить|курс|замач|замочит|кипят|охлажд|размораж|настаив|эксплуатац|ноше|носить)~",
    )
});

/// But with these it is about what we do.
static OURS: LazyLock<Regex> = LazyLock::new(|| {
    phrase(
        "(достав|отправ|отгруз|верн|вернем|возврат|ответ|заказ|посылк|курьер|пункт|выдач|рассмотр|замен)~",
    )
});

static BARE_TERM: LazyLock<Regex> =
    LazyLock::new(|| phrase(&format!("({} )?{KIND}{UNIT}", *COUNT)));

static DAYS: LazyLock<Vec<Regex>> = LazyLock::new(|| {
    let before = "((до|к|ко|с|со|после|от|на|не (позднее|позже|раньше)) )?";
    vec![
        phrase(&format!("{before}#( - го|-го|го)? {MONTH}( # ?г?)?")),
        phrase(&format!(
            "{before}[0-3]?[0-9] [./] [01]?[0-9] [./] (20)?[0-9]{{2}}"
        )),
        phrase("(до|к|на|после|не (позднее|позже)) [0-3]?[0-9] [.] (0[1-9]|1[0-2])"),
    ]
});

static WORDS: LazyLock<Vec<Regex>> = LazyLock::new(|| {
    let will = "(отправ(им|лю|ят|ится|ят)|переда(дим|м|дут)|отгруз(им|ят)|верн(ем|у|ут)|ответ(им|ит|ят)|приедет|придет|придут\
        |привез(ут|ем)|достав(им|ят)|будет|будут|выш(лем|лю)|пришл(ем|ю)|поступ(ит|ят)|реш(им|ит)|уед(ет|ут)|получите|оформ(им|лю)|сдела(ем|ю))";
    vec![
        phrase(
            "(к )?(завтра(-послезавтра)?|послезавтра|завтрашн~ (дню|день|утру|вечеру))( (утром|днем|вечером|к (утру|обеду|вечеру)))?",
        ),
        phrase(&format!("сегодня <3>{will}|{will} <3>сегодня")),
        phrase(&format!(
            "(в|во|к|ко|до|на|с|со) (ближайш~ |следующ~ |эт~ |будущ~ )?{WEEKDAY}"
        )),
        phrase("на (следующ|эт|будущ|ближайш|той)~ неделе|в (следующ|эт|будущ)~ месяце"),
        phrase(
            "(в|до|к) (конц[ауе]|начал[ауе]|середин[уеы]) ((этого|эт~|следующ~|рабочего|текущ~) )?(дня|недели|месяца|года)",
        ),
        phrase(&format!(
            "(в|к|до|с|не позднее) ((конц|начал|середин)~ )?{MONTH}"
        )),
        phrase("((до|к|с|после) )?#( - го|-го)? числа"),
        phrase("(к|до) (утра|утру|обеда|обеду|вечера|вечеру)"),
        phrase("(до|к|после|с|в|во) [0-2]?[0-9] : [0-5][0-9]"),
    ]
});

pub(super) fn find(reading: &Reading, sources: &Sources<'_>) -> Vec<Hit> {
    let claims = claims(reading)
        .into_iter()
        .filter(|claim| !scope::is_asked(reading, &claim.words))
        .collect();
    sources.unfounded(
        reading,
        claims,
        "Обещан срок или дата, которых нет в источниках.",
    )
}

/// What a fact says about dates and terms.
pub(super) fn known(reading: &Reading) -> Vec<Claim> {
    let mut known = claims(reading);
    let bare = reading.find(&BARE_TERM).into_iter();
    known.extend(bare.filter_map(|words| term(reading, words)));
    for claim in &mut known {
        let wider: Vec<Key> = claim.needs.iter().filter_map(wider).collect();
        claim.needs.extend(wider);
    }
    known.retain(|claim| !scope::is_negated(reading, &claim.words));
    known
}

/// A fact «3-5 дней» also stands behind «5 дней», «5 мая 2026» behind «5 мая».
fn wider(key: &Key) -> Option<Key> {
    let value = match key.topic {
        "term" => key.value.split_once('-')?.1.to_owned(),
        "date" => key
            .value
            .rsplit_once('.')
            .filter(|_| key.value.matches('.').count() == 2)?
            .0
            .to_owned(),
        _ => return None,
    };
    Some(Key::new(key.topic, value))
}

fn claims(reading: &Reading) -> Vec<Claim> {
    let all = |patterns: &[Regex]| -> Vec<Range<usize>> {
        patterns.iter().flat_map(|it| reading.find(it)).collect()
    };
    let (uses, ours) = (reading.find(&USE), reading.find(&OURS));
    let stands_by = |near: &[Range<usize>], words: &Range<usize>| {
        near.iter()
            .any(|it| reading.is_same_sentence(it.start, words.start))
    };
    let terms = all(&TERMS)
        .into_iter()
        .filter(|it| !stands_by(&uses, it) || stands_by(&ours, it))
        .filter_map(|it| term(reading, it));
    let days = all(&DAYS).into_iter().filter_map(|it| day(reading, it));
    let words = all(&WORDS).into_iter().map(|it| spoken(reading, it));
    terms
        .chain(days)
        .chain(words)
        .filter(|claim| !scope::is_negated(reading, &claim.words))
        .collect()
}

/// «в течение 3-5 рабочих дней» is `3-5 work d`.
fn term(reading: &Reading, words: Range<usize>) -> Option<Claim> {
    let (mut counts, mut kind, mut unit) = (Vec::new(), "", "");
    for word in reading.spell(words.clone()) {
        counts.extend(word.split('-').filter_map(numerals::value));
        match word {
            it if it.starts_with("рабоч") => kind = "work ",
            it if it.starts_with("банковск") => kind = "bank ",
            it if it.starts_with("пар") => counts.push(2),
            it => unit = unit_of(it).unwrap_or(unit),
        }
    }
    if unit.is_empty() {
        return None;
    }
    if counts.is_empty() {
        counts.push(1);
    }
    let (count, unit): (Vec<u64>, _) = match unit {
        "y" => (counts.iter().map(|it| it.saturating_mul(12)).collect(), "m"),
        unit => (counts, unit),
    };
    let count: Vec<String> = count.iter().map(u64::to_string).collect();
    let value = format!("{} {kind}{unit}", count.join("-"));
    Some(Claim {
        words,
        needs: vec![Key::new("term", value)],
    })
}

fn unit_of(word: &str) -> Option<&'static str> {
    let unit = match word {
        "мин" => "min",
        "полчаса" => "half h",
        "полгода" => "half y",
        it if it.starts_with("минут") => "min",
        "ч" => "h",
        it if it.starts_with("час") => "h",
        "день" | "дня" | "дней" | "дни" | "дню" | "дн" | "денек" => "d",
        it if it.starts_with("сут") => "d",
        it if it.starts_with("недел") => "w",
        it if it.starts_with("мес") => "m",
        "год" | "года" | "году" | "лет" => "y",
        _ => return None,
    };
    Some(unit)
}

/// «до 5 мая 2026» is `5.5.2026`, as is «5.05.26».
fn day(reading: &Reading, words: Range<usize>) -> Option<Claim> {
    let mut numbers: Vec<u64> = Vec::new();
    for word in reading.spell(words.clone()) {
        let month = MONTHS.iter().position(|month| word.starts_with(month));
        let month = month.or((word == "май" || word == "мае" || word == "маю").then_some(4));
        numbers.extend(month.map(|it| it as u64 + 1));
        numbers.extend(word.parse::<u64>().ok());
    }
    let [day @ 1..=31, month @ 1..=12, rest @ ..] = numbers.as_slice() else {
        return None;
    };
    let value = match rest {
        [year @ 0..=99, ..] => format!("{day}.{month}.{}", 2000 + year),
        [year, ..] => format!("{day}.{month}.{year}"),
        [] => format!("{day}.{month}"),
    };
    Some(Claim {
        words,
        needs: vec![Key::new("date", value)],
    })
}

/// «завтра», «в пятницу», «к 18:00»: what counts are the words themselves, by their stems.
fn spoken(reading: &Reading, words: Range<usize>) -> Claim {
    const SMALL: &[&str] = &[
        "в",
        "во",
        "к",
        "ко",
        "до",
        "на",
        "с",
        "со",
        "после",
        "не",
        "позднее",
    ];
    let stems: Vec<String> = reading
        .spell(words.clone())
        .filter(|word| !SMALL.contains(word))
        .map(|word| word.chars().take(4).collect())
        .collect();
    Claim {
        words,
        needs: vec![Key::new("day", stems.join(" "))],
    }
}
