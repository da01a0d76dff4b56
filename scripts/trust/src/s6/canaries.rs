//! The secrets, the forms in which they would be known again, and where each may stand.

use anyhow::Result;
use base64::Engine;
use base64::prelude::{BASE64_STANDARD_NO_PAD, BASE64_URL_SAFE_NO_PAD};

use super::places::{Kind, Place};
use crate::stage::Stage;

/// One secret.
#[derive(Debug)]
struct Canary {
    name: String,
    forms: Vec<(&'static str, Vec<u8>)>,
    /// Where it belongs.
    may_stand_in: &'static [Kind],
}

/// All of them.
#[derive(Debug)]
pub(super) struct Canaries {
    all: Vec<Canary>,
    seed: u64,
    pub(super) key_of_a_shop: String,
    pub(super) wrong_key: String,
    pub(super) password: String,
    pub(super) wrong_password: String,
    pub(super) email: String,
    pub(super) text: String,
    pub(super) reply: String,
}

/// What people write and who they are stands wherever work is done with it, but in no log.
const NO_LOG: &[Kind] = &[Kind::Answer, Kind::Redis, Kind::Table];
/// A token is the answer to a sign-in.
const SIGN_IN: &[Kind] = &[Kind::SignIn];

impl Canaries {
    /// Those that are known before anything began.
    pub(super) fn new(seed: u64, encryption_key: &str) -> Self {
        let word = |what: &str| format!("Canary{what}{seed:x}Q9zR7wK2pL5mX8");
        let mut canaries = Self {
            all: Vec::new(),
            seed,
            key_of_a_shop: word("ShopKey"),
            wrong_key: word("WrongKey"),
            password: word("Password"),
            wrong_password: word("WrongPassword"),
            email: format!("canary-{seed:x}@people.test"),
            text: format!("Канарейка {seed:x} спрашивает: где заказ?"),
            reply: format!("Ответ канарейке {seed:x}: в пути"),
        };
        let known = [
            ("key of a shop", canaries.key_of_a_shop.clone()),
            ("wrong key", canaries.wrong_key.clone()),
            ("password", canaries.password.clone()),
            ("wrong password", canaries.wrong_password.clone()),
            ("signing key", word("Jwt")),
            ("key of tokens", word("AuthToken")),
            ("key of the model", word("Llm")),
            ("token of the metrics", word("Metrics")),
            ("encryption key", encryption_key.to_owned()),
        ];
        for (name, secret) in known {
            canaries.add(name, &secret, &[]);
        }
        let people = [
            ("e-mail", canaries.email.clone()),
            ("text", canaries.text.clone()),
            ("reply", canaries.reply.clone()),
        ];
        for (name, text) in people {
            canaries.add(name, &text, NO_LOG);
        }
        canaries
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.all.len()
    }

    /// A key that a marketplace made.
    pub(super) fn add_key(&mut self, name: &str, key: &str) {
        self.add(name, key, &[]);
    }

    /// A token that a sign-in answered.
    pub(super) fn add_token(&mut self, name: &str, token: &str) {
        self.add(name, token, SIGN_IN);
    }

    fn add(&mut self, name: &str, secret: &str, may_stand_in: &'static [Kind]) {
        let bytes = secret.as_bytes();
        let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        let mut forms = vec![("plain", bytes.to_vec()), ("in hex", hex.into_bytes())];
        let base64 = [
            ("in base64", BASE64_STANDARD_NO_PAD.encode(bytes)),
            ("in base64", BASE64_URL_SAFE_NO_PAD.encode(bytes)),
        ];
        forms.extend(base64.map(|(form, text)| (form, text.into_bytes())));
        let escaped: String = url_escaped(bytes);
        let in_json: String = secret
            .chars()
            .map(|letter| {
                if letter.is_ascii() {
                    letter.to_string()
                } else {
                    format!("\\u{:04x}", u32::from(letter))
                }
            })
            .collect();
        forms.push(("in an address", escaped.into_bytes()));
        forms.push(("escaped", in_json.into_bytes()));
        // A key that is itself base64 is a secret as bytes, too.
        if let Ok(raw) = base64::prelude::BASE64_STANDARD.decode(secret)
            && raw.len() >= 16
        {
            let hex: String = raw.iter().map(|byte| format!("{byte:02x}")).collect();
            forms.push(("as bytes in hex", hex.into_bytes()));
            forms.push(("as bytes", raw));
        }
        forms.sort();
        forms.dedup_by(|a, b| a.1 == b.1);
        self.all.push(Canary {
            name: name.to_owned(),
            forms,
            may_stand_in,
        });
    }

