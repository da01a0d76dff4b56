//! Which moment a local time is, also on days when the clocks change.

use chrono::{DateTime, MappedLocalTime, NaiveDateTime, TimeDelta, TimeZone, Utc};
use chrono_tz::{GapInfo, OffsetComponents, Tz};

/// The first moment at which the clock shows `local` or later.
pub(super) fn opening(zone: Tz, local: NaiveDateTime) -> Option<DateTime<Utc>> {
    match zone.from_local_datetime(&local) {
        MappedLocalTime::Single(at) => Some(at.to_utc()),
        MappedLocalTime::Ambiguous(one, other) => Some(one.min(other).to_utc()),
        MappedLocalTime::None => after_gap(zone, local),
    }
}

/// The moment from which on the clock never shows less than `local` again.
pub(super) fn closing(zone: Tz, local: NaiveDateTime) -> Option<DateTime<Utc>> {
    match zone.from_local_datetime(&local) {
        MappedLocalTime::Single(at) => Some(at.to_utc()),
        MappedLocalTime::Ambiguous(one, other) => {
            let (first, second) = (one.min(other).to_utc(), one.max(other).to_utc());
            // the clock goes back exactly to `local`: what lies before it is not repeated
            Some(if changes_at(zone, second) {
                first
            } else {
                second
            })
        }
        MappedLocalTime::None => after_gap(zone, local),
    }
}

fn after_gap(zone: Tz, local: NaiveDateTime) -> Option<DateTime<Utc>> {
    Some(GapInfo::new(&local, &zone)?.end?.to_utc())
}

fn changes_at(zone: Tz, at: DateTime<Utc>) -> bool {
    let offset = |at: DateTime<Utc>| {
        let offset = zone.offset_from_utc_datetime(&at.naive_utc());
        offset.base_utc_offset() + offset.dst_offset()
    };
    offset(at) != offset(at - TimeDelta::seconds(1))
}
