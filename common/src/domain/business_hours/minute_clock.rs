//! Business hours held against a clock that looks at every minute.

use std::collections::BTreeMap;
use std::ops::Range;

use chrono::{DateTime, NaiveDate, Offset, TimeDelta, TimeZone, Utc};
use chrono_tz::Tz;
use proptest::prelude::*;
use proptest::sample::select;

use super::{BusinessHours, Interval};

const DAY: i64 = 24 * 60;

/// Whole hours, halves, quarters, leaps of a day, at midnight and a minute past it.
const ZONES: [&str; 20] = [
    "Africa/Cairo",
    "Africa/Casablanca",
    "America/Havana",
    "America/New_York",
    "America/Sao_Paulo",
    "America/St_Johns",
    "Antarctica/Troll",
    "Asia/Gaza",
    "Asia/Kathmandu",
    "Asia/Kolkata",
    "Asia/Tehran",
    "Asia/Vladivostok",
    "Australia/Lord_Howe",
    "Europe/Berlin",
    "Europe/Dublin",
    "Europe/Moscow",
    "Pacific/Apia",
    "Pacific/Chatham",
    "Pacific/Fakaofo",
    "UTC",
];

/// What the clock on the wall shows each minute, in minutes since 1970 as they are told there.
struct MinuteClock {
    begin: i64,
    shown: Vec<i64>,
    /// The highest it has shown so far.
    highest: Vec<i64>,
    /// The lowest it will ever show again.
    lowest: Vec<i64>,
}

impl MinuteClock {
    fn new(zone: Tz, minutes: Range<i64>) -> Self {
        let begin = minutes.start;
        let shown: Vec<i64> = minutes
            .map(|minute| minute + offset(zone, minute))
            .collect();
        let mut highest = shown.clone();
        for at in 1..highest.len() {
            highest[at] = highest[at].max(highest[at - 1]);
        }
        let mut lowest = shown.clone();
        for at in (1..lowest.len()).rev() {
            lowest[at - 1] = lowest[at - 1].min(lowest[at]);
        }
        Self {
            begin,
            shown,
            highest,
            lowest,
        }
    }

    /// Open from the first minute at `from` or later to the last minute before `to`.
    fn is_open(&self, case: &Case, minute: i64) -> bool {
        let at = usize::try_from(minute - self.begin).unwrap();
        let today = self.shown[at].div_euclid(DAY);
        (today - 3..=today + 1).any(|day| {
            let mut intervals = case.intervals(day).iter();
            intervals.any(|interval| {
                day * DAY + i64::from(interval.from) <= self.highest[at]
                    && self.lowest[at] < day * DAY + i64::from(interval.to)
            })
        })
    }
}

fn offset(zone: Tz, minute: i64) -> i64 {
    let at = moment(minute * 60).naive_utc();
    let seconds = zone.offset_from_utc_datetime(&at).fix().local_minus_utc();
    i64::from(seconds / 60)
}

fn moment(seconds: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(seconds, 0).unwrap()
}

#[derive(Clone, Debug)]
struct Case {
    zone: Tz,
    week: [Vec<Interval>; 7],
    /// By the days since 1970.
    holidays: BTreeMap<i64, Vec<Interval>>,
    start_s: i64,
    span_s: i64,
}

impl Case {
    fn intervals(&self, day: i64) -> &[Interval] {
        let weekday = usize::try_from((day + 3).rem_euclid(7)).unwrap();
        self.holidays.get(&day).unwrap_or(&self.week[weekday])
    }

    fn hours(&self) -> BusinessHours {
        let epoch = NaiveDate::from_ymd_opt(1970, 1, 1).unwrap();
        let holidays = self.holidays.iter();
        let holidays = holidays.map(|(&day, hours)| (epoch + TimeDelta::days(day), hours.clone()));
        BusinessHours::new(self.zone.name(), self.week.clone(), holidays.collect()).unwrap()
    }
}

