use sea_orm::{ConnectionTrait, DatabaseExecutor, DbErr, Statement};

use super::{Progress, locks, refused};

/// An index as the catalogue describes it.
pub(super) struct Index {
    /// Its name; for an index of each partition what follows the partition's name and `_`.
    name: &'static str,
    unique: bool,
    /// Access method, columns and predicate, as `pg_get_indexdef` prints them after USING.
    using: &'static str,
}

impl Index {
    pub const fn new(name: &'static str, using: &'static str) -> Self {
        Self {
            name,
            unique: false,
            using,
        }
    }

    pub const fn unique(name: &'static str, using: &'static str) -> Self {
        Self {
            name,
            unique: true,
            using,
        }
    }

    fn create(&self) -> &'static str {
        if self.unique {
            "CREATE UNIQUE INDEX"
        } else {
            "CREATE INDEX"
        }
    }
}

/// A partition's index that is part of no index of the whole table.
struct Loose {
    /// Quoted where it must be.
    name: String,
    valid: bool,
}

/// Builds and drops indexes so that readers and writers go on.
pub(super) struct Builder<'a> {
    db: &'a DatabaseExecutor<'a>,
    progress: &'a Progress,
}

impl<'a> Builder<'a> {
    pub fn new(db: &'a DatabaseExecutor<'a>, progress: &'a Progress) -> Self {
        Self { db, progress }
    }

    /// Builds an index of an ordinary table, unless it is there. One of that name whose building was
    /// interrupted is invalid, serves no read and costs every write: it is dropped and built anew.
    pub async fn build(&self, table: &str, index: &Index) -> Result<(), DbErr> {
        self.build_named(table, index.name, index).await
    }

    async fn build_named(&self, table: &str, name: &str, index: &Index) -> Result<(), DbErr> {
        match self.definition(name).await? {
            Some((_, false)) => self.drop_index(name).await?,
            Some((using, true)) if using == index.using => return Ok(()),
            Some((using, true)) => return Err(other_definition(name, &using, index)),
            None => {}
        }
        self.progress.tell(format!("building index {name}"));
        let (create, using) = (index.create(), index.using);
        self.run(&format!(
            "{create} CONCURRENTLY {name} ON {table} USING {using}"
        ))
        .await
    }

    /// Builds an index of `payload_statuses`: CONCURRENTLY is not to be had for a partitioned table,
    /// so the table gets an empty one, each partition its own, and these are attached to it.
    /// A partition's index of the same definition is attached instead of built again.
    pub async fn build_partitioned(&self, index: &Index) -> Result<(), DbErr> {
        let Index { name, using, .. } = index;
        match self.definition(name).await? {
            // An index of a partitioned table is invalid until each partition has its part.
            Some((found, _)) if found == *using => {}
            Some((found, _)) => return Err(other_definition(name, &found, index)),
            None => {
                locks::exclusively(
                    self.db,
                    &format!("CREATE INDEX {name} ON ONLY payload_statuses USING {using}"),
                )
                .await?;
            }
        }
        for partition in self.partitions_without(name).await? {
            self.give_part(&partition, index).await?;
        }
        Ok(())
    }

    async fn give_part(&self, partition: &str, index: &Index) -> Result<(), DbErr> {
        let mut valid = None;
        for loose in self.loose(partition, index).await? {
            if loose.valid {
                valid = Some(loose.name);
            } else {
                self.drop_index(&loose.name).await?;
            }
        }
        let part = match valid {
            Some(name) => name,
            None => self.build_part(partition, index).await?,
        };
        locks::exclusively(
            self.db,
            &format!("ALTER INDEX {} ATTACH PARTITION {part}", index.name),
        )
        .await
    }

    /// PostgreSQL names it, as it names those of partitions made later.
    async fn build_part(&self, partition: &str, index: &Index) -> Result<String, DbErr> {
        let using = index.using;
        self.progress
            .tell(format!("building index {} of {partition}", index.name));
        self.run(&format!(
            "CREATE INDEX CONCURRENTLY ON {partition} USING {using}"
        ))
        .await?;
        let built = self.loose(partition, index).await?;
        let built = built.into_iter().find(|loose| loose.valid);
        built.map(|loose| loose.name).ok_or_else(|| {
            refused(format!(
                "{partition} changed while it got an index, try again"
            ))
        })
    }

    /// Drops what is in `indexes` and not in `kept`. Short, and not CONCURRENTLY: a unique index that
    /// goes away little by little can fail an ON CONFLICT which still knows it.
    pub async fn drop_all(&self, indexes: &[Index], kept: &[Index]) -> Result<(), DbErr> {
        for index in indexes {
            if !kept.iter().any(|kept| kept.name == index.name) {
                self.drop_index(index.name).await?;
            }
        }
        Ok(())
    }

    /// Drops each partition's loose indexes that are what one of `indexes` is and none of `kept`: those of a way
    /// that was left between building one and attaching it.
    pub async fn drop_loose(&self, indexes: &[Index], kept: &[&[Index]]) -> Result<(), DbErr> {
        let is_kept = |index: &&Index| {
            kept.iter()
                .copied()
                .flatten()
                .any(|kept| kept.using == index.using)
        };
        for partition in self.partitions().await? {
            for index in indexes.iter().filter(|index| !is_kept(index)) {
                for loose in self.loose(&partition, index).await? {
                    self.drop_index(&loose.name).await?;
                }
            }
        }
        Ok(())
    }

    async fn drop_index(&self, name: &str) -> Result<(), DbErr> {
        locks::exclusively(self.db, &format!("DROP INDEX IF EXISTS {name}")).await
    }

