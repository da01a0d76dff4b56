//! How does a request go through the language model: key, faults, answer, journal, speed?

use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, to_bytes};
use axum::extract::Request;
use axum::http::{HeaderMap, Method, Response};
use bytes::Bytes;
use tokio::time::Instant;

use super::refusal::Refusal;
use super::reply::{Head, Reply};
use super::request::ChatRequest;
use super::stream::{Events, wait};
use super::{COMPLETIONS, KEY, MODELS, Speed, TARGET, Vendor};
use crate::answer::Answer;
use crate::connection::Wire;
use crate::faults::Plan;
use crate::ids;
use crate::incoming::header_text;
use crate::server::{App, truncated};
use crate::world::World;

const LIST: &str = "/v1/models";
// the longest conversation that any model takes is shorter
const MAX_BODY_BYTES: usize = 4 << 20;
const HTML: &str = "<!doctype html><html><body><h1>Welcome</h1></body></html>";

/// A complete request.
#[derive(Debug)]
struct Asked {
    method: Method,
    path: String,
    headers: HeaderMap,
    body: Bytes,
    plan: Plan,
}

/// What is answered.
#[derive(Debug)]
enum Outcome {
    /// An answer that is known as a whole.
    Known(Answer),
    /// A model's answer.
    Made(Box<ChatRequest>, Reply),
}

/// Answers one request to the language model.
pub(crate) async fn pass(app: Arc<App>, wire: Wire, request: Request) -> Response<Body> {
    let (head, body) = request.into_parts();
    // what follows the prefix
    let path = head.uri.path().splitn(3, '/').nth(2).unwrap_or_default();
    let mut asked = Asked {
        method: head.method,
        path: format!("/{path}"),
        headers: head.headers,
        body: Bytes::new(),
        plan: Plan::default(),
    };
    let said = header_text(&asked.headers, "content-length").and_then(|text| text.parse().ok());
    if said.is_some_and(|length: usize| length > MAX_BODY_BYTES) {
        let refusal = Refusal::new(413, "Request body is too large.");
        return finish(app, wire, asked, Outcome::Known(refusal.answer())).await;
    }
    let Ok(body) = to_bytes(body, MAX_BODY_BYTES).await else {
        // it did not arrive completely, so nothing happens
        wire.cut();
        return Response::new(Body::empty());
    };
    asked.body = body;
    asked.plan = plan(&app, &asked.path);
    let latency = asked.plan.latency_ms;
    // a caller who gives up waiting does not stop what has arrived
    let tasks = app.tasks.clone();
    let late = tasks.spawn(async move {
        let is_on = wait(&app, Instant::now() + Duration::from_millis(latency)).await;
        if !is_on {
            wire.cut();
            return Response::new(Body::empty());
        }
        let seed = app.lock().seed;
        let outcome = outcome(&asked, seed);
        finish(app, wire, asked, outcome).await
    });
    late.await
        .unwrap_or_else(|_| Refusal::failure(500).answer().into_response())
}

fn plan(app: &App, path: &str) -> Plan {
    let mut world = app.lock();
    let now = world.now();
    world.faults.plan(TARGET, path, None, now)
}

fn outcome(asked: &Asked, seed: u64) -> Outcome {
    if let Some(seconds) = asked.plan.retry_after {
        return Outcome::Known(Refusal::too_many(seconds));
    }
    if let Some(status) = asked.plan.status {
        return Outcome::Known(Refusal::failure(status).answer());
    }
    answer(asked, seed).unwrap_or_else(|refusal| Outcome::Known(refusal.answer()))
}

fn answer(asked: &Asked, seed: u64) -> Result<Outcome, Refusal> {
    authenticate(&asked.headers)?;
    let Asked { method, path, .. } = asked;
    match (method, path.as_str()) {
        (&Method::POST, COMPLETIONS) => {}
        (&Method::GET, LIST) => return Ok(Outcome::Known(list())),
        (_, COMPLETIONS | LIST) => {
            let text = format!(
                "Not allowed to {method} on {path}. (HINT: Perhaps you meant to use a different HTTP method?)"
            );
            return Err(Refusal::new(405, text).coded("method_not_supported"));
        }
        _ => {
            let text = format!("Invalid URL ({method} {path})");
            return Err(Refusal::new(404, text));
        }
    }
    let kind = header_text(&asked.headers, "content-type").unwrap_or_default();
    if !kind.to_ascii_lowercase().starts_with("application/json") {
        let text = format!(
            "Unsupported content type: '{kind}'. This API method only accepts 'application/json' requests, but you specified the header 'Content-Type: {kind}'."
        );
        return Err(Refusal::new(415, text).coded("unsupported_content_type"));
    }
    let request = ChatRequest::read(&asked.body)?;
    let reply = if asked.plan.is_empty {
        Reply::empty(&request)
    } else {
        Reply::to(&request, seed)
    };
    Ok(Outcome::Made(Box::new(request), reply))
}

