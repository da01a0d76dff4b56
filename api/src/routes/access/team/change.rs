//! How a person's role and membership change, and what follows from it, in one transaction.

use chrono::{DateTime, Utc};
use common::db::chats::{self, Assignee, ChatFilter, ChatSort};
use common::db::users::{self, MemberChange, User};
use common::db::{access_changes, invites, sessions};
use common::domain::deadlines::ChatStatus;
use common::ids::{ChatId, TenantId, UserId};
use diesel_async::AsyncPgConnection;
use serde_json::{Value, json};

use crate::access::{Access, Actor};
use crate::http::{ApiError, ApiResult, codes};

/// So many chats that become free are told of one by one; who watches more finds them by asking.
const TOLD: i64 = 200;

/// Changes a person; gives also the open chats that belong to nobody now.
pub(super) async fn change(
    conn: &mut AsyncPgConnection,
    who: &Access,
    actor: &Actor,
    id: UserId,
    wanted: MemberChange,
    now: DateTime<Utc>,
) -> ApiResult<(User, Vec<ChatId>)> {
    let tenant = who.tenant;
    // Both as they are now: what the caller may do could have changed a moment ago.
    let found = users::lock_two(conn, tenant, [who.user, id]).await?;
    let person = |id: UserId| found.iter().find(|user| user.id == id);
    let before = person(id).ok_or(codes::USER_NOT_FOUND)?;
    let caller = person(who.user).ok_or(codes::FORBIDDEN)?;
    check(who, caller, before, wanted)?;
    let wanted = MemberChange {
        role: wanted.role.filter(|role| *role != before.role),
        is_active: wanted
            .is_active
            .filter(|active| *active != before.is_active),
    };
    if wanted.role.is_none() && wanted.is_active.is_none() {
        return Ok((before.clone(), Vec::new()));
    }
    let after = users::change(conn, tenant, id, wanted).await?;
    let after = after.ok_or(codes::USER_NOT_FOUND)?;
    access_changes::insert(conn, tenant, id).await?;
    let freed = shut_out(conn, &after, now).await?;
    let target = format!("user:{id}");
    let change = (Some(facts(before)), Some(facts(&after)));
    actor
        .note(conn, tenant, "user.updated", target, change, now)
        .await?;
    Ok((after, freed))
}

fn check(who: &Access, caller: &User, before: &User, wanted: MemberChange) -> ApiResult<()> {
    let role = caller.role.at_most(who.role);
    if !caller.is_active || !role.leads() {
        return Err(codes::FORBIDDEN.into());
    }
    if caller.id == before.id {
        return Err(codes::NOT_ONESELF.into());
    }
    let touches_leaders = before.role.leads() && !role.is_owner();
    let grants_more = wanted.role.is_some_and(|wanted| !role.covers(wanted));
    if touches_leaders || grants_more {
        let message =
            "only an owner changes owners and admins, and nobody grants more than they have";
        return Err(ApiError::from(codes::FORBIDDEN).with_message(message));
    }
    Ok(())
}

/// Takes from a person what they may not have any more.
async fn shut_out(
    conn: &mut AsyncPgConnection,
    user: &User,
    now: DateTime<Utc>,
) -> ApiResult<Vec<ChatId>> {
    let (tenant, id) = (user.tenant_id, user.id);
    if !user.is_active || !user.role.leads() {
        invites::withdraw_all_of(conn, tenant, id, now).await?;
    }
    if !user.is_active {
        sessions::revoke_all(conn, tenant, id, now).await?;
    }
    if user.is_active && user.role.answers() {
        return Ok(Vec::new());
    }
    let open = open_chats(conn, tenant, id, now).await?;
    chats::unassign_all(conn, tenant, id, now).await?;
    Ok(open)
}

async fn open_chats(
    conn: &mut AsyncPgConnection,
    tenant: TenantId,
    user: UserId,
    now: DateTime<Utc>,
) -> ApiResult<Vec<ChatId>> {
    let filter = ChatFilter {
        assignee: Some(Assignee::User(user)),
        status: Some(ChatStatus::Open),
        ..ChatFilter::default()
    };
    let sort = ChatSort::Deadline;
    let rows = chats::list(conn, tenant, &filter, sort, None, TOLD, now).await?;
    Ok(rows.iter().map(|chat| chat.id).collect())
}

/// What the audit log keeps of a person.
fn facts(user: &User) -> Value {
    json!({ "username": user.username, "role": user.role, "is_active": user.is_active })
}
