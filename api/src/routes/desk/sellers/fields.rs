//! What requests and answers about shops hold.

use common::channel::Marketplace;
use common::views::SellerView;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::keys::{check_client_id, check_key};
use crate::http::{GivenSecret, Problems, Validate};

/// A page of shops.
#[derive(Debug, Serialize, ToSchema)]
pub struct SellerPage {
    pub(super) sellers: Vec<SellerView>,
    /// How many shops pass the filter, on all pages.
    pub(super) total: i64,
    /// To be passed on as `cursor`; null at the end.
    pub(super) next_cursor: Option<String>,
}

/// Which shops to list.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct SellerQuery {
    pub(super) marketplace: Option<Marketplace>,
    pub(super) is_active: Option<bool>,
    /// How many, 1 to 100; 50 if not given.
    pub(super) limit: Option<i64>,
    /// `next_cursor` of the page before.
    pub(super) cursor: Option<String>,
}

/// A shop to connect.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewShop {
    /// 1 to 255 characters.
    pub(super) name: String,
    pub(super) marketplace: Marketplace,
    /// Ozon: client id; Yandex Market: business id. Wildberries: not needed, the key tells.
    pub(super) client_id: Option<String>,
    /// 1 to 4096 characters; never comes back.
    #[schema(value_type = String)]
    pub(super) api_key: GivenSecret,
}

impl Validate for NewShop {
    fn validate(&self, problems: &mut Problems) {
        check_name(&self.name, problems);
        check_key(&self.api_key, problems);
        check_client_id(self.marketplace, self.client_id.as_deref(), problems);
    }
}

/// Whether to ask the marketplace.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct ProbeQuery {
    /// `false`: take the key without asking the marketplace; it is asked later.
    pub(super) probe: Option<bool>,
}

/// What to change about a shop; what is left out stays.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ShopChange {
    /// 1 to 255 characters.
    pub(super) name: Option<String>,
    /// Needs `api_key` too.
    pub(super) client_id: Option<String>,
    /// A new key; it is probed.
    #[schema(value_type = Option<String>)]
    pub(super) api_key: Option<GivenSecret>,
    pub(super) is_active: Option<bool>,
}

impl Validate for ShopChange {
    fn validate(&self, problems: &mut Problems) {
        if let Some(name) = &self.name {
            check_name(name, problems);
        }
        if let Some(key) = &self.api_key {
            check_key(key, problems);
        }
        let has_key = self.client_id.is_none() || self.api_key.is_some();
        problems.require(has_key, "api_key", "is needed with a new client_id");
    }
}

fn check_name(name: &str, problems: &mut Problems) {
    let length = name.trim().chars().count();
    let is_decent = (1..=255).contains(&length);
    problems.require(is_decent, "name", "must be 1 to 255 characters");
}
