use sea_orm::DbErr;
use sea_orm_migration::async_trait::async_trait;
use sea_orm_migration::prelude::{MigrationName, MigrationTrait, SchemaManager};

use super::Progress;
use super::indexes::{Builder, Index};

const STATUS_ID_DATE: Index = Index::new(
    "payload_statuses_status_id_date_idx",
    "btree (status_id, date)",
);

/// What the reads of the API need, and no more: each index is paid for with every status.
const STATUSES: [Index; 6] = [
    Index::new("payload_statuses_payload_id_idx", "btree (payload_id)"),
    Index::new("payload_statuses_date_idx", "btree (date)"),
    Index::new(
        "payload_statuses_service_id_status_id_date_idx",
        "btree (service_id, status_id, date)",
    ),
    STATUS_ID_DATE,
    // Its first name would be payload_statuses_source_id_date_idx, but the Go tracker has one of
    // that name, on other columns.
    Index::new(
        "payload_statuses_source_date_idx",
        "btree (source_id, date) WHERE (source_id IS NOT NULL)",
    ),
    Index::new("payload_statuses_created_at_idx", "brin (created_at)"),
];

const GO_STATUSES: [Index; 7] = [
    Index::new(
        "payload_statuses_service_id_created_at_idx",
        "btree (service_id, created_at)",
    ),
    Index::new(
        "payload_statuses_service_id_date_idx",
        "btree (service_id, date)",
    ),
    Index::new(
        "payload_statuses_service_id_status_id_idx",
        "btree (service_id, status_id)",
    ),
    Index::new(
        "payload_statuses_status_id_created_at_idx",
        "btree (status_id, created_at)",
    ),
    STATUS_ID_DATE,
    // Both are on status_id there, whatever their names say.
    Index::new(
        "payload_statuses_source_id_created_at_idx",
        "btree (status_id, created_at)",
    ),
    Index::new(
        "payload_statuses_source_id_date_idx",
        "btree (status_id, date)",
    ),
];

/// What the Go tracker's create_partition made on each partition beside those of the table.
const GO_PARTITION: [Index; 7] = [
    Index::unique("id_idx", "btree (id)"),
    Index::new("payload_id_idx", "btree (payload_id)"),
    Index::new("service_id_idx", "btree (service_id)"),
    Index::new("source_id_idx", "btree (source_id)"),
    Index::new("status_id_idx", "btree (status_id)"),
    Index::new("date_idx", "btree (date)"),
    Index::new("created_at_idx", "btree (created_at)"),
];

const PAYLOADS: [Index; 3] = [
    Index::new("payloads_created_at_idx", "btree (created_at)"),
    Index::new(
        "payloads_org_id_created_at_idx",
        "btree (org_id, created_at)",
    ),
    Index::new(
        "payloads_account_created_at_idx",
        "btree (account, created_at)",
    ),
];

const GO_PAYLOADS: [Index; 6] = [
    Index::new("payloads_account_idx", "btree (account)"),
    Index::new("payloads_created_at_idx", "btree (created_at)"),
    Index::unique("payloads_id_idx", "btree (id)"),
    Index::new("payloads_inventory_id_idx", "btree (inventory_id)"),
    Index::unique("payloads_request_id_idx", "btree (request_id)"),
    Index::new("payloads_system_id_idx", "btree (system_id)"),
];

/// The Go tracker's indexes become ours, and the other way round. Outside a transaction, since
/// CREATE INDEX CONCURRENTLY allows none; each part finds out what is there before it does anything.
pub(super) struct Indexes(pub Progress);

impl MigrationName for Indexes {
    fn name(&self) -> &str {
        "0008_indexes"
    }
}

#[async_trait]
impl MigrationTrait for Indexes {
    /// New indexes first, so that no read is without one.
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let builder = Builder::new(manager.get_connection(), &self.0);
        for index in &PAYLOADS {
            builder.build("payloads", index).await?;
        }
        for index in &STATUSES {
            builder.build_partitioned(index).await?;
        }
        builder.drop_all(&GO_PAYLOADS, &PAYLOADS).await?;
        builder.drop_all(&GO_STATUSES, &STATUSES).await?;
        builder.drop_loose(&GO_STATUSES, &[&STATUSES]).await?;
        builder.drop_primary_keys_of_partitions().await?;
        builder.drop_of_partitions(&GO_PARTITION).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let builder = Builder::new(manager.get_connection(), &self.0);
        for index in &GO_PAYLOADS {
            builder.build("payloads", index).await?;
        }
        builder.drop_all(&PAYLOADS, &GO_PAYLOADS).await?;
        builder.drop_all(&STATUSES, &GO_STATUSES).await?;
        builder
            .drop_loose(&STATUSES, &[&GO_STATUSES, &GO_PARTITION])
            .await?;
        for index in &GO_STATUSES {
            builder.build_partitioned(index).await?;
        }
        builder.build_of_partitions(&GO_PARTITION).await?;
        builder.build_primary_keys_of_partitions().await
    }

    fn use_transaction(&self) -> Option<bool> {
        Some(false)
    }
}
