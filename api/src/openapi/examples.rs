//! What requests and answers look like: one of each kind, shown in the document.

use serde_json::{Value, json};

const TOKEN: &str = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIwMTk5YThmMCJ9.c2lnbmF0dXJl";
const REFRESH: &str =
    "0198a00000007000800000000000000a.17.0.qk3wJmPz1c0l3yWcWv1bO5m8Qe0y8xN0n2V6aY7tU4o";

/// What the header `Idempotency-Key` means.
pub const IDEMPOTENCY_KEY: &str = "Names the request, 1 to 255 characters: sent again with the same \
     body within 24 h it is answered the same and does nothing; with another body 409 \
     `idempotency_conflict`, while it runs 409 `in_progress`. An answer that is an error is not kept.";

const OPAQUE: &str = "0198a00000007000800000000000000a.qk3wJmPz1c0l3yWcWv1bO5m8Qe0y8xN0n2V6aY7tU4o";

pub fn registration() -> Value {
    json!({ "email": "anna@example.com", "username": "anna", "password": "correct horse battery" })
}

pub fn credentials() -> Value {
    json!({ "email": "owner@demo.test", "password": "demo-password-1" })
}

pub fn tokens() -> Value {
    json!({
        "access_token": TOKEN, "refresh_token": REFRESH, "token_type": "Bearer", "expires_in": 900,
    })
}

pub fn refresh() -> Value {
    json!({ "refresh_token": REFRESH })
}

pub fn me() -> Value {
    json!({
        "id": "0199a8f0-0000-7000-8000-000000000003", "email": "owner@demo.test",
        "username": "owner", "created_at": "2026-11-21T09:00:00Z",
        "last_login_at": "2026-11-21T09:30:00Z", "is_active": true,
        "tenant": {
            "id": "0198a000-0000-7000-8000-000000000001", "slug": "demo", "name": "Demo",
        },
        "role": "owner",
    })
}

pub fn member() -> Value {
    json!({
        "id": 3, "public_id": "0199a8f0-0000-7000-8000-000000000003", "username": "anna",
        "email": "anna@demo.test", "is_confirmed": true, "role": "agent", "is_active": true,
        "last_login_at": "2026-11-21T09:30:00Z", "created_at": "2026-11-21T09:00:00Z",
    })
}

pub fn team_page() -> Value {
    json!({ "team": [member()], "invites": [invite()], "next_cursor": null })
}

pub fn new_invite() -> Value {
    json!({ "email": "clara@example.com", "username": "clara", "role": "agent" })
}

pub fn invite() -> Value {
    json!({
        "id": 4, "email": "clara@example.com", "username": "clara", "role": "agent",
        "invited_by": 1, "expires_at": "2026-11-28T09:30:00Z",
        "created_at": "2026-11-21T09:30:00Z",
    })
}

pub fn issued_invite() -> Value {
    let mut issued = invite();
    issued["link"] = json!(format!(
        "http://127.0.0.1:8000/accept-invite?token={OPAQUE}"
    ));
    issued
}

pub fn invite_page() -> Value {
    json!({ "invites": [invite()], "next_cursor": null })
}

pub fn acceptance() -> Value {
    json!({ "token": OPAQUE, "username": "clara", "password": "correct horse battery" })
}

pub fn new_token() -> Value {
    json!({ "name": "nightly export", "scopes": ["read"], "expires_at": "2099-01-01T00:00:00Z" })
}

pub fn token() -> Value {
    json!({
        "id": 5, "name": "nightly export", "scopes": ["read"], "created_by": 1,
        "expires_at": "2099-01-01T00:00:00Z", "last_used_at": null,
        "created_at": "2026-11-21T09:30:00Z",
    })
}

pub fn issued_token() -> Value {
    let mut issued = token();
    issued["token"] = json!(format!("cc_{OPAQUE}"));
    issued
}

pub fn token_page() -> Value {
    json!({ "tokens": [token()], "next_cursor": null })
}

pub fn audit_page() -> Value {
    json!({
        "entries": [{
            "id": 12, "at": "2026-11-21T09:30:00Z", "actor": { "name": "owner", "user_id": 1 },
            "action": "user.updated", "target": "user:3", "ip": "127.0.0.1",
            "user_agent": "curl/8.5.0",
            "before": { "username": "anna", "role": "agent", "is_active": true },
            "after": { "username": "anna", "role": "admin", "is_active": true },
        }],
        "next_cursor": null,
    })
}

