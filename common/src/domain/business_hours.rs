//! When a tenant's people work, and how much of that lies between two moments.

mod spec;
mod zone;

#[cfg(test)]
mod minute_clock;

use std::collections::BTreeMap;
use std::fmt;

use chrono::{DateTime, Datelike, Days, NaiveDate, TimeDelta, Utc, Weekday};
use chrono_tz::Tz;
use serde::{Deserialize, Serialize};

pub use self::spec::{BusinessHoursSpec, HolidaySpec, IntervalSpec, WeekSpec};

/// The most stretches that people work in one day.
pub const MAX_INTERVALS_A_DAY: usize = 12;

/// The most dates with hours of their own.
pub const MAX_HOLIDAYS: usize = 1000;

/// How far ahead a due moment is looked for.
const SEARCHED: TimeDelta = TimeDelta::days(400);

const DAY_MINUTES: u16 = 24 * 60;

/// When a tenant's people work. Hours that overlap count once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "BusinessHoursSpec", into = "BusinessHoursSpec")]
pub struct BusinessHours {
    zone: Tz,
    /// Monday first; each day's in the order they begin.
    week: [Vec<Interval>; 7],
    /// Replaces that date's usual intervals; empty: closed.
    holidays: BTreeMap<NaiveDate, Vec<Interval>>,
}

/// One stretch of a working day, in minutes since the midnight that its day begins with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Interval {
    /// Below 1440.
    pub from: u16,
    /// Not itself open; above 1440 it is on the next day, up to 2880.
    pub to: u16,
}

/// The day that an interval belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Day {
    Weekday(Weekday),
    Holiday(NaiveDate),
}

impl fmt::Display for Day {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Weekday(weekday) => f.write_str(&weekday.to_string().to_lowercase()),
            Self::Holiday(date) => date.fmt(f),
        }
    }
}

/// Why hours cannot be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidHours {
    #[error("unknown time zone {0:?}")]
    UnknownZone(String),
    #[error("{day}: {text:?} is no time of a day like 09:30")]
    InvalidTime { day: Day, text: String },
    #[error("{day}: an interval ends when or before it begins")]
    EmptyInterval { day: Day },
    #[error("{day}: an interval begins on its day and ends by the end of the next")]
    IntervalOutOfRange { day: Day },
    #[error("{day}: more than {MAX_INTERVALS_A_DAY} intervals")]
    TooManyIntervals { day: Day },
    #[error("{0}: the date is there twice")]
    RepeatedHoliday(NaiveDate),
    #[error("more than {MAX_HOLIDAYS} holidays")]
    TooManyHolidays,
}

/// Time that is open without a break.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stretch {
    pub from: DateTime<Utc>,
    /// Not itself open.
    pub to: DateTime<Utc>,
}

/// How a span of open time passes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Walk {
    /// The first moment at which all of it has passed.
    pub due: DateTime<Utc>,
    /// What was counted, in order; together as long as the span.
    pub stretches: Vec<Stretch>,
}

impl BusinessHours {
    /// `zone` is a name of the IANA database; `week` begins on Monday.
    pub fn new(
        zone: &str,
        mut week: [Vec<Interval>; 7],
        mut holidays: BTreeMap<NaiveDate, Vec<Interval>>,
    ) -> Result<Self, InvalidHours> {
        let zone = zone
            .parse()
            .map_err(|_| InvalidHours::UnknownZone(zone.to_owned()))?;
        if holidays.len() > MAX_HOLIDAYS {
            return Err(InvalidHours::TooManyHolidays);
        }
        for (weekday, intervals) in WEEKDAYS.into_iter().zip(&mut week) {
            check_day(Day::Weekday(weekday), intervals)?;
        }
        for (&date, intervals) in &mut holidays {
            check_day(Day::Holiday(date), intervals)?;
        }
        Ok(Self {
            zone,
            week,
            holidays,
        })
    }

    /// The zone whose clock the hours are read from.
    pub fn zone(&self) -> Tz {
        self.zone
    }

    /// Whether somebody works at that moment.
    pub fn is_open(&self, at: DateTime<Utc>) -> bool {
        self.pieces(at, later(at, TimeDelta::seconds(1)))
            .next()
            .is_some_and(|piece| piece.from == at)
    }

    /// The moment at which `span` of open time after `start` has passed; none if it does not
    /// within 400 days.
    pub fn add(&self, start: DateTime<Utc>, span: TimeDelta) -> Option<DateTime<Utc>> {
        self.walk(start, span).map(|walk| walk.due)
    }

    /// As `add`, with the stretches that were counted.
    pub fn walk(&self, start: DateTime<Utc>, span: TimeDelta) -> Option<Walk> {
        let mut stretches: Vec<Stretch> = Vec::new();
        let mut left = span;
        if left <= TimeDelta::zero() {
            return Some(Walk {
                due: start,
                stretches,
            });
        }
        for Stretch { from, to } in self.pieces(start, later(start, SEARCHED)) {
            let counted = left.min(to - from);
            left -= counted;
            match stretches.last_mut() {
                Some(last) if last.to == from => last.to = from + counted,
                _ => stretches.push(Stretch {
                    from,
                    to: from + counted,
                }),
            }
            if left.is_zero() {
                let due = from + counted;
                return Some(Walk { due, stretches });
            }
        }
        None
    }

