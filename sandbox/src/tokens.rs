//! What does a Wildberries token say, and how is one made?

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::ids;

/// The bit of the chat category.
pub(crate) const CHAT: u32 = 9;
/// The bit that forbids writing.
pub(crate) const READ_ONLY: u32 = 30;

/// The claims a token carries.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Claims {
    /// 1 base, 2 test, 3 personal, 4 service.
    pub acc: u8,
    /// Bit mask of categories.
    pub s: u64,
    /// Supplier id.
    pub sid: String,
    /// Seconds since 1970.
    pub exp: i64,
    /// Whether the token is for the test environment only.
    #[serde(default)]
    pub t: bool,
}

impl Claims {
    /// Whether the bit is set in the mask.
    pub(crate) fn has(&self, bit: u32) -> bool {
        self.s & (1 << bit) != 0
    }
}

/// The mask of these categories.
pub(crate) fn mask(categories: &[u32], is_read_only: bool) -> u64 {
    let bits = categories.iter().filter(|bit| **bit < 64);
    let mask = bits.fold(0, |mask, bit| mask | (1 << bit));
    mask | (u64::from(is_read_only) << READ_ONLY)
}

/// Makes a token; its signature is random, since nobody has the real key.
pub(crate) fn issue(seed: u64, n: u64, claims: &Claims) -> String {
    let header = json!({"alg": "ES256", "kid": "20250904v1", "typ": "JWT"});
    let mut body = json!({
        "acc": claims.acc, "ent": 1, "exp": claims.exp, "id": ids::uuid(seed, "token", n),
        "iid": 40_000_000 + n, "oid": 4_000_000 + n, "s": claims.s, "sid": claims.sid,
        "t": claims.t, "uid": 40_000_000 + n,
    });
    match claims.acc {
        3 => body["for"] = json!("self"),
        4 => body["for"] = json!(format!("asid:{}", ids::uuid(seed, "service", 0))),
        _ => {}
    }
    let signature: Vec<u8> = (0..8)
        .flat_map(|part| ids::mix(seed ^ part, "signature", n).to_be_bytes())
        .collect();
    let encode = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
    format!(
        "{}.{}.{}",
        encode(header.to_string().as_bytes()),
        encode(body.to_string().as_bytes()),
        encode(&signature)
    )
}

/// Reads a token; an error is what Wildberries says about it.
pub(crate) fn read(token: &str) -> Result<Claims, String> {
    let parts: Vec<&str> = token.split('.').collect();
    let [header, body, signature] = parts[..] else {
        return Err("token is malformed: token contains an invalid number of segments".to_owned());
    };
    decode("header", header)?;
    let body = decode("claim", body)?;
    decode("signature", signature)?;
    serde_json::from_slice(&body)
        .map_err(|_| "token is malformed: could not JSON decode claim".to_owned())
}

fn decode(what: &str, part: &str) -> Result<Vec<u8>, String> {
    URL_SAFE_NO_PAD.decode(part).map_err(|error| {
        let at = match error {
            base64::DecodeError::InvalidByte(at, _)
            | base64::DecodeError::InvalidLastSymbol { offset: at, .. } => at,
            _ => part.len(),
        };
        format!(
            "token is malformed: could not base64 decode {what}: illegal base64 data at input byte {at}"
        )
    })
}

#[cfg(test)]
mod tests {
    use super::{CHAT, Claims, READ_ONLY, issue, mask, read};

    #[test]
    fn an_issued_token_is_read_back() {
        let claims = Claims {
            acc: 3,
            s: mask(&[7, 9], true),
            sid: "a".to_owned(),
            exp: 5,
            t: false,
        };
        let back = read(&issue(1, 2, &claims)).expect("a token");
        assert!(back.has(CHAT) && back.has(READ_ONLY) && back.has(7) && !back.has(8));
        assert_eq!((back.acc, back.exp), (3, 5));
    }

    #[test]
    fn what_is_wrong_is_named() {
        assert!(read("abc").is_err_and(|text| text.contains("number of segments")));
        let broken = read("e30.e30.a!").expect_err("a broken one");
        assert!(broken.contains("signature: illegal base64 data at input byte 1"));
    }
}
