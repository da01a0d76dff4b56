//! The checks of a text for a buyer, over sentences as sellers' staff write them.
//!
//! Each file of `fixtures/checks` belongs to one rule. A case is `<marketplace> <author>: <text>`;
//! beneath it stand facts, and the expected findings as `<rule> <verdict>: <words> <- <source>`.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use common::channel::Marketplace;
use common::domain::checks::{
    Author, Finding, Rule, Subject, Verdict, check, is_punished, is_sendable,
};
use proptest::prelude::{any, prop_assert, prop_assert_eq, proptest};
use proptest::sample::subsequence;

struct Case {
    place: String,
    rule: String,
    marketplace: Marketplace,
    made_by: Author,
    text: String,
    facts: Vec<String>,
    length: Option<usize>,
    expected: Vec<String>,
}

impl Case {
    fn check(&self) -> Vec<Finding> {
        check_text(
            &self.text,
            self.marketplace,
            self.made_by,
            self.length,
            &self.facts,
        )
    }

    fn found(&self) -> Vec<String> {
        let found = self.check();
        found
            .iter()
            .map(|finding| spell(&self.text, finding))
            .collect()
    }
}

fn check_text(
    text: &str,
    marketplace: Marketplace,
    made_by: Author,
    length: Option<usize>,
    facts: &[String],
) -> Vec<Finding> {
    let facts: Vec<&str> = facts.iter().map(String::as_str).collect();
    check(&Subject {
        text,
        marketplace,
        length: length.unwrap_or_else(|| text.chars().count()),
        max_length: length.map_or(usize::MAX, |_| 1000),
        facts: &facts,
        made_by,
    })
}

fn words_of(text: &str, (start, end): (usize, usize)) -> String {
    text.chars().skip(start).take(end - start).collect()
}

/// A finding as the fixtures write it.
fn spell(text: &str, finding: &Finding) -> String {
    let mut spelled = format!("{} {}", finding.rule, finding.verdict);
    if let Some(span) = finding.span {
        spelled = format!("{spelled}: {}", words_of(text, span));
    }
    if let Some(source) = &finding.source {
        spelled = format!("{spelled} <- {source}");
    }
    spelled
}

/// `\n` and `\u{200b}` are written as in Rust.
fn unescape(text: &str) -> String {
    let mut parts = text.split("\\u{");
    let mut plain = parts.next().unwrap().to_owned();
    for part in parts {
        let (code, rest) = part.split_once('}').unwrap();
        plain.push(char::from_u32(u32::from_str_radix(code, 16).unwrap()).unwrap());
        plain.push_str(rest);
    }
    plain.replace("\\n", "\n")
}

fn cases() -> Vec<Case> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/checks");
    let mut cases: Vec<Case> = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let rule = path.file_stem().unwrap().to_str().unwrap().to_owned();
        for (at, line) in fs::read_to_string(&path).unwrap().lines().enumerate() {
            let place = format!("{rule}.txt:{}", at + 1);
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let Some(beneath) = line.strip_prefix("  ") else {
                cases.push(head(line, place, rule.clone()));
                continue;
            };
            let case = cases.last_mut().unwrap();
            if let Some(fact) = beneath.strip_prefix("fact: ") {
                case.facts.push(unescape(fact));
            } else if let Some(length) = beneath.strip_prefix("length: ") {
                case.length = Some(length.parse().unwrap());
            } else {
                case.expected.push(unescape(beneath));
            }
        }
    }
    cases
}

fn head(line: &str, place: String, rule: String) -> Case {
    let (head, text) = line
        .split_once(": ")
        .unwrap_or((line.trim_end_matches(':'), ""));
    let (marketplace, author) = head.split_once(' ').unwrap();
    Case {
        place,
        rule,
        marketplace: marketplace.parse().unwrap(),
        made_by: match author {
            "model" => Author::Model,
            "person" => Author::Person,
            other => panic!("unknown author {other}"),
        },
        text: unescape(text),
        facts: Vec::new(),
        length: None,
        expected: Vec::new(),
    }
}