    /// How much of the time between two moments is open; nothing if `to` is not later.
    pub fn open_between(&self, from: DateTime<Utc>, to: DateTime<Utc>) -> TimeDelta {
        self.pieces(from, to).fold(TimeDelta::zero(), |sum, piece| {
            sum + (piece.to - piece.from)
        })
    }

    /// What is open between two moments, in order and without overlaps; neighbours may touch.
    fn pieces(
        &self,
        from: DateTime<Utc>,
        until: DateTime<Utc>,
    ) -> impl Iterator<Item = Stretch> + '_ {
        // a local date is at most a day from the UTC date, and a day's hours last up to two days
        let first = from.date_naive().checked_sub_days(Days::new(4));
        let last = until.date_naive().checked_add_days(Days::new(1));
        let last = last.unwrap_or(NaiveDate::MAX);
        let mut counted = from;
        first
            .unwrap_or(NaiveDate::MIN)
            .iter_days()
            .take_while(move |&date| date <= last)
            .flat_map(|date| self.stretches_of(date))
            .filter_map(move |stretch| {
                let piece = Stretch {
                    from: stretch.from.max(counted),
                    to: stretch.to.min(until),
                };
                (piece.from < piece.to).then(|| {
                    counted = piece.to;
                    piece
                })
            })
    }

    fn stretches_of(&self, date: NaiveDate) -> impl Iterator<Item = Stretch> + '_ {
        let usual = &self.week[date.weekday().num_days_from_monday() as usize];
        let intervals = self.holidays.get(&date).unwrap_or(usual);
        intervals.iter().filter_map(move |interval| {
            Some(Stretch {
                from: zone::opening(self.zone, local(date, interval.from)?)?,
                to: zone::closing(self.zone, local(date, interval.to)?)?,
            })
        })
    }
}

const WEEKDAYS: [Weekday; 7] = [
    Weekday::Mon,
    Weekday::Tue,
    Weekday::Wed,
    Weekday::Thu,
    Weekday::Fri,
    Weekday::Sat,
    Weekday::Sun,
];

fn check_day(day: Day, intervals: &mut [Interval]) -> Result<(), InvalidHours> {
    if intervals.len() > MAX_INTERVALS_A_DAY {
        return Err(InvalidHours::TooManyIntervals { day });
    }
    for interval in &*intervals {
        if interval.to <= interval.from {
            return Err(InvalidHours::EmptyInterval { day });
        }
        if interval.from >= DAY_MINUTES || interval.to > 2 * DAY_MINUTES {
            return Err(InvalidHours::IntervalOutOfRange { day });
        }
    }
    intervals.sort_unstable();
    Ok(())
}

fn local(date: NaiveDate, minutes: u16) -> Option<chrono::NaiveDateTime> {
    let midnight = date.and_hms_opt(0, 0, 0)?;
    midnight.checked_add_signed(TimeDelta::minutes(minutes.into()))
}

