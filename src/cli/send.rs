mod lines;
mod progress;
mod status;

use std::fs::File;
use std::io::{BufRead, BufReader, Read, stdin};
use std::path::{Path, PathBuf};

use chrono::Utc;
use tokio::task::block_in_place;

use super::producer::{MAX_MESSAGE_BYTES, Producer};
use super::{Failure, stdout};
use crate::config::{self, Environment, Kafka};
use crate::status::Message;
use lines::{Line, Lines};
use progress::Progress;
use status::Flags;

/// Sends one status, or the JSON lines of a file.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  pt send --service ingress --status received --org-id 11789772
  pt send --service puptoo --status error --status-msg 'no such file' --org-id 11789772 \\
          --request-id 747c1300667b441e8e8f448337588ec0
  pt send messages.jsonl
  kcat -b broker:9092 -C -e -t platform.payload-status | pt send -

A status from flags is checked by the consumer's own rules first. The lines of a file are sent
as they are, only blank ones are left out. The exit code is 0 only when Kafka has every message.")]
pub struct Args {
    /// A file with one message a line; - is stdin
    #[arg(conflicts_with = "Flags")]
    file: Option<PathBuf>,
    #[command(flatten)]
    flags: Flags,
}

pub async fn run(args: Args) -> Result<(), Failure> {
    let environment = Environment::from_process().map_err(Failure::settings)?;
    let kafka = Kafka::load(&environment).map_err(Failure::settings)?;
    match args.file {
        Some(file) => block_in_place(|| send_file(&file, &kafka)),
        None => {
            let validated = args.flags.is_validated();
            let (request_id, message) = args.flags.message();
            if validated {
                check(&message, &environment)?;
            }
            block_in_place(|| send_one(&message, &kafka))?;
            Ok(stdout::print(&format!("request id {request_id}"))?)
        }
    }
}

fn check(message: &[u8], environment: &Environment) -> Result<(), Failure> {
    let rules = config::rules(environment).map_err(Failure::settings)?;
    match Message::decode(message, &rules, Utc::now()) {
        Ok(_) => Ok(()),
        Err(reject) => Err(Failure::settings(format!(
            "the consumer would reject it, {}: {} (--no-validate sends it all the same)",
            reject.reason, reject.detail
        ))),
    }
}

fn send_one(message: &[u8], kafka: &Kafka) -> Result<(), Failure> {
    let producer = Producer::connect(kafka)?;
    producer.send(message);
    producer.finish().report(kafka)
}

fn send_file(file: &Path, kafka: &Kafka) -> Result<(), Failure> {
    let unreadable = |error| Failure::settings(format!("cannot read {}: {error}", file.display()));
    let (input, length): (Box<dyn Read>, _) = if file == Path::new("-") {
        (Box::new(stdin().lock()), None)
    } else {
        let opened = File::open(file).map_err(unreadable)?;
        let metadata = opened.metadata().map_err(unreadable)?;
        (
            Box::new(opened),
            metadata.is_file().then_some(metadata.len()),
        )
    };
    let producer = Producer::connect(kafka)?;
    let progress = Progress::new(length);
    send_lines(BufReader::new(input), &producer, progress).map_err(unreadable)?;
    producer.finish().report(kafka)
}

/// Stops early only when Kafka no longer takes anything.
fn send_lines(
    input: impl BufRead,
    producer: &Producer,
    mut progress: Progress,
) -> std::io::Result<()> {
    let mut lines = Lines::new(input, MAX_MESSAGE_BYTES);
    let mut bytes = 0;
    while let Some(line) = lines.next()? {
        match line {
            Line::Message(message) => {
                bytes += message.len() as u64 + 1;
                producer.send(message);
            }
            Line::TooLong(number) => producer.refuse(format!(
                "line {number} is longer than {MAX_MESSAGE_BYTES} bytes"
            )),
        }
        if producer.is_cut_off() {
            break;
        }
        progress.update(bytes, &producer.outcome());
    }
    Ok(())
}
