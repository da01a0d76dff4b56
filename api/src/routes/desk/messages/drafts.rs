//! What an answer owes to a draft, and what its text should not say.

use chrono::{DateTime, Utc};
use common::db::chats::{Chat, StoredSuggestion};
use common::db::suggestions::{self, Outcome};
use common::domain::checks::{self, Finding, Rule, Subject, is_punished, is_sendable};
use common::domain::suggestions::{ChatSuggestion, OutcomeKind, SuggestionState};
use common::ids::SuggestionId;
use common::marketplaces::profile;
use common::views::Check;
use diesel_async::AsyncPgConnection;

use crate::access::Staff;
use crate::http::{ApiError, ApiResult, FieldProblem, codes};

/// Records that the draft was sent, as it is or edited, and takes it off the locked chat.
pub(super) async fn use_draft(
    conn: &mut AsyncPgConnection,
    staff: &Staff,
    chat: &mut Chat,
    id: SuggestionId,
    text: &str,
    now: DateTime<Utc>,
) -> ApiResult<()> {
    let found = suggestions::find(conn, staff.tenant, id).await?;
    let Some(draft) = found.filter(|draft| draft.chat_id == chat.id) else {
        let message = "is not a draft of this chat";
        return Err(ApiError::of_field("suggestion_id", message));
    };
    let is_current = Some(draft.for_message_id) == chat.last_buyer_message_id
        && matches!(draft.state, SuggestionState::Ready | SuggestionState::Held);
    if !is_current {
        return Err(codes::STALE_SUGGESTION.into());
    }
    let kind = if draft.text.trim() == text.trim() {
        OutcomeKind::SentAsIs
    } else {
        OutcomeKind::Edited
    };
    let outcome = Outcome {
        kind,
        by: Some(staff.user),
        reason: None,
        at: now,
    };
    let concluded = suggestions::conclude(conn, staff.tenant, id, &outcome).await?;
    if concluded.is_none() {
        return Err(codes::STALE_SUGGESTION.into());
    }
    if chat.suggestion().is_some_and(|it| it.id == Some(id)) {
        chat.suggestion = Some(StoredSuggestion(ChatSuggestion::settled(
            None,
            SuggestionState::None,
            draft.intent,
        )));
    }
    Ok(())
}

/// What should not be said like that; what the marketplace punishes is refused unless acknowledged.
pub(super) fn check_text(
    chat: &Chat,
    text: &str,
    acknowledged: &[String],
) -> ApiResult<Vec<Check>> {
    let findings = checks::check(&Subject {
        text,
        marketplace: chat.channel,
        length: text.chars().count(),
        max_length: profile(chat.channel).text_limit_chars,
        facts: &[],
        made_by: checks::Author::Person,
    });
    if findings.iter().any(|finding| finding.rule == Rule::Empty) {
        return Err(ApiError::of_field("text", "must not be blank"));
    }
    let is_open = |finding: &&Finding| {
        let rule = finding.rule.as_str();
        !acknowledged.iter().any(|it| it == rule)
    };
    let open: Vec<Finding> = findings.iter().filter(is_open).cloned().collect();
    if is_sendable(&open) {
        return Ok(findings.iter().map(view).collect());
    }
    let punished = open
        .iter()
        .filter(|finding| is_punished(finding.rule, chat.channel));
    let problems: Vec<FieldProblem> = punished.map(problem).collect();
    Err(ApiError::of_fields(codes::TEXT_FORBIDDEN, &problems))
}

fn problem(finding: &Finding) -> FieldProblem {
    FieldProblem {
        rule: Some(finding.rule.as_str()),
        span: finding.span.map(|(start, end)| [start, end]),
        ..FieldProblem::new("text", finding.message.clone())
    }
}

fn view(finding: &Finding) -> Check {
    Check {
        rule: finding.rule.to_string(),
        verdict: finding.verdict.to_string(),
        span: finding.span.map(|(start, end)| [start, end]),
        source: finding.source.clone(),
        message: finding.message.clone(),
    }
}