fn interval() -> impl Strategy<Value = Interval> {
    let time = |last: u16| {
        prop_oneof![
            (0..=last / 60).prop_map(|hour| hour * 60),
            (0..=last / 30).prop_map(|half| half * 30),
            0..=last,
        ]
    };
    let length = prop_oneof![4 => time(10 * 60), 1 => time(2880)];
    (time(1439), length).prop_map(|(from, length)| Interval {
        from,
        to: (from + length.max(1)).min(2880),
    })
}

fn day() -> impl Strategy<Value = Vec<Interval>> {
    prop::collection::vec(interval(), 0..4)
}

/// Half of the cases are about a day on which the clocks change.
fn case() -> impl Strategy<Value = Case> {
    let zone = select(&ZONES[..]).prop_map(|zone| zone.parse::<Tz>().unwrap());
    let first = prop_oneof![4 => 9_000_i64..24_000, 1 => Just(15_300)];
    let week = prop::array::uniform7(day());
    let holidays = prop::collection::btree_map(-3_i64..6, day(), 0..4);
    let start = (-2 * 86_400_i64)..(2 * 86_400);
    let span = prop_oneof![
        1_i64..40_000,
        1_i64..300_000,
        (1_i64..30).prop_map(|h| h * 3600)
    ];
    let all = (zone, first, any::<bool>(), week, holidays, start, span);
    all.prop_map(|(zone, first, at_change, week, holidays, start, span_s)| {
        let changes = |day: &i64| offset(zone, day * DAY) != offset(zone, (day + 1) * DAY);
        let change = (first..first + 250).find(changes).filter(|_| at_change);
        let day = change.unwrap_or(first);
        let holidays = holidays.into_iter();
        Case {
            zone,
            week,
            holidays: holidays.map(|(at, hours)| (day + at, hours)).collect(),
            start_s: day * 86_400 + start,
            span_s,
        }
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_500))]

    #[test]
    fn hours_agree_with_the_minute_clock(case in case()) {
        let hours = case.hours();
        let first = case.start_s.div_euclid(60);
        let seen = first..first + 4 * DAY;
        let clock = MinuteClock::new(case.zone, seen.start - 2 * DAY..seen.end + 2 * DAY);
        let mut was_open = None;
        let mut open_s = 0;
        let mut due_s = None;
        let mut counted = Vec::new();
        for minute in seen.clone() {
            let begin_s = case.start_s.max(minute * 60);
            let is_open = clock.is_open(&case, minute);
            // each look takes its time: at the edges, and now and then between them
            if was_open.replace(is_open) != Some(is_open) || minute % 397 == 0 {
                let at = moment(begin_s);
                prop_assert_eq!(hours.is_open(at), is_open, "{}", at);
            }
            if !is_open {
                continue;
            }
            let length_s = (minute + 1) * 60 - begin_s;
            if due_s.is_none() {
                counted.push(minute);
                if open_s + length_s >= case.span_s {
                    due_s = Some(begin_s + case.span_s - open_s);
                }
            }
            open_s += length_s;
        }
        let (start, end) = (moment(case.start_s), moment(seen.end * 60));
        prop_assert_eq!(hours.open_between(start, end), TimeDelta::seconds(open_s));
        let span = TimeDelta::seconds(case.span_s);
        let Some(due_s) = due_s else {
            prop_assert!(hours.add(start, span).is_none_or(|due| due > end));
            return Ok(());
        };
        let walk = hours.walk(start, span).unwrap();
        prop_assert_eq!(walk.due, moment(due_s));
        prop_assert_eq!(hours.add(start, span), Some(walk.due));
        let stretches = &walk.stretches;
        prop_assert!(stretches.windows(2).all(|pair| pair[0].to < pair[1].from));
        let walked = stretches.iter().flat_map(|stretch| {
            stretch.from.timestamp().div_euclid(60)..(stretch.to.timestamp() - 1).div_euclid(60) + 1
        });
        prop_assert_eq!(walked.collect::<Vec<_>>(), counted);
        let length = stretches.iter().map(|stretch| stretch.to - stretch.from);
        prop_assert_eq!(length.sum::<TimeDelta>(), span);
    }
}
