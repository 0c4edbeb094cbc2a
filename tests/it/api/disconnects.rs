//! Clients that ask and go away in mid-answer, in their hundreds, to the real `pt-api`.

use std::fs;
use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

use sea_orm::sqlx::{PgPool, query, query_scalar};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::stream::{Said, commit, lanes, shout};
use crate::ingest::lab::is_ready;
use crate::support::{self, Process, eventually, sockets};

const SOON: Duration = Duration::from_secs(30);

/// The largest answers there are, and streams.
const LARGE: [&str; 7] = [
    "/v1/statuses?page_size=1000",
    "/v1/statuses?page_size=1000&format=csv",
    "/v1/payloads?page_size=1000&format=csv",
    "/v1/payloads/r/trace",
    "/v1/payloads/r",
    "/v1/payloads/r/events",
    "/v1/statuses/live",
];

/// Absent until the first.
const LISTENERS: &str = "payload_tracker_live_listeners ";

/// How many clients go away in a round.
const CLIENTS: usize = 210;

/// How far memory may still grow once it was as large as it gets, KiB.
const NOISE: u64 = 48 * 1_024;

/// 2,000 statuses of 4 kB.
async fn large(pool: &PgPool) {
    lanes(1, pool).await;
    commit(&Said::default(), 0, 0..1, pool).await;
    query(
        "INSERT INTO payload_statuses (payload_id, service_id, status_id, status_msg, date) \
         SELECT payload_id, service_id, status_id, repeat(md5(n::text), 128), date - n * interval '1 ms' \
           FROM payload_statuses, generate_series(1, 2000) AS n",
    )
    .execute(pool)
    .await
    .unwrap();
    query("INSERT INTO payloads (request_id) SELECT 'r' || n FROM generate_series(1, 1000) AS n")
        .execute(pool)
        .await
        .unwrap();
}

/// Asks, reads the beginning of the answer, or nothing of it, and goes.
async fn ask_and_go(port: u16, path: &str, reads: bool) {
    let mut client = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nhost: x\r\n\r\n");
    client.write_all(request.as_bytes()).await.unwrap();
    if reads {
        let mut begin = [0; 1_024];
        let read = timeout(SOON, client.read(&mut begin)).await.expect(path);
        let begin = String::from_utf8_lossy(&begin[..read.unwrap()]).into_owned();
        // So many at once are more than the pool has sessions for: some are told to come again.
        let is_fine = ["HTTP/1.1 200", "HTTP/1.1 503"]
            .iter()
            .any(|fine| begin.starts_with(fine));
        assert!(is_fine, "{path}: {begin}");
    }
}

async fn a_round(api: &Process) {
    let mut clients = JoinSet::new();
    for number in 0..CLIENTS {
        let (port, path) = (api.public_port, LARGE[number % LARGE.len()]);
        clients.spawn(ask_and_go(port, path, number % 2 == 0));
        if clients.len() >= 14 {
            clients.join_next().await.unwrap().unwrap();
        }
    }
    clients.join_all().await;
}

async fn metric(api: &Process, name: &str) -> f64 {
    let (_, text) = api.probe("/metrics").await.unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix(name));
    line.map_or(0.0, |number| number.trim().parse().unwrap())
}

fn resident_kibibytes(process: &Process) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", process.pid())).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:"));
    let number = line.unwrap().split_whitespace().nth(1);
    number.unwrap().parse().unwrap()
}

/// Sessions of the API that do something, or are in a transaction.
async fn busy(pool: &PgPool) -> i64 {
    query_scalar(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() \
         AND application_name = 'pt-api' AND state <> 'idle'",
    )
    .fetch_one(pool)
    .await
    .unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn hundreds_that_go_away_leave_nothing_behind() {
    let database = support::database().await;
    let pool = &database.pool;
    large(pool).await;
    let mut env = database.env();
    env.push(("MAX_REQUESTS_PER_MINUTE".to_owned(), "0".to_owned()));
    env.push(("DB_MAX_CONNECTIONS".to_owned(), "5".to_owned()));
    let api = Process::spawn("pt-api", env);
    is_ready(&api).await;
    let mut resident = Vec::new();
    for round in 0..3 {
        a_round(&api).await;
        eventually("nobody listens", SOON, || async {
            let listeners = metric(&api, LISTENERS).await;
            (listeners == 0.0).then_some(())
        })
        .await;
        eventually("the sessions are idle", SOON, || async {
            (busy(pool).await == 0).then_some(())
        })
        .await;
        eventually("the connections are closed", SOON, || async {
            (sockets::open(api.public_port) == 0).then_some(())
        })
        .await;
        resident.push(resident_kibibytes(&api));
        // The pool has its sessions back: as many at once as it holds, twice.
        let mut next = JoinSet::new();
        for _ in 0..10 {
            let url = format!("http://127.0.0.1:{}/v1/payloads", api.public_port);
            next.spawn(async move { reqwest::get(url).await.unwrap().status() });
        }
        let next = timeout(Duration::from_secs(5), next.join_all()).await;
        assert!(
            next.expect("answers").iter().all(|status| *status == 200),
            "round {round}"
        );
    }
    println!("resident after each round: {resident:?} KiB");
    assert!(
        resident[2] < resident[1].max(resident[0]) + NOISE,
        "{resident:?}"
    );
}

/// Asks and never reads.
async fn deaf(port: u16, path: &str) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4_096).unwrap();
    let address = (Ipv4Addr::LOCALHOST, port).into();
    let mut deaf = socket.connect(address).await.unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nhost: x\r\n\r\n");
    deaf.write_all(request.as_bytes()).await.unwrap();
    deaf
}

#[tokio::test(flavor = "multi_thread")]
async fn who_never_reads_is_cut_off() {
    let database = support::database().await;
    let pool = &database.pool;
    lanes(1, pool).await;
    shout(pool, 0..100).await;
    let api = Process::spawn("pt-api", database.env());
    is_ready(&api).await;
    let mut clients = Vec::new();
    for path in ["/v1/statuses/live", "/v1/statuses?page_size=1000"] {
        for _ in 0..3 {
            clients.push(deaf(api.public_port, path).await);
        }
    }
    eventually("they listen", SOON, || async {
        (metric(&api, LISTENERS).await == 3.0).then_some(())
    })
    .await;
    let begun = Instant::now();
    for round in 10..20 {
        shout(pool, 10 * round..10 * round + 10).await;
    }
    eventually("their connections are closed", 3 * SOON, || async {
        (sockets::open(api.public_port) == 0).then_some(())
    })
    .await;
    assert!(
        begun.elapsed() > Duration::from_secs(20),
        "the limit is 30 s"
    );
    assert_eq!(metric(&api, LISTENERS).await, 0.0);
    // Whether the last event still fits into what is buffered is chance.
    let mut cut_off = 0.0;
    for reason in ["too_slow", "stalled"] {
        let name = format!("payload_tracker_live_listeners_cut_off{{reason=\"{reason}\"}} ");
        cut_off += metric(&api, &name).await;
    }
    assert_eq!(cut_off, 3.0);
    drop(clients);
}
