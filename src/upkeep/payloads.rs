//! Payloads that have expired, with their host ids.
//!
//! A payload expires with its last day. Where that is unknown (the Go tracker's), it expires once it
//! is older than what is kept and no status of it is left. In neither case does it go before
//! its statuses: a partition that reaches into a kept day stays, and so do its payloads.

use sea_orm::sqlx;

use super::event::Table;
use super::round::Round;
use super::stride::Stride;
use super::walk::Walk;

/// `created_at` is the earliest of a payload's dates, so that every payload that has expired is found
/// before the bound. `expire_payloads` decides again, with the row locked.
const PAYLOADS: Walk = Walk {
    table: Table::Payloads,
    dependents: Table::PayloadIds,
    page: "
SELECT at, id, expired,
       CASE WHEN expired THEN (SELECT count(*) FROM payload_ids WHERE payload_id = id) ELSE 0 END
           AS dependents
  FROM (SELECT created_at AS at, id,
               coalesce(last_day < $4::date, true)
               AND (coalesce(last_day < (SELECT first_status_day()), false) OR NOT EXISTS (
                   SELECT FROM payload_statuses AS s WHERE s.payload_id = p.id OFFSET 0)) AS expired
          FROM payloads AS p
         WHERE created_at >= $1 AND (created_at, id) > ($1, $2) AND created_at < $4
         ORDER BY created_at, id LIMIT $3) AS page",
    expire: "SELECT * FROM expire_payloads($1, $2, $3)",
};

/// A payload that named more hosts than a step deletes leaves the rest behind.
const OWNERLESS: &str = "SELECT payload_id FROM ownerless_ids LIMIT 1";

const DELETE_IDS: &str = "
DELETE FROM payload_ids WHERE ctid = ANY (ARRAY(
    SELECT ctid FROM payload_ids WHERE payload_id = $1 LIMIT $2))";

const FORGET: &str = "DELETE FROM ownerless_ids WHERE payload_id = $1";

impl Round<'_> {
    pub(super) async fn delete_payloads(&mut self) -> Result<(), sqlx::Error> {
        self.walk(&PAYLOADS, self.limits.keep_from()).await?;
        loop {
            let next = sqlx::query_scalar(OWNERLESS).fetch_optional(self.session.connection());
            let Some(payload) = next.await? else {
                return Ok(());
            };
            self.delete_ids(payload).await?;
        }
    }

    async fn delete_ids(&mut self, payload: i64) -> Result<(), sqlx::Error> {
        let delete = |stride: Stride| {
            sqlx::query(DELETE_IDS)
                .bind(payload)
                .bind(stride.rows() as i64)
        };
        self.delete_all(Table::PayloadIds, delete).await?;
        let done = sqlx::query(FORGET)
            .bind(payload)
            .execute(self.session.connection());
        done.await.map(drop)
    }
}
