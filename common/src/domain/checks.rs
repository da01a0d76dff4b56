//! What a text should not say to a buyer, told by its words alone.
//!
//! Used for drafts of a model and for what agents type. Rules match whole words, never parts of
//! words, and point at the place in the text; what stands in the tenant's own texts has a source.

mod blame;
mod cancellation;
mod claims;
mod contacts;
mod dates;
mod disclosure;
mod guarantee;
mod links;
mod lookalikes;
mod money;
mod numerals;
mod personal_data;
mod platforms;
mod reading;
mod scope;

use std::ops::Range;

use self::claims::Sources;
use self::reading::Reading;
use crate::channel::Marketplace;
use crate::words::words;

words! {
    /// What a finding is about.
    Rule {
        /// A phone, an e-mail, a nickname, a street address, a card.
        Contacts = "contacts",
        /// A host name or an address.
        Links = "links",
        /// A refund, a compensation, a discount, a present or a sum without a source.
        Money = "money",
        /// A date or a term without a source.
        Dates = "dates",
        /// Asking to cancel the order or to change the review.
        Cancellation = "cancellation",
        /// A guarantee beyond a source.
        Guarantee = "guarantee",
        /// Leading the buyer to messengers or other shops.
        Platforms = "platforms",
        /// Asking the buyer for phone, card, passport …
        PersonalData = "personal_data",
        /// Rude or blaming words.
        Blame = "blame",
        /// Longer than the marketplace takes.
        Length = "length",
        /// A model that calls itself a person.
        Disclosure = "ai_disclosure",
        /// Nothing to be seen.
        Empty = "empty",
    }
}

words! {
    /// What follows from a finding.
    Verdict {
        Pass = "pass",
        Warn = "warn",
        Forbid = "forbid",
    }
}

/// Who made the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Author {
    Model,
    Person,
}

/// A text that is about to be sent.
#[derive(Clone, Copy, Debug)]
pub struct Subject<'a> {
    pub text: &'a str,
    pub marketplace: Marketplace,
    /// In the marketplace's units, as is `max_length`.
    pub length: usize,
    pub max_length: usize,
    /// Texts behind which the tenant itself stands: the product, the chat's earlier answers, prompt
    /// chunks. A sum or date that stands there has a source.
    pub facts: &'a [&'a str],
    pub made_by: Author,
}

/// One thing to mend.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    pub rule: Rule,
    pub verdict: Verdict,
    /// Characters of the text, `[start, end)`; none when it is about the whole.
    pub span: Option<(usize, usize)>,
    /// The sentence of a fact that speaks of the same but says something else.
    pub source: Option<String>,
    /// One Russian sentence for a person.
    pub message: String,
}

/// A place that a rule found.
struct Hit {
    span: Range<usize>,
    source: Option<String>,
    message: String,
}

impl Hit {
    fn new(span: Range<usize>, message: &str) -> Self {
        Self {
            span,
            source: None,
            message: message.to_owned(),
        }
    }
}

/// What is not right with the text, in its order; what is about the whole comes last.
pub fn check(subject: &Subject<'_>) -> Vec<Finding> {
    let reading = Reading::of(subject.text);
    let mut findings: Vec<Finding> = places(&reading, subject)
        .into_iter()
        .flat_map(|(rule, hits)| merged(hits).into_iter().map(move |hit| (rule, hit)))
        .filter_map(|(rule, hit)| {
            let span = Some((hit.span.start, hit.span.end));
            finding(subject, rule, span, hit.source, hit.message)
        })
        .collect();
    findings.sort_by_key(|finding| finding.span);
    findings.extend(about_the_whole(&reading, subject));
    findings
}

/// Whether nothing forbids to send the text.
pub fn is_sendable(findings: &[Finding]) -> bool {
    findings
        .iter()
        .all(|finding| finding.verdict != Verdict::Forbid)
}

