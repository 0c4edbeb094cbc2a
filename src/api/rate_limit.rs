//! How much of the service one client may take.
//!
//! A fixed window of a minute: what the three headers say of it is then exact, where a leaky bucket
//! (the `governor` crate) has no `Remaining` and no `Reset` that a client could rely on.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::client::Client;
use super::problem::Problem;

const WINDOW: Duration = Duration::from_secs(60);
/// Clients that are counted each for itself, in about 3 MB; those beyond share one allowance.
const MOST_CLIENTS: usize = 100_000;

/// Counts the requests of each client within a minute, which begins for all at once.
#[derive(Debug)]
pub struct RateLimit {
    per_minute: u32,
    window: Mutex<Window>,
}

#[derive(Debug)]
struct Window {
    ends: Instant,
    counts: HashMap<IpAddr, u32>,
    /// Of all clients that came when there were too many.
    crowd: u32,
}

/// What a client has left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Allowance {
    admitted: bool,
    remaining: u32,
    /// Until the next window, seconds, rounded up.
    resets_in: u64,
}

impl RateLimit {
    /// `per_minute`: at least 1.
    pub fn of(per_minute: u32) -> Self {
        Self {
            per_minute,
            window: Mutex::new(Window::from(Instant::now())),
        }
    }

    fn admit(&self, client: Client, now: Instant) -> Allowance {
        // Nothing panics while it is held.
        let mut window = self.window.lock().unwrap_or_else(PoisonError::into_inner);
        if now >= window.ends {
            *window = Window::from(now);
        }
        let count = window.count_of(network(client));
        let admitted = *count < self.per_minute;
        *count += u32::from(admitted);
        let remaining = self.per_minute - *count;
        let left = window.ends.saturating_duration_since(now);
        Allowance {
            admitted,
            remaining,
            resets_in: left.as_millis().div_ceil(1_000) as u64,
        }
    }
}

impl Window {
    fn from(now: Instant) -> Self {
        Self {
            ends: now + WINDOW,
            counts: HashMap::new(),
            crowd: 0,
        }
    }

    fn count_of(&mut self, client: IpAddr) -> &mut u32 {
        if self.counts.len() >= MOST_CLIENTS && !self.counts.contains_key(&client) {
            return &mut self.crowd;
        }
        self.counts.entry(client).or_default()
    }
}

/// By what a client is counted: one of IPv6 has at least 2^64 addresses, which are its network's.
fn network(client: Client) -> IpAddr {
    match client.0 {
        Some(IpAddr::V6(address)) => {
            let network = address.to_bits() & !u128::from(u64::MAX);
            IpAddr::V6(Ipv6Addr::from_bits(network))
        }
        Some(address) => address,
        None => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
    }
}

/// Lets a request through, or answers 429; tells the client how much it has left either way.
pub async fn limit(State(limit): State<Arc<RateLimit>>, request: Request, next: Next) -> Response {
    let client = request.extensions().get().copied().unwrap_or(Client(None));
    let allowance = limit.admit(client, Instant::now());
    let mut response = match allowance.admitted {
        true => next.run(request).await,
        false => Problem::TooManyRequests {
            limit: limit.per_minute,
            retry_after: allowance.resets_in,
        }
        .into_response(),
    };
    tell(response.headers_mut(), limit.per_minute, allowance);
    response
}

fn tell(headers: &mut HeaderMap, limit: u32, allowance: Allowance) {
    let now = SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default();
    let reset = now.as_secs() + allowance.resets_in;
    headers.insert("x-ratelimit-limit", HeaderValue::from(limit));
    headers.insert(
        "x-ratelimit-remaining",
        HeaderValue::from(allowance.remaining),
    );
    headers.insert("x-ratelimit-reset", HeaderValue::from(reset));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(text: &str) -> Client {
        Client(Some(text.parse().unwrap()))
    }

    #[test]
    fn each_client_has_its_own_allowance_until_the_window_ends() {
        let limit = RateLimit::of(2);
        let begun = Instant::now();
        let first = client("192.0.2.1");
        let remaining = [0, 1, 59, 60].map(|seconds| {
            let allowance = limit.admit(first, begun + Duration::from_secs(seconds));
            (allowance.admitted, allowance.remaining)
        });
        assert_eq!(remaining[..3], [(true, 1), (true, 0), (false, 0)]);
        assert!(
            limit
                .admit(client("192.0.2.2"), begun + Duration::from_secs(59))
                .admitted
        );
        let after = limit.admit(first, begun + WINDOW + Duration::from_millis(1));
        assert!(after.admitted, "{after:?}");
    }

    #[test]
    fn the_seconds_until_the_next_window_are_rounded_up() {
        let limit = RateLimit::of(1);
        let ends = limit.window.lock().unwrap().ends;
        let before = |millis| limit.admit(client("::1"), ends - Duration::from_millis(millis));
        assert_eq!(before(59_999).resets_in, 60);
        assert_eq!(before(1_001).resets_in, 2);
        assert_eq!(before(1).resets_in, 1);
        assert_eq!(limit.admit(client("::1"), ends).resets_in, 60);
    }

    #[test]
    fn a_network_of_ipv6_is_one_client() {
        let limit = RateLimit::of(1);
        let now = Instant::now();
        assert!(limit.admit(client("2001:db8::1"), now).admitted);
        assert!(!limit.admit(client("2001:db8::ffff:2"), now).admitted);
        assert!(limit.admit(client("2001:db8:0:1::1"), now).admitted);
    }

    #[test]
    fn any_number_of_clients_takes_a_bounded_memory() {
        let limit = RateLimit::of(2);
        let now = Instant::now();
        let address = |n: usize| Client(Some(IpAddr::V4((n as u32).into())));
        for n in 0..MOST_CLIENTS + 2 {
            assert!(limit.admit(address(n), now).admitted, "{n}");
        }
        assert!(
            !limit.admit(address(MOST_CLIENTS + 2), now).admitted,
            "the crowd's is used up"
        );
        assert!(
            limit.admit(address(0), now).admitted,
            "who is known keeps its own"
        );
        assert_eq!(limit.window.lock().unwrap().counts.len(), MOST_CLIENTS);
        limit.admit(address(0), now + 2 * WINDOW);
        assert_eq!(limit.window.lock().unwrap().counts.len(), 1);
    }
}