pub fn health() -> Value {
    json!({ "status": "healthy", "service": "chat-center", "version": env!("CARGO_PKG_VERSION") })
}

pub fn new_shop() -> Value {
    json!({
        "name": "My Ozon Store", "marketplace": "ozon", "client_id": "your-client-id",
        "api_key": "your-api-key",
    })
}

pub fn seller() -> Value {
    json!({
        "id": 1, "name": "My Ozon Store", "marketplace": "ozon", "client_id": "1204037",
        "key_fingerprint": "9f86d081", "is_active": true,
        "capabilities": { "read": true, "send": true, "mark_read": true }, "warnings": [],
        "push_url": "http://127.0.0.1:8000/hooks/ozon/0198a0000000700080000000000000010199a8f0c2d67e41b1c9e6a5d4f3b2a10f1e2d3c4b5a69788796a5b4c3d2e1f0",
        "sync": {
            "status": "ok", "last_sync_at": "2026-11-21T09:30:00Z",
            "next_sync_at": "2026-11-21T09:31:00Z", "error": null, "lag_ms": 0,
        },
        "created_at": "2026-11-21T09:00:00Z", "updated_at": "2026-11-21T09:00:00Z",
    })
}

pub fn seller_page() -> Value {
    json!({ "sellers": [seller()], "total": 1, "next_cursor": null })
}

pub fn chat() -> Value {
    json!({
        "id": 7, "public_id": "0199a8f0-0000-7000-8000-000000000007", "channel": "ozon",
        "marketplace": "ozon", "seller_id": 1,
        "external_id": "b646d975-0c9c-4872-9f41-8b1e57181063",
        "buyer": { "name": "Мария", "external_id": "115568" },
        "order": {
            "id": "0137-1234-1",
            "product": { "name": "Чайник", "sku": "148313766", "image_url": null },
        },
        "status": "open", "unread_count": 1, "assigned_to": null, "tags": [],
        "snoozed_until": null,
        "last_message": {
            "preview": "Где мой заказ?", "at": "2026-11-21T09:20:00Z", "direction": "incoming",
        },
        "deadline": {
            "at": "2026-11-22T09:20:00Z", "clock": "obligation", "state": "ok",
            "priority": "normal", "rule": null,
        },
        "suggestion": { "id": null, "state": "none" },
        "created_at": "2026-11-21T09:20:03Z", "updated_at": "2026-11-21T09:20:03Z", "version": 2,
    })
}

pub fn closed_chat() -> Value {
    let mut chat = chat();
    chat["status"] = json!("closed");
    chat["deadline"] = Value::Null;
    chat
}

pub fn tagged_chat() -> Value {
    let mut chat = chat();
    chat["tags"] = json!(["возврат", "VIP"]);
    chat
}

pub fn note() -> Value {
    json!({
        "id": 5, "chat_id": 7, "author": { "user_id": 3, "name": "anna" },
        "text": "Обещал перезвонить в пятницу", "created_at": "2026-11-21T09:40:00Z",
        "edited_at": null,
    })
}

pub fn note_page() -> Value {
    json!({ "notes": [note()], "next_cursor": null })
}

pub fn chat_start() -> Value {
    json!({
        "id": 9, "seller_id": 1, "order_id": "0137-1234-1", "state": "wanted", "chat_id": null,
        "error": null, "created_at": "2026-11-21T09:31:00Z", "updated_at": "2026-11-21T09:31:00Z",
    })
}

pub fn presence() -> Value {
    json!({ "chat_id": 7, "users": [{ "user_id": 3, "name": "anna", "state": "editing" }] })
}

pub fn chat_page() -> Value {
    json!({ "chats": [chat()], "next_cursor": null })
}

pub fn counts() -> Value {
    json!({
        "mine": 3, "unassigned": 12, "at_risk": 2, "breached": 0, "suggestion_ready": 0,
        "waiting": 40, "send_error": 1,
    })
}

pub fn new_canned_reply() -> Value {
    json!({
        "scope": "own", "shortcut": "где", "title": "Где заказ",
        "text": "Здравствуйте, {buyer}! Заказ {order} уже в пути.",
    })
}

