//! Asking the buyer to cancel the order, or to change or write a review to our liking.

use std::sync::LazyLock;

use regex::Regex;

use super::reading::{Reading, phrase};
use super::{Hit, scope};

const ORDER: &str = "(заказ|заказа|заказы|покупку|покупки|товар|товара|получени[яе]|посылки|посылку|доставку|доставки)";
const REVIEW: &str = "(отзыв|отзыва|отзывы|оценку|оценки|рейтинг|комментарий)";
const ASK: &str = "(прос(им|ьба)|прошу|попрошу|попросим|рекоменду(ем|ю)|совету(ем|ю)|предлага(ем|ю)|предлож(им|у)|можете ли вы|могли бы вы|не могли бы вы|сможете|лучше|проще|нужно|надо|придется|необходимо|будьте добры|пожалуйста|следует|стоит)";

static CANCEL: LazyLock<Regex> = LazyLock::new(|| {
    let away = "(отменить|аннулировать|отменить|отказаться от)";
    phrase(&format!(
        "(отмените|отменяйте|аннулируйте|отмени)( <3>{ORDER})?\
        |(откажитесь|отказывайтесь) <1>от <3>{ORDER}\
        |{ASK} <4>{away}( <3>{ORDER})?\
        |(оформите|сделайте|создайте|нажмите|выберите) <2>(отмену|отменить|отмена|отказ)( <2>{ORDER})?\
        |не (выкупайте|забирайте) <2>{ORDER}"
    ))
});

static CHANGE_REVIEW: LazyLock<Regex> = LazyLock::new(|| {
    phrase(&format!(
        "(измените|исправьте|удалите|уберите|поменяйте|отредактируйте|пересмотрите|скорректируйте|снимите|поднимите|повысьте|обновите|дополните) <3>{REVIEW}\
        |({ASK}|если|готовы|хотели|мы) <5>(изменить|исправить|удалить|убрать|поменять|отредактировать|пересмотреть|скорректировать|снять|поднять|повысить|дополнить) <3>{REVIEW}\
        |(поставьте|поставить|оставьте|оставить|напишите|написать) <3>((5|пять|пяти) (звезд|звездочек|баллов|[*★])|(положительн|хорош|отличн|высок|высш|максимальн)~ {REVIEW}|пятерку)\
        |(подарок|подарим|бонус~|скидк~|кэшбек|кэшбэк|деньги|руб|рублей|балл~|вернем) <3>за <2>{REVIEW}\
        |за <2>{REVIEW} <3>(подарок|подарим|бонус~|скидк~|кэшбек|кэшбэк|рублей|балл~|вернем|начислим|дарим)"
    ))
});

/// The buyer's own wish: what follows only says how.
static WISH: LazyLock<Regex> = LazyLock::new(|| {
    phrase(
        "если <2>(хотите|передумали|решили|желаете|захотите|решите|передумаете|товар больше не нужен|заказ больше не нужен)|чтобы (отменить|удалить|изменить)|для отмены",
    )
});

pub(super) fn find(reading: &Reading) -> Vec<Hit> {
    let wishes = reading.find(&WISH);
    let is_wished = |at: usize| {
        wishes
            .iter()
            .any(|wish| reading.is_same_sentence(wish.start, at))
    };
    let said = |pattern: &Regex, message: &'static str| -> Vec<Hit> {
        let found = reading.find(pattern).into_iter();
        found
            .filter(|words| !scope::is_negated(reading, words) && !is_wished(words.start))
            .map(|words| Hit::new(reading.span(&words), message))
            .collect()
    };
    let mut hits = said(&CANCEL, "Покупателя просят отменить заказ.");
    hits.extend(said(
        &CHANGE_REVIEW,
        "Покупателя просят об отзыве или его изменении.",
    ));
    hits
}
