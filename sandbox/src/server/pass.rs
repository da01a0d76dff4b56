//! How does a request go through the world: body, faults, handler, journal, answer?

use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, to_bytes};
use axum::extract::Request;
use axum::http::{Response, header};
use bytes::Bytes;
use futures::{StreamExt, stream};

use super::App;
use crate::answer::Answer;
use crate::connection::Wire;
use crate::faults::Plan;
use crate::incoming::{Incoming, parse_form, parse_query};
use crate::journal::Kind;
use crate::world::{About, Caller, Marketplace, World};
use crate::{ozon, wildberries, yandex};

// thirty megabytes of files, in base64 or multipart
const MAX_BODY_BYTES: usize = 64 << 20;
const FLUSH: Duration = Duration::from_millis(20);

/// Answers one request to a marketplace.
pub(super) async fn pass(
    app: Arc<App>,
    wire: Wire,
    market: Marketplace,
    request: Request,
) -> Response<Body> {
    let (head, body) = request.into_parts();
    // what follows the marketplace's prefix
    let path = head.uri.path().splitn(3, '/').nth(2).unwrap_or_default();
    let mut incoming = Incoming {
        method: head.method,
        path: format!("/{path}"),
        query: parse_query(head.uri.query().unwrap_or_default()),
        headers: head.headers,
        body: Bytes::new(),
        form: None,
        twist: Default::default(),
    };
    let shop = claimed_shop(&app.lock(), market, &incoming);
    // counted from the moment the request begins to arrive
    let slot = Slot::take(&app, shop);
    let Ok(body) = to_bytes(body, MAX_BODY_BYTES).await else {
        // it did not arrive completely, so nothing happens
        wire.cut();
        return Response::new(Body::empty());
    };
    incoming.form = parse_form(&incoming.headers, &body).await;
    incoming.body = body;
    let plan = plan(&app, market, shop, &incoming);
    incoming.twist = plan.twist;
    if plan.latency_ms == 0 {
        return finish(app, wire, market, &incoming, plan, slot).await;
    }
    // a caller who gives up waiting does not stop what has arrived
    let tasks = app.tasks.clone();
    let late = tasks.spawn(async move {
        tokio::time::sleep(Duration::from_millis(plan.latency_ms)).await;
        finish(app, wire, market, &incoming, plan, slot).await
    });
    late.await
        .unwrap_or_else(|_| Answer::raw(500, "text/plain", "").into_response())
}

async fn finish(
    app: Arc<App>,
    wire: Wire,
    market: Marketplace,
    incoming: &Incoming,
    plan: Plan,
    slot: Slot,
) -> Response<Body> {
    let answered = app.change(|world| {
        let answer = answer(world, market, incoming, &plan, slot.parallel);
        note(world, market, incoming, &answer);
        answer
    });
    drop(slot);
    let Ok(answer) = answered else {
        wire.cut();
        return Response::new(Body::empty());
    };
    if let Some(wait) = plan.cut_after_ms {
        tokio::time::sleep(Duration::from_millis(wait)).await;
        wire.cut();
    }
    if plan.truncate {
        return truncated(answer);
    }
    answer.into_response()
}

fn plan(app: &App, market: Marketplace, shop: Option<usize>, incoming: &Incoming) -> Plan {
    let mut world = app.lock();
    let now = world.now();
    let seller = shop.map(|place| world.shops[place].seller.clone());
    world
        .faults
        .plan(market.name(), &incoming.path, seller.as_deref(), now)
}

