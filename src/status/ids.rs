//! The canonical forms of ids, the same for the consumer that stores them and the API that looks them up.

use std::borrow::Cow;

use uuid::Uuid;

/// A request id as it is stored and looked up (contract, section 1).
///
/// - Both forms of a UUID, 32 hex digits and 8-4-4-4-12, give 32 lower-case hex digits.
/// - `<uuid>:<anything>`, in either form, gives the id before the first colon: one upload, many hosts.
/// - Anything else stays as it is, blanks and case included.
///
/// Idempotent: a canonical id is its own canonical form.
pub fn canonical_request_id(id: &str) -> Cow<'_, str> {
    let first = id.split_once(':').map_or(id, |(first, _)| first);
    match uuid(first) {
        Some(_) if is_canonical(first) => Cow::Borrowed(first),
        Some(uuid) => Cow::Owned(uuid.simple().to_string()),
        None => Cow::Borrowed(id),
    }
}

/// An inventory or system id as it is stored and looked up (contract, section 1).
///
/// Both forms of a UUID give the dashed one in lower case; other text stays as it is.
/// The nil UUID and the empty text name no host: `None`.
pub fn canonical_host_id(id: &str) -> Option<String> {
    match uuid(id) {
        Some(uuid) if uuid.is_nil() => None,
        Some(uuid) => Some(uuid.hyphenated().to_string()),
        None => (!id.is_empty()).then(|| id.to_owned()),
    }
}

/// A UUID in one of the two forms the contract knows.
///
/// The crate's parser also takes braces and URNs, which are longer and stay plain text here.
fn uuid(text: &str) -> Option<Uuid> {
    match text.len() {
        32 | 36 => Uuid::try_parse(text).ok(),
        _ => None,
    }
}

fn is_canonical(uuid: &str) -> bool {
    uuid.len() == 32 && !uuid.bytes().any(|byte| byte.is_ascii_uppercase())
}
