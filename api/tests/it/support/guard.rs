//! Refuses statements that read or change a tenant's rows without naming the tenant.

use std::sync::{Mutex, Once, PoisonError};

use diesel::connection::{InstrumentationEvent, set_default_instrumentation};

const TENANT_TABLES: &[&str] = &[
    "access_changes",
    "api_tokens",
    "audit_log",
    "business_hours",
    "canned_replies",
    "chat_searches",
    "chat_starts",
    "chats",
    "files",
    "idempotency_keys",
    "invites",
    "messages",
    "notes",
    "obligations",
    "read_receipts",
    "saved_views",
    "sellers",
    "send_attempts",
    "sessions",
    "sla_rules",
    "suggestions",
    "users",
];

/// What makes the few statements of functions named `_across_tenants` known.
const ACROSS_TENANTS: &[&str] = &[
    "lower(\"users\".\"email\")",
    "FROM access_changes WHERE at >",
    "FOR UPDATE SKIP LOCKED",
    "AS key_id, count(*) AS sellers FROM sellers GROUP BY",
    // Tests look at whole tables.
    "SELECT dumped::text",
    "SELECT before, after FROM audit_log WHERE action = 'llm.switched'",
];

static OFFENCES: Mutex<Vec<String>> = Mutex::new(Vec::new());
static SENT: Mutex<Vec<String>> = Mutex::new(Vec::new());

/// Watches every connection that is made from now on.
pub(crate) fn watch() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        set_default_instrumentation(|| {
            Some(Box::new(|event: InstrumentationEvent<'_>| {
                if let InstrumentationEvent::StartQuery { query, .. } = event {
                    judge(&query.to_string());
                }
            }))
        })
        .expect("nobody else instruments");
    });
}

/// The statements so far that were sent with this word among their values.
pub(crate) fn statements_with(word: &str) -> Vec<String> {
    let sent = SENT.lock().unwrap_or_else(PoisonError::into_inner);
    let with_word = |it: &&String| it.contains(word);
    sent.iter().filter(with_word).cloned().collect()
}

/// Fails if any statement so far named no tenant.
pub(crate) fn check() {
    let offences = OFFENCES.lock().unwrap_or_else(PoisonError::into_inner);
    assert!(
        offences.is_empty(),
        "statements without tenant: {offences:#?}"
    );
}

fn judge(statement: &str) {
    let mut sent = SENT.lock().unwrap_or_else(PoisonError::into_inner);
    sent.push(statement.to_owned());
    drop(sent);
    if is_offence(statement) {
        let mut offences = OFFENCES.lock().unwrap_or_else(PoisonError::into_inner);
        offences.push(statement.to_owned());
    }
}

fn is_offence(statement: &str) -> bool {
    let words: Vec<&str> = statement
        .split(|letter: char| !letter.is_alphanumeric() && letter != '_')
        .collect();
    let verb = words.iter().find(|word| !word.is_empty());
    let reads = verb.is_some_and(|verb| {
        ["SELECT", "UPDATE", "DELETE", "WITH"].contains(&verb.to_uppercase().as_str())
    });
    let is_tenants = words.iter().any(|word| TENANT_TABLES.contains(word));
    let plain = statement.replace('"', "");
    let names_tenant = plain.contains("tenant_id = $") || plain.contains("tenant_id) = ($");
    let is_known = ACROSS_TENANTS.iter().any(|part| statement.contains(part));
    reads && is_tenants && !names_tenant && !is_known
}

#[test]
fn a_statement_without_tenant_is_seen() {
    assert!(is_offence("SELECT * FROM chats WHERE id = $1"));
    assert!(is_offence("UPDATE \"messages\" SET \"text\" = $1"));
    assert!(!is_offence(
        "SELECT * FROM chats WHERE chats.tenant_id = $1"
    ));
    assert!(!is_offence("SELECT * FROM tenants"));
}
