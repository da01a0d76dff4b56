//! The outside world, simulated: three marketplaces' buyer chats, buyers who write, a language model, and a journal of what happened.

mod answer;
mod buyers;
mod clock;
mod connection;
mod control;
mod faults;
mod ids;
mod incoming;
mod journal;
mod limits;
mod llm;
mod log;
mod media;
mod ozon;
mod page;
mod personas;
mod pushes;
mod sandbox;
mod server;
mod shops;
mod tokens;
mod wildberries;
mod world;
mod yandex;

pub use control::{
    CabinetRequest, FaultRequest, FileRequest, Refused, SeedRequest, ShopRequest, StoredMessage,
    WriteRequest, Written,
};
pub use journal::{Entry, Kind};
pub use sandbox::{Options, Sandbox};
pub use world::{Author, Marketplace, Quirk, Refusal, Via};
