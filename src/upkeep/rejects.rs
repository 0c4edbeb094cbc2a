//! Rejects that have expired, with the trace of their redrives, and the hourly counts of producers.

use sea_orm::sqlx;

use super::event::Table;
use super::round::Round;
use super::stride::Stride;
use super::walk::Walk;

const REJECTS: Walk = Walk {
    table: Table::Rejects,
    dependents: Table::Redrives,
    page: "
SELECT received_at AS at, id, true AS expired,
       (SELECT count(*) FROM redrives WHERE reject_id = id) AS dependents
  FROM rejects
 WHERE received_at >= $1 AND (received_at, id) > ($1, $2) AND received_at < $4
 ORDER BY received_at, id LIMIT $3",
    expire: "SELECT * FROM expire_rejects($1, $2, $3)",
};

/// All before the bound go, so that the first that are left are where the last step stopped.
const HOURS: [(Table, &str); 2] = [
    (
        Table::ProducerHours,
        "DELETE FROM producer_hours WHERE ctid = ANY (ARRAY(
             SELECT ctid FROM producer_hours WHERE hour < $1 ORDER BY hour LIMIT $2))",
    ),
    (
        Table::RejectHours,
        "DELETE FROM reject_hours WHERE ctid = ANY (ARRAY(
             SELECT ctid FROM reject_hours WHERE hour < $1 ORDER BY hour LIMIT $2))",
    ),
];

impl Round<'_> {
    pub(super) async fn delete_rejects(&mut self) -> Result<(), sqlx::Error> {
        self.walk(&REJECTS, self.limits.rejects_from).await
    }

    pub(super) async fn delete_hours(&mut self) -> Result<(), sqlx::Error> {
        let before = self.limits.rejects_from;
        for (table, sql) in HOURS {
            let delete = |stride: Stride| sqlx::query(sql).bind(before).bind(stride.rows() as i64);
            self.delete_all(table, delete).await?;
        }
        Ok(())
    }
}
