use std::io::{self, Write};

use sea_orm::{DatabaseConnection, EntityTrait};

use super::instant;
use crate::cli::text::Text;
use crate::cli::{Failure, stdout};
use crate::store::entity::{redrives, rejects};

/// Prints everything that is kept of one reject
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  pt rejects show 17
  pt rejects show 17 --value > 17.json    # to be edited, see pt rejects redrive")]
pub struct Args {
    /// The reject's id, as pt rejects list has it
    id: i64,
    /// Only the message, byte for byte
    #[arg(long)]
    value: bool,
}

pub async fn run(args: Args, db: &DatabaseConnection) -> Result<(), Failure> {
    let found = rejects::Entity::find_by_id(args.id).one(db).await?;
    let Some(reject) = found else {
        return Err(Failure::work(format!(
            "there is no reject {}; they are kept for 30 days",
            args.id
        )));
    };
    if args.value {
        let mut out = io::stdout().lock();
        out.write_all(&reject.value.unwrap_or_default())?;
        return Ok(out.flush()?);
    }
    let redrives = redrives::of_reject(args.id).all(db).await?;
    let mut lines = facts(&reject);
    lines.extend(redrives.iter().map(told));
    Ok(stdout::print(&lines.join("\n"))?)
}

fn facts(reject: &rejects::Model) -> Vec<String> {
    let text = |text: &Option<String>| text.as_deref().map(|text| Text::new(text).to_string());
    let bytes = |bytes: &Option<Vec<u8>>| bytes.as_deref().map(shown);
    let origin = format!(
        "{}, partition {}, offset {}",
        Text::new(&reject.topic),
        reject.partition,
        reject.offset
    );
    let facts = [
        ("reject", Some(reject.id.to_string())),
        ("reason", Some(reject.reason.clone())),
        ("detail", Some(Text::new(&reject.detail).to_string())),
        ("sqlstate", reject.sqlstate.clone()),
        ("service", text(&reject.service)),
        ("request id", text(&reject.request_id)),
        ("from", Some(origin)),
        ("produced", reject.produced_at.map(instant)),
        ("received", Some(instant(reject.received_at))),
        ("redriven", reject.redriven_at.map(instant)),
        ("key", bytes(&reject.key)),
        (
            "value",
            Some(bytes(&reject.value).unwrap_or_else(|| "(tombstone)".to_owned())),
        ),
    ];
    let known = facts.into_iter();
    known
        .filter_map(|(name, value)| Some(format!("{name:<12}{}", value?)))
        .collect()
}

/// Bytes on one line, with U+FFFD for what is no text; `--value` has them as they are.
fn shown(bytes: &[u8]) -> String {
    let text = Text::new(&String::from_utf8_lossy(bytes));
    let length = bytes.len();
    match std::str::from_utf8(bytes) {
        Ok(_) => format!("{text}  ({length} bytes)"),
        Err(_) => format!("{text}  ({length} bytes, not UTF-8)"),
    }
}

fn told(redrive: &redrives::Model) -> String {
    let why = redrive
        .detail
        .as_deref()
        .map_or_else(String::new, |detail| format!(": {}", Text::new(detail)));
    let edited = redrive
        .edited
        .as_deref()
        .map_or_else(String::new, |edited| {
            format!("\n{:<12}edited to {}", "", shown(edited))
        });
    format!(
        "{:<12}{} by {}: {}{why}{edited}",
        "redrive",
        instant(redrive.at),
        Text::new(&redrive.by),
        redrive.outcome,
    )
}
