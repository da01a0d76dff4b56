//! The HTTP side of the product: a library, so that tests can build the router.

pub mod access;
pub mod http;
pub mod idempotency;
pub mod openapi;
pub mod paging;
pub mod routes;
pub mod seed_demo;
pub mod serve;
pub mod set_llm;
pub mod show_keys;
pub mod state;

pub use self::routes::{document, router};
pub use self::serve::serve;
pub use self::show_keys::show_keys;
pub use self::state::AppState;
