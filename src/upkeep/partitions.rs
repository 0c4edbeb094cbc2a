//! Partitions before they are needed: the writer makes what is missing, but then a batch waits.

use chrono::{Days, NaiveDate, NaiveTime};
use sea_orm::sqlx;

use super::round::{Patience, Round};
use super::{Event, Partitions};

/// Makes what no partition covers of the days in the range, each beside the table, and attaches it.
const CREATE: &str = "SELECT create_partition($1, $2)";

impl Round<'_> {
    pub(super) async fn make_ahead(&mut self) -> Result<(), sqlx::Error> {
        let partitions = self.partitions().await?;
        let limits = self.limits;
        for day in limits.days_ahead() {
            if partitions.cover(day) {
                continue;
            }
            self.make(day).await?;
            let made = self.partitions().await?.cover(day);
            self.tell(if made {
                Event::Made { day }
            } else {
                Event::Covered { day }
            });
        }
        Ok(())
    }

    pub(super) async fn partitions(&mut self) -> Result<Partitions, sqlx::Error> {
        Partitions::read(self.session.connection()).await
    }

    /// A day at a time, so that a lock is held for one and no more.
    async fn make(&mut self, day: NaiveDate) -> Result<(), sqlx::Error> {
        let start = day.and_time(NaiveTime::MIN).and_utc();
        let mut patience = Patience::default();
        loop {
            let made = sqlx::query(CREATE)
                .bind(start)
                .bind(start + Days::new(1))
                .execute(self.session.connection());
            let Err(error) = made.await else {
                return Ok(());
            };
            patience.after(error, "payload_statuses", self).await?;
        }
    }
}
