//! Links: host names and addresses, however spelled; not file names, versions or abbreviations.

use std::ops::Range;
use std::sync::LazyLock;

use regex::Regex;

use super::Hit;
use super::reading::{Reading, phrase};
use crate::channel::Marketplace;

/// Top-level domains in which shops and messengers live.
const ZONES: &[&str] = &[
    "ru", "su", "рф", "рус", "com", "net", "org", "info", "biz", "me", "io", "pro", "shop",
    "store", "online", "site", "website", "club", "xyz", "top", "space", "market", "link", "app",
    "dev", "ai", "cc", "co", "gg", "gl", "ly", "tv", "to", "by", "kz", "ua", "uz", "kg", "am",
    "ge", "de", "uk", "us", "eu", "cn", "fm", "im", "moscow", "ру", "ком",
];

/// The zones that may stand apart from their dot: other zones are also words.
const APART: &str = "(?:ru|su|рф|com|net|org|me|ру|ком)";

#[expect(clippy::expect_used, reason = "a constant, and the tests compile it")]
static ADDRESS: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r#"(?:[a-z]{3,10}:/{2}|www\.)[^\s<>"«»()\[\]{}|]+"#)
        .expect("the pattern of an address compiles")
});

#[expect(clippy::expect_used, reason = "a constant, and the tests compile it")]
static HOST: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r#"[a-zа-я0-9_-]+(?:\.[a-zа-я0-9_-]+)+(?:[/?#:][^\s<>"«»()\[\]{}|]*)?"#)
        .expect("the pattern of a host compiles")
});

/// «t . me», «vk. com», «магазин . ру».
#[expect(clippy::expect_used, reason = "a constant, and the tests compile it")]
static SPACED: LazyLock<Regex> = LazyLock::new(|| {
    let pattern = format!(
        "[a-z0-9-]+(?: +\\. *|\\. +|[(\\[]\\.[)\\]]){APART}|[а-я0-9-]+ +\\. *{APART}|[a-z][a-z0-9-]{{2,}},(?:ru|com)"
    );
    Regex::new(&pattern).expect("the pattern of a spaced host compiles")
});

/// «магазин точка ру».
static SPELLED: LazyLock<Regex> = LazyLock::new(|| {
    phrase(
        "[a-zа-я0-9-]+ (точка|тчк|дот|dot|[(] точка [)]) (ру|ком|рф|орг|нет|ми|ru|com|me|net|org)",
    )
});

pub(super) fn is_zone(label: &str) -> bool {
    ZONES.contains(&label)
}

/// The links of the text; those that lead into the marketplace itself only `with_own`.
pub(super) fn find(reading: &Reading, marketplace: Marketplace, with_own: bool) -> Vec<Hit> {
    let text = &reading.folded;
    let own = |range: &Range<usize>| !with_own && is_own(&text[range.clone()], marketplace);
    let addresses = ADDRESS.find_iter(text).map(|hit| hit.range());
    let hosts = HOST.find_iter(text).filter_map(|hit| host(text, &hit));
    let found = addresses.chain(hosts).filter(|range| !own(range));
    let spaced = SPACED
        .find_iter(text)
        .map(|hit| hit.range())
        .filter(|it| is_border(text, it));
    let spelled = reading.find(&SPELLED).into_iter();
    found
        .chain(spaced)
        .map(|range| reading.span_of_bytes(&trimmed(text, range)))
        .chain(spelled.map(|words| reading.span(&words)))
        .map(|span| Hit::new(span, "В тексте ссылка."))
        .collect()
}

/// The part of a dotted word that is a host name with its path.
fn host(text: &str, hit: &regex::Match<'_>) -> Option<Range<usize>> {
    let dotted = hit.as_str();
    let name = &dotted[..dotted.find(['/', '?', '#', ':']).unwrap_or(dotted.len())];
    let (mut end, mut last, mut before) = (0, None, "");
    for label in name.split('.') {
        end += label.len() + 1;
        if end > label.len() + 1 && is_zone(label) && is_name(before, label) {
            last = Some(end - 1);
        }
        before = label;
    }
    let last = last?;
    // With a path only if the zone stands before it: «site.ru/a», but «site.ru.Спасибо».
    let end = if last == name.len() {
        dotted.len()
    } else {
        last
    };
    let range = hit.start()..hit.start() + end;
    let is_mail = text[..hit.start()].ends_with('@');
    (!is_mail).then_some(range)
}

/// A label with a letter, and one alphabet on both sides of the dot but for the best-known zones.
fn is_name(label: &str, zone: &str) -> bool {
    let is_latin = label.bytes().any(|it| it.is_ascii_alphabetic());
    let is_cyrillic = label.chars().any(|it| matches!(it, 'а'..='я'));
    let is_known = ["ru", "com", "net", "org", "рф", "ру", "рус", "shop"].contains(&zone);
    is_latin || is_cyrillic && is_known
}

fn is_own(address: &str, marketplace: Marketplace) -> bool {
    let hosts: &[&str] = match marketplace {
        Marketplace::Ozon => &["ozon.ru"],
        Marketplace::Wildberries => &["wildberries.ru", "wb.ru"],
        Marketplace::YandexMarket => &["market.yandex.ru"],
    };
    let address = address.split_once("://").map_or(address, |(_, rest)| rest);
    let host = address.split(['/', '?', '#', ':']).next().unwrap_or("");
    let host = host.trim_end_matches('.');
    hosts.iter().any(|own| {
        host.strip_suffix(own)
            .is_some_and(|left| left.is_empty() || left.ends_with('.'))
    }) && !address.contains('@')
}

fn is_border(text: &str, range: &Range<usize>) -> bool {
    !text[range.end..]
        .chars()
        .next()
        .is_some_and(|it| it.is_alphanumeric() || it == '-' || it == '_')
}

/// Without the mark that ends the sentence.
fn trimmed(text: &str, range: Range<usize>) -> Range<usize> {
    let kept = text[range.clone()].trim_end_matches(['.', ',', '!', '?', ';', ':', '…']);
    range.start..range.start + kept.len()
}