pub fn canned_reply() -> Value {
    let mut reply = new_canned_reply();
    reply["id"] = json!(4);
    reply["created_at"] = json!("2026-11-21T09:00:00Z");
    reply["updated_at"] = json!("2026-11-21T09:00:00Z");
    reply
}

pub fn canned_replies() -> Value {
    json!({ "canned_replies": [canned_reply()] })
}

pub fn rendered_reply() -> Value {
    json!({ "text": "Здравствуйте, Мария! Заказ уже в пути.", "missing": ["order"] })
}

pub fn new_view() -> Value {
    json!({
        "scope": "own", "name": "Горит на Ozon", "position": 1,
        "filter": { "marketplace": "ozon", "deadline": "at_risk", "assigned_to": "me" },
    })
}

pub fn view() -> Value {
    let mut view = new_view();
    view["id"] = json!(2);
    view["created_at"] = json!("2026-11-21T09:00:00Z");
    view["updated_at"] = json!("2026-11-21T09:00:00Z");
    view
}

pub fn views() -> Value {
    json!({ "views": [view()] })
}

pub fn message() -> Value {
    json!({
        "id": 42, "chat_id": 7, "external_id": "3000000000817031942", "direction": "incoming",
        "author": { "type": "buyer", "user_id": null, "name": "Мария" },
        "text": "Где мой заказ?", "attachments": [], "state": "received", "error": null,
        "attempts": 0, "sent_at": "2026-11-21T09:20:00Z", "read_at": null,
        "created_at": "2026-11-21T09:20:03Z",
    })
}

pub fn file() -> Value {
    json!({
        "file_id": "0199a8f0-0000-7000-8000-00000000000f", "name": "photo.jpg",
        "content_type": "image/jpeg", "size_bytes": 48211, "state": "ready", "error": null,
    })
}

pub fn message_page() -> Value {
    json!({ "messages": [message()], "next_cursor": null })
}

pub fn answer() -> Value {
    json!({ "chat_id": 7, "text": "Здравствуйте! Заказ уже в пути." })
}

pub fn queued_message() -> Value {
    json!({
        "id": 43, "chat_id": 7, "external_id": null, "direction": "outgoing",
        "author": { "type": "agent", "user_id": 3, "name": "anna" },
        "text": "Здравствуйте! Заказ уже в пути.", "attachments": [], "state": "queued",
        "error": null, "attempts": 0, "sent_at": null, "read_at": null,
        "created_at": "2026-11-21T09:31:00Z",
    })
}

pub fn posted_message() -> Value {
    let mut message = queued_message();
    message["warnings"] = json!([]);
    message
}

pub fn chat_wanting_draft() -> Value {
    let mut chat = chat();
    chat["suggestion"] = json!({ "id": null, "state": "wanted" });
    chat
}

pub fn suggestion() -> Value {
    json!({
        "id": 5, "chat_id": 7, "for_message_id": 42,
        "text": "Здравствуйте! Проверим, где заказ, и напишем вам здесь.", "state": "ready",
        "intent": "delivery", "sentiment": "neutral", "urgency": "normal", "needs_human": false,
        "reason": null, "checks": [], "sources": ["order"], "provider": "deepseek",
        "model": "deepseek-chat", "prompt_version": "draft-1",
        "usage": { "prompt_tokens": 412, "completion_tokens": 63 }, "latency_ms": 850,
        "outcome": null, "created_at": "2026-11-21T09:20:07Z",
    })
}

pub fn suggestion_page() -> Value {
    json!({ "suggestions": [suggestion()], "next_cursor": null })
}

pub fn rejected_suggestion() -> Value {
    let mut suggestion = suggestion();
    suggestion["outcome"] = json!({
        "kind": "rejected", "by": 3, "at": "2026-11-21T09:21:00Z", "reason": "off topic",
    });
    suggestion
}

pub fn new_hours() -> Value {
    json!({
        "name": "Офис", "zone": "Europe/Moscow",
        "week": {
            "mon": [{ "from": "09:00", "to": "17:00" }], "tue": [{ "from": "09:00", "to": "17:00" }],
            "wed": [{ "from": "09:00", "to": "17:00" }], "thu": [{ "from": "09:00", "to": "17:00" }],
            "fri": [{ "from": "09:00", "to": "17:00" }], "sat": [], "sun": [],
        },
        "holidays": [{ "date": "2026-12-31", "intervals": [] }],
    })
}

