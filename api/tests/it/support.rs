//! What tests speak in: an app, its people, their answers.

mod answer;
mod app;
#[path = "../../../common/tests/support/database.rs"]
mod database;
mod drafts;
mod guard;
mod live;
mod person;
mod shops;

pub(crate) use self::answer::Answer;
pub(crate) use self::app::TestApp;
pub(crate) use self::guard::statements_with;
pub(crate) use self::live::Socket;
pub(crate) use self::person::Person;
