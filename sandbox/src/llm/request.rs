//! What is asked of the language model, and is it asked properly?

use serde_json::Value;

use super::fields::{Object, check_number, flag, given, integer, stops};
use super::format::{self, Format};
use super::messages::{self, Message};
use super::refusal::Refusal;
use super::{Model, Vendor, model_named, reply};

const KNOWN: [&str; 30] = [
    "frequency_penalty",
    "function_call",
    "functions",
    "logit_bias",
    "logprobs",
    "max_completion_tokens",
    "max_tokens",
    "messages",
    "metadata",
    "model",
    "n",
    "parallel_tool_calls",
    "presence_penalty",
    "prompt_cache_key",
    "reasoning_effort",
    "response_format",
    "safety_identifier",
    "seed",
    "service_tier",
    "stop",
    "store",
    "stream",
    "stream_options",
    "temperature",
    "tool_choice",
    "tools",
    "top_logprobs",
    "top_p",
    "user",
    "verbosity",
];
const NOT_SIMULATED: [&str; 7] = [
    "function_call",
    "functions",
    "logit_bias",
    "logprobs",
    "tool_choice",
    "tools",
    "top_logprobs",
];

/// A proper request.
#[derive(Debug)]
pub(super) struct ChatRequest {
    /// The model asked.
    pub model: &'static Model,
    /// The conversation, oldest first.
    pub messages: Vec<Message>,
    /// Whether the answer comes in chunks.
    pub is_stream: bool,
    /// Whether the chunks end with the usage.
    pub has_usage: bool,
    /// Texts at which the answer ends.
    pub stops: Vec<String>,
    /// Most tokens of the answer.
    pub max_tokens: Option<u64>,
    /// The form of the answer.
    pub format: Format,
}

impl ChatRequest {
    /// Reads a body.
    pub(super) fn read(body: &[u8]) -> Result<Self, Refusal> {
        let parsed = serde_json::from_slice(body);
        let Ok(Value::Object(body)) = parsed else {
            let text = "We could not parse the JSON body of your request. (HINT: This likely means you aren't using your HTTP library correctly. The OpenAI API expects a JSON payload, but what was sent was not valid JSON.)";
            return Err(Refusal::new(400, text));
        };
        let model = model(&body)?;
        check_names(&body)?;
        let messages = messages::read(&body, model)?;
        check_ranges(&body)?;
        let max_tokens = max_tokens(&body, model)?;
        let is_stream = flag(&body, "stream")?;
        let request = Self {
            has_usage: usage_wanted(&body, is_stream)?,
            stops: stops(&body)?,
            format: format::read(&body, model, &messages)?,
            model,
            messages,
            is_stream,
            max_tokens,
        };
        request.check_length()?;
        Ok(request)
    }

    fn check_length(&self) -> Result<(), Refusal> {
        let asked = reply::prompt_tokens(&self.messages);
        let answer = self.max_tokens.unwrap_or(0);
        let limit = self.model.context_tokens as u64;
        if asked + answer <= limit {
            return Ok(());
        }
        let text = format!(
            "This model's maximum context length is {limit} tokens. However, you requested {} tokens ({asked} in the messages, {answer} in the completion). Please reduce the length of the messages or completion.",
            asked + answer
        );
        Err(Refusal::wrong("messages", "context_length_exceeded", text))
    }
}

fn model(body: &Object) -> Result<&'static Model, Refusal> {
    let name = match given(body, "model") {
        None => return Err(Refusal::new(400, "you must provide a model parameter")),
        Some(Value::String(name)) => name,
        Some(other) => return Err(Refusal::wrong_type("model", "a string", other)),
    };
    model_named(name).ok_or_else(|| {
        if name.starts_with("deepseek") {
            return Refusal::deepseek("Model Not Exist");
        }
        let text = format!("The model `{name}` does not exist or you do not have access to it.");
        Refusal::new(404, text).coded("model_not_found")
    })
}