fn later(at: DateTime<Utc>, span: TimeDelta) -> DateTime<Utc> {
    at.checked_add_signed(span)
        .unwrap_or(DateTime::<Utc>::MAX_UTC)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NINE_TO_FIVE: Interval = Interval {
        from: 540,
        to: 1020,
    };
    const NIGHT: Interval = Interval {
        from: 1320,
        to: 1560,
    };
    const WHOLE_DAY: Interval = Interval { from: 0, to: 1440 };

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    fn every_day(zone: &str, interval: Interval) -> BusinessHours {
        let week = std::array::from_fn(|_| vec![interval]);
        BusinessHours::new(zone, week, BTreeMap::new()).unwrap()
    }

    fn weekdays(zone: &str, holidays: &[(&str, &[Interval])]) -> BusinessHours {
        let week = std::array::from_fn(|day| if day < 5 { vec![NINE_TO_FIVE] } else { vec![] });
        let holidays = holidays.iter();
        let holidays = holidays.map(|(date, hours)| (date.parse().unwrap(), hours.to_vec()));
        BusinessHours::new(zone, week, holidays.collect()).unwrap()
    }

    #[test]
    fn an_hour_from_friday_afternoon_ends_on_monday_morning() {
        let hours = weekdays("Europe/Moscow", &[]);
        let walk = hours.walk(at("2026-11-20T16:30:00+03:00"), TimeDelta::hours(1));
        let walk = walk.unwrap();
        assert_eq!(walk.due, at("2026-11-23T09:30:00+03:00"));
        let stretch = |from, to| Stretch {
            from: at(from),
            to: at(to),
        };
        assert_eq!(
            walk.stretches,
            [
                stretch("2026-11-20T16:30:00+03:00", "2026-11-20T17:00:00+03:00"),
                stretch("2026-11-23T09:00:00+03:00", "2026-11-23T09:30:00+03:00"),
            ]
        );
    }

    #[test]
    fn what_fits_before_closing_is_due_at_closing() {
        let hours = weekdays("Europe/Moscow", &[]);
        let due = hours.add(at("2026-11-20T15:59:30+03:00"), TimeDelta::seconds(3630));
        assert_eq!(due, Some(at("2026-11-20T17:00:00+03:00")));
        assert!(!hours.is_open(at("2026-11-20T17:00:00+03:00")));
        assert!(hours.is_open(at("2026-11-20T09:00:00+03:00")));
    }

    #[test]
    fn holidays_replace_the_usual_hours() {
        let short: &[_] = &[Interval { from: 600, to: 720 }];
        let holidays = [("2026-11-23", &[][..]), ("2026-11-28", short)];
        let hours = weekdays("Europe/Moscow", &holidays);
        let due = hours.add(at("2026-11-20T16:30:00+03:00"), TimeDelta::hours(1));
        assert_eq!(due, Some(at("2026-11-24T09:30:00+03:00")));
        let due = hours.add(at("2026-11-27T16:30:00+03:00"), TimeDelta::hours(1));
        assert_eq!(due, Some(at("2026-11-28T10:30:00+03:00")));
    }

    #[test]
    fn a_night_belongs_to_the_day_it_begins_on() {
        let closed = BTreeMap::from([("2026-11-24".parse().unwrap(), vec![])]);
        let week = std::array::from_fn(|_| vec![NIGHT]);
        let hours = BusinessHours::new("Asia/Kolkata", week, closed).unwrap();
        assert!(hours.is_open(at("2026-11-24T01:59:59+05:30")));
        assert!(!hours.is_open(at("2026-11-24T23:00:00+05:30")));
        assert!(!hours.is_open(at("2026-11-25T01:00:00+05:30")));
        assert!(hours.is_open(at("2026-11-25T22:00:00+05:30")));
    }

    #[test]
    fn hours_that_overlap_count_once() {
        let mut week: [Vec<Interval>; 7] = Default::default();
        week[0] = vec![
            Interval {
                from: 600,
                to: 2880,
            },
            NINE_TO_FIVE,
        ];
        week[1] = vec![NINE_TO_FIVE];
        let hours = BusinessHours::new("UTC", week, BTreeMap::new()).unwrap();
        let (monday, wednesday) = (at("2026-11-23T00:00:00Z"), at("2026-11-25T00:00:00Z"));
        let open = hours.open_between(monday, wednesday);
        assert_eq!(open, TimeDelta::hours(39));
        assert_eq!(hours.walk(monday, open).unwrap().stretches.len(), 1);
        assert_eq!(hours.open_between(wednesday, monday), TimeDelta::zero());
    }

    #[test]
    fn a_day_that_never_was_has_no_hours() {
        let hours = every_day("Pacific/Apia", NINE_TO_FIVE);
        let due = hours.add(at("2011-12-29T16:30:00-10:00"), TimeDelta::hours(1));
        assert_eq!(due, Some(at("2011-12-31T09:30:00+14:00")));
    }

    #[test]
    fn a_span_is_searched_for_400_days() {
        let never = BusinessHours::new("UTC", Default::default(), BTreeMap::new()).unwrap();
        let start = at("2026-11-23T00:00:00Z");
        assert_eq!(never.add(start, TimeDelta::seconds(1)), None);
        assert_eq!(never.add(start, TimeDelta::zero()), Some(start));
        let always = every_day("Europe/Berlin", WHOLE_DAY);
        let walk = always.walk(start, TimeDelta::days(400)).unwrap();
        assert_eq!(walk.due, start + TimeDelta::days(400));
        assert_eq!(walk.stretches.len(), 1);
        assert_eq!(always.add(start, TimeDelta::days(401)), None);
    }

    #[test]
    fn the_ends_of_time_are_no_trouble() {
        let hours = every_day("Europe/Moscow", NIGHT);
        for end in [DateTime::<Utc>::MIN_UTC, DateTime::<Utc>::MAX_UTC] {
            assert_eq!(hours.add(end, TimeDelta::zero()), Some(end));
            hours.is_open(end);
            hours.walk(end, TimeDelta::MAX);
        }
    }

    #[test]
    fn too_many_hours_are_refused() {
        let mut week: [Vec<Interval>; 7] = Default::default();
        week[6] = vec![NINE_TO_FIVE; 13];
        let refused = BusinessHours::new("UTC", week, BTreeMap::new()).unwrap_err();
        assert_eq!(refused.to_string(), "sun: more than 12 intervals");
        let dates = NaiveDate::MIN.iter_days().take(1001);
        let holidays = dates.map(|date| (date, vec![])).collect();
        let refused = BusinessHours::new("UTC", Default::default(), holidays);
        assert_eq!(refused, Err(InvalidHours::TooManyHolidays));
    }
}
