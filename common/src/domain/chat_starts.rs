//! Chats begun by the shop: how far that is, and why it may not be.

use crate::words::words;

words! {
    /// How far the beginning of a chat is.
    StartState {
        /// The marketplace is yet to be asked.
        Wanted = "wanted",
        Done = "done",
        Failed = "failed",
    }
}

words! {
    /// Why a chat was not begun.
    StartProblem {
        /// The marketplace lets no shop begin a chat, or not about this order.
        CannotStart = "cannot_start_chat",
        OrderNotFound = "order_not_found",
        /// It is too late for this order.
        WindowClosed = "window_closed",
        /// The shop's key may read, but not write.
        ReadOnly = "seller_read_only",
        KeyRejected = "seller_key_rejected",
        SellerInactive = "seller_inactive",
        /// The marketplace did not answer, however often it was asked.
        Unavailable = "marketplace_unavailable",
    }
}
