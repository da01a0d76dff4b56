//! Guarantees, and promises that something will surely be so.

use std::sync::LazyLock;

use regex::Regex;

use super::claims::{Claim, Key, Sources};
use super::reading::{Reading, phrase};
use super::{Hit, numerals, scope};

static TERM: LazyLock<String> = LazyLock::new(|| {
    format!(
        "(#|{}|полтора) (месяц|месяца|месяцев|мес|год|года|лет|дней|дня|недели|недель)",
        *numerals::ANY
    )
});

/// «гарантия 12 месяцев»: the fact must name the same term.
static WARRANTY: LazyLock<Regex> = LazyLock::new(|| {
    let term = &*TERM;
    phrase(&format!(
        "гаранти(я|ю|и|ей|йный|йного) <4>{term}|{term} <1>гарантии|(прослужит|прослужат) <3>{term}"
    ))
});

/// «гарантируем», «даём гарантию»: a fact must speak of a guarantee.
static GUARANTEE: LazyLock<Regex> = LazyLock::new(|| {
    phrase(
        "гарантиру(ем|ю|ет|ют|ется)( <1>(возврат|замену|качество|доставку|оригинальность|результат))?\
        |(да(ем|дим|ю|м|ет)|предоставля(ем|ет|ется)|предостав(им|лю)|действует|распространяется) <3>гаранти(я|ю|и)\
        |на <3>(есть|действует|распространяется|предоставляется) <2>гарантия\
        |гарантия <2>(действует|распространяется|предоставляется)",
    )
});

/// Nothing short of the same words stands behind these.
static ASSURANCE: LazyLock<Regex> = LazyLock::new(|| {
    let surely = "(точно|обязательно|гарантированно|100 %|на 100 %|стопроцентно|наверняка|однозначно|непременно)";
    phrase(&format!(
        "(пожизненн|стопроцентн|бессрочн)~ гаранти~|гаранти[яюи] <2>100 %|100 % (гаранти|оригинал|качеств|результат)~\
        |{surely} <1>(подойд|помож|помог|понрав|прослуж|сработа|исчезн|пройдет|вылеч|решит|устро|придет|приедет|дойдет|успе)~\
        |гарантированно [а-я]+(ем|им|ет|ит|ут|ят)|никогда не (слома|порв|полиня|подвед|выцвет|сотр|протек|лопн)~\
        |обеща(ем|ю)|руча(емся|юсь)|клян(емся|усь)|(даю|даем) слово"
    ))
});

/// How a fact speaks of a guarantee at all.
static SPOKEN_OF: LazyLock<Regex> = LazyLock::new(|| phrase("гаранти~"));

pub(super) fn find(reading: &Reading, sources: &Sources<'_>) -> Vec<Hit> {
    let claims = claims(reading)
        .into_iter()
        .filter(|claim| !scope::is_asked(reading, &claim.words))
        .collect();
    sources.unfounded(
        reading,
        claims,
        "Обещана гарантия, которой нет в источниках.",
    )
}

/// What a fact says about guarantees.
pub(super) fn known(reading: &Reading) -> Vec<Claim> {
    let mut known = claims(reading);
    let spoken_of = reading.find(&SPOKEN_OF).into_iter();
    known.extend(spoken_of.map(|words| Claim {
        words,
        needs: vec![Key::new("guarantee", "")],
    }));
    known.retain(|claim| {
        !scope::is_negated(reading, &claim.words) && !scope::is_asked(reading, &claim.words)
    });
    known
}

fn claims(reading: &Reading) -> Vec<Claim> {
    let claim = |pattern: &'static Regex, topic: &'static str, value: fn(&[&str]) -> String| {
        reading.find(pattern).into_iter().map(move |words| {
            let spelled: Vec<&str> = reading.spell(words.clone()).collect();
            let needs = vec![Key::new(topic, value(&spelled))];
            Claim { words, needs }
        })
    };
    claim(&WARRANTY, "warranty", months)
        .chain(claim(&GUARANTEE, "guarantee", |_| String::new()))
        .chain(claim(&ASSURANCE, "assurance", |words| words.join(" ")))
        .filter(|claim| !scope::is_negated(reading, &claim.words))
        .collect()
}

/// «2 года» is as long as «24 месяца».
fn months(words: &[&str]) -> String {
    let mut count = numerals::sum(words.iter().copied()).unwrap_or(1);
    if words
        .iter()
        .any(|word| ["год", "года", "лет"].contains(word))
    {
        count = count.saturating_mul(12);
        if words.contains(&"полтора") {
            count = 18;
        }
        return format!("{count} m");
    }
    let unit = if words.iter().any(|word| word.starts_with("мес")) {
        "m"
    } else if words.iter().any(|word| word.starts_with("недел")) {
        "w"
    } else {
        "d"
    };
    format!("{count} {unit}")
}