pub fn hours() -> Value {
    let mut hours = new_hours();
    hours["id"] = json!(1);
    hours["created_at"] = json!("2026-11-21T09:00:00Z");
    hours["updated_at"] = json!("2026-11-21T09:00:00Z");
    hours
}

pub fn hours_page() -> Value {
    json!({ "business_hours": [hours()], "next_cursor": null })
}

pub fn new_sla_rule() -> Value {
    json!({
        "name": "Возвраты за два часа", "priority": 10, "marketplace": "ozon",
        "keyword": "возврат*", "answer_within_s": 7200, "source": "ours",
    })
}

pub fn sla_rule() -> Value {
    json!({
        "id": 1, "name": "Возвраты за два часа", "priority": 10, "is_active": true,
        "marketplace": "ozon", "seller_id": null, "intent": null, "keyword": "возврат*",
        "chat_type": null, "matches_everything": false, "answer_within_s": 7200,
        "at_risk_s": null, "business_hours_id": null, "source": "ours",
        "created_at": "2026-11-21T09:00:00Z", "updated_at": "2026-11-21T09:00:00Z",
    })
}

pub fn sla_rules() -> Value {
    json!({
        "sla_rules": [sla_rule()],
        "default": {
            "answer_within_s": 86400,
            "source": "ours: no marketplace publishes a time to answer; only Ozon's window of 48 hours is firm",
        },
    })
}

pub fn preview() -> Value {
    json!({
        "changes": [{
            "chat_id": 7,
            "before": { "at": "2026-11-22T09:20:00Z", "rule": null, "rule_name": null },
            "after": {
                "at": "2026-11-21T11:20:00Z", "rule": null, "rule_name": "Возвраты за два часа",
            },
        }],
        "looked_at": 12, "has_more": false,
    })
}

pub fn explanation() -> Value {
    json!({
        "status": "open",
        "deadline": {
            "at": "2026-11-21T11:20:00Z", "clock": "obligation", "state": "ok",
            "priority": "normal", "rule": 1,
        },
        "obligation": {
            "started_at": "2026-11-21T09:20:00Z", "due_at": "2026-11-21T11:20:00Z",
            "at_risk_at": "2026-11-21T10:50:00Z", "answer_within_s": 7200, "rule": 1,
            "rule_name": "Возвраты за два часа", "source": "ours", "business_hours": null,
            "warned_at": null, "breached_at": null,
        },
        "window": {
            "started_at": "2026-11-21T09:20:00Z", "closes_at": "2026-11-23T09:20:00Z",
            "source": "Ozon: the seller may answer within 48 hours of the buyer's last message (description of /v1/chat/send/message)",
        },
        "snoozed_until": null,
        "rules": [{
            "id": 1, "name": "Возвраты за два часа", "priority": 10, "verdict": "matches",
            "counts": true,
        }],
        "steps": [
            "Первое сообщение без ответа пришло сб 21.11.2026 09:20 UTC: с него идёт срок.",
            "Действует правило «Возвраты за два часа»: ответить за 2 ч.",
            "Считается всё время подряд.",
            "Ответить нужно до сб 21.11.2026 11:20 UTC.",
        ],
    })
}

pub fn reply_metrics() -> Value {
    json!({
        "days": 7, "eligible": 120, "accepted": 70, "edited": 30, "rejected": 8, "stale": 10,
        "held": 6,
        "first_answer": { "answered": 110, "median_s": 840, "p90_s": 5400 },
        "breaches": {
            "total": 3, "no_answer": 2, "send_failed": 1, "shop_error": 0, "read_only": 0,
        },
    })
}

pub fn llm_settings() -> Value {
    let choice = json!({
        "provider": "deepseek", "model": "deepseek-chat", "enabled": true, "own": false,
    });
    json!({
        "provider": "deepseek", "model": "deepseek-chat", "enabled": true,
        "doors": {
            "assistant": choice, "company": choice, "desk": choice, "site": choice,
            "support": choice,
        },
    })
}
