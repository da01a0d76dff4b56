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

#[cfg(test)]
mod tests {
    use chrono::NaiveDate;

    use super::*;

    /// How long a place is open on one day, in minutes of real time.
    fn open(zone: &str, date: &str, from: i64, to: i64) -> i64 {
        let zone: Tz = zone.parse().unwrap();
        let midnight = date
            .parse::<NaiveDate>()
            .unwrap()
            .and_hms_opt(0, 0, 0)
            .unwrap();
        let from = opening(zone, midnight + TimeDelta::minutes(from)).unwrap();
        let to = closing(zone, midnight + TimeDelta::minutes(to)).unwrap();
        (to - from).num_minutes()
    }

    #[test]
    fn days_are_as_long_as_the_clocks_make_them() {
        for (zone, date, minutes) in [
            ("Europe/Moscow", "2026-03-29", 24 * 60),
            ("Asia/Kolkata", "2026-03-29", 24 * 60),
            ("Europe/Berlin", "2026-03-29", 23 * 60),
            ("Europe/Berlin", "2026-10-25", 25 * 60),
            ("Australia/Lord_Howe", "2026-04-05", 24 * 60 + 30),
            ("Australia/Lord_Howe", "2026-10-04", 23 * 60 + 30),
            ("Africa/Cairo", "2026-04-24", 23 * 60),
            ("Africa/Cairo", "2026-10-29", 25 * 60),
            ("America/Sao_Paulo", "2018-11-04", 23 * 60),
            ("America/Sao_Paulo", "2018-02-17", 25 * 60),
            ("America/Sao_Paulo", "2026-11-01", 24 * 60),
            ("Pacific/Apia", "2011-12-29", 24 * 60),
            ("Pacific/Apia", "2011-12-30", 0),
            ("Pacific/Apia", "2011-12-31", 24 * 60),
            ("Europe/Moscow", "2014-10-26", 25 * 60),
        ] {
            assert_eq!(open(zone, date, 0, 24 * 60), minutes, "{zone} {date}");
        }
    }

    #[test]
    fn times_that_do_not_exist_move_to_the_first_that_does() {
        let spring = |from, to| open("Europe/Berlin", "2026-03-29", from, to);
        assert_eq!(spring(120, 180), 0);
        assert_eq!(spring(150, 240), 60);
        assert_eq!(spring(60, 150), 60);
    }

    #[test]
    fn an_hour_that_happens_twice_counts_twice_and_no_other() {
        let autumn = |from, to| open("Europe/Berlin", "2026-10-25", from, to);
        assert_eq!(autumn(120, 180), 120);
        assert_eq!(autumn(150, 180), 90);
        assert_eq!(autumn(60, 150), 150);
        assert_eq!(
            autumn(60, 120),
            60,
            "two o'clock comes again, but the place is closed"
        );
        assert_eq!(
            open("Europe/Berlin", "2026-10-24", 22 * 60, 26 * 60),
            4 * 60
        );
    }
}