    /// Builds an own index on each partition.
    pub async fn build_of_partitions(&self, indexes: &[Index]) -> Result<(), DbErr> {
        for partition in self.partitions().await? {
            for index in indexes {
                let name = format!("{partition}_{}", index.name);
                self.build_named(&partition, &name, index).await?;
            }
        }
        Ok(())
    }

    /// Drops each partition's own indexes of these names, unless they have become part of an index
    /// of the whole table.
    pub async fn drop_of_partitions(&self, indexes: &[Index]) -> Result<(), DbErr> {
        for partition in self.partitions().await? {
            for index in indexes {
                let name = format!("{partition}_{}", index.name);
                if self.is_loose(&name).await? {
                    self.drop_index(&name).await?;
                }
            }
        }
        Ok(())
    }

    /// Gives each partition a primary key, so that the whole table can have one without building it.
    pub async fn build_primary_keys_of_partitions(&self) -> Result<(), DbErr> {
        let key = Index::unique("pkey", "btree (id, date)");
        for partition in self.partitions().await? {
            if self.primary_key(&partition).await?.is_some() {
                continue;
            }
            let name = format!("{partition}_pkey");
            self.build_named(&partition, &name, &key).await?;
            locks::exclusively(
                self.db,
                &format!(
                    "ALTER TABLE {partition} ADD CONSTRAINT {name} PRIMARY KEY USING INDEX {name}"
                ),
            )
            .await?;
        }
        Ok(())
    }

    /// Drops primary keys that a partition has for itself: a way down that was left half-way.
    pub async fn drop_primary_keys_of_partitions(&self) -> Result<(), DbErr> {
        for partition in self.partitions().await? {
            if let Some(key) = self.primary_key(&partition).await? {
                let sql = format!("ALTER TABLE {partition} DROP CONSTRAINT {key}");
                locks::exclusively(self.db, &sql).await?;
            }
            self.drop_index(&format!("{partition}_pkey")).await?;
        }
        Ok(())
    }

    async fn run(&self, sql: &str) -> Result<(), DbErr> {
        self.db.execute_unprepared(sql).await.map(drop)
    }

    async fn rows(&self, sql: &str, name: &str) -> Result<Vec<sea_orm::QueryResult>, DbErr> {
        let backend = self.db.get_database_backend();
        let statement = Statement::from_sql_and_values(backend, sql, [name.into()]);
        self.db.query_all_raw(statement).await
    }

    async fn names(&self, sql: &str, name: &str) -> Result<Vec<String>, DbErr> {
        let rows = self.rows(sql, name).await?;
        rows.iter().map(|row| row.try_get_by_index(0)).collect()
    }

    /// All partitions, oldest name first.
    async fn partitions(&self) -> Result<Vec<String>, DbErr> {
        let sql = "SELECT inhrelid::regclass::text FROM pg_inherits \
                   WHERE inhparent = $1::text::regclass ORDER BY 1";
        self.names(sql, "payload_statuses").await
    }

    /// Partitions that have no part in the index.
    async fn partitions_without(&self, index: &str) -> Result<Vec<String>, DbErr> {
        let sql = "SELECT inhrelid::regclass::text FROM pg_inherits AS partition \
                   WHERE inhparent = 'payload_statuses'::regclass AND NOT EXISTS ( \
                       SELECT FROM pg_index JOIN pg_inherits AS part \
                         ON part.inhrelid = indexrelid AND part.inhparent = $1::text::regclass \
                       WHERE indrelid = partition.inhrelid) \
                   ORDER BY 1";
        self.names(sql, index).await
    }

    /// What the index is on, and whether it is valid; none if there is no such index.
    async fn definition(&self, name: &str) -> Result<Option<(String, bool)>, DbErr> {
        let sql = "SELECT split_part(pg_get_indexdef(indexrelid), ' USING ', 2), indisvalid \
                   FROM pg_index WHERE indexrelid = to_regclass($1::text)";
        let rows = self.rows(sql, name).await?;
        let Some(row) = rows.first() else {
            return Ok(None);
        };
        Ok(Some((row.try_get_by_index(0)?, row.try_get_by_index(1)?)))
    }

    /// The partition's loose indexes that are what `index` is.
    async fn loose(&self, partition: &str, index: &Index) -> Result<Vec<Loose>, DbErr> {
        let sql = "SELECT indexrelid::regclass::text, indisvalid, \
                       split_part(pg_get_indexdef(indexrelid), ' USING ', 2) \
                   FROM pg_index JOIN pg_class ON pg_class.oid = indexrelid \
                   WHERE indrelid = $1::text::regclass AND NOT relispartition AND NOT indisunique \
                   ORDER BY indexrelid";
        let mut loose = Vec::new();
        for row in self.rows(sql, partition).await? {
            let using: String = row.try_get_by_index(2)?;
            if using == index.using {
                loose.push(Loose {
                    name: row.try_get_by_index(0)?,
                    valid: row.try_get_by_index(1)?,
                });
            }
        }
        Ok(loose)
    }

    async fn is_loose(&self, name: &str) -> Result<bool, DbErr> {
        let sql = "SELECT relname::text FROM pg_class \
                   WHERE oid = to_regclass($1::text) AND relkind = 'i' AND NOT relispartition";
        Ok(!self.names(sql, name).await?.is_empty())
    }

    /// The name of the partition's primary key.
    async fn primary_key(&self, partition: &str) -> Result<Option<String>, DbErr> {
        let sql = "SELECT quote_ident(conname) FROM pg_constraint \
                   WHERE conrelid = $1::text::regclass AND contype = 'p' AND conparentid = 0";
        Ok(self.names(sql, partition).await?.into_iter().next())
    }
}

fn other_definition(name: &str, found: &str, index: &Index) -> DbErr {
    refused(format!(
        "index {name} is there as {found} where {} was expected: rename or drop it, then try again",
        index.using
    ))
}
