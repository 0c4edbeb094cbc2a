//! A payload's path as a table.

use chrono::{DateTime, TimeDelta, Utc};
use console::{Alignment, Style, measure_text_width, pad_str, truncate_str};

use super::api::{Path, Row};

const TIME_WIDTH: usize = "09:14:07.228".len();
const TOOK_WIDTH: usize = "+59.999s".len();
const GAP: &str = "  ";
/// A message is not shortened below this, however narrow the terminal.
const LEAST_MESSAGE: usize = 12;

/// What most services and statuses need.
const SERVICE_TO_COME: usize = "insights-advisor-service".len();
const STATUS_TO_COME: usize = "processing_success".len();

/// How wide the columns are, and whether in colour.
#[derive(Clone, Copy, Debug)]
pub struct Layout {
    service: usize,
    status: usize,
    /// `None`: as long as it is.
    message: Option<usize>,
    colours: bool,
}

impl Layout {
    /// For these rows on a terminal of `width` columns; without one nothing is shortened.
    pub fn new(rows: &[Row], width: Option<usize>, colours: bool) -> Self {
        let widest = |cell: fn(&Row) -> String, heading: &str| -> usize {
            let widths = rows.iter().map(|row| measure_text_width(&cell(row)));
            widths.max().unwrap_or(0).max(heading.len())
        };
        // Most of a terminal's width belongs to the messages.
        let most = width.map_or(usize::MAX, |width| SERVICE_TO_COME.max(width * 3 / 10));
        let service = widest(service, "SERVICE").min(most);
        let status = widest(|row| row.status.to_string(), "STATUS");
        let others = TIME_WIDTH + service + status + TOOK_WIDTH + 4 * GAP.len();
        Self {
            service,
            status,
            message: width.map(|width| width.saturating_sub(others).max(LEAST_MESSAGE)),
            colours,
        }
    }

    /// With room for rows that are yet to come.
    pub fn roomy(mut self) -> Self {
        let (service, status) = (
            self.service.max(SERVICE_TO_COME),
            self.status.max(STATUS_TO_COME),
        );
        let taken = service - self.service + status - self.status;
        self.message = self
            .message
            .map(|width| width.saturating_sub(taken).max(LEAST_MESSAGE));
        Self {
            service,
            status,
            ..self
        }
    }

    pub fn heading(&self) -> String {
        let cells = ["TIME UTC", "SERVICE", "STATUS", "AFTER", "MESSAGE"];
        let line = self.line(cells, Style::new());
        self.style(Style::new().bold()).apply_to(line).to_string()
    }

    /// The row, and before it the day unless `previous` was of the same one.
    pub fn row(&self, row: &Row, previous: Option<DateTime<Utc>>) -> String {
        let took = previous.map_or(String::new(), |date| after(row.date - date));
        let time = row.date.format("%H:%M:%S%.3f").to_string();
        let service = service(row);
        let cells = [
            &*time,
            &service,
            row.status.as_str(),
            &took,
            row.status_msg.as_str(),
        ];
        let line = self.line(cells, class_style(row.status.as_str()));
        let day = row.date.date_naive();
        if previous.map(|date| date.date_naive()) == Some(day) {
            return line;
        }
        let day = self.style(Style::new().dim()).apply_to(day);
        format!("{day}\n{line}")
    }

    fn line(&self, [time, service, status, took, message]: [&str; 5], emphasis: Style) -> String {
        let status = pad_str(status, self.status, Alignment::Left, None);
        let message = match self.message {
            Some(width) => truncate_str(message, width, "…"),
            None => message.into(),
        };
        let line = [
            pad_str(time, TIME_WIDTH, Alignment::Left, None),
            pad_str(service, self.service, Alignment::Left, Some("…")),
            self.style(emphasis).apply_to(status).to_string().into(),
            pad_str(took, TOOK_WIDTH, Alignment::Right, None),
            message,
        ]
        .join(GAP);
        line.trim_end().to_owned()
    }

    fn style(&self, style: Style) -> Style {
        style.force_styling(self.colours)
    }
}

/// `service (source)`.
fn service(row: &Row) -> String {
    match row.source.as_str() {
        "" => row.service.to_string(),
        source => format!("{} ({source})", row.service),
    }
}

/// The classes of status names: success, failure, and everything else is progress.
fn class_style(status: &str) -> Style {
    match status {
        "success" | "processed" | "processing_success" | "successful" => Style::new().green(),
        "error" | "failed" | "failure" | "processing_error" | "invalid" | "rejected" => {
            Style::new().red()
        }
        _ => Style::new(),
    }
}

/// Time since the status before, to three digits of what matters.
fn after(delta: TimeDelta) -> String {
    if delta < TimeDelta::zero() {
        // A late report: it lies before what is already shown.
        return "late".to_owned();
    }
    let seconds = delta.num_seconds();
    match seconds {
        ..60 => format!("+{seconds}.{:03}s", delta.subsec_nanos() / 1_000_000),
        60..3600 => format!("+{}m{:02}s", seconds / 60, seconds % 60),
        3600..86_400 => format!("+{}h{:02}m", seconds / 3600, seconds % 3600 / 60),
        86_400.. => format!("+{}d{:02}h", seconds / 86_400, seconds % 86_400 / 3600),
    }
}

/// What is known of the payload as a whole, one fact a line; absent facts are left out.
pub fn header(path: &Path) -> String {
    let Some(row) = path.data.last() else {
        return String::new();
    };
    let facts = [
        ("payload", &row.request_id),
        ("org", &row.org_id),
        ("account", &row.account),
        ("inventory", &row.inventory_id),
        ("system", &row.system_id),
    ];
    let known = facts.iter().filter(|(_, value)| !value.as_str().is_empty());
    known.fold(String::new(), |text, (name, value)| {
        format!("{text}{name:<10}{value}\n")
    })
}

/// How many statuses there are and how long it all took.
pub fn footer(path: &Path) -> String {
    let count = path.data.len();
    let plural = if count == 1 { "" } else { "es" };
    let truncated = if path.truncated {
        " (the newest; the API leaves older ones out)"
    } else {
        ""
    };
    let total = path.duration.total_time.as_str();
    format!("{count} status{plural}{truncated}, total time {total}")
}

#[cfg(test)]
mod tests;