fn answer(
    world: &mut World,
    market: Marketplace,
    incoming: &Incoming,
    plan: &Plan,
    parallel: u32,
) -> Answer {
    if let Some(seconds) = plan.retry_after {
        return match market {
            Marketplace::Ozon => ozon::too_many(seconds),
            Marketplace::Wildberries => wildberries::too_many_on_request(world, seconds),
            Marketplace::YandexMarket => yandex::too_many_on_request(world, incoming, seconds),
        };
    }
    if let Some(status) = plan.status {
        return match market {
            Marketplace::Ozon => ozon::failure(status),
            Marketplace::Wildberries => wildberries::failure(world, status),
            Marketplace::YandexMarket => yandex::failure(status),
        };
    }
    world.late_echo_ms = plan.late_echo_ms;
    let answer = match market {
        Marketplace::Ozon => ozon::answer(world, incoming),
        Marketplace::Wildberries => wildberries::answer(world, incoming),
        Marketplace::YandexMarket => yandex::answer(world, incoming, parallel),
    };
    world.late_echo_ms = 0;
    answer
}

fn claimed_shop(world: &World, market: Marketplace, incoming: &Incoming) -> Option<usize> {
    match market {
        Marketplace::Ozon => ozon::claimed_shop(world, incoming),
        Marketplace::Wildberries => wildberries::claimed_shop(world, incoming),
        Marketplace::YandexMarket => yandex::claimed_shop(world, incoming),
    }
}

fn note(world: &mut World, market: Marketplace, incoming: &Incoming, answer: &Answer) {
    let caller = Caller {
        marketplace: market,
        place: claimed_shop(world, market, incoming),
    };
    let path = Some(incoming.path.clone());
    let status = Some(answer.status);
    let sent_text = match market {
        Marketplace::Ozon => {
            ozon::is_send(&incoming.method, &incoming.path).then(|| ozon::sent_text(incoming))
        }
        Marketplace::Wildberries => wildberries::is_send(&incoming.method, &incoming.path)
            .then(|| wildberries::sent_text(incoming)),
        Marketplace::YandexMarket => {
            yandex::is_send(&incoming.method, &incoming.path).then(|| yandex::sent_text(incoming))
        }
    };
    let about = About {
        chat: answer.chat,
        message: sent_place(world, answer),
        path: path.clone(),
        status,
        ..About::default()
    };
    if let Some(text) = sent_text {
        world.note(Kind::Received, caller, About { text, ..about });
        return;
    }
    world.note(Kind::Served, caller, about);
    for &(chat, at) in &answer.served {
        let message = &mut world.chats[chat].messages[at];
        if std::mem::replace(&mut message.is_served, true) {
            continue;
        }
        let text = message.text.clone();
        let about = About {
            chat: Some(chat),
            message: Some(at),
            text,
            path: path.clone(),
            status,
            at: None,
        };
        world.note(Kind::Served, caller, about);
    }
}

fn sent_place(world: &World, answer: &Answer) -> Option<usize> {
    let chat = answer.chat.filter(|_| answer.has_sent)?;
    world.chats[chat].messages.len().checked_sub(1)
}

pub(crate) fn truncated(mut answer: Answer) -> Response<Body> {
    let body = std::mem::take(&mut answer.body);
    let half = body.slice(..body.len() / 2);
    let mut response = answer.into_response();
    response
        .headers_mut()
        .insert(header::CONTENT_LENGTH, body.len().into());
    // what is sent so far leaves the machine while the rest is waited for
    let rest = stream::once(async {
        tokio::time::sleep(FLUSH).await;
        Err(std::io::Error::from(std::io::ErrorKind::ConnectionReset))
    });
    let first = stream::once(async { Ok(half) });
    *response.body_mut() = Body::from_stream(first.chain(rest));
    response
}

/// A request under way, counted per shop.
#[derive(Debug)]
struct Slot {
    app: Arc<App>,
    shop: Option<usize>,
    parallel: u32,
}

impl Slot {
    fn take(app: &Arc<App>, shop: Option<usize>) -> Self {
        let parallel = shop.map_or(0, |shop| {
            let mut world = app.lock();
            let count = world.limits.in_flight.entry(shop).or_default();
            *count += 1;
            *count
        });
        Self {
            app: Arc::clone(app),
            shop,
            parallel,
        }
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        if let Some(shop) = self.shop {
            let mut world = self.app.lock();
            if let Some(count) = world.limits.in_flight.get_mut(&shop) {
                *count = count.saturating_sub(1);
            }
        }
    }
}