/// Whether the marketplace itself punishes a seller who breaks the rule. Only this forbids a text
/// that a person wrote.
pub fn is_punished(rule: Rule, marketplace: Marketplace) -> bool {
    match marketplace {
        // FACTS 2.10: the offer forbids other platforms and messengers, links to third parties and
        // collecting personal data, and sending is blocked; a phone is such a way elsewhere.
        Marketplace::Wildberries => matches!(
            rule,
            Rule::Contacts | Rule::Links | Rule::Platforms | Rule::PersonalData
        ),
        // FACTS 1.10: correspondence is switched off "for safety", without a list of what for. What
        // leads the buyer away is the likeliest cause; a question about data is left to the person.
        Marketplace::Ozon => matches!(rule, Rule::Contacts | Rule::Links | Rule::Platforms),
        // FACTS 3.2 and 3.4 name no rule about texts, but the marketplace's arbiter reads the chat:
        // only what cannot be taken for anything else.
        Marketplace::YandexMarket => matches!(rule, Rule::Contacts | Rule::Links),
    }
}

fn places(reading: &Reading, subject: &Subject<'_>) -> Vec<(Rule, Vec<Hit>)> {
    let sources = Sources::of(subject.facts);
    let is_model = subject.made_by == Author::Model;
    let marketplace = subject.marketplace;
    let contacts = contacts::find(reading);
    // A model chooses no address at all; a person may point into the marketplace itself.
    let mut links = links::find(reading, marketplace, is_model);
    links.retain(|link| !contacts.iter().any(|it| overlap(&it.span, &link.span)));
    let guarantees = guarantee::find(reading, &sources);
    // «гарантия 12 месяцев» is a guarantee, not a term as well.
    let mut dates = dates::find(reading, &sources);
    dates.retain(|date| !guarantees.iter().any(|it| overlap(&it.span, &date.span)));
    let mut places = vec![
        (Rule::Contacts, contacts),
        (Rule::Links, links),
        (Rule::Money, money::find(reading, &sources)),
        (Rule::Dates, dates),
        (Rule::Cancellation, cancellation::find(reading)),
        (Rule::Guarantee, guarantees),
        (Rule::Platforms, platforms::find(reading, marketplace)),
        (Rule::PersonalData, personal_data::find(reading)),
        (Rule::Blame, blame::find(reading)),
    ];
    // A person who gives a name says the truth.
    if is_model {
        places.push((Rule::Disclosure, disclosure::find(reading)));
    }
    places
}

fn about_the_whole(reading: &Reading, subject: &Subject<'_>) -> Vec<Finding> {
    let empty = reading
        .is_blank()
        .then(|| (Rule::Empty, "В тексте ничего нет.".to_owned()));
    let is_long = subject.length > subject.max_length;
    let long = is_long.then(|| {
        let surplus = subject.length - subject.max_length;
        let words = format!("Текст длиннее, чем принимает площадка: лишних знаков — {surplus}.");
        (Rule::Length, words)
    });
    empty
        .into_iter()
        .chain(long)
        .filter_map(|(rule, message)| finding(subject, rule, None, None, message))
        .collect()
}

fn finding(
    subject: &Subject<'_>,
    rule: Rule,
    span: Option<(usize, usize)>,
    source: Option<String>,
    message: String,
) -> Option<Finding> {
    let verdict = verdict(rule, subject);
    (verdict != Verdict::Pass).then_some(Finding {
        rule,
        verdict,
        span,
        source,
        message,
    })
}

fn verdict(rule: Rule, subject: &Subject<'_>) -> Verdict {
    match subject.made_by {
        _ if rule == Rule::Blame => Verdict::Warn,
        Author::Model => Verdict::Forbid,
        Author::Person if is_punished(rule, subject.marketplace) => Verdict::Forbid,
        Author::Person => Verdict::Warn,
    }
}

fn overlap(one: &Range<usize>, other: &Range<usize>) -> bool {
    one.start < other.end && other.start < one.end
}

/// Places that touch count once, with the words of the first.
fn merged(mut hits: Vec<Hit>) -> Vec<Hit> {
    hits.sort_by_key(|hit| (hit.span.start, hit.span.end));
    let mut merged: Vec<Hit> = Vec::new();
    for hit in hits {
        match merged.last_mut() {
            Some(last) if hit.span.start < last.span.end => {
                last.span.end = last.span.end.max(hit.span.end);
                last.source = last.source.take().or(hit.source);
            }
            _ => merged.push(hit),
        }
    }
    merged
}
