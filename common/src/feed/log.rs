//! A tenant's feed in Redis: a bounded stream and its epoch, appended to and read by one script each.

use std::fmt;
use std::str::FromStr;
use std::sync::LazyLock;
use std::time::Duration;

use redis::streams::StreamRangeReply;
use redis::{Script, ScriptInvocation};

use super::FeedEvent;
use crate::ids::TenantId;
use crate::jobs::{ConnectionError, Redis};

/// Events that a feed keeps, about.
const BOUND: usize = 10_000;
/// A feed without events for this long is forgotten: later readers get a reset.
const KEPT: Duration = Duration::from_hours(24);
/// Events read at once.
const PAGE: usize = 500;
/// Where nothing was ever published.
pub(super) const NOTHING: &str = "-";

/// Appends an event and tells all processes; a feed that is not there gets a new epoch. Part of a
/// script that is put together by [`appending`].
pub(super) const APPEND_EVENT: &str = "local function append(data)
           local epoch = redis.call('GET', KEYS[2])
           if not epoch or redis.call('EXISTS', KEYS[1]) == 0 then epoch = ARGV[1] end
           local id = redis.call('XADD', KEYS[1], 'MAXLEN', '~', ARGV[2], '*', 'type', ARGV[5], 'data', data)
           redis.call('PEXPIRE', KEYS[1], ARGV[3])
           redis.call('SET', KEYS[2], epoch, 'PX', ARGV[3])
           redis.call('PUBLISH', KEYS[3], table.concat({ARGV[4], epoch .. '-' .. id, ARGV[5], data}, ' '))
         end";

/// Appends one event.
static APPEND: LazyLock<Script> =
    LazyLock::new(|| Script::new(&format!("{APPEND_EVENT}\nappend(ARGV[6])\nreturn 0")));

/// The feed's epoch, newest and oldest id, whether any were trimmed, and a page after ARGV[2] if the epoch is ARGV[1].
static READ: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        "local epoch = redis.call('GET', KEYS[2])
         if not epoch or redis.call('EXISTS', KEYS[1]) == 0 then return {'', '0-0', '0-0', 0, {}} end
         local info, is = redis.call('XINFO', 'STREAM', KEYS[1]), {}
         for i = 1, #info, 2 do is[info[i]] = info[i + 1] end
         local oldest = is['first-entry'] and is['first-entry'][1] or '0-0'
         local trimmed = is['entries-added'] == is['length'] and 0 or 1
         local page = {}
         if ARGV[1] == epoch or ARGV[1] == '*' then
           page = redis.call('XRANGE', KEYS[1], '(' .. ARGV[2], '+', 'COUNT', ARGV[3])
         end
         return {epoch, is['last-generated-id'], oldest, trimmed, page}",
    )
});

/// An event's place in its stream.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct StreamId {
    millis: u64,
    number: u64,
}

/// An event's place in all the feeds a tenant ever had.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct EventId {
    pub(super) epoch: Box<str>,
    pub(super) at: StreamId,
}

/// Up to where a listener knows the feed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Position {
    /// Redis could not be asked.
    Unknown,
    /// There was no feed: everything in it is new.
    Start,
    At(EventId),
}

/// What a listener does not know yet.
#[derive(Debug)]
pub(super) enum News {
    /// These, in order; maybe more behind them.
    Events {
        events: Vec<FeedEvent>,
        position: Position,
        more: bool,
    },
    /// Some may be missing: go on from here.
    Reset(Position),
}

/// The channel on which all processes hear of all events.
pub(super) fn channel(redis: &Redis) -> String {
    redis.key("feed")
}

pub(super) async fn append(
    redis: &Redis,
    tenant: TenantId,
    kind: &str,
    data: &str,
) -> Result<(), ConnectionError> {
    let mut append = appending(&APPEND, redis, tenant, kind);
    append.arg(data);
    let _zero: i64 = redis.script(&append).await?;
    Ok(())
}

/// A script that may append events of this kind: its first three keys and five arguments are the feed's.
pub(super) fn appending<'a>(
    script: &'a Script,
    redis: &Redis,
    tenant: TenantId,
    kind: &str,
) -> ScriptInvocation<'a> {
    let mut append = script.key(redis.key(&format!("feed:{tenant}")));
    append
        .key(redis.key(&format!("feed:{tenant}:epoch")))
        .key(channel(redis))
        .arg(new_epoch())
        .arg(BOUND)
        .arg(KEPT.as_millis() as u64)
        .arg(tenant.to_string())
        .arg(kind);
    append
}

/// Where the feed ends now.
pub(super) async fn newest(redis: &Redis, tenant: TenantId) -> Result<Position, ConnectionError> {
    let found = read(redis, tenant, "", StreamId::default()).await?;
    Ok(found.end())
}

