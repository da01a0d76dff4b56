//! What goes wrong at the marketplaces while a figure runs.

use std::time::Duration;

use anyhow::Result;
use serde_json::json;

use crate::clients::outside::{MARKETPLACES, Outside};

/// The path of the requests that send, by marketplace.
const SENDS: [&str; 3] = [
    "ozon:/v1/chat/send/message",
    "wildberries:/api/v1/seller/message",
    "yandex_market:/chats/message",
];

/// Lists and histories come twice, shuffled, from too early on, late, not at all, or cut.
pub async fn spoil_reads(outside: &Outside) -> Result<()> {
    for target in MARKETPLACES {
        for (kind, value, probability) in [
            ("duplicate", 0, 0.25),
            ("reorder", 0, 0.3),
            ("redeliver", 5, 0.4),
            ("latency", 300, 0.25),
            ("status", 500, 0.03),
            ("rate_limit", 1, 0.02),
            ("truncate", 0, 0.02),
            ("list_ahead", 1500, 1.0),
        ] {
            let fault =
                json!({"target": target, "kind": kind, "value": value, "probability": probability});
            outside.fault(&fault).await?;
        }
    }
    Ok(())
}

/// Sends are taken and not answered, answered with half of the body, refused, slow, or shown late.
pub async fn spoil_sends(outside: &Outside, settle_after: Duration) -> Result<()> {
    let late = settle_after.mul_f64(0.66).as_millis();
    for target in SENDS {
        for (kind, value, probability) in [
            ("cut_after_accept", 0, 0.08),
            ("truncate", 0, 0.02),
            ("status", 500, 0.04),
            ("status", 503, 0.01),
            ("rate_limit", 1, 0.03),
            ("latency", 250, 0.2),
            ("late_echo", late, 0.3),
        ] {
            let fault =
                json!({"target": target, "kind": kind, "value": value, "probability": probability});
            outside.fault(&fault).await?;
        }
    }
    Ok(())
}
