use chrono::{DateTime, Utc};
use console::{Term, measure_text_width, pad_str, truncate_str};
use sea_orm::{DatabaseConnection, QuerySelect};

use super::filter;
use crate::cli::text::Text;
use crate::cli::{Failure, stdout};
use crate::status::{Reason, canonical_request_id};
use crate::store::entity::rejects::{Summary, Wanted};
use crate::store::entity::{Span, count_capped};

/// How far matches are counted.
const COUNTED_TO: u64 = 10_000;

/// Lists rejects, the newest first
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  pt rejects list --reason missing_field --since 24h --open")]
pub struct Args {
    /// What could be read of the service
    #[arg(long, value_parser = filter::service)]
    service: Option<String>,
    /// Why it was rejected, such as missing_field
    #[arg(long, value_parser = filter::reason)]
    reason: Option<Reason>,
    /// What could be read of the request id
    #[arg(long)]
    request_id: Option<String>,
    /// The Kafka partition it came from
    #[arg(long)]
    partition: Option<i32>,
    /// Rejected since then: 24h ago, 7d ago, or a time in RFC 3339
    #[arg(long, value_parser = filter::moment)]
    since: Option<DateTime<Utc>>,
    /// Rejected before then
    #[arg(long, value_parser = filter::moment)]
    until: Option<DateTime<Utc>>,
    /// Only what is no status yet
    #[arg(long, conflicts_with = "redriven")]
    open: bool,
    /// Only what was redriven with success
    #[arg(long)]
    redriven: bool,
    /// How many to list
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u64).range(1..=100_000))]
    limit: u64,
}

impl Args {
    fn wanted(self) -> Wanted {
        let forms = |id: String| {
            let id = id.trim();
            vec![canonical_request_id(id).into_owned(), id.to_owned()]
        };
        Wanted {
            service: self.service,
            reason: self.reason,
            request_ids: self.request_id.map(forms),
            partition: self.partition,
            redriven: (self.open || self.redriven).then_some(self.redriven),
            received: Span {
                gte: self.since,
                lt: self.until,
                ..Span::default()
            },
        }
    }
}

pub async fn run(args: Args, db: &DatabaseConnection) -> Result<(), Failure> {
    let limit = args.limit;
    let wanted = args.wanted();
    let newest = wanted.newest(limit).limit(limit);
    let rows = newest.into_partial_model::<Summary>().all(db).await?;
    let matches = count_capped(wanted.all(), COUNTED_TO, db).await?;
    let width = Term::stdout()
        .size_checked()
        .map(|(_, columns)| usize::from(columns));
    stdout::print(&table(&rows, width))?;
    let more = if matches.capped { "more than " } else { "" };
    let rejects = if matches.count == 1 {
        "reject"
    } else {
        "rejects"
    };
    let shown = rows.len() as u64;
    let listed = if shown < matches.count {
        format!("; the newest {shown} are listed (--limit)")
    } else {
        String::new()
    };
    Ok(stdout::print(&format!(
        "{more}{} {rejects}{listed}",
        matches.count
    ))?)
}

fn table(rows: &[Summary], width: Option<usize>) -> String {
    let heading = ["ID", "RECEIVED UTC", "SERVICE", "REASON", "DETAIL"].map(str::to_owned);
    let cells: Vec<[String; 5]> = std::iter::once(heading)
        .chain(rows.iter().map(cells))
        .collect();
    let mut widths = [0; 4];
    for row in &cells {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = measure_text_width(cell).max(*width);
        }
    }
    let lines: Vec<String> = cells.iter().map(|row| line(row, widths, width)).collect();
    lines.join("\n")
}

fn cells(row: &Summary) -> [String; 5] {
    let clean = |text: &str| Text::new(text).to_string();
    let redriven = if row.redriven_at.is_some() {
        "(redriven) "
    } else {
        ""
    };
    [
        row.id.to_string(),
        row.received_at.format("%Y-%m-%d %H:%M:%S").to_string(),
        row.service.as_deref().map_or("-".to_owned(), clean),
        clean(&row.reason),
        format!("{redriven}{}", clean(&row.detail)),
    ]
}

fn line(cells: &[String; 5], widths: [usize; 4], width: Option<usize>) -> String {
    let mut line = String::new();
    for (cell, width) in cells.iter().zip(widths) {
        line += &pad_str(cell, width, console::Alignment::Left, None);
        line += "  ";
    }
    line += &cells[4];
    match width {
        Some(width) => truncate_str(&line, width, "…").into_owned(),
        None => line,
    }
}
