//! Does the simulated world behave as the documents of the real one say?
#![expect(clippy::expect_used, reason = "a test that cannot go on fails")]

mod client;
mod control;
mod faults;
mod llm;
mod ozon;
mod ozon_access;
mod ozon_sends;
mod pushes;
mod restart;
mod spec;
mod traps;
mod wildberries;
mod wildberries_access;
mod wildberries_sends;
mod yandex;
mod yandex_access;
