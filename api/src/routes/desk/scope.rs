//! Whose a saved thing is: one person's, or everybody's of the tenant.

use common::db::users::Role;
use common::ids::UserId;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::access::Access;
use crate::http::{ApiResult, codes};

/// For whom something is kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum Scope {
    /// For everybody of the tenant; admins change it.
    Tenant,
    /// For whoever made it; nobody else sees it.
    #[default]
    Own,
}

impl Scope {
    /// What belongs to this person, or to everybody.
    pub(super) fn of(owner: Option<UserId>) -> Self {
        match owner {
            None => Self::Tenant,
            Some(_) => Self::Own,
        }
    }

    /// To whom it belongs when this person makes it.
    pub(super) fn owner(self, access: &Access) -> ApiResult<Option<UserId>> {
        let owner = (self == Self::Own).then_some(access.user);
        check_may_change(owner, access)?;
        Ok(owner)
    }
}

/// Fails unless this person may change what belongs to `owner`.
pub(super) fn check_may_change(owner: Option<UserId>, access: &Access) -> ApiResult<()> {
    let may = match owner {
        None => matches!(access.role, Role::Admin | Role::Owner),
        Some(owner) => owner == access.user,
    };
    if may {
        Ok(())
    } else {
        Err(codes::FORBIDDEN.into())
    }
}
