//! What is a buyer's question about, judged by its words?

/// What a question is about.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Topic {
    /// Somebody is angry.
    Rude,
    /// Something is broken.
    Defect,
    /// Money or goods are to go back.
    Refund,
    /// An order is not wanted any more.
    Cancel,
    /// It is too large or too small.
    Size,
    /// How long it is guaranteed.
    Guarantee,
    /// What it is charged with, and what is in the box.
    Cable,
    /// For which age it is.
    Age,
    /// Where a parcel is.
    Delivery,
    /// What is there to buy.
    Catalogue,
    /// All is well.
    Thanks,
    /// Anything else.
    Other,
}

/// The words of a topic.
#[derive(Debug)]
struct Signs {
    topic: Topic,
    /// Beginnings of a buyer's words; a space at the end means the whole word; divided by `|`.
    stems: &'static str,
    /// Parts of the names that others give to the topic, best first.
    names: &'static str,
}

// of two that fit equally well the first counts
const SIGNS: [Signs; 12] = [
    Signs {
        topic: Topic::Rude,
        stems: "безобраз|хам|кошмар|позор|отврат|идиот|обман|мошенни|издева|ужас|дур|тупы|бестолк|достали|совесть",
        names: "rude|complaint|claim|negativ|жалоб|негатив|претенз",
    },
    Signs {
        topic: Topic::Defect,
        stems: "брак|трещин|слома|дефект|царапин|разби|порва|поврежд|включа|неисправ|дырк|отвал|фото|заявк|defect|broken",
        names: "defect|broken|quality|damage|брак|дефект|complaint|claim|return",
    },
    Signs {
        topic: Topic::Refund,
        stems: "возврат|вернул|верните|вернуть|вернут|деньги|денег|возмещ|банк|поступлен|refund|return",
        names: "refund|return|money|payment|возврат|деньги",
    },
    Signs {
        topic: Topic::Cancel,
        stems: "отмен|передумал|cancel",
        names: "cancel|отмен|order|return",
    },
    Signs {
        topic: Topic::Size,
        stems: "размер|маломер|большемер|велик |велико |велика |мал |мало |мала |малы |обмен|бирк|size",
        names: "size|fit|exchange|размер|обмен|product|return",
    },
    Signs {
        topic: Topic::Guarantee,
        stems: "гарант|warrant|guarant",
        names: "warrant|guarant|гарант|product|товар",
    },
    Signs {
        topic: Topic::Cable,
        stems: "кабел|заряд|провод|адаптер|комплект|разъем|usb|батаре|cable|charg",
        names: "cable|charg|equipment|комплект|product|товар|characteristic",
    },
    Signs {
        topic: Topic::Age,
        stems: "ребен|ребят|детей|детям|детск|возраст|годик|лет |малыш|age ",
        names: "age_|возраст|product|товар|characteristic",
    },
    Signs {
        topic: Topic::Delivery,
        stems: "посылк|достав|трек|курьер|приехать|приед|привез|статус|пункт|отслеж|едет |ждать|где |заказ |заказа |пвз|delivery|parcel|order",
        names: "delivery|shipping|shipment|where|parcel|доставк|order|заказ",
    },
    Signs {
        topic: Topic::Catalogue,
        stems: "каталог|ассортимент|наличи|модел|цвет|цена |цену |стоит |стоимост|купить|catalog|price",
        names: "catalog|assortment|availab|каталог|product|товар|price",
    },
    Signs {
        topic: Topic::Thanks,
        stems: "спасибо|благодар|спс |отлично|супер|идеальн|thank",
        names: "thank|gratitude|praise|feedback|review|благодарн|отзыв",
    },
    Signs {
        topic: Topic::Other,
        stems: "",
        names: "other|general|unknown|проч|друг|общ",
    },
];

impl Topic {
    /// What a text is about; politeness counts only if there is nothing else.
    pub(super) fn of(text: &str) -> Self {
        let words = words(text);
        let mut best = (Self::Other, 0);
        for signs in &SIGNS {
            let hits = words.iter().filter(|word| signs.has(word)).count();
            let score = match signs.topic {
                Self::Thanks => usize::from(hits > 0),
                Self::Rude => hits * 6 + 3 * usize::from(text.contains("!!!")),
                _ => hits * 2,
            };
            if score > best.1 {
                best = (signs.topic, score);
            }
        }
        best.0
    }

