//! Who looks at or writes in which chat, as far as Redis remembers: told on the feed whenever it changes.

use std::sync::LazyLock;
use std::time::Duration;

use redis::Script;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use uuid::Uuid;

use super::{Event, log};
use crate::ids::{ChatId, TenantId, UserId};
use crate::jobs::{ConnectionError, Redis};
use crate::words::words;

/// How long somebody is present without showing it again: a process that died shows nothing more.
const KEPT: Duration = Duration::from_secs(12);
/// How often somebody who is still there has to show it.
pub const SHOWN_EVERY: Duration = Duration::from_secs(5);
/// Forgets what nobody swept, in milliseconds: long after everybody in it is gone.
const FORGOTTEN_MS: u64 = 600_000;
/// Chats that one sweep looks through.
const SWEPT: usize = 500;

words! {
    /// What somebody does in a chat.
    PresenceState {
        Viewing = "viewing",
        Editing = "editing",
    }
}

/// Somebody who is in a chat.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "db", derive(utoipa::ToSchema))]
pub struct Present {
    #[cfg_attr(feature = "db", schema(value_type = i64))]
    pub user_id: UserId,
    pub name: String,
    pub state: PresenceState,
}

/// Changes who is in a chat; tells the feed if anybody would see a difference.
///
/// A hash holds each socket's `<until> <user> <state> <person as JSON>`, a sorted set the chats by
/// the time when the first of them is gone. Of a person's sockets the one that writes counts.
static CHANGE: LazyLock<Script> = LazyLock::new(|| {
    let text = [
        log::APPEND_EVENT,
        "local time = redis.call('TIME')
         local now = time[1] * 1000 + math.floor(time[2] / 1000)
         local function present()
           local all, people, order = redis.call('HGETALL', KEYS[4]), {}, {}
           for i = 2, #all, 2 do
             local user, state, person = string.match(all[i], '^%d+ (%d+) (%a+) (.*)$')
             if user then
               if not people[user] then order[#order + 1] = user end
               if not people[user] or state == 'editing' then people[user] = person end
             end
           end
           table.sort(order, function(a, b) return #a < #b or (#a == #b and a < b) end)
           for i, user in ipairs(order) do order[i] = people[user] end
           return table.concat(order, ',')
         end
         local before = present()
         local socket, ttl, entry = ARGV[7], tonumber(ARGV[8]), ARGV[9]
         if socket ~= '' then
           if entry == '' then
             redis.call('HDEL', KEYS[4], socket)
           else
             redis.call('HSET', KEYS[4], socket, string.format('%d %s', now + ttl, entry))
           end
         end
         local all, first = redis.call('HGETALL', KEYS[4]), nil
         for i = 1, #all, 2 do
           local untill = tonumber(string.match(all[i + 1], '^%d+'))
           if untill <= now then
             redis.call('HDEL', KEYS[4], all[i])
           elseif not first or untill < first then
             first = untill
           end
         end
         local member = ARGV[4] .. ' ' .. ARGV[6]
         if first then
           redis.call('ZADD', KEYS[5], first, member)
           redis.call('PEXPIRE', KEYS[4], ARGV[10])
         else
           redis.call('ZREM', KEYS[5], member)
         end
         local after = present()
         if before ~= after then
           local data = '{\"chat_id\":' .. ARGV[6] .. ',\"users\":[' .. after .. ']}'
           append(data)
           return 1
         end
         return 0",
    ];
    Script::new(&text.join("\n"))
});

/// The chats in which somebody's time has run out.
static RUN_OUT: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        "local time = redis.call('TIME')
         local now = time[1] * 1000 + math.floor(time[2] / 1000)
         return redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', now, 'LIMIT', 0, ARGV[1])",
    )
});

/// Who is where: cheap to clone. Losing Redis loses nothing that is not shown again soon.
#[derive(Clone)]
pub struct Presence {
    redis: Redis,
    kept: Duration,
}

impl Presence {
    /// Those that this Redis remembers.
    pub fn new(redis: &Redis) -> Self {
        Self::kept_for(redis, KEPT)
    }

    /// The same with another time after which they are forgotten.
    pub fn kept_for(redis: &Redis, kept: Duration) -> Self {
        Self {
            redis: redis.clone(),
            kept,
        }
    }

    /// Somebody is in a chat, with this socket.
    pub async fn show(
        &self,
        tenant: TenantId,
        chat: ChatId,
        socket: Uuid,
        who: &Present,
    ) -> Result<(), ConnectionError> {
        let person = json!(who).to_string();
        let entry = format!("{} {} {person}", who.user_id, who.state);
        self.change(tenant, chat, &socket.to_string(), &entry).await
    }

    /// The socket has left the chat.
    pub async fn leave(
        &self,
        tenant: TenantId,
        chat: ChatId,
        socket: Uuid,
    ) -> Result<(), ConnectionError> {
        self.change(tenant, chat, &socket.to_string(), "").await
    }

    /// Forgets those who have not shown themselves for too long, in all tenants.
    pub async fn sweep(&self) -> Result<(), ConnectionError> {
        let mut run_out = RUN_OUT.key(self.redis.key("presence:due"));
        let chats: Vec<String> = self.redis.script(run_out.arg(SWEPT)).await?;
        for chat in chats {
            let parts = chat.split_once(' ');
            let parsed = parts.and_then(|(tenant, chat)| {
                let tenant = TenantId(tenant.parse().ok()?);
                Some((tenant, ChatId(chat.parse().ok()?)))
            });
            if let Some((tenant, chat)) = parsed {
                self.change(tenant, chat, "", "").await?;
            }
        }
        Ok(())
    }

    /// Who is in a chat now.
    pub async fn of_chat(
        &self,
        tenant: TenantId,
        chat: ChatId,
    ) -> Result<Vec<Present>, ConnectionError> {
        let mut all = redis::cmd("HVALS");
        all.arg(self.key(tenant, chat));
        let entries: Vec<String> = self.redis.command(&all).await?;
        let people = entries.iter().filter_map(|entry| {
            let person: Value = serde_json::from_str(entry.splitn(4, ' ').nth(3)?).ok()?;
            serde_json::from_value::<Present>(person).ok()
        });
        let mut people: Vec<Present> = people.collect();
        people.sort_by_key(|who| (who.user_id, who.state == PresenceState::Viewing));
        people.dedup_by_key(|who| who.user_id);
        Ok(people)
    }

    fn key(&self, tenant: TenantId, chat: ChatId) -> String {
        self.redis.key(&format!("presence:{tenant}:{chat}"))
    }

    async fn change(
        &self,
        tenant: TenantId,
        chat: ChatId,
        socket: &str,
        entry: &str,
    ) -> Result<(), ConnectionError> {
        let mut change = log::appending(&CHANGE, &self.redis, tenant, Event::Presence.as_str());
        change
            .key(self.key(tenant, chat))
            .key(self.redis.key("presence:due"))
            .arg(chat.0)
            .arg(socket)
            .arg(self.kept.as_millis() as u64)
            .arg(entry)
            .arg(FORGOTTEN_MS);
        let _is_told: i64 = self.redis.script(&change).await?;
        Ok(())
    }
}
