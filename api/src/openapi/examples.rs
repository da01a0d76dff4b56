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

pub fn chat_page() -> Value {
    json!({ "chats": [chat()], "next_cursor": null })
}

pub fn counts() -> Value {
    json!({
        "mine": 3, "unassigned": 12, "at_risk": 2, "breached": 0, "suggestion_ready": 0,
        "waiting": 40, "send_error": 1,
    })
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
