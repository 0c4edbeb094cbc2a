mod api;
mod table;

use std::collections::HashMap;
use std::io;
use std::time::Duration;

use chrono::{DateTime, Utc};
use console::Term;

use super::text::Text;
use super::{Failure, stdout};
use api::{Api, ApiError, HostId, Path, Payloads, Row};
use stdout::print;
use table::Layout;

const POLL: Duration = Duration::from_secs(1);

/// Prints the path of a payload, step by step.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  pt track 747c1300667b441e8e8f448337588ec0
  pt track --watch 766637dd-653f-4bf0-99a1-a117b455cd96
  PT_API_URL=https://example.com/app/payload-tracker pt track 747c1300667b441e8e8f448337588ec0

Colours are left out where the output is no terminal or NO_COLOR is set.")]
pub struct Args {
    /// A request id, or an inventory or system id: then its payloads are listed and the newest
    /// one is shown
    #[arg(value_parser = not_blank)]
    id: String,
    /// Goes on with new statuses until Ctrl-C; waits for a payload that is not there yet
    #[arg(long)]
    watch: bool,
}

/// The API takes a blank filter for none, and would list everything.
fn not_blank(id: &str) -> Result<String, &'static str> {
    match id.trim() {
        "" => Err("an id is not blank"),
        id => Ok(id.to_owned()),
    }
}

pub async fn run(args: Args) -> Result<(), Failure> {
    let url = std::env::var(api::VARIABLE).unwrap_or_default();
    let url = match url.trim() {
        "" => api::DEFAULT_URL,
        url => url,
    };
    let api = Api::new(url).map_err(Failure::settings)?;
    if !args.watch {
        let found = find(&api, &args.id)
            .await?
            .ok_or_else(|| unknown(&api, &args.id))?;
        Shown::begin(&found, false)?;
        return Ok(print(&table::footer(&found.path))?);
    }
    tokio::select! {
        outcome = watch(&api, &args.id) => outcome,
        interrupted = tokio::signal::ctrl_c() => Ok(interrupted?),
    }
}

fn unknown(api: &Api, id: &str) -> Failure {
    Failure::work(format!(
        "no payload has the request, inventory or system id {:?} (the API at {} was asked)",
        Text::new(id).as_str(),
        api.url()
    ))
}

/// The payload that an id means.
struct Found {
    request_id: String,
    path: Path,
    /// All payloads that name it, if it is a host's id.
    of_host: Option<Payloads>,
}

async fn find(api: &Api, id: &str) -> Result<Option<Found>, ApiError> {
    if let Some(path) = api.path(id).await? {
        return Ok(Some(Found {
            request_id: id.to_owned(),
            path,
            of_host: None,
        }));
    }
    for kind in [HostId::Inventory, HostId::System] {
        let payloads = api.payloads_of(kind, id).await?;
        if let Some(newest) = payloads.data.first() {
            let request_id = newest.request_id.as_str().to_owned();
            let path = api.path(&request_id).await?;
            return Ok(path.map(|path| Found {
                request_id,
                path,
                of_host: Some(payloads),
            }));
        }
    }
    Ok(None)
}

fn list(payloads: &Payloads) -> String {
    let mut text = match payloads.count {
        1 => "1 payload names it:\n".to_owned(),
        count if payloads.count_capped => {
            format!("{count} or more payloads name it; the newest:\n")
        }
        count => format!("{count} payloads name it; the newest:\n"),
    };
    for payload in &payloads.data {
        let created = payload.created_at.format("%Y-%m-%d %H:%M:%S UTC");
        text += &format!("  {created}  {}  {}\n", payload.request_id, payload.org_id);
    }
    text
}

/// Follows the payload for ever.
async fn watch(api: &Api, id: &str) -> Result<(), Failure> {
    let found = await_payload(api, id).await?;
    let mut shown = Shown::begin(&found, true)?;
    let mut trouble = Trouble::default();
    loop {
        tokio::time::sleep(POLL).await;
        if let Some(path) = trouble.told(api.path(&found.request_id).await) {
            shown.add(&path)?;
        }
    }
}

async fn await_payload(api: &Api, id: &str) -> Result<Found, ApiError> {
    if let Some(found) = find(api, id).await? {
        return Ok(found);
    }
    eprintln!("pt: {}; waiting for it", unknown(api, id));
    let mut trouble = Trouble::default();
    loop {
        tokio::time::sleep(POLL).await;
        if let Some(found) = trouble.told(find(api, id).await) {
            return Ok(found);
        }
    }
}

/// What went wrong with the last question, so that an outage is said once and not every second.
#[derive(Default)]
struct Trouble(Option<String>);

impl Trouble {
    fn told<T>(&mut self, answer: Result<Option<T>, ApiError>) -> Option<T> {
        match answer {
            Ok(answer) => {
                self.0 = None;
                answer
            }
            Err(error) => {
                let text = Failure::from(error).to_string();
                if self.0.as_ref() != Some(&text) {
                    eprintln!("pt: {text}; asking again");
                    self.0 = Some(text);
                }
                None
            }
        }
    }
}

/// What is on the screen already.
struct Shown {
    layout: Layout,
    rows: HashMap<Row, usize>,
    newest: Option<DateTime<Utc>>,
}

impl Shown {
    /// Prints what stands above the rows, and the rows.
    fn begin(found: &Found, more_to_come: bool) -> io::Result<Self> {
        let path = &found.path;
        if let Some(payloads) = &found.of_host {
            print(&list(payloads))?;
        }
        let terminal = Term::stdout();
        let width = terminal.is_term().then(|| usize::from(terminal.size().1));
        let mut layout = Layout::new(&path.data, width, colours(&terminal));
        if more_to_come {
            layout = layout.roomy();
        }
        let header = table::header(path);
        if header.is_empty() {
            print(&format!("payload   {}", Text::new(&found.request_id)))?;
        }
        print(&format!("{header}\n{}", layout.heading()))?;
        let mut shown = Self {
            layout,
            rows: HashMap::new(),
            newest: None,
        };
        shown.add(path)?;
        Ok(shown)
    }

    /// Prints the rows that are not there yet. Rows have no id of their own: two equal ones
    /// are told apart by counting.
    fn add(&mut self, path: &Path) -> io::Result<()> {
        let mut counted: HashMap<&Row, usize> = HashMap::new();
        for row in &path.data {
            let count = counted.entry(row).or_default();
            *count += 1;
            if *count > self.rows.get(row).copied().unwrap_or(0) {
                print(&self.layout.row(row, self.newest))?;
                self.newest = self.newest.max(Some(row.date));
                self.rows.insert(row.clone(), *count);
            }
        }
        Ok(())
    }
}

fn colours(terminal: &Term) -> bool {
    let set = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    terminal.is_term() && !set("NO_COLOR") && std::env::var_os("TERM").is_some_and(|t| t != "dumb")
}