    /// Whether a text has a word of the topic.
    pub(super) fn is_named_in(self, text: &str) -> bool {
        words(text).iter().any(|word| self.signs().has(word))
    }

    /// Which of the words stands for the topic; without any the one for all else, or the last.
    pub(super) fn choose(self, words: &[String]) -> Option<&String> {
        let other = Self::Other.signs().names();
        let mut names = self.signs().names().chain(other);
        let found = names.find_map(|name| words.iter().find(|word| folded(word).contains(name)));
        found.or(words.last())
    }

    /// The name that is given to it if nobody says how to call it.
    pub(super) fn name(self) -> &'static str {
        self.signs().names().next().unwrap_or_default()
    }

    /// Whether a person should look at it.
    pub(super) fn needs_human(self) -> bool {
        matches!(self, Self::Rude | Self::Defect | Self::Refund)
    }

    fn signs(self) -> &'static Signs {
        let found = SIGNS.iter().find(|signs| signs.topic == self);
        found.unwrap_or(&SIGNS[SIGNS.len() - 1])
    }
}

impl Signs {
    fn names(&self) -> impl Iterator<Item = &'static str> + use<> {
        self.names.split('|')
    }

    fn has(&self, word: &str) -> bool {
        let whole = format!("{word} ");
        let mut stems = self.stems.split('|').filter(|stem| !stem.is_empty());
        stems.any(|stem| whole.starts_with(stem))
    }
}

/// The words of a text in lower case, with `е` for `ё`.
pub(super) fn words(text: &str) -> Vec<String> {
    let words = text.split(|letter: char| !letter.is_alphanumeric());
    words.filter(|word| !word.is_empty()).map(folded).collect()
}

fn folded(word: &str) -> String {
    word.to_lowercase().replace('ё', "е")
}

#[cfg(test)]
mod tests {
    use super::Topic;

    #[test]
    fn words_tell_the_topic() {
        for (text, topic) in [
            (
                "Заказ должен был приехать позавчера, а статус не меняется. Где моя посылка?",
                Topic::Delivery,
            ),
            ("Заказывала 44 размер, пришёл 48. Что делать?", Topic::Size),
            (
                "товар пришёл с браком: трещина на корпусе и не включается",
                Topic::Defect,
            ),
            (
                "Вернула товар неделю назад, деньги так и не пришли. Когда будет возврат?",
                Topic::Refund,
            ),
            (
                "Спасибо большое, всё пришло вовремя и подошло идеально! 😊",
                Topic::Thanks,
            ),
            (
                "Вы там вообще работаете?! Третий день жду ответа, безобразие!!!",
                Topic::Rude,
            ),
            (
                "вопрос\nпо зарядке\nона в комплекте?\nили отдельно брать",
                Topic::Cable,
            ),
            (
                "подойдёт ли он для ребёнка 7 лет? В описании возраст не указан.",
                Topic::Age,
            ),
            ("А гарантия на него есть? Спасибо!", Topic::Guarantee),
            ("Какие модели есть в каталоге?", Topic::Catalogue),
            ("Хочу отменить заказ", Topic::Cancel),
            ("Можно ли мыть в посудомойке?", Topic::Other),
        ] {
            assert_eq!(Topic::of(text), topic, "{text}");
        }
    }

    #[test]
    fn names_are_chosen_from_those_given() {
        let words = |text: &str| text.split('|').map(ToOwned::to_owned).collect::<Vec<_>>();
        let given = words("delivery|return|product_question|complaint|thanks|other");
        for (topic, name) in [
            (Topic::Delivery, "delivery"),
            (Topic::Refund, "return"),
            (Topic::Cable, "product_question"),
            (Topic::Defect, "complaint"),
            (Topic::Rude, "complaint"),
            (Topic::Thanks, "thanks"),
            (Topic::Other, "other"),
        ] {
            assert_eq!(topic.choose(&given).map(String::as_str), Some(name));
        }
        assert_eq!(
            Topic::Age.choose(&words("a|b")).map(String::as_str),
            Some("b")
        );
    }
}
