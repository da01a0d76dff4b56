//! Promises of money: sums, refunds, compensations, discounts, presents.

use std::ops::Range;
use std::sync::LazyLock;

use regex::Regex;

use super::claims::{Claim, Key, Sources};
use super::reading::{Reading, phrase};
use super::{Hit, numerals, scope};

/// A kind of promise: how it is made, and how a fact speaks of it.
struct Kind {
    topic: &'static str,
    promise: Regex,
    fact: Regex,
}

const MONEY: &str = "(деньги|деньгами|денег|денежн~|средства|средств|сумм[уы]|сумма|стоимость|стоимости|оплату|оплаты|разницу|разницы)";
const ABLE: &str = "(можем|могу|сможем|смогу|готов|готова|готовы|обязуемся|обязуюсь|обещаем|обещаю|постараемся|будем)";
const DISCOUNT: &str = "(скидк~|скидочк~|промокод~|купон~|к[эе]шб[еэ]к~)";
const GIVE: &str = "(сдела(ем|ю)|дад(им|ут)|дам|да(ем|ю)|предостав(им|лю|ляем|ят)|предлага(ем|ю)|предлож(им|у)|подар(им|ю)|дарим|получите|оформ(им|лю)|выплат(им|ят)|начисл(им|ю|ят)|выпиш(ем|у))";
const TO_GIVE: &str =
    "(сделать|дать|предоставить|предложить|подарить|оформить|выплатить|начислить)";

static KINDS: LazyLock<Vec<Kind>> = LazyLock::new(|| {
    let kind = |topic, promise: &[String], fact: &str| Kind {
        topic,
        promise: phrase(&promise.join("|")),
        fact: phrase(fact),
    };
    vec![
        kind(
            "refund",
            &[
                format!("(верн(ем|у|ет|ут)|возвраща(ем|ю|ет|ют)|возврат(им|ят|ит)|перевед(ем|у|ут)|перечисл(им|ю|ят)|выплат(им|ят|ит)|отдадим|зачисл(им|ят|ит)) <4>({MONEY}|# (руб|рублей|рубля|р|₽))"),
                format!("{MONEY} <3>(верн(ут|ет|ем|утся|ется|у)|возвраща(ются|ется|ем)|возврат(ят|им|ится|ятся)|поступ(ят|ит)|зачисл(ят|ится|ятся|им)|(будут|будет) <2>(возвращен|зачислен|перечислен|переведен)~)"),
                "(оформ(им|лю)|сдела(ем|ю)|одобр(им|ю|ят)|провед(ем|у)|соглас(уем|ую)|гарантируем|обеспеч(им|у)|произвед(ем|у)|подтверд(им|у)) <3>возврат".to_owned(),
                "возврат <2>(оформ(им|лю)|сдела(ем|ю)|одобр(им|ю|ят)|провед(ем|у))".to_owned(),
                format!("{ABLE} <4>(вернуть|возвратить|выплатить|перечислить|перевести|отдать|возвращать) <3>{MONEY}"),
                format!("{ABLE} <3>(оформить|сделать|одобрить|согласовать|провести) <2>возврат"),
                "возврат <3>(будет|обязательно) <2>(оформлен|произведен|осуществлен|одобрен|сделан)".to_owned(),
                format!("(вы )?получите <3>({MONEY}|возврат)"),
            ],
            &format!("(возврат|возвраща|верн|возмещ)~ <4>{MONEY}|{MONEY} <3>(возврат|возвраща|верн)~"),
        ),
        kind(
            "compensation",
            &[
                "(компенсиру(ем|ю|ет|ют)|возмест(им|ят|ит)|возмеща(ем|ют)|возмещу)( <3>(деньги|средства|стоимость|расходы|затраты|ущерб|доставку|разницу|сумму))?".to_owned(),
                format!("{GIVE} <4>(компенсаци|возмещени)~|(компенсаци|возмещени)~ <2>{GIVE}"),
                format!("{ABLE} <4>(компенсировать|возместить)( <3>(деньги|средства|стоимость|расходы|затраты|ущерб|доставку|разницу|сумму))?"),
                format!("{ABLE} <3>{TO_GIVE} <3>компенсаци~"),
                "(будет|будут) <2>(выплачен|возмещен|компенсирован|предоставлен|начислен)~ <3>(компенсаци|скидк|бонус|балл|деньги|стоимость|ущерб)~".to_owned(),
                "(вам|вас) (положен[ао]?|полагается|ждет) <2>компенсаци~|компенсация <2>(составит|будет)".to_owned(),
            ],
            "(компенс|возмест|возмещ)~",
        ),
        kind(
            "discount",
            &[
                format!("{GIVE} <4>{DISCOUNT}|{DISCOUNT} <2>{GIVE}"),
                format!("{ABLE} <3>{TO_GIVE} <4>{DISCOUNT}"),
                format!("(для вас|вам|вас|ваша) <3>{DISCOUNT}"),
                "скидка <2>(составит|будет)|по промокоду".to_owned(),
            ],
            DISCOUNT,
        ),
        kind(
            "gift",
            &[
                format!("{GIVE} <4>(подарок|подарки|бонус~|балл[аыов]*|подарочн~ сертификат~)"),
                format!("{ABLE} <3>{TO_GIVE} <3>(подарок|бонус~|балл[аыов]*)"),
                "(полож(им|у)|пришл(ем|ю)|вышл(ем|ю)|отправ(им|лю)|добав(им|лю)) <4>(в подарок|подарок|подарки)".to_owned(),
            ],
            "(подар|бонус|балл)~",
        ),
        kind(
            "free",
            &[
                "за наш счет".to_owned(),
                "бесплатно <2>(замен(им|ю)|вышл(ем|ю)|отправ(им|лю)|пришл(ем|ю)|достав(им|ят)|почин(им|ят)|отремонтируе[мт]|обменя(ем|ю))".to_owned(),
                "(замен(им|ю)|вышл(ем|ю)|отправ(им|лю)|пришл(ем|ю)|достав(им|ят)|почин(им|ят)|отремонтируем|обменя(ем|ю)) <4>бесплатно".to_owned(),
            ],
            "(бесплатн~|за наш счет)",
        ),
    ]
});

