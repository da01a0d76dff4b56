//! The rule bot: answers by whole words and stems, without any model.

use super::keywords::has_keyword;

/// A rule: any of the phrases calls for the answer.
#[derive(Clone, Copy, Debug)]
pub struct BotRule {
    pub phrases: &'static [&'static str],
    pub answer: &'static str,
}

/// The rules that are always there, the first that fits first: what somebody asks for goes before
/// how they greet.
pub const DEFAULT_RULES: &[BotRule] = &[
    BotRule {
        phrases: &["каталог*", "ассортимент*", "что продаете", "что у вас есть"],
        answer: "Весь каталог открыт на странице магазина. Напишите, что вы ищете, и мы поможем выбрать.",
    },
    BotRule {
        phrases: &[
            "где заказ*",
            "где мой заказ*",
            "где посылк*",
            "где моя посылк*",
            "доставк*",
            "трек*",
            "когда придет",
            "не пришел",
            "не приехал*",
        ],
        answer: "Здравствуйте! Статус доставки виден в личном кабинете в разделе «Заказы». Мы проверим, что с заказом, и напишем вам.",
    },
    BotRule {
        phrases: &["возврат*", "вернуть", "верните", "вернула", "вернул"],
        answer: "Здравствуйте! Заявка на возврат оформляется в личном кабинете в разделе «Заказы». Мы посмотрим ваше обращение и ответим.",
    },
    BotRule {
        phrases: &[
            "брак*",
            "сломан*",
            "не работает",
            "трещин*",
            "дефект*",
            "поврежд*",
        ],
        answer: "Здравствуйте! Нам жаль, что так вышло. Пришлите, пожалуйста, фото товара и упаковки: мы разберёмся.",
    },
    BotRule {
        phrases: &["размер*", "маломер*", "большемер*"],
        answer: "Здравствуйте! Таблица размеров есть в карточке товара. Напишите, какой размер вы обычно носите, и мы подскажем.",
    },
    BotRule {
        phrases: &["человек*", "оператор*", "менеджер*"],
        answer: "Передаём ваш вопрос сотруднику, он ответит здесь.",
    },
    BotRule {
        phrases: &[
            "что ты умеешь",
            "что вы умеете",
            "помощь",
            "помоги*",
            "help",
        ],
        answer: "Я отвечаю на частые вопросы: о доставке, возврате, размерах, каталоге. На остальное ответит сотрудник.",
    },
    BotRule {
        phrases: &["спасибо", "благодар*", "спс"],
        answer: "Спасибо, что написали! Обращайтесь, если появятся вопросы.",
    },
    BotRule {
        phrases: &["пока", "до свидания", "всего доброго", "прощай*"],
        answer: "До свидания! Хорошего дня.",
    },
    BotRule {
        phrases: &[
            "привет*",
            "здравствуй*",
            "добрый день",
            "добрый вечер",
            "доброе утро",
            "доброго дня",
        ],
        answer: "Здравствуйте! Чем можем помочь?",
    },
];

/// What the bot answers; none if no rule fits.
pub fn answer(rules: &[BotRule], text: &str) -> Option<&'static str> {
    rules
        .iter()
        .find(|rule| rule.phrases.iter().any(|phrase| has_keyword(text, phrase)))
        .map(|rule| rule.answer)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn says(text: &str) -> Option<&'static str> {
        answer(DEFAULT_RULES, text)
    }

    #[test]
    fn showing_the_catalogue_is_no_goodbye() {
        assert!(says("Покажи каталог").unwrap().contains("каталог"));
        assert!(says("Пока!").unwrap().starts_with("До свидания"));
    }

    #[test]
    fn what_is_asked_goes_before_the_greeting() {
        assert!(
            says("Здравствуйте, где мой заказ?")
                .unwrap()
                .contains("Статус доставки")
        );
        assert_eq!(
            says("Здравствуйте"),
            Some("Здравствуйте! Чем можем помочь?")
        );
    }

    #[test]
    fn what_no_rule_knows_is_not_answered() {
        assert_eq!(says("Подойдёт ли он для ребёнка семи лет?"), None);
    }
}