    /// Starts the product again with secrets that are known, and with a model to ask.
    pub(super) async fn put_into(&self, stage: &Stage) -> Result<()> {
        let word = |what: &str| format!("Canary{what}{:x}Q9zR7wK2pL5mX8", self.seed);
        for process in [&stage.api].into_iter().chain(&stage.workers) {
            let mut process = process.lock().await;
            process.stop().await;
            process.tell("JWT_SECRET", &word("Jwt"));
            process.tell("AUTH_TOKEN_SECRET", &word("AuthToken"));
            process.tell("DEEPSEEK_API_KEY", &word("Llm"));
            process.tell("DEEPSEEK_API_URL", &format!("{}/llm", stage.outside.url()));
            process.tell("METRICS_TOKEN", &word("Metrics"));
            process.start().await?;
        }
        let patience = std::time::Duration::from_secs(30);
        stage.desk.wait_until_up(patience).await?;
        stage.desk.sign_in().await
    }

    /// What stands in a place in which it must not, and in which form.
    pub(super) fn found_in(&self, place: &Place) -> Vec<(&str, &'static str)> {
        let foreign = self
            .all
            .iter()
            .filter(|canary| !canary.may_stand_in.contains(&place.kind));
        foreign
            .filter_map(|canary| {
                let (form, _) = canary
                    .forms
                    .iter()
                    .find(|(_, form)| holds(&place.bytes, form))?;
                Some((canary.name.as_str(), *form))
            })
            .collect()
    }

    /// Whether what people wrote stands there.
    pub(super) fn has_text(&self, place: &Place) -> bool {
        holds(&place.bytes, self.text.as_bytes())
    }

    /// What a careless log line would hold.
    pub(super) fn careless_line(&self) -> Vec<u8> {
        format!("key={}\n", self.key_of_a_shop).into_bytes()
    }
}

fn url_escaped(bytes: &[u8]) -> String {
    let escaped = bytes.iter().map(|byte| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
            char::from(*byte).to_string()
        }
        _ => format!("%{byte:02X}"),
    });
    escaped.collect()
}

/// Whether the bytes hold others.
fn holds(bytes: &[u8], wanted: &[u8]) -> bool {
    let Some((first, rest)) = wanted.split_first() else {
        return false;
    };
    let mut from = 0;
    while let Some(at) = bytes[from..].iter().position(|byte| byte == first) {
        from += at + 1;
        if bytes[from..].starts_with(rest) {
            return true;
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_known_again_in_every_form() {
        let canaries = Canaries::new(7, "not base64!");
        let place = |bytes: String| Place {
            name: "log".to_owned(),
            kind: Kind::Log,
            bytes: bytes.into_bytes(),
        };
        let hex: String = canaries
            .password
            .bytes()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        let base64 = BASE64_STANDARD_NO_PAD.encode(&canaries.password);
        for form in [canaries.password.clone(), hex, base64] {
            let found = canaries.found_in(&place(format!("x{form}y")));
            assert_eq!(found.len(), 1, "{form}");
        }
        assert_eq!(canaries.found_in(&place(canaries.text.clone())).len(), 1);
        assert!(canaries.found_in(&place("nothing".to_owned())).is_empty());
    }
}