/// What a model may write without any fact.
fn survivors() -> Vec<String> {
    cases()
        .into_iter()
        .filter(|case| {
            let is_free = case.expected.is_empty() && case.facts.is_empty();
            is_free && case.made_by == Author::Model && case.marketplace == Marketplace::Ozon
        })
        .map(|case| case.text)
        .collect()
}

#[test]
fn each_sentence_is_judged_as_written() {
    let wrong: Vec<String> = cases()
        .iter()
        .filter(|case| case.found() != case.expected)
        .map(|case| {
            format!(
                "{}: {}\n  expected {:?}\n  found    {:?}",
                case.place,
                case.text,
                case.expected,
                case.found()
            )
        })
        .collect();
    assert!(
        wrong.is_empty(),
        "{} wrong:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
}

#[test]
fn each_rule_has_both_verdicts_and_near_misses() {
    let mut counts: BTreeMap<String, (usize, usize)> = BTreeMap::new();
    for case in cases() {
        let (found, missed) = counts.entry(case.rule.clone()).or_default();
        let names_it = |it: &String| it.starts_with(&format!("{} ", case.rule));
        if case.expected.iter().any(names_it) {
            *found += 1;
        } else {
            *missed += 1;
        }
    }
    assert_eq!(counts.len(), 12, "{counts:?}");
    let poor = counts
        .iter()
        .filter(|(_, (found, missed))| *found < 4 || *missed < 6);
    assert_eq!(poor.collect::<Vec<_>>(), [], "found, missed");
    assert!(cases().len() >= 170, "{} sentences", cases().len());
}

#[test]
fn no_span_begins_or_ends_inside_a_word() {
    for case in cases() {
        let chars: Vec<char> = case.text.chars().collect();
        for finding in case.check() {
            let Some((start, end)) = finding.span else {
                continue;
            };
            assert!(
                start < end && end <= chars.len(),
                "{}: {finding:?}",
                case.place
            );
            for border in [start, end] {
                let inside = border > 0
                    && border < chars.len()
                    && chars[border - 1].is_alphanumeric()
                    && chars[border].is_alphanumeric();
                assert!(!inside, "{}: {finding:?}", case.place);
            }
        }
    }
}

#[test]
fn only_what_the_marketplace_punishes_holds_back_a_person() {
    let text = "Вы сами виноваты, вернём 500 рублей завтра, звоните 89123456789";
    let check = |made_by| check_text(text, Marketplace::Ozon, made_by, None, &[]);
    let verdicts = |findings: &[Finding]| -> Vec<(Rule, Verdict)> {
        findings.iter().map(|it| (it.rule, it.verdict)).collect()
    };
    let (model, person) = (check(Author::Model), check(Author::Person));
    assert!(!is_sendable(&model) && !is_sendable(&person));
    let expected = [
        (Rule::Blame, Verdict::Warn),
        (Rule::Money, Verdict::Forbid),
        (Rule::Dates, Verdict::Forbid),
        (Rule::Contacts, Verdict::Forbid),
    ];
    assert_eq!(verdicts(&model), expected);
    for finding in person {
        let is_forbidden = finding.verdict == Verdict::Forbid;
        assert_eq!(is_forbidden, is_punished(finding.rule, Marketplace::Ozon));
    }
    assert!(is_sendable(&[]));
}

proptest! {
    #[test]
    fn any_text_can_be_checked(text in any::<String>(), fact in any::<String>()) {
        check_text(&text, Marketplace::Ozon, Author::Model, None, &[fact]);
    }

    #[test]
    fn spans_lie_in_any_text(text in "([а-яёa-z0-9@. \u{200b}+()-]|вернем|деньги|8912|\\.ru|завтра|№){0,60}") {
        let count = text.chars().count();
        for finding in check_text(&text, Marketplace::Wildberries, Author::Model, None, &[]) {
            if let Some((start, end)) = finding.span {
                prop_assert!(start < end && end <= count, "{finding:?}");
            }
        }
    }

    #[test]
    fn what_survives_alone_survives_together(texts in subsequence(survivors(), 1..12)) {
        let text = texts.join("\n");
        let findings = check_text(&text, Marketplace::Ozon, Author::Model, None, &[]);
        prop_assert_eq!(findings, []);
    }
}
