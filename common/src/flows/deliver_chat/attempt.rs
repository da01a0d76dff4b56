//! One attempt to send: intent, request, result.

use std::time::Duration;

use chrono::{DateTime, Utc};
use diesel_async::{AsyncConnection, AsyncPgConnection};
use tokio::time::Instant;
use uuid::Uuid;

use super::files::Loaded;
use super::{Delivery, Next};
use crate::db::chats::{self, Chat};
use crate::db::messages::{self, Message, Progress};
use crate::db::sellers;
use crate::db::send_attempts::{self, AttemptEnd, NewAttempt};
use crate::domain::delivery::{AttemptOutcome, FILES_LEFT_OUT, MessageState, retry_pause};
use crate::flows::FlowError;
use crate::marketplaces::{
    ListPage, ListScope, Operation, Refusal, SendOutcome, TextSend, VendorError, Warning, profile,
};

/// What an outcome means for the message, and when the chat is due again.
struct Settled {
    outcome: AttemptOutcome,
    reason: Option<String>,
    progress: Progress,
    /// The marketplace's own time of the message.
    vendor_at: Option<DateTime<Utc>>,
    reply_sign: Option<String>,
    due: Due,
}

enum Due {
    Now,
    At(DateTime<Utc>),
    AfterRefreshingSign,
}

