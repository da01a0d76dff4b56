//! How many jobs of one kind and marketplace run at the same moment: one that hangs fills only its own
//! slots.

use std::collections::HashMap;
use std::sync::Arc;

use common::channel::Marketplace;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// The kinds of jobs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Kind {
    SyncSeller,
    DeliverChat,
    FetchFile,
    MarkRead,
    StartChat,
    ProbeSeller,
    WatchChats,
    SuggestReplies,
    RekeySellers,
}

/// The slots of every kind and marketplace. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Slots(Arc<HashMap<(Kind, Marketplace), Arc<Semaphore>>>);

impl Slots {
    /// `concurrency` slots for each kind and marketplace; fewer for what nobody waits for.
    pub(crate) fn new(concurrency: usize) -> Self {
        let kinds = [
            (Kind::SyncSeller, concurrency),
            (Kind::DeliverChat, concurrency),
            (Kind::FetchFile, concurrency.div_ceil(4)),
            (Kind::MarkRead, concurrency.div_ceil(4)),
            (Kind::StartChat, concurrency.div_ceil(4)),
            (Kind::ProbeSeller, concurrency.div_ceil(4)),
            (Kind::WatchChats, concurrency.div_ceil(2)),
            (Kind::SuggestReplies, concurrency),
            (Kind::RekeySellers, 1),
        ];
        let slots = kinds.into_iter().flat_map(|(kind, slots)| {
            Marketplace::ALL
                .into_iter()
                .map(move |marketplace| ((kind, marketplace), Arc::new(Semaphore::new(slots))))
        });
        Self(Arc::new(slots.collect()))
    }

    /// Waits for a free slot.
    pub(crate) async fn wait(&self, kind: Kind, at: Marketplace) -> Option<OwnedSemaphorePermit> {
        let slots = Arc::clone(self.0.get(&(kind, at))?);
        slots.acquire_owned().await.ok()
    }

    /// The free slots, at most `most`.
    pub(crate) fn take(
        &self,
        kind: Kind,
        at: Marketplace,
        most: usize,
    ) -> Vec<OwnedSemaphorePermit> {
        let Some(slots) = self.0.get(&(kind, at)) else {
            return Vec::new();
        };
        std::iter::from_fn(|| Arc::clone(slots).try_acquire_owned().ok())
            .take(most)
            .collect()
    }
}
