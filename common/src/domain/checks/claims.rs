//! What a text promises or states, and whether a fact of the tenant stands behind it.

use std::cell::OnceCell;
use std::ops::Range;

use super::reading::Reading;
use super::{Hit, dates, guarantee, money};

/// One thing that a fact must say: what kind of thing, and which.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Key {
    pub(super) topic: &'static str,
    pub(super) value: String,
}

impl Key {
    pub(super) fn new(topic: &'static str, value: impl Into<String>) -> Self {
        Self {
            topic,
            value: value.into(),
        }
    }
}

/// Words of a text that need all of these facts.
#[derive(Debug)]
pub(super) struct Claim {
    pub(super) words: Range<usize>,
    pub(super) needs: Vec<Key>,
}

/// The texts behind which the tenant stands; read only when a claim asks for them.
pub(super) struct Sources<'a> {
    facts: &'a [&'a str],
    known: OnceCell<Vec<(Key, String)>>,
}

impl<'a> Sources<'a> {
    pub(super) fn of(facts: &'a [&'a str]) -> Self {
        Self {
            facts,
            known: OnceCell::new(),
        }
    }

    fn known(&self) -> &[(Key, String)] {
        self.known
            .get_or_init(|| self.facts.iter().flat_map(|fact| read(fact)).collect())
    }

    /// The claims behind which nothing stands; those that touch each other count once.
    pub(super) fn unfounded(&self, reading: &Reading, claims: Vec<Claim>, words: &str) -> Vec<Hit> {
        let mut open: Vec<(Range<usize>, Option<String>)> = Vec::new();
        let mut claims: Vec<Claim> = claims;
        claims.sort_by_key(|claim| (claim.words.start, claim.words.end));
        for claim in claims {
            let Some(missing) = claim.needs.iter().find(|key| !self.stands(key)) else {
                continue;
            };
            let otherwise = self.otherwise(missing);
            match open.last_mut() {
                Some((last, source)) if claim.words.start <= last.end => {
                    last.end = last.end.max(claim.words.end);
                    *source = source.take().or(otherwise);
                }
                _ => open.push((claim.words, otherwise)),
            }
        }
        open.into_iter()
            .map(|(words_of_it, source)| Hit {
                span: reading.span(&words_of_it),
                source,
                message: words.to_owned(),
            })
            .collect()
    }

    fn stands(&self, key: &Key) -> bool {
        self.known().iter().any(|(known, _)| known == key)
    }

    /// The sentence of a fact that speaks of the same, and says something else.
    fn otherwise(&self, key: &Key) -> Option<String> {
        self.known()
            .iter()
            .find(|(known, _)| known.topic == key.topic)
            .map(|(_, sentence)| sentence.clone())
    }
}

fn read(fact: &str) -> Vec<(Key, String)> {
    let reading = Reading::of(fact);
    let chars: Vec<char> = fact.chars().collect();
    [money::known, dates::known, guarantee::known]
        .iter()
        .flat_map(|known| known(&reading))
        .flat_map(|claim| {
            let sentence = reading.span(&reading.sentence(claim.words.start));
            let sentence: String = chars[sentence].iter().collect();
            claim
                .needs
                .into_iter()
                .map(move |key| (key, sentence.trim().to_owned()))
        })
        .collect()
}
