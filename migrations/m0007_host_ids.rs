use sea_orm::{ConnectionTrait, DbErr, Statement};
use sea_orm_migration::async_trait::async_trait;
use sea_orm_migration::prelude::{MigrationName, MigrationTrait, SchemaManager};

use super::Progress;
use super::locks;

const UP: &str = include_str!("0007_host_ids.up.sql");
const DOWN: &str = include_str!("0007_host_ids.down.sql");

/// The next 20,000 payloads, by set, in one transaction with the note of how far it got.
/// Small enough to hold up neither vacuum nor a replica, large enough to be quick.
const FILL: &str = "
    WITH payload AS (
        SELECT id, inventory_id, system_id FROM payloads
        WHERE id > (SELECT done_id FROM host_ids_progress)
          AND id <= (SELECT last_id FROM host_ids_progress)
        ORDER BY id LIMIT 20000
    ), named AS (
        INSERT INTO payload_ids (kind, value, payload_id)
        SELECT kind, value, id
        FROM payload CROSS JOIN LATERAL (VALUES
            (1::smallint, host_id(inventory_id)), (2::smallint, host_id(system_id))
        ) AS host (kind, value)
        WHERE value IS NOT NULL
        ON CONFLICT DO NOTHING
    )
    UPDATE host_ids_progress SET done_id = coalesce((SELECT max(id) FROM payload), last_id)
    RETURNING done_id, last_id";

/// Brings the host ids of existing payloads into `payload_ids`. Outside a transaction: it goes on
/// where it was interrupted, and a single transaction over all payloads would hold back vacuum.
pub(super) struct HostIds(pub Progress);

impl MigrationName for HostIds {
    fn name(&self) -> &str {
        "0007_host_ids"
    }
}

#[async_trait]
impl MigrationTrait for HostIds {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let db = manager.get_connection();
        locks::exclusively(db, UP).await?;
        loop {
            let statement = Statement::from_string(db.get_database_backend(), FILL);
            let Some(row) = db.query_one_raw(statement).await? else {
                return Err(super::refused("host_ids_progress has lost its row"));
            };
            let (done, last): (i64, i64) = (row.try_get_by_index(0)?, row.try_get_by_index(1)?);
            self.0.tell(format!(
                "host ids of payloads up to id {done} of {last} are in payload_ids"
            ));
            if done >= last {
                break;
            }
        }
        locks::exclusively(db, "DROP TABLE host_ids_progress; ANALYZE payload_ids").await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        locks::exclusively(manager.get_connection(), DOWN).await
    }

    fn use_transaction(&self) -> Option<bool> {
        Some(false)
    }
}
