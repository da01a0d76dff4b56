//! Who makes a request, and what they may do.

mod audit;
mod cache;
mod callers;
mod client_ip;
mod cookies;
mod credentials;
mod opaque;
mod passwords;
mod slugs;
mod tokens;

pub use self::audit::{Actor, Change, Origin};
pub use self::cache::{Access, AccessCache, Credential, follow_changes};
pub use self::callers::{
    API_TOKEN_PREFIX, Admin, AdminInPerson, InPerson, Operator, Owner, Person, Staff,
    authenticate_token, bearer_token, current_access,
};
pub use self::client_ip::ClientIp;
pub use self::cookies::{RefreshCookie, clearing_cookie, refresh_cookie};
pub use self::credentials::{RefreshToken, SessionTokens};
pub use self::opaque::{Issued, OpaqueToken};
pub use self::passwords::Passwords;
pub use self::slugs::{candidates, slug_of};
pub use self::tokens::{Claims, TokenProblem, Tokens};