/// What came after a position, one page of it.
pub(super) async fn news(
    redis: &Redis,
    tenant: TenantId,
    known: &Position,
) -> Result<News, ConnectionError> {
    let (epoch, after) = match known {
        Position::Unknown => ("", StreamId::default()),
        Position::Start => ("*", StreamId::default()),
        Position::At(id) => (&*id.epoch, id.at),
    };
    let found = read(redis, tenant, epoch, after).await?;
    let position = found.end();
    Ok(match known {
        Position::Start if found.epoch.is_empty() => found.page_after(Position::Start),
        Position::Start if !found.trimmed => found.page_after(Position::Start),
        Position::At(id) if found.reaches_back_to(id) => found.page_after(known.clone()),
        _ => News::Reset(position),
    })
}

/// The feed as the script returned it.
struct Found {
    epoch: Box<str>,
    newest: StreamId,
    oldest: StreamId,
    trimmed: bool,
    page: StreamRangeReply,
}

async fn read(
    redis: &Redis,
    tenant: TenantId,
    epoch: &str,
    after: StreamId,
) -> Result<Found, ConnectionError> {
    let mut read = READ.key(redis.key(&format!("feed:{tenant}")));
    read.key(redis.key(&format!("feed:{tenant}:epoch")))
        .arg(epoch)
        .arg(after.to_string())
        .arg(PAGE);
    let (epoch, newest, oldest, trimmed, page): (String, String, String, bool, StreamRangeReply) =
        redis.script(&read).await?;
    Ok(Found {
        epoch: epoch.into(),
        newest: newest.parse().unwrap_or_default(),
        oldest: oldest.parse().unwrap_or_default(),
        trimmed,
        page,
    })
}

impl Found {
    fn end(&self) -> Position {
        if self.epoch.is_empty() {
            return Position::Start;
        }
        Position::At(EventId {
            epoch: self.epoch.clone(),
            at: self.newest,
        })
    }

    fn reaches_back_to(&self, id: &EventId) -> bool {
        self.epoch == id.epoch && id.at <= self.newest && (id.at >= self.oldest || !self.trimmed)
    }

    fn page_after(self, known: Position) -> News {
        let more = self.page.ids.len() >= PAGE;
        let mut position = known;
        let mut events = Vec::with_capacity(self.page.ids.len());
        for entry in &self.page.ids {
            let Ok(at) = entry.id.parse() else { continue };
            let id = EventId {
                epoch: self.epoch.clone(),
                at,
            };
            let kind = entry.get("type").unwrap_or_else(String::new);
            let data = entry.get("data").unwrap_or_else(|| "null".to_owned());
            events.push(FeedEvent::new(&id.to_string(), &kind, &data));
            position = Position::At(id);
        }
        News::Events {
            events,
            position,
            more,
        }
    }
}

impl fmt::Display for StreamId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.millis, self.number)
    }
}

impl fmt::Display for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.epoch, self.at)
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown | Self::Start => f.write_str(NOTHING),
            Self::At(id) => id.fmt(f),
        }
    }
}

/// The text is not an id of ours.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct NoId;

impl FromStr for StreamId {
    type Err = NoId;

    fn from_str(text: &str) -> Result<Self, NoId> {
        let (millis, number) = text.split_once('-').ok_or(NoId)?;
        Ok(Self {
            millis: millis.parse().map_err(|_| NoId)?,
            number: number.parse().map_err(|_| NoId)?,
        })
    }
}

impl FromStr for EventId {
    type Err = NoId;

    fn from_str(text: &str) -> Result<Self, NoId> {
        let (epoch, at) = text.split_once('-').ok_or(NoId)?;
        Ok(Self {
            epoch: epoch.into(),
            at: at.parse()?,
        })
    }
}

/// Eight random letters and digits.
fn new_epoch() -> String {
    const SIGNS: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
    (0..8)
        .map(|_| char::from(SIGNS[rand::random_range(0..SIGNS.len())]))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_read_as_they_are_written() {
        let id: EventId = "k3f9x2ab-1700000000000-12".parse().unwrap();
        assert_eq!(&*id.epoch, "k3f9x2ab");
        assert_eq!(id.to_string(), "k3f9x2ab-1700000000000-12");
        for wrong in [
            "",
            "-",
            "k3f9x2ab",
            "k3f9x2ab-1",
            "k3f9x2ab-1-",
            "k-1-2-3",
            "k-1-x",
        ] {
            assert_eq!(wrong.parse::<EventId>(), Err(NoId), "{wrong}");
        }
    }

    #[test]
    fn ids_of_a_stream_are_in_the_order_of_numbers() {
        let order: Vec<StreamId> = ["9-0", "10-0", "10-2", "10-11"]
            .iter()
            .map(|id| id.parse().unwrap())
            .collect();
        assert!(order.is_sorted());
    }
}