fn authenticate(headers: &HeaderMap) -> Result<(), Refusal> {
    let given = header_text(headers, "authorization").and_then(|text| text.split_once(' '));
    match given {
        Some((scheme, key)) if scheme.eq_ignore_ascii_case("bearer") => {
            let is_right = key.trim() == KEY;
            is_right
                .then_some(())
                .ok_or_else(|| Refusal::no_access(true))
        }
        _ => Err(Refusal::no_access(false)),
    }
}

fn list() -> Answer {
    let models = MODELS.iter().map(|model| {
        let owner = match model.vendor {
            Vendor::OpenAi => "openai",
            Vendor::DeepSeek => "deepseek",
        };
        serde_json::json!({
            "id": model.name, "object": "model", "created": 1_736_000_000, "owned_by": owner,
        })
    });
    let models: Vec<_> = models.collect();
    Answer::json(200, &serde_json::json!({"object": "list", "data": models}))
}

// the journal knows of it before the first byte goes out
async fn finish(app: Arc<App>, wire: Wire, asked: Asked, outcome: Outcome) -> Response<Body> {
    let status = match &outcome {
        Outcome::Known(answer) => answer.status,
        Outcome::Made(..) => 200,
    };
    let text = String::from_utf8_lossy(&asked.body);
    let text = (!text.is_empty()).then(|| text.into_owned());
    let noted = app.change(|world| {
        let seq = world.note_llm(&asked.path, text, status);
        (head(world, seq), world.llm.speed)
    });
    let Ok((head, speed)) = noted else {
        wire.cut();
        return Response::new(Body::empty());
    };
    if let Some(wait) = asked.plan.cut_after_ms {
        tokio::time::sleep(Duration::from_millis(wait)).await;
        wire.cut();
    }
    match outcome {
        Outcome::Known(answer) => sent(&asked.plan, &head, answer),
        Outcome::Made(request, reply) => {
            made(app, &asked.plan, &head, speed, &request, &reply).await
        }
    }
}

fn head(world: &mut World, seq: u64) -> Head {
    Head {
        id: format!("chatcmpl-{}", ids::hex(world.seed, "completion", seq, 24)),
        created: world.now() / 1000,
        fingerprint: format!("fp_{}", ids::hex(world.seed, "fingerprint", 0, 10)),
    }
}

async fn made(
    app: Arc<App>,
    plan: &Plan,
    head: &Head,
    speed: Speed,
    request: &ChatRequest,
    reply: &Reply,
) -> Response<Body> {
    match plan.garbage {
        Some(0) => {
            return sent(
                plan,
                head,
                Answer::raw(200, "text/html; charset=utf-8", HTML),
            );
        }
        Some(1) => {
            let answer = Answer::raw(200, "application/json", r#"{"ok":true,"result":[]}"#);
            return sent(plan, head, answer);
        }
        Some(_) => return Events::garbage().into_response(app, &head.id),
        None => {}
    }
    if request.is_stream {
        let chunks = reply.chunks(head, request.has_usage);
        let keep_alive = request.model.vendor == Vendor::DeepSeek;
        let events = Events::of(&chunks, speed, keep_alive);
        let events = if plan.truncate { events.cut() } else { events };
        return events.into_response(app, &head.id);
    }
    let is_on = wait(&app, Instant::now() + speed.time_of(reply.tokens())).await;
    if !is_on {
        return Refusal::failure(503).answer().into_response();
    }
    sent(plan, head, Answer::json(200, &reply.whole(head)))
}

fn sent(plan: &Plan, head: &Head, answer: Answer) -> Response<Body> {
    let answer = answer.with_header("x-request-id", &head.id);
    if plan.truncate {
        return truncated(answer);
    }
    answer.into_response()
}
