//! What does the model answer, in how many tokens, and how does the API put it?

use serde_json::{Value, json};

use super::fill::fill;
use super::format::Format;
use super::messages::{Message, Role};
use super::request::ChatRequest;
use super::schema;
use super::shape::Shape;
use super::thought::Thought;
use super::{Model, Vendor};

const LONGEST_TOKEN: usize = 5;
// what the API adds around each message, and once
const TOKENS_PER_MESSAGE: u64 = 4;
const TOKENS_PER_REQUEST: u64 = 3;

/// An answer of a model, in tokens.
#[derive(Debug)]
pub(super) struct Reply {
    model: &'static Model,
    reasoning: Vec<String>,
    content: Vec<String>,
    finish_reason: &'static str,
    prompt_tokens: u64,
}

/// The head that the chunks of one answer share.
#[derive(Debug)]
pub(super) struct Head {
    /// Id of the answer.
    pub id: String,
    /// Seconds since 1970.
    pub created: i64,
    /// Of the machine that answers.
    pub fingerprint: String,
}

/// One chunk, and how many tokens are out once it is.
#[derive(Debug)]
pub(super) struct Chunk {
    /// Tokens up to and with this chunk.
    pub tokens: u64,
    /// The chunk's JSON.
    pub body: Value,
}

impl Reply {
    /// The answer to a request.
    pub(super) fn to(request: &ChatRequest, seed: u64) -> Self {
        let thought = Thought::about(&request.messages, request.model.obeys, seed);
        let mut content = content(request, &thought);
        let stops = request.stops.iter();
        if let Some(end) = stops.filter_map(|stop| content.find(stop)).min() {
            content.truncate(end);
        }
        let mut reply = Self::of(request, &content);
        if request.model.reasons {
            reply.reasoning = owned(&thought.reasoning());
        }
        reply.cut(request.max_tokens);
        reply
    }

    /// An answer that says nothing.
    pub(super) fn empty(request: &ChatRequest) -> Self {
        Self::of(request, "")
    }

    /// All tokens made, those of the reasoning too.
    pub(super) fn tokens(&self) -> u64 {
        (self.reasoning.len() + self.content.len()) as u64
    }

    /// The whole answer at once.
    pub(super) fn whole(&self, head: &Head) -> Value {
        let mut message = json!({"role": "assistant", "content": self.content.concat()});
        match self.model.vendor {
            Vendor::OpenAi => {
                message["refusal"] = Value::Null;
                message["annotations"] = json!([]);
            }
            Vendor::DeepSeek if self.model.reasons => {
                message["reasoning_content"] = json!(self.reasoning.concat());
            }
            Vendor::DeepSeek => {}
        }
        json!({
            "id": head.id,
            "object": "chat.completion",
            "created": head.created,
            "model": self.model.name,
            "choices": [{
                "index": 0,
                "message": message,
                "logprobs": null,
                "finish_reason": self.finish_reason,
            }],
            "usage": self.usage(),
            "system_fingerprint": head.fingerprint,
        })
    }

    /// The answer token by token.
    pub(super) fn chunks(&self, head: &Head, has_usage: bool) -> Vec<Chunk> {
        let mut deltas = vec![(0, self.first_delta())];
        for (token, is_reasoning) in self.all_tokens() {
            deltas.push((1, self.delta(token, is_reasoning)));
        }
        let mut tokens = 0;
        let mut chunks: Vec<Chunk> = Vec::new();
        for (made, delta) in deltas {
            tokens += made;
            chunks.push(Chunk {
                tokens,
                body: self.chunk(head, Some((delta, None)), has_usage),
            });
        }
        let end = Some((json!({}), Some(self.finish_reason)));
        chunks.push(Chunk {
            tokens,
            body: self.chunk(head, end, has_usage),
        });
        if has_usage {
            let mut body = self.chunk(head, None, true);
            body["usage"] = self.usage();
            chunks.push(Chunk { tokens, body });
        }
        chunks
    }

    fn of(request: &ChatRequest, content: &str) -> Self {
        Self {
            model: request.model,
            reasoning: Vec::new(),
            content: owned(content),
            finish_reason: "stop",
            prompt_tokens: prompt_tokens(&request.messages),
        }
    }

    // what is reasoned counts as well
    fn cut(&mut self, most: Option<u64>) {
        let most = most.unwrap_or(self.model.answer_tokens);
        if self.tokens() <= most {
            return;
        }
        let most = usize::try_from(most).unwrap_or(usize::MAX);
        self.reasoning.truncate(most);
        self.content.truncate(most - self.reasoning.len());
        self.finish_reason = "length";
    }

