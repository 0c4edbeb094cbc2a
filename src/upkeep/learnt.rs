//! What was learnt of payloads, once it no longer counts.

use sea_orm::sqlx;

use super::event::Table;
use super::round::Round;
use super::stride::Stride;

/// All before the bound go, a step at a time.
const LEARNT: [(Table, &str); 7] = [
    (
        Table::LearntHours,
        "DELETE FROM learnt_hours WHERE ctid = ANY (ARRAY(
             SELECT ctid FROM learnt_hours WHERE hour < $1 ORDER BY hour LIMIT $2))",
    ),
    (
        Table::StepHours,
        "DELETE FROM step_hours WHERE ctid = ANY (ARRAY(
             SELECT ctid FROM step_hours WHERE hour < $1 ORDER BY hour LIMIT $2))",
    ),
    (
        Table::FollowerHours,
        "DELETE FROM follower_hours WHERE ctid = ANY (ARRAY(
             SELECT ctid FROM follower_hours WHERE hour < $1 ORDER BY hour LIMIT $2))",
    ),
    (
        Table::FailureHours,
        "DELETE FROM failure_hours WHERE ctid = ANY (ARRAY(
             SELECT ctid FROM failure_hours WHERE hour < $1 ORDER BY hour LIMIT $2))",
    ),
    (
        Table::FailureCounts,
        "DELETE FROM failure_counts WHERE ctid = ANY (ARRAY(
             SELECT ctid FROM failure_counts WHERE minute < $1 ORDER BY minute LIMIT $2))",
    ),
    (
        Table::FailureMinutes,
        "DELETE FROM failure_minutes WHERE ctid = ANY (ARRAY(
             SELECT ctid FROM failure_minutes WHERE minute < $1 ORDER BY minute LIMIT $2))",
    ),
    (
        Table::Failures,
        "DELETE FROM failures WHERE ctid = ANY (ARRAY(
             SELECT ctid FROM failures WHERE last_seen < $1 ORDER BY last_seen LIMIT $2))",
    ),
];

impl Round<'_> {
    pub(super) async fn delete_learnt(&mut self) -> Result<(), sqlx::Error> {
        let before = self.limits.learnt_from;
        for (table, sql) in LEARNT {
            let delete = |stride: Stride| sqlx::query(sql).bind(before).bind(stride.rows() as i64);
            self.delete_all(table, delete).await?;
        }
        Ok(())
    }
}
