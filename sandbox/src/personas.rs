//! Which buyers are there, and what do they say?

/// A kind of buyer with a script.
#[derive(Debug)]
pub(crate) struct Persona {
    /// What it is called in the list of chats.
    pub name: &'static str,
    /// What it writes first, one message each.
    pub opening: &'static [&'static str],
    /// What it writes after the first, second … answer.
    pub reactions: &'static [&'static str],
}

/// How many of them write in the chats that are there from the start; a world stays the same for its seed.
pub(crate) const FIRST: usize = 8;

/// All personas; new ones come last, since chats know theirs by place.
pub(crate) const ALL: [Persona; 12] = [
    Persona {
        name: "where is my parcel",
        opening: &[
            "Здравствуйте! Заказ должен был приехать ещё позавчера, а статус не меняется. Где моя посылка?",
        ],
        reactions: &[
            "А можно точнее? Мне нужно понять, ждать сегодня или отменять.",
            "Хорошо, спасибо, подожду.",
        ],
    },
    Persona {
        name: "wrong size",
        opening: &["Добрый день. Заказывала 44 размер, пришёл 48. Что делать?"],
        reactions: &[
            "Бирку я уже срезала, это не помешает обмену?",
            "Поняла, оформлю возврат. Спасибо!",
        ],
    },
    Persona {
        name: "defect",
        opening: &[
            "Здравствуйте, товар пришёл с браком: трещина на корпусе и не включается.",
            "Упаковка при этом целая, видео распаковки есть.",
        ],
        reactions: &[
            "Фото прислать сюда или в заявку?",
            "Заявку создал, жду решения.",
        ],
    },
    Persona {
        name: "refund",
        opening: &["Вернула товар неделю назад, деньги так и не пришли. Когда будет возврат?"],
        reactions: &[
            "Банк говорит, что поступлений нет. Проверьте, пожалуйста, ещё раз.",
            "Спасибо, деньги пришли.",
        ],
    },
    Persona {
        name: "thanks",
        opening: &["Спасибо большое, всё пришло вовремя и подошло идеально! 😊"],
        reactions: &[],
    },
    Persona {
        name: "rude",
        opening: &["Вы там вообще работаете?! Третий день жду ответа, безобразие!!!"],
        reactions: &[
            "Мне ваши извинения не нужны, решите вопрос!",
            "Ладно. Посмотрим, сдержите ли слово.",
        ],
    },
    Persona {
        name: "many short messages",
        opening: &[
            "Здравствуйте",
            "вопрос",
            "по зарядке",
            "она в комплекте?",
            "или отдельно брать",
        ],
        reactions: &["ок", "поняла, спс"],
    },
    Persona {
        name: "choosing",
        opening: &[
            "Подскажите, пожалуйста, подойдёт ли он для ребёнка 7 лет? В описании возраст не указан.",
        ],
        reactions: &["А гарантия на него есть?", "Отлично, тогда беру. Спасибо!"],
    },
    Persona {
        name: "guarantee",
        opening: &["Добрый день! Какая гарантия на товар и куда обращаться, если сломается?"],
        reactions: &[
            "Гарантийный талон нужен или хватит чека?",
            "Ясно, благодарю.",
        ],
    },
    Persona {
        name: "out of stock",
        opening: &[
            "Здравствуйте! В карточке пропал синий цвет. Он ещё будет в наличии?",
            "И цена на него такая же?",
        ],
        reactions: &["Поняла, возьму чёрный."],
    },
    Persona {
        name: "change of mind",
        opening: &["Оформила заказ и передумала, можно его отменить? Он ещё не отправлен."],
        reactions: &[
            "Кнопки отмены у меня нет, только «отследить».",
            "Получилось, спасибо!",
        ],
    },
    Persona {
        name: "wrong item",
        opening: &[
            "Вы прислали не тот товар! Заказывал один, в коробке совсем другой.",
            "Штрихкод на пакете мой, внутри чужое.",
        ],
        reactions: &[
            "Фото приложил к заявке на возврат.",
            "Сколько ждать ответа по заявке?",
        ],
    },
];

/// What sellers answered in the chats that are there from the start.
pub(crate) const ANSWERS: [&str; 4] = [
    "Здравствуйте! Спасибо за обращение. Уже проверяем и вернёмся с ответом в течение часа.",
    "Добрый день! Приносим извинения за неудобства. Оформите, пожалуйста, возврат в личном кабинете.",
    "Здравствуйте! Спасибо за тёплые слова, рады, что всё подошло!",
    "Добрый день! Передали вопрос на склад, сегодня сообщим результат.",
];

/// What a persona writes after so many answers of its own.
pub(crate) fn reaction(persona: usize, step: usize) -> Option<&'static str> {
    ALL.get(persona)?.reactions.get(step).copied()
}
