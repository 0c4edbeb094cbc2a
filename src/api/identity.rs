//! Who asks, as the platform's gateway says in `x-rh-identity`: base64 of a JSON object.

use axum::http::HeaderMap;
use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use serde_json::Value;

use super::problem::Problem;

/// The header. What it holds is never logged.
const HEADER: &str = "x-rh-identity";

/// Some gateways leave the padding out.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// Lets pass whose `identity.associate.Role` names `role`.
///
/// # Errors
/// [`Problem::Unauthorized`] without an identity that can be read, [`Problem::Forbidden`] without
/// the role.
pub fn require(headers: &HeaderMap, role: &str) -> Result<(), Problem> {
    let header = headers
        .get(HEADER)
        .filter(|header| !header.is_empty())
        .ok_or(Problem::Unauthorized("x-rh-identity is missing"))?;
    let identity = decoded(header.as_bytes()).ok_or(Problem::Unauthorized(
        "x-rh-identity is not base64 of a JSON object",
    ))?;
    let roles = identity.pointer("/identity/associate/Role");
    let mut roles = roles.and_then(Value::as_array).into_iter().flatten();
    match roles.any(|of| of == role) {
        true => Ok(()),
        false => Err(Problem::Forbidden(role.to_owned())),
    }
}

fn decoded(header: &[u8]) -> Option<Value> {
    let json = BASE64.decode(header.trim_ascii()).ok()?;
    let identity: Value = serde_json::from_slice(&json).ok()?;
    identity.is_object().then_some(identity)
}

#[cfg(test)]
mod tests {
    use axum::http::{HeaderValue, StatusCode};
    use axum::response::IntoResponse;

    use super::*;

    fn status(header: Option<&[u8]>) -> StatusCode {
        let mut headers = HeaderMap::new();
        if let Some(header) = header {
            headers.insert(HEADER, HeaderValue::from_bytes(header).unwrap());
        }
        require(&headers, "archive")
            .map_or_else(|p| p.into_response().status(), |()| StatusCode::OK)
    }

    fn of(json: &str) -> StatusCode {
        status(Some(BASE64.encode(json).as_bytes()))
    }

    #[test]
    fn what_is_no_identity_is_a_401() {
        for bad in [
            None,
            Some(&b""[..]),
            Some(b"{}"),
            Some(b"\xff\xfe"),
            Some(b"bm9uZQ=="),
        ] {
            assert_eq!(status(bad), StatusCode::UNAUTHORIZED, "{bad:?}");
        }
        for bad in ["", "[]", "null", "\"archive\"", "{\"identity\":"] {
            assert_eq!(of(bad), StatusCode::UNAUTHORIZED, "{bad}");
        }
    }

    #[test]
    fn an_identity_without_the_role_is_a_403() {
        for lacking in [
            "{}",
            r#"{"identity":{"associate":{}}}"#,
            r#"{"identity":{"associate":{"Role":"archive"}}}"#,
            r#"{"identity":{"associate":{"Role":["Archive","archives",7,null]}}}"#,
            r#"{"identity":{"user":{"Role":["archive"]}}}"#,
        ] {
            assert_eq!(of(lacking), StatusCode::FORBIDDEN, "{lacking}");
        }
    }

    #[test]
    fn an_identity_with_the_role_passes() {
        let json = r#"{"identity":{"type":"Associate","associate":{"Role":["other","archive"]}}}"#;
        assert_eq!(of(json), StatusCode::OK);
        let unpadded = BASE64.encode(json);
        assert_eq!(
            status(Some(unpadded.trim_end_matches('=').as_bytes())),
            StatusCode::OK
        );
    }
}
