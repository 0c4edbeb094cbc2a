//! Which of its two sessions writes a message of a large batch.

use crate::status::Reject;

/// Half of all request ids. No payload is in both halves, so that two sessions can write one batch
/// and never wait for each other's rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Parity {
    /// Comes first wherever one session locks payloads of both (`store::fold`).
    Even,
    Odd,
}

impl Parity {
    /// The lowest bits of the id's bytes, added up.
    ///
    /// `odd_offsets` counts by this rule. Another rule would lose messages of a batch of which, when
    /// the process was killed, only one half had been committed.
    pub fn of(request_id: &str) -> Self {
        let bits = request_id.bytes().fold(0, |all, byte| all ^ byte);
        if bits & 1 == 0 { Self::Even } else { Self::Odd }
    }

    /// As of the message, so that it stays what it is should another setting take the message. What
    /// has no readable request id is a reject by all settings.
    pub fn of_reject(reject: &Reject) -> Self {
        reject.request_id.as_deref().map_or(Self::Even, Self::of)
    }
}

#[cfg(test)]
mod tests {
    use chrono::Utc;

    use super::*;
    use crate::status::{Message, Rules};

    #[test]
    fn the_rule_is_the_one_that_stored_offsets_were_counted_by() {
        let odd = ["1", "c7ad8a4b6e0f4a57a4b1c5f3c2d1e0f9", "ü"];
        let even = ["", "2", "11", "ab12"];
        assert_eq!(odd.map(Parity::of), [Parity::Odd; 3]);
        assert_eq!(even.map(Parity::of), [Parity::Even; 4]);
    }

    #[test]
    fn about_half_of_all_ids_are_odd() {
        let ids = (0..1_000).map(|_| uuid::Uuid::new_v4().simple().to_string());
        let odd = ids.filter(|id| Parity::of(id) == Parity::Odd).count();
        assert!((400..600).contains(&odd), "{odd} of 1,000");
    }

    #[test]
    fn a_setting_that_rejects_a_message_leaves_its_parity() {
        let lax = Rules {
            request_id_length: 0,
            ..Rules::default()
        };
        for id in ["1", "22", "abc-DEF", "1f0e"] {
            let bytes = serde_json::json!({
                "org_id": "1", "service": "puptoo", "request_id": id, "status": "received",
                "date": Utc::now().to_rfc3339(),
            })
            .to_string();
            let message = Message::decode(bytes.as_bytes(), &lax, Utc::now()).unwrap();
            let reject =
                Message::decode(bytes.as_bytes(), &Rules::default(), Utc::now()).unwrap_err();
            assert_eq!(
                Parity::of(&message.request_id),
                Parity::of_reject(&reject),
                "{id}"
            );
        }
    }
}
