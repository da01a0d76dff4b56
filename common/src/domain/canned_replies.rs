//! Canned replies: texts with variables, and what stands in their place.

/// What a variable stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Variable {
    /// The buyer's name.
    Buyer,
    /// The order number.
    Order,
    /// The product's name.
    Product,
    /// The name of whoever answers.
    Agent,
    /// The shop's name.
    Shop,
}

impl Variable {
    /// Every variable.
    pub const ALL: [Self; 5] = [
        Self::Buyer,
        Self::Order,
        Self::Product,
        Self::Agent,
        Self::Shop,
    ];

    /// Its name, as it stands between braces.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Buyer => "buyer",
            Self::Order => "order",
            Self::Product => "product",
            Self::Agent => "agent",
            Self::Shop => "shop",
        }
    }

    fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|it| it.as_str() == name)
    }
}

/// A text with its variables filled in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Filled {
    pub text: String,
    /// Variables for which nothing is known, each once: they were left out.
    pub missing: Vec<Variable>,
}

/// A part of a text.
enum Part<'a> {
    Plain(&'a str),
    /// The name between braces.
    Name(&'a str),
}

/// Names between braces that are no variables, in the order of the text.
pub fn unknown_variables(text: &str) -> Vec<&str> {
    let names = parts(text).filter_map(|part| match part {
        Part::Name(name) => Some(name),
        Part::Plain(_) => None,
    });
    names
        .filter(|name| Variable::named(name).is_none())
        .collect()
}

/// Puts values in the place of variables. Where nothing is known the variable goes, with the comma
/// and the space that led to it.
pub fn fill<'v>(text: &str, value: impl Fn(Variable) -> Option<&'v str>) -> Filled {
    let mut filled = Filled {
        text: String::with_capacity(text.len()),
        missing: Vec::new(),
    };
    let mut is_gap = false;
    for part in parts(text) {
        match part {
            Part::Plain(plain) => {
                filled.push_plain(plain, is_gap);
                is_gap = false;
            }
            Part::Name(name) => match Variable::named(name) {
                None => filled.text.extend(["{", name, "}"]),
                Some(variable) => {
                    let known = value(variable).map(str::trim).filter(|it| !it.is_empty());
                    match known {
                        Some(known) => filled.text.push_str(known),
                        None => {
                            is_gap = true;
                            if !filled.missing.contains(&variable) {
                                filled.missing.push(variable);
                            }
                        }
                    }
                }
            },
        }
    }
    if is_gap {
        filled.push_plain("", true);
    }
    filled
}

impl Filled {
    fn push_plain(&mut self, plain: &str, after_gap: bool) {
        if !after_gap {
            self.text.push_str(plain);
            return;
        }
        let kept = self.text.trim_end_matches([' ', '\u{a0}']).len();
        self.text.truncate(kept);
        if self.text.is_empty() || self.text.ends_with('\n') {
            self.begin_sentence(plain.trim_start_matches([' ', '\u{a0}', ',']));
            return;
        }
        let ends = plain.is_empty() || plain.starts_with(['.', '!', '?', ',', ';', ':', '\n']);
        if ends && self.text.ends_with(',') {
            self.text.pop();
        }
        self.text.push_str(plain);
    }

    fn begin_sentence(&mut self, plain: &str) {
        let mut letters = plain.chars();
        if let Some(first) = letters.next() {
            self.text.extend(first.to_uppercase());
            self.text.push_str(letters.as_str());
        }
    }
}

/// Other braces than those around a small Latin word are plain text.
fn parts(text: &str) -> impl Iterator<Item = Part<'_>> {
    let mut rest = text;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        if let Some((name, after)) = name_at_start(rest) {
            rest = after;
            return Some(Part::Name(name));
        }
        let next = rest.match_indices('{').find(|(at, _)| {
            let found = rest.get(*at..);
            *at > 0 && found.and_then(name_at_start).is_some()
        });
        let (plain, after) = rest.split_at(next.map_or(rest.len(), |(at, _)| at));
        rest = after;
        Some(Part::Plain(plain))
    })
}

fn name_at_start(text: &str) -> Option<(&str, &str)> {
    let (name, after) = text.strip_prefix('{')?.split_once('}')?;
    let is_name = |letter: u8| letter.is_ascii_lowercase() || letter == b'_';
    let is_short = (1..=40).contains(&name.len());
    (is_short && name.bytes().all(is_name)).then_some((name, after))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of_maria(variable: Variable) -> Option<&'static str> {
        match variable {
            Variable::Buyer => Some("Мария"),
            Variable::Order => Some("0137-1"),
            Variable::Agent => Some("{buyer}"),
            Variable::Product => Some("  "),
            Variable::Shop => None,
        }
    }

    fn without(text: &str) -> String {
        fill(text, |_| None).text
    }

    #[test]
    fn variables_become_their_values() {
        let filled = fill("{buyer}, заказ {order} в пути", of_maria);
        assert_eq!(filled.text, "Мария, заказ 0137-1 в пути");
        assert_eq!(filled.missing, []);
        // A value is text, whatever it looks like.
        assert_eq!(fill("{agent}", of_maria).text, "{buyer}");
    }

    #[test]
    fn what_is_not_known_is_named_and_leaves_no_gap() {
        let filled = fill("{product} и {shop}, {product}.", of_maria);
        assert_eq!(filled.missing, [Variable::Product, Variable::Shop]);
        for (text, expected) in [
            ("Здравствуйте, {buyer}!", "Здравствуйте!"),
            ("{buyer}, здравствуйте!", "Здравствуйте!"),
            ("Заказ {order} в пути", "Заказ в пути"),
            ("Ваш заказ {order}, спасибо", "Ваш заказ, спасибо"),
            ("С уважением, {agent}\n{shop}", "С уважением\n"),
            ("Да\n{buyer}, ждём", "Да\nЖдём"),
            ("{buyer}", ""),
            ("Спасибо, {buyer}", "Спасибо"),
            ("{buyer} {order} готов", "Готов"),
        ] {
            assert_eq!(without(text), expected, "{text}");
        }
    }

    #[test]
    fn other_braces_are_text() {
        for text in [
            "{}",
            "{ buyer }",
            "{Buyer}",
            "{скидка}",
            "a{b",
            "}{",
            "{{",
            "{1}",
        ] {
            assert_eq!(without(text), text, "{text}");
            assert!(unknown_variables(text).is_empty(), "{text}");
        }
        assert_eq!(fill("{{buyer}}", of_maria).text, "{Мария}");
    }

    #[test]
    fn names_that_are_no_variables_are_told() {
        let text = "{byer}, {order}, {discount_code} {скидка}";
        assert_eq!(unknown_variables(text), ["byer", "discount_code"]);
        assert_eq!(fill("{byer}", of_maria).text, "{byer}");
    }
}