impl Delivery<'_> {
    pub(super) async fn attempt(&mut self, message: &Message) -> Result<Next, FlowError> {
        let files = match self.load_files(message).await? {
            Loaded::Files(files) => files,
            Loaded::Later(at) => return Ok(Next::Pause(Some(at))),
            Loaded::Lost => {
                let reason = "a file of the message is not there any more: upload it again";
                let failed = Progress::failed("file_lost", reason);
                return self.settle_now(message, failed).await;
            }
        };
        let operation = if files.is_empty() || profile(self.chat.channel).files.with_text {
            Operation::SendText
        } else {
            Operation::SendFile
        };
        let permit = match self.ctx.permit(&self.seller, operation).await {
            Ok(permit) => permit,
            Err(VendorError::RateLimited { retry_after }) => {
                let pause = retry_after.unwrap_or(Duration::from_secs(1));
                return Ok(Next::Pause(Some(self.ctx.clock.now() + pause)));
            }
            Err(other) => return Err(other.into()),
        };
        // Counted from before the claim is prolonged: it ends before the lease does.
        let release_before = Instant::now() + self.ctx.delivery.send_budget;
        let token = Uuid::new_v4();
        let Some((sending, chat)) = self.begin(message, token).await? else {
            return Ok(Next::Continue);
        };
        let reply_sign = chat.vendor_state.reply_sign.clone();
        self.announce(Some((sending.clone(), chat))).await?;
        let send = TextSend {
            chat: &self.chat.external_id,
            text: &message.text,
            reply_sign: reply_sign.as_deref(),
            release_before,
        };
        let connector = self.ctx.marketplace(&self.seller);
        let outcome = if files.is_empty() {
            connector.send_text(&self.access, send).await
        } else {
            connector.send_files(&self.access, send, &files).await
        };
        drop(permit);
        let settled = self.judge_outcome(&sending, outcome);
        self.record(&sending, token, &settled).await?;
        self.follow_up(settled).await
    }

    /// Stores the intent: from here on the message may arrive.
    async fn begin(
        &self,
        message: &Message,
        token: Uuid,
    ) -> Result<Option<(Message, Chat)>, FlowError> {
        let mut conn = self.ctx.pool.get().await?;
        let now = self.ctx.clock.now();
        conn.transaction(async |conn| {
            self.hold(conn).await?;
            let progress = Progress::to(MessageState::Sending);
            let Some((sending, chat)) = self.advance(conn, message, &progress).await? else {
                return Ok(None);
            };
            let (tenant, id) = (message.tenant_id, message.id);
            let no = messages::count_attempt(conn, tenant, id).await?;
            let newest = messages::newest_bound(conn, tenant, message.chat_id, 1).await?;
            let baseline = newest.into_iter().next();
            let attempt = NewAttempt {
                tenant_id: tenant,
                message_id: id,
                no,
                token,
                baseline_at: baseline.as_ref().map(|it| it.at),
                baseline_external_id: baseline.and_then(|it| it.external_id),
                baseline_cursor: self.seller.vendor_cursor.stream.clone(),
                started_at: now,
            };
            send_attempts::insert(conn, &attempt).await?;
            let sending = Message {
                attempts: no,
                ..sending
            };
            Ok(Some((sending, chat)))
        })
        .await
    }

    fn judge_outcome(&self, message: &Message, outcome: SendOutcome) -> Settled {
        let now = self.ctx.clock.now();
        match outcome {
            SendOutcome::Sent {
                at,
                reply_sign,
                left_out,
            } => Settled {
                outcome: AttemptOutcome::Sent,
                reason: left_out.clone(),
                progress: Progress {
                    sent_at: Some(at.unwrap_or(now)),
                    error_code: left_out.as_ref().map(|_| FILES_LEFT_OUT.to_owned()),
                    error_message: left_out,
                    ..Progress::to(MessageState::Sent)
                },
                vendor_at: at,
                reply_sign,
                due: Due::Now,
            },
            SendOutcome::MaybeSent { reason } => {
                let settle_at = now + self.ctx.delivery.settle_after;
                Settled {
                    outcome: AttemptOutcome::MaybeSent,
                    reason: Some(reason),
                    progress: Progress {
                        settle_at: Some(settle_at),
                        ..Progress::to(MessageState::Unknown)
                    },
                    vendor_at: None,
                    reply_sign: None,
                    due: Due::At(settle_at),
                }
            }
            SendOutcome::NotSent(refusal) => self.judge_refusal(message, refusal, now),
        }
    }

    fn judge_refusal(&self, message: &Message, refusal: Refusal, now: DateTime<Utc>) -> Settled {
        let failures = u32::try_from(message.attempts - 1).unwrap_or(0);
        let again = |due| (Progress::to(MessageState::Queued), due);
        let failed = |code, text: &str| (Progress::failed(code, text), Due::Now);
        let reason = format!("{refusal:?}");
        let (progress, due) = match &refusal {
            Refusal::Unreachable { .. } => again(Due::At(now + retry_pause(failures))),
            Refusal::RateLimited { retry_after } => {
                let pause = retry_after.unwrap_or(retry_pause(failures));
                again(Due::At(now + pause))
            }
            Refusal::StaleSign if !self.sign_refreshed => again(Due::AfterRefreshingSign),
            Refusal::StaleSign => failed(
                "rejected",
                "The marketplace does not accept the chat's signature.",
            ),
            Refusal::Unauthorized { message } => failed("seller_key_rejected", message),
            Refusal::ReadOnly { message } => failed("seller_read_only", message),
            Refusal::WindowClosed { message } => failed("window_closed", message),
            Refusal::Rejected { message } => failed("rejected", message),
        };
        Settled {
            outcome: AttemptOutcome::NotSent,
            reason: Some(reason),
            progress,
            vendor_at: None,
            reply_sign: None,
            due,
        }
    }

    /// Stores the result, if the message still is as this attempt left it.
    async fn record(
        &mut self,
        message: &Message,
        token: Uuid,
        settled: &Settled,
    ) -> Result<(), FlowError> {
        let mut conn = self.ctx.pool.get().await?;
        let now = self.ctx.clock.now();
        let changed = conn
            .transaction(async |conn| {
                let held = self.hold(conn).await?;
                let (tenant, id) = (message.tenant_id, message.id);
                let end = AttemptEnd {
                    ended_at: now,
                    outcome: settled.outcome,
                    reason: settled.reason.clone(),
                    vendor_at: settled.vendor_at,
                };
                send_attempts::end(conn, tenant, id, token, &end).await?;
                if settled.outcome == AttemptOutcome::Sent {
                    // Never before what the buyer had written by then.
                    let at = settled
                        .vendor_at
                        .unwrap_or(now)
                        .max(held.last_message_at.unwrap_or(now));
                    messages::place(conn, tenant, id, at).await?;
                }
                if settled.reply_sign.is_some() {
                    remember_sign(conn, &held, settled.reply_sign.clone()).await?;
                }
                self.advance(conn, message, &settled.progress).await
            })
            .await?;
        drop(conn);
        if settled.outcome == AttemptOutcome::Sent {
            self.sign_refreshed = false;
        }
        self.announce(changed).await?;
        self.note_refusal(settled).await
    }

    /// What a refusal tells about the shop is shown at the shop.
    async fn note_refusal(&mut self, settled: &Settled) -> Result<(), FlowError> {
        let (tenant, id) = (self.seller.tenant_id, self.seller.id);
        let now = self.ctx.clock.now();
        let mut conn = self.ctx.pool.get().await?;
        match settled.progress.error_code.as_deref() {
            Some("seller_key_rejected") => {
                sellers::probe_again(&mut conn, tenant, id, now).await?;
            }
            Some("seller_read_only") => {
                let message = settled.progress.error_message.clone().unwrap_or_default();
                let mut capabilities = self.seller.capabilities.clone();
                if let Some(known) = &mut capabilities.0 {
                    known.send = false;
                }
                let mut warnings = self.seller.warnings.clone();
                warnings.0.retain(|warning| warning.code != "read_only");
                warnings.0.push(Warning {
                    code: "read_only".to_owned(),
                    message,
                });
                let stored =
                    sellers::store_probe(&mut conn, &self.seller, &capabilities, &warnings, now)
                        .await?;
                drop(conn);
                if let Some(seller) = stored {
                    self.ctx.publish_seller(&seller).await;
                    self.seller = seller;
                }
            }
            _ => {}
        }
        Ok(())
    }

    async fn follow_up(&mut self, settled: Settled) -> Result<Next, FlowError> {
        match settled.due {
            Due::Now => Ok(Next::Continue),
            Due::At(at) => Ok(Next::Pause(Some(at))),
            Due::AfterRefreshingSign => self.refresh_sign().await,
        }
    }

    /// Asks the list for the chat's current signature.
    async fn refresh_sign(&mut self) -> Result<Next, FlowError> {
        self.sign_refreshed = true;
        let permit = self.ctx.permit(&self.seller, Operation::ListChats).await;
        let page = ListPage {
            scope: ListScope::All,
            cursor: None,
        };
        let connector = self.ctx.marketplace(&self.seller);
        let listed = match permit {
            Ok(_permit) => connector.list_chats(&self.access, page).await,
            Err(problem) => Err(problem),
        };
        let listed = match listed {
            Ok(listed) => listed,
            Err(VendorError::RateLimited { retry_after }) => {
                let pause = retry_after.unwrap_or(Duration::from_secs(5));
                return Ok(Next::Pause(Some(self.ctx.clock.now() + pause)));
            }
            Err(problem) if problem.is_retryable() => {
                let pause = Duration::from_secs(5);
                return Ok(Next::Pause(Some(self.ctx.clock.now() + pause)));
            }
            Err(problem) => return Err(problem.into()),
        };
        let sign = listed
            .chats
            .into_iter()
            .find(|chat| chat.external_id == self.chat.external_id)
            .and_then(|chat| chat.reply_sign);
        let mut conn = self.ctx.pool.get().await?;
        conn.transaction(async |conn| {
            let held = self.hold(conn).await?;
            remember_sign(conn, &held, sign).await
        })
        .await?;
        Ok(Next::Continue)
    }
}

async fn remember_sign(
    conn: &mut AsyncPgConnection,
    chat: &Chat,
    sign: Option<String>,
) -> Result<(), FlowError> {
    let mut state = chat.vendor_state.clone();
    if sign.is_some() && state.reply_sign != sign {
        state.reply_sign = sign;
        chats::store_vendor_facts(conn, chat.tenant_id, chat.id, &chat.context, &state).await?;
    }
    Ok(())
}
