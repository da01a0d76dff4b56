//! Reports to the marketplace that a chat was read here.

use super::{Context, FlowError};
use crate::db::read_receipts::{self, ReadReceipt};
use crate::db::{chats, sellers};
use crate::domain::delivery::retry_pause;
use crate::marketplaces::{Operation, VendorError};

/// After so many failures a receipt is dropped: the next reading makes a new one.
const TRIES: i32 = 10;

/// Reports one receipt. Reporting twice does no harm.
pub async fn report_read(ctx: &Context, receipt: &ReadReceipt) -> Result<(), FlowError> {
    let mut conn = ctx.pool.get().await?;
    let tenant = receipt.tenant_id;
    let Some(chat) = chats::find(&mut conn, tenant, receipt.chat_id).await? else {
        return Ok(());
    };
    let Some(seller) = sellers::find(&mut conn, tenant, chat.seller_id).await? else {
        return Ok(());
    };
    drop(conn);
    let reported = if seller.is_active {
        let access = ctx.open(&seller)?;
        let permit = ctx.permit(&seller, Operation::MarkRead).await;
        match permit {
            Ok(_permit) => {
                let connector = ctx.marketplace(&seller);
                let up_to = &receipt.up_to_external_id;
                connector.mark_read(&access, &chat.external_id, up_to).await
            }
            Err(problem) => Err(problem),
        }
    } else {
        Ok(())
    };
    let mut conn = ctx.pool.get().await?;
    match reported {
        Err(problem) if problem.is_retryable() && receipt.failures < TRIES => {
            let failures = u32::try_from(receipt.failures).unwrap_or(0);
            let pause = match problem {
                VendorError::RateLimited {
                    retry_after: Some(pause),
                } => pause,
                _ => retry_pause(failures),
            };
            read_receipts::postpone(&mut conn, receipt, ctx.clock.now() + pause).await?;
        }
        _ => {
            read_receipts::delete(&mut conn, receipt).await?;
        }
    }
    Ok(())
}