static SUM: LazyLock<Regex> = LazyLock::new(|| {
    let number = "[0-9]{1,7}( [0-9]{3})*( [.,] [0-9]{1,2})?( (тыс( [.])?|тысяч~|к))?";
    let words = format!("{0}( {0})*", *numerals::ANY);
    let currency = "(руб|рубл(ь|я|ей|ю|ем|ях|ями)|рубле|рэ|р|₽|rub|rur|копе(йка|йки|ек)|тенге|usd|доллар(а|ов)?|[$]|€|евро|юан(ь|я|ей)|балл(а|ов)|бонус(а|ов))";
    phrase(&format!(
        "({number}|{words}) {currency}|[$€₽] {number}|полтор[аы] тысяч[иа]( {currency})?|тысячу( {currency})?"
    ))
});

static PERCENT: LazyLock<Regex> = LazyLock::new(|| {
    phrase(&format!(
        "({DISCOUNT}|компенс~|верн~|возврат~|возместим) <4># (%|процент~)|# (%|процент~) <2>({DISCOUNT}|компенсаци~|от <1>(стоимости|цены|суммы))|(минус|- ) # (%|процент~)"
    ))
});

/// A price in a fact: «Цена: 1990».
static PRICE: LazyLock<Regex> =
    LazyLock::new(|| phrase("(цена|стоимость|сумма|price) <2>(: )?[0-9]{1,7}( [0-9]{3})*"));

static ANY_PERCENT: LazyLock<Regex> = LazyLock::new(|| phrase("# (%|процент~)"));

/// A question with one of these is an offer.
static OFFER: LazyLock<Regex> = LazyLock::new(|| {
    phrase("(устро|предлож|предлаг|компенс|скидк|верне|возмест|возмещ|договор|соглас)~")
});

pub(super) fn find(reading: &Reading, sources: &Sources<'_>) -> Vec<Hit> {
    let offers = reading.find(&OFFER);
    let promises = KINDS.iter().flat_map(|kind| {
        let found = reading.find(&kind.promise).into_iter();
        found.map(|words| Claim {
            words,
            needs: vec![Key::new(kind.topic, "")],
        })
    });
    let sums = sums(reading).into_iter().filter(|claim| {
        let in_sentence =
            |offer: &Range<usize>| reading.is_same_sentence(offer.start, claim.words.start);
        !scope::is_asked(reading, &claim.words) || offers.iter().any(in_sentence)
    });
    let claims = promises
        .chain(sums)
        .filter(|claim| !scope::is_negated(reading, &claim.words))
        .collect();
    sources.unfounded(
        reading,
        claims,
        "Обещаны деньги или названа сумма, которых нет в источниках.",
    )
}

/// What a fact says about money.
pub(super) fn known(reading: &Reading) -> Vec<Claim> {
    let mut known = sums(reading);
    for kind in KINDS.iter() {
        let said = reading.find(&kind.fact).into_iter();
        known.extend(said.chain(reading.find(&kind.promise)).map(|words| Claim {
            words,
            needs: vec![Key::new(kind.topic, "")],
        }));
    }
    let prices = reading.find(&PRICE).into_iter();
    known.extend(prices.filter_map(|it| worth(reading, it, "sum")));
    let percents = reading.find(&ANY_PERCENT).into_iter();
    known.extend(percents.filter_map(|it| worth(reading, it, "percent")));
    known.retain(|claim| {
        !scope::is_negated(reading, &claim.words) && !scope::is_asked(reading, &claim.words)
    });
    known
}

fn sums(reading: &Reading) -> Vec<Claim> {
    let sums = reading.find(&SUM).into_iter();
    let sums = sums
        .filter(|words| !is_dose(reading, words.end))
        .filter_map(|words| worth(reading, words, "sum"));
    let percents = reading.find(&PERCENT).into_iter();
    sums.chain(percents.filter_map(|it| worth(reading, it, "percent")))
        .collect()
}

/// «2 р. в день», «3 р/сутки»: how often, not how much.
fn is_dose(reading: &Reading, end: usize) -> bool {
    if reading.word(end - 1) != "р" {
        return false;
    }
    let next = end + usize::from(reading.word(end) == ".");
    let is_each = matches!(reading.word(next), "в" | "/");
    let each = ["день", "д", "сутки", "сут", "неделю", "нед", "месяц", "год"];
    is_each && each.contains(&reading.word(next + 1))
}

fn worth(reading: &Reading, words: Range<usize>, topic: &'static str) -> Option<Claim> {
    let spelled: Vec<&str> = reading.spell(words.clone()).collect();
    // Kopecks after the comma do not make another sum.
    let whole = spelled.iter().position(|word| [",", "."].contains(word));
    let whole = whole.filter(|at| *at > 0).unwrap_or(spelled.len());
    let thousand = spelled.contains(&"к").then_some("тысяч");
    let mut value = numerals::sum(spelled[..whole].iter().copied().chain(thousand))?;
    if spelled.iter().any(|word| word.starts_with("полтор")) {
        value += 500;
    }
    Some(Claim {
        words,
        needs: vec![Key::new(topic, value.to_string())],
    })
}
