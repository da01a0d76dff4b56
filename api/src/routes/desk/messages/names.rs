//! Messages with the names of those who wrote them.

use std::collections::HashMap;

use common::db::chats::Chat;
use common::db::messages::{Author, Message};
use common::db::users;
use common::ids::UserId;
use common::views::MessageView;
use diesel::QueryResult;
use diesel_async::AsyncPgConnection;

/// Messages of one chat as clients see them.
pub(super) async fn views(
    conn: &mut AsyncPgConnection,
    chat: &Chat,
    rows: &[Message],
) -> QueryResult<Vec<MessageView>> {
    let mut writers: Vec<UserId> = rows.iter().filter_map(|row| row.user_id).collect();
    writers.sort_unstable();
    writers.dedup();
    let names: HashMap<UserId, String> = match writers[..] {
        [] => HashMap::new(),
        _ => users::usernames(conn, chat.tenant_id, &writers)
            .await?
            .into_iter()
            .collect(),
    };
    let name = |row: &Message| match (row.author, row.user_id) {
        (Author::Buyer, _) => chat.context.0.buyer_name.clone(),
        (_, Some(user)) => names.get(&user).cloned(),
        _ => None,
    };
    Ok(rows
        .iter()
        .map(|row| MessageView::new(row, name(row)))
        .collect())
}
