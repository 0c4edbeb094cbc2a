use super::settings::Settings;
use super::stack::Stack;
use crate::cli::stdout;
use crate::dev::demo::Demo;

/// One line of progress. Whoever reads may be gone; that stops nothing.
pub(super) fn say(line: &str) {
    stdout::print(&format!("pt dev: {line}")).ok();
}

/// The block that says where everything is, once it all answers.
pub(super) fn ready(settings: &Settings, stack: &Stack, demo: &Demo) {
    let host = format!("http://localhost:{}", settings.api.number);
    let payloads = format!("{host}/api/v1/payloads");
    let Demo {
        succeeded,
        failed,
        stuck,
    } = demo;
    let files = stack.database_folder().map_or_else(String::new, |folder| {
        format!("\n  its files      {}", folder.display())
    });
    let block = format!(
        "
Payload Tracker is ready, and a demo stream is playing.

  API            {host}/api/v1
  documentation  {host}/docs
  Kafka          localhost:{kafka}, topic {topic}
  data, logs     {folder}
  PostgreSQL     {postgres}{files}

  a payload that succeeded   curl {payloads}/{succeeded}
  one that failed            curl {payloads}/{failed}
  one that is stuck          curl {payloads}/{stuck}

Ctrl-C stops everything; the data stays.
",
        kafka = settings.kafka.number,
        topic = settings.topic,
        postgres = stack.database_url().unwrap_or_default(),
        folder = settings.folder.display(),
    );
    stdout::print(&block).ok();
}