    fn all_tokens(&self) -> impl Iterator<Item = (&String, bool)> {
        let reasoning = self.reasoning.iter().map(|token| (token, true));
        reasoning.chain(self.content.iter().map(|token| (token, false)))
    }

    fn first_delta(&self) -> Value {
        if self.model.reasons {
            return json!({"role": "assistant", "content": null, "reasoning_content": ""});
        }
        match self.model.vendor {
            Vendor::OpenAi => json!({"role": "assistant", "content": "", "refusal": null}),
            Vendor::DeepSeek => json!({"role": "assistant", "content": ""}),
        }
    }

    fn delta(&self, token: &str, is_reasoning: bool) -> Value {
        match (self.model.reasons, is_reasoning) {
            (true, true) => json!({"content": null, "reasoning_content": token}),
            (true, false) => json!({"content": token, "reasoning_content": null}),
            _ => json!({"content": token}),
        }
    }

    fn chunk(&self, head: &Head, choice: Option<(Value, Option<&str>)>, has_usage: bool) -> Value {
        let choices: Vec<Value> = choice
            .into_iter()
            .map(|(delta, finish_reason)| {
                json!({
                    "index": 0,
                    "delta": delta,
                    "logprobs": null,
                    "finish_reason": finish_reason,
                })
            })
            .collect();
        let mut chunk = json!({
            "id": head.id,
            "object": "chat.completion.chunk",
            "created": head.created,
            "model": self.model.name,
            "system_fingerprint": head.fingerprint,
            "choices": choices,
        });
        if has_usage {
            chunk["usage"] = Value::Null;
        }
        chunk
    }

    fn usage(&self) -> Value {
        let made = self.tokens();
        let mut usage = json!({
            "prompt_tokens": self.prompt_tokens,
            "completion_tokens": made,
            "total_tokens": self.prompt_tokens + made,
            "prompt_tokens_details": {"cached_tokens": 0},
            "completion_tokens_details": {"reasoning_tokens": self.reasoning.len()},
        });
        if self.model.vendor == Vendor::DeepSeek {
            usage["prompt_cache_hit_tokens"] = json!(0);
            usage["prompt_cache_miss_tokens"] = json!(self.prompt_tokens);
        }
        usage
    }
}

/// The tokens of a conversation.
pub(super) fn prompt_tokens(messages: &[Message]) -> u64 {
    let of = |message: &Message| tokens(&message.content).len() as u64 + TOKENS_PER_MESSAGE;
    messages.iter().map(of).sum::<u64>() + TOKENS_PER_REQUEST
}

fn owned(text: &str) -> Vec<String> {
    tokens(text).into_iter().map(ToOwned::to_owned).collect()
}

fn content(request: &ChatRequest, thought: &Thought) -> String {
    let shape = match &request.format {
        Format::Text => return thought.answer.clone(),
        Format::Schema(schema) => schema::shape(schema),
        Format::Object => shown(&request.messages),
    };
    fill(&shape, "", thought).to_string()
}

// the example of the last system message that has one
fn shown(messages: &[Message]) -> Shape {
    let system = messages.iter().rev().filter(|m| m.role == Role::System);
    let mut shapes = system.filter_map(|message| Shape::shown_in(&message.content));
    shapes
        .next()
        .unwrap_or_else(|| Shape::Object(vec![("answer".to_owned(), Shape::Text)]))
}

// short pieces of words, each with the space before it, as tokenizers make them
fn tokens(text: &str) -> Vec<&str> {
    let mut tokens = Vec::new();
    let (mut start, mut length, mut is_word) = (0, 0, false);
    for (at, letter) in text.char_indices() {
        let goes_on = letter.is_alphanumeric() && is_word && length < LONGEST_TOKEN;
        if !goes_on && at > start {
            tokens.push(&text[start..at]);
            (start, length) = (at, 0);
        }
        length += 1;
        is_word = letter.is_alphanumeric() || letter == ' ';
    }
    if start < text.len() {
        tokens.push(&text[start..]);
    }
    tokens
}

#[cfg(test)]
mod tests {
    use super::tokens;

    #[test]
    fn tokens_are_short_and_lose_nothing() {
        let text = "Здравствуйте, Анна! 👋  Заказ №12345678 в пути.\n";
        let all = tokens(text);
        assert_eq!(all.concat(), text);
        assert!(all.iter().all(|token| token.chars().count() <= 5));
        assert_eq!(all[..4], ["Здрав", "ствуй", "те", ","]);
        assert!(tokens("").is_empty());
    }
}