fn check_names(body: &Object) -> Result<(), Refusal> {
    if let Some(name) = body.keys().find(|name| !KNOWN.contains(&name.as_str())) {
        let text = format!("Unrecognized request argument supplied: {name}");
        return Err(Refusal::new(400, text));
    }
    let mut missing = NOT_SIMULATED.into_iter();
    if let Some(name) = missing.find(|name| given(body, name).is_some()) {
        let text = format!("Unsupported parameter: '{name}' is not supported with this model.");
        return Err(Refusal::wrong(name, "unsupported_parameter", text));
    }
    Ok(())
}

fn check_ranges(body: &Object) -> Result<(), Refusal> {
    check_number(body, "temperature", 0.0, 2.0)?;
    check_number(body, "top_p", 0.0, 1.0)?;
    check_number(body, "presence_penalty", -2.0, 2.0)?;
    check_number(body, "frequency_penalty", -2.0, 2.0)?;
    integer(body, "seed", i64::MIN)?;
    if integer(body, "n", 1)?.is_some_and(|choices| choices > 1) {
        let text = "Invalid 'n': integer above maximum value. Expected a value <= 1.";
        return Err(Refusal::wrong("n", "integer_above_max_value", text));
    }
    for name in ["user", "prompt_cache_key", "safety_identifier"] {
        match given(body, name) {
            None | Some(Value::String(_)) => {}
            Some(other) => return Err(Refusal::wrong_type(name, "a string", other)),
        }
    }
    Ok(())
}

fn max_tokens(body: &Object, model: &Model) -> Result<Option<u64>, Refusal> {
    let positive = |name| -> Result<Option<u64>, Refusal> {
        Ok(integer(body, name, 1)?.and_then(|asked| u64::try_from(asked).ok()))
    };
    let old = positive("max_tokens")?;
    let new = positive("max_completion_tokens")?;
    let is_deepseek = model.vendor == Vendor::DeepSeek;
    if old.is_some() && model.name.starts_with("gpt-5") {
        let text = "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead.";
        return Err(Refusal::wrong("max_tokens", "unsupported_parameter", text));
    }
    if old.is_some() && new.is_some() && !is_deepseek {
        let text =
            "Setting 'max_tokens' and 'max_completion_tokens' at the same time is not supported.";
        return Err(Refusal::new(400, text).coded("invalid_parameter_combination"));
    }
    // DeepSeek does not know the newer name and passes over it
    let (name, asked) = match new.filter(|_| !is_deepseek) {
        Some(new) => ("max_completion_tokens", Some(new)),
        None => ("max_tokens", old),
    };
    let most = model.answer_tokens;
    let Some(asked) = asked.filter(|asked| *asked > most) else {
        return Ok(asked);
    };
    if is_deepseek {
        let text =
            format!("Invalid max_tokens value, the valid range of max_tokens is [1, {most}]");
        return Err(Refusal::deepseek(text));
    }
    let text = format!(
        "{name} is too large: {asked}. This model supports at most {most} completion tokens, whereas you provided {asked}."
    );
    Err(Refusal::wrong(name, "invalid_value", text))
}

fn usage_wanted(body: &Object, is_stream: bool) -> Result<bool, Refusal> {
    let name = "stream_options";
    let options = match given(body, name) {
        None => return Ok(false),
        Some(Value::Object(options)) => options,
        Some(other) => return Err(Refusal::wrong_type(name, "an object", other)),
    };
    if !is_stream {
        let text = "The 'stream_options' parameter is only allowed when 'stream' is enabled.";
        return Err(Refusal::wrong(name, "invalid_value", text));
    }
    let is_known =
        |name: &&String| matches!(name.as_str(), "include_usage" | "include_obfuscation");
    if let Some(unknown) = options.keys().find(|name| !is_known(name)) {
        let text = format!("Unknown parameter: 'stream_options.{unknown}'.");
        return Err(Refusal::wrong(name, "unknown_parameter", text));
    }
    flag(options, "include_usage")
}
