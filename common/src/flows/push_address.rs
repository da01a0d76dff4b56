//! The address at which a marketplace pushes to one shop: derived, never stored.

use secrecy::SecretString;
use uuid::Uuid;

use super::Context;
use crate::channel::Marketplace;
use crate::db::sellers::Seller;
use crate::ids::TenantId;
use crate::marketplaces::profile;
use crate::secrets::hex;
use crate::signature::sign;

/// How much of the signature stands in the address, in bytes.
const TAG_BYTES: usize = 16;
const ID_DIGITS: usize = 32;

impl Context {
    /// The address to enter at the shop's marketplace; none where it pushes nothing.
    pub fn push_url(&self, seller: &Seller) -> Option<String> {
        if !profile(seller.marketplace).pushes {
            return None;
        }
        let path = path_of(seller.marketplace)?;
        let base = self.base_url.trim_end_matches('/');
        let secret = address(
            &self.push_secret,
            seller.marketplace,
            seller.tenant_id,
            seller.public_id,
        );
        Some(format!("{base}/hooks/{path}/{secret}"))
    }
}

/// Whose address it is, if we made it for this marketplace: the tenant and the shop's public id.
pub fn read_address(
    secret: &SecretString,
    marketplace: Marketplace,
    address_secret: &str,
) -> Option<(TenantId, Uuid)> {
    let (tenant, rest) = address_secret.split_at_checked(ID_DIGITS)?;
    let (seller, _tag) = rest.split_at_checked(ID_DIGITS)?;
    let tenant = TenantId(Uuid::try_parse(tenant).ok()?);
    let seller = Uuid::try_parse(seller).ok()?;
    let expected = address(secret, marketplace, tenant, seller);
    same(expected.as_bytes(), address_secret.as_bytes()).then_some((tenant, seller))
}

fn path_of(marketplace: Marketplace) -> Option<&'static str> {
    match marketplace {
        Marketplace::Ozon => Some("ozon"),
        Marketplace::YandexMarket => Some("yandex"),
        Marketplace::Wildberries => None,
    }
}

fn address(
    secret: &SecretString,
    marketplace: Marketplace,
    tenant: TenantId,
    seller: Uuid,
) -> String {
    let parts: [&[u8]; 4] = [
        b"push",
        marketplace.as_str().as_bytes(),
        tenant.0.as_bytes(),
        seller.as_bytes(),
    ];
    let tag = sign(secret, &parts);
    let tag = hex(&tag[..TAG_BYTES]);
    format!("{}{}{tag}", tenant.0.simple(), seller.simple())
}

/// Compares without telling by the time it takes where two texts differ.
fn same(left: &[u8], right: &[u8]) -> bool {
    left.len() == right.len()
        && left
            .iter()
            .zip(right)
            .fold(0, |difference, (a, b)| difference | (a ^ b))
            == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_our_own_addresses_are_read() {
        let secret = SecretString::from("secret");
        let (tenant, seller) = (TenantId(Uuid::from_u128(1)), Uuid::from_u128(2));
        let ours = address(&secret, Marketplace::Ozon, tenant, seller);
        let read = |marketplace, text: &str| read_address(&secret, marketplace, text);
        assert_eq!(read(Marketplace::Ozon, &ours), Some((tenant, seller)));
        assert_eq!(read(Marketplace::YandexMarket, &ours), None);
        assert_eq!(read(Marketplace::Ozon, &ours[..ours.len() - 1]), None);
        assert_eq!(read(Marketplace::Ozon, &ours.replacen('1', "2", 1)), None);
        assert_eq!(read(Marketplace::Ozon, ""), None);
        assert_eq!(read(Marketplace::Ozon, &"ж".repeat(48)), None);
    }
}
