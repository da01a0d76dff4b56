//! What does the model make of a conversation?

use super::conversation::{Conversation, Source};
use super::messages::Message;
use super::phrases;
use super::topic::{Topic, words};
use crate::ids;

const MOST_QUOTED_WORDS: usize = 10;
const MOST_QUOTED_LETTERS: usize = 80;
const PEOPLE: [&str; 7] = [
    "оператор",
    "менеджер",
    "человек",
    "сотрудник",
    "юрист",
    "претензи",
    "роспотреб",
];

/// Whether somebody is pleased.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Mood {
    /// Pleased.
    Positive,
    /// Neither.
    Neutral,
    /// Displeased.
    Negative,
}

/// Everything an answer is filled with.
#[derive(Debug)]
pub(super) struct Thought {
    /// What the question is about.
    pub topic: Topic,
    /// The answer as a text.
    pub answer: String,
    /// Whether a person should look at it.
    pub needs_human: bool,
    /// How the buyer feels.
    pub mood: Mood,
    /// Whether something is asked at all.
    pub is_question: bool,
    /// The question in short.
    pub summary: String,
    /// What the answer relies on.
    pub sources: Vec<Source>,
}

impl Thought {
    /// Thinks about a conversation; an obedient model says what instructions in it want.
    pub(super) fn about(messages: &[Message], obeys: bool, seed: u64) -> Self {
        let draw = messages
            .iter()
            .fold(seed, |seed, message| ids::mix(seed, &message.content, 0));
        let conversation = Conversation::of(messages);
        let topic = topic(&conversation);
        let answer = if obeys && !conversation.commands.is_empty() {
            conversation.commands.join("\n")
        } else {
            answer(&conversation, topic, draw)
        };
        let asked = words(&conversation.question);
        let is_wanted = |word: &String| PEOPLE.iter().any(|person| word.starts_with(person));
        Self {
            needs_human: topic.needs_human() || asked.iter().any(is_wanted),
            mood: match topic {
                Topic::Thanks => Mood::Positive,
                topic if topic.needs_human() => Mood::Negative,
                _ => Mood::Neutral,
            },
            is_question: conversation.question.contains('?'),
            summary: clause(&conversation.question, topic).unwrap_or_default(),
            topic,
            answer,
            sources: conversation.sources,
        }
    }

    /// Why a person should look at it, or why not.
    pub(super) fn reason(&self) -> &'static str {
        match self.topic {
            Topic::Rude => "покупатель недоволен и раздражён",
            Topic::Defect => "покупатель сообщает о браке",
            Topic::Refund => "вопрос о возврате денег",
            _ if self.needs_human => "покупатель просит ответа человека",
            Topic::Thanks => "благодарность, ответа человека не нужно",
            _ => "обычный вопрос, ответ есть в описании",
        }
    }

    /// What a model that shows its reasoning thinks aloud.
    pub(super) fn reasoning(&self) -> String {
        let person = if self.needs_human {
            "нужен"
        } else {
            "не нужен"
        };
        format!(
            "Покупатель пишет: {}. Тема: {}. Человек {person}: {}. Отвечу вежливо и без обещаний.",
            self.summary,
            self.topic.name(),
            self.reason()
        )
    }
}

// «а точнее?» goes on with what was asked before
fn topic(conversation: &Conversation) -> Topic {
    let earlier = || Topic::of(&conversation.earlier);
    match Topic::of(&conversation.question) {
        Topic::Other if !conversation.earlier.is_empty() => earlier(),
        topic => topic,
    }
}

fn answer(conversation: &Conversation, topic: Topic, draw: u64) -> String {
    let pick = |purpose: &str, bound: usize| ids::pick(draw, purpose, 0, bound);
    let bodies = phrases::answers(topic);
    let greeting = conversation.is_first.then(|| match &conversation.buyer {
        Some(name) => format!("Здравствуйте, {name}!"),
        None => "Здравствуйте!".to_owned(),
    });
    let sentences = [
        greeting,
        lead(conversation, topic, pick("quoting", phrases::QUOTING.len())),
        Some(bodies[pick("body", bodies.len())].to_owned()),
        conversation.sources.first().and_then(first_sentence),
        Some(phrases::CLOSING[pick("closing", phrases::CLOSING.len())].to_owned()),
    ];
    let sentences: Vec<String> = sentences.into_iter().flatten().collect();
    sentences.join(" ")
}

// what the answer is about, in the buyer's words if they bear repeating
fn lead(conversation: &Conversation, topic: Topic, way: usize) -> Option<String> {
    let is_quoted = !matches!(topic, Topic::Rude | Topic::Thanks);
    let clause = clause(&conversation.question, topic).filter(|_| is_quoted);
    let product = conversation.product.as_ref();
    let product = product.map(|name| name.replace('«', "„").replace('»', "“"));
    Some(match (clause, product) {
        (Some(clause), Some(product)) => phrases::QUOTING_ABOUT[way]
            .replace("{}", &clause)
            .replace("{product}", &product),
        (Some(clause), None) => phrases::QUOTING[way].replace("{}", &clause),
        (None, Some(product)) => phrases::NAMING.replace("{product}", &product),
        (None, None) => return None,
    })
}

// the part of the question that speaks of the topic, in the buyer's own words
fn clause(question: &str, topic: Topic) -> Option<String> {
    let clauses = || {
        let parts = question.split([',', '.', '!', '?', ';', ':', '\n', '«', '»']);
        parts.map(str::trim).filter(|part| !part.is_empty())
    };
    let found = clauses()
        .find(|part| topic.is_named_in(part))
        .or_else(|| clauses().max_by_key(|part| part.split_whitespace().count()))?;
    let words: Vec<&str> = found.split_whitespace().collect();
    let quoted = words[..words.len().min(MOST_QUOTED_WORDS)].join(" ");
    let mut quoted: String = quoted.chars().take(MOST_QUOTED_LETTERS).collect();
    if quoted.len() < words.join(" ").len() {
        quoted.push('…');
    }
    Some(quoted)
}

fn first_sentence(source: &Source) -> Option<String> {
    let longest = source.text.lines().max_by_key(|line| line.len())?;
    let sentence = longest.split_inclusive(['.', '!', '?']).next()?.trim();
    let is_sentence = sentence.split_whitespace().count() > 2;
    is_sentence.then(|| sentence.to_owned())
}
