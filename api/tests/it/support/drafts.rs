//! Drafts, put into the database as the worker would.

use common::db::chats::{self, Chat};
use common::db::suggestions::{self, NewSuggestion, Suggestion};
use common::domain::suggestions::{ChatSuggestion, SuggestionState};
use serde_json::json;

use super::TestApp;

impl TestApp {
    /// A draft for the buyer's last message, ready or held.
    pub(crate) async fn draft(
        &self,
        chat: &Chat,
        text: &str,
        state: SuggestionState,
    ) -> Suggestion {
        let checks = match state {
            SuggestionState::Held => json!([{
                "rule": "money", "verdict": "forbid", "span": [0, 5], "source": null,
                "message": "Обещание денег.",
            }]),
            _ => json!([]),
        };
        let now = self.clock().now();
        let row = NewSuggestion {
            tenant_id: chat.tenant_id,
            chat_id: chat.id,
            for_message_id: chat.last_buyer_message_id.expect("a buyer wrote"),
            state,
            text: text.to_owned(),
            intent: Some("delivery".to_owned()),
            sentiment: Some("neutral".to_owned()),
            urgency: Some("normal".to_owned()),
            needs_human: false,
            reason: None,
            checks,
            sources: json!(["chat"]),
            provider: "deepseek".to_owned(),
            model: "deepseek-chat".to_owned(),
            prompt_version: "test".to_owned(),
            usage: None,
            latency_ms: 5,
            created_at: now,
        };
        let mut conn = self.conn().await;
        let draft = suggestions::insert(&mut conn, &row).await.unwrap();
        let shown = ChatSuggestion::settled(Some(draft.id), state, draft.intent.clone());
        chats::want_draft(&mut conn, chat, None, Some(shown), now)
            .await
            .unwrap();
        draft
    }
}
