//! The replies of one chat with the same words, taken together: which of them is which, nobody can tell.

use std::collections::BTreeMap;

use super::{Findings, Reply};

/// How a reply ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    Sent,
    /// Given to a person: it may be there or not.
    GivenUp,
    /// Surely not there.
    Failed,
    /// Nothing of this.
    Open,
}

impl State {
    pub(super) fn of(state: &str, code: Option<&str>) -> Self {
        match (state, code) {
            ("sent", _) => Self::Sent,
            ("failed", Some("delivery_unknown")) => Self::GivenUp,
            ("failed", _) => Self::Failed,
            _ => Self::Open,
        }
    }
}

/// Replies with the same words in the same chat.
#[derive(Debug, Default)]
pub(super) struct Group {
    pub(super) replies: Vec<Reply>,
    /// What the marketplace took: number in the journal, and the id it got.
    pub(super) accepted: Vec<(u64, String)>,
    /// The same words written in the cabinet, by their ids.
    pub(super) twins: Vec<String>,
}

impl Group {
    /// Adds what is wrong with this group.
    pub(super) fn judge(&self, findings: &mut Findings, market: &str, name: &str) {
        let count = |state| {
            self.replies
                .iter()
                .filter(|reply| reply.state == state)
                .count()
        };
        let (sent, open) = (
            count(State::Sent),
            count(State::GivenUp) + count(State::Open),
        );
        let by_twin = self.may_be_twins(market);
        let taken = self.accepted.len();
        let story = || {
            let replies: Vec<String> = self.replies.iter().map(Reply::story).collect();
            format!(
                "{name}: taken {taken}, twins {}, replies [{}]",
                self.twins.len(),
                replies.join(", ")
            )
        };
        let found_out = taken.saturating_sub(sent).min(count(State::GivenUp));
        findings.given_up_though_there += found_out as u64;
        for _ in sent + open..taken {
            findings.double.push(story());
        }
        for _ in taken + by_twin..sent {
            findings.lost.push(story());
        }
        for reply in &self.replies {
            self.judge_reply(findings, market, reply, &story);
        }
    }

    /// Replies that may be bound to a twin: sent uncertainly, where the marketplace does not tell who wrote.
    fn may_be_twins(&self, market: &str) -> usize {
        if market == "wildberries" {
            return 0;
        }
        let uncertain = self
            .replies
            .iter()
            .filter(|reply| reply.state == State::Sent && reply.is_uncertain);
        uncertain.count().min(self.twins.len())
    }

    fn judge_reply(
        &self,
        findings: &mut Findings,
        market: &str,
        reply: &Reply,
        story: &dyn Fn() -> String,
    ) {
        *findings.ends.entry(reply.end()).or_default() += 1;
        findings.uncertain += u64::from(reply.is_uncertain);
        match reply.state {
            State::Open => findings.stuck.push(story()),
            State::GivenUp | State::Failed if !reply.is_explained => findings.silent.push(story()),
            State::GivenUp | State::Failed => {}
            State::Sent => {
                let external = reply.external_id.as_ref();
                let is_ours = self.accepted.iter().any(|(_, id)| Some(id) == external);
                let is_twin =
                    self.twins.iter().any(|id| Some(id) == external) && market != "wildberries";
                findings.bound_to_twin += u64::from(is_twin && !is_ours);
                if !is_ours && !is_twin {
                    findings.unbound.push(story());
                }
            }
        }
    }
}

impl Reply {
    fn end(&self) -> String {
        match (self.state, &self.code) {
            (State::Sent, _) => "sent".to_owned(),
            (State::Open, _) => "open".to_owned(),
            (_, code) => code.clone().unwrap_or_else(|| "failed".to_owned()),
        }
    }

    fn story(&self) -> String {
        let uncertain = if self.is_uncertain {
            " after an uncertain attempt"
        } else {
            ""
        };
        let external = self.external_id.as_deref().unwrap_or("no id");
        format!("{} {} ({external}){uncertain}", self.id, self.end())
    }
}

/// Adds replies that a chat's marketplace took after one that was posted later.
pub(super) fn judge_order(findings: &mut Findings, groups: &BTreeMap<(&str, &str, &str), Group>) {
    let mut chats: BTreeMap<(&str, &str), Vec<(u64, u64)>> = BTreeMap::new();
    for ((market, chat, _), group) in groups {
        let mut order: Vec<u64> = group
            .replies
            .iter()
            .filter(|it| it.state == State::Sent)
            .map(|it| it.id)
            .collect();
        // Where some may be missing nobody can tell which.
        if order.len() != group.accepted.len() {
            continue;
        }
        order.sort_unstable();
        let pairs = group
            .accepted
            .iter()
            .zip(order)
            .map(|((seq, _), id)| (*seq, id));
        chats.entry((market, chat)).or_default().extend(pairs);
    }
    for ((market, chat), mut taken) in chats {
        taken.sort_unstable();
        let swapped = taken.windows(2).filter(|pair| pair[0].1 > pair[1].1);
        let names = swapped.map(|pair| {
            format!(
                "{market} {chat}: {} was taken before {}",
                pair[0].1, pair[1].1
            )
        });
        findings.out_of_order.extend(names);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reply(id: u64, state: State, external: Option<&str>, is_uncertain: bool) -> Reply {
        Reply {
            id,
            state,
            code: None,
            external_id: external.map(str::to_owned),
            is_explained: true,
            is_uncertain,
        }
    }

    fn found(market: &str, replies: Vec<Reply>, accepted: &[&str], twins: &[&str]) -> [usize; 3] {
        let group = Group {
            replies,
            accepted: accepted
                .iter()
                .enumerate()
                .map(|(seq, id)| (seq as u64, (*id).to_owned()))
                .collect(),
            twins: twins.iter().map(|id| (*id).to_owned()).collect(),
        };
        let mut findings = Findings::default();
        group.judge(&mut findings, market, "group");
        [
            findings.lost.len(),
            findings.double.len(),
            findings.unbound.len(),
        ]
    }

    #[test]
    fn once_is_right_and_everything_else_is_told() {
        let sent = |external| vec![reply(1, State::Sent, external, false)];
        assert_eq!(found("ozon", sent(Some("a")), &["a"], &[]), [0, 0, 0]);
        assert_eq!(found("ozon", sent(Some("a")), &["a", "b"], &[]), [0, 1, 0]);
        assert_eq!(found("ozon", sent(None), &["a"], &[]), [0, 0, 1]);
        assert_eq!(found("ozon", sent(None), &[], &[]), [1, 0, 1]);
        assert_eq!(
            found(
                "ozon",
                vec![reply(1, State::Failed, None, false)],
                &["a"],
                &[]
            ),
            [0, 1, 0]
        );
        assert_eq!(
            found(
                "ozon",
                vec![reply(1, State::GivenUp, None, true)],
                &["a"],
                &[]
            ),
            [0, 0, 0]
        );
    }

    #[test]
    fn a_twin_excuses_only_what_was_uncertain_and_never_at_wildberries() {
        let sent = |is_uncertain| vec![reply(1, State::Sent, Some("t"), is_uncertain)];
        assert_eq!(found("ozon", sent(true), &[], &["t"]), [0, 0, 0]);
        assert_eq!(found("ozon", sent(false), &[], &["t"]), [1, 0, 0]);
        assert_eq!(found("wildberries", sent(true), &[], &["t"]), [1, 0, 1]);
    }
}
