//! Leading the buyer away: to messengers, to other shops, past the marketplace's checkout.

use std::sync::LazyLock;

use regex::Regex;

use super::reading::{Reading, phrase};
use super::{Hit, scope};
use crate::channel::Marketplace;

const MESSENGER: &str = "(whats ?app|whatsapp~|вотс ?ап~|ватс ?ап~|вацап~|вотсапп~|ватсапп~|whatsup|wa|viber~|вайбер~|telegram~|телеграм~|телеграмм~|телег[аеуи]|тг|tg|тг-канал~|тг-бот~|телеграм-канал~|телеграм-бот~\
    |вк|vk|вконтакте|инстаграм~|instagram~|инст[аеу]|директ|одноклассник~|skype|скайп~|discord|дискорд~|мессенджер~|фейсбук~|facebook)";

/// Other places to buy, but for the marketplace of the chat.
const SHOPS: &[(Option<Marketplace>, &str)] = &[
    (Some(Marketplace::Ozon), "озон[а-я]?|ozon"),
    (
        Some(Marketplace::Wildberries),
        "wildberries|вайлдберр?из[а-я]*|вайлдбер[а-я]*|вб|wb",
    ),
    (
        Some(Marketplace::YandexMarket),
        "яндекс ?маркет[а-я]?|яндекс-маркет[а-я]?|я маркет",
    ),
    (
        None,
        "авито|avito|алиэкспресс~|aliexpress|мегамаркет[а-я]?|сбермегамаркет[а-я]?|юла|юле|юлу|lamoda|ламод[аеуы]",
    ),
];

/// Our own shop elsewhere.
const OURS: &str = "((наш|наше|сво)[а-я]* (офлайн |розничн~ |официальн~ )?(сайт|сайта|сайте|магазин|магазине|интернет-магазин|интернет-магазине|шоурум|шоуруме|группу|группе|канал|канале|бот|боте)|сайте? (магазина|продавца)|интернет-магазине? (бренда|продавца)|розничн~ магазин~)";

/// What the buyer is asked to do there.
const GO: &str = "(напишите|пишите|напиши|пиши|свяжитесь|связывайтесь|связаться|позвоните|звоните|найдите|ищите|найти|добавьте|добавьтесь|подпишитесь|подписывайтесь|переходите|перейдите|перейти|отправьте|отправляйте|пришлите|присылайте|скиньте|кидайте|закажите|заказывайте|заказать|купите|покупайте|купить|приобрести|приобретайте|оформите|оформляйте|оформить|обратитесь|обращайтесь|заходите|зайдите|написать|общаться|смотрите|посмотрите|приезжайте|приходите|оставьте|вступайте)";

/// A messenger's name written letter by letter hides from somebody; with «в» before it or not.
static SPACED: LazyLock<Regex> = LazyLock::new(|| phrase(&format!("в?{MESSENGER}")));

/// What we do there.
const COME: &str = "(есть|ждем|дешевле|выгоднее|общаемся|продолжим|ответим|ответит|отвечу|отвечаем|скину|скинем|пришлю|пришлем|вышлю|вышлем|напишу|напишем|продублирую|договоримся|решим|консультируем|подскажем|отправлю|отправим|поможем)";

static PATTERNS: LazyLock<Vec<(Marketplace, Regex)>> = LazyLock::new(|| {
    Marketplace::ALL
        .map(|marketplace| (marketplace, leading_away(marketplace)))
        .into()
});

fn leading_away(marketplace: Marketplace) -> Regex {
    let foreign = SHOPS
        .iter()
        .filter(|(whose, _)| *whose != Some(marketplace));
    let shops: Vec<&str> = foreign.map(|(_, names)| *names).collect();
    let shops = shops.join("|");
    phrase(&format!(
        "{GO} <5>(в|во|на|через|по|нам|наш) <2>({MESSENGER}|{shops})\
        |({GO} <1>)?у нас на сайте\
        |{GO} <4>(на|в|во|через) <1>{OURS}\
        |(в|во|на|через|по) <1>({MESSENGER}|{shops}) <3>({GO}|{COME})\
        |{COME} <3>(в|во|на|через|по) <1>({MESSENGER}|{shops})\
        |(на|в|во) {OURS} <4>({GO}|{COME}|доступн~|дешевле|скидк~)\
        |{COME} <3>(на|в|во) {OURS}\
        |по ссылке <1>в <1>(профиле|шапке|описании магазина)\
        |(наш|мой|нашем|нашего|нашу|наша|нашей|моем|мою) <1>{MESSENGER}\
        |{MESSENGER} (наш[а-я]*|мой|для связи|: [^ ]+)\
        |(закажите|купите|покупайте|заказывайте|оформите|оплатите|оформить|купить|заказать|оплатить|отправим|продадим|договоримся) <3>(напрямую|в обход|мимо)\
        |(в обход|мимо) (площадки|маркетплейса|сайта|озон~|вб|wildberries|ozon|кассы)\
        |(переведите|перечислите|оплатите|скиньте|переводите|перевод) <4>(на карту|на счет|по номеру|переводом|на сбер~|на тинькофф)"
    ))
}

pub(super) fn find(reading: &Reading, marketplace: Marketplace) -> Vec<Hit> {
    let patterns = PATTERNS.iter().filter(|(whose, _)| *whose == marketplace);
    let spaced = reading.find(&SPACED).into_iter();
    patterns
        .flat_map(|(_, pattern)| reading.find(pattern))
        .chain(spaced.filter(|words| reading.words()[words.start].is_spaced))
        .filter(|words| !scope::is_negated(reading, words))
        .map(|words| {
            Hit::new(
                reading.span(&words),
                "Покупателя уводят с площадки в мессенджер или другой магазин.",
            )
        })
        .collect()
}
