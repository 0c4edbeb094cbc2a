//! Who uploads: a few organisations and their hosts, the same ones in every run.

use rand::Rng;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use uuid::Uuid;

const ORGANISATIONS: [(&str, &str); 4] = [
    ("11789772", "6089719"),
    ("3340851", "540155"),
    ("17624040", "7231488"),
    ("5318290", "1460290"),
];
const HOSTS_EACH: usize = 6;

#[derive(Clone, Debug)]
pub struct Host {
    pub inventory_id: String,
    pub system_id: String,
}

#[derive(Clone, Debug)]
pub struct Organisation {
    pub org_id: &'static str,
    pub account: &'static str,
    hosts: Vec<Host>,
}

impl Organisation {
    /// Up to `count` different hosts.
    pub fn some_hosts(&self, count: usize, rng: &mut StdRng) -> Vec<Host> {
        self.hosts.choose_multiple(rng, count).cloned().collect()
    }
}

/// Every organisation there is.
#[derive(Debug)]
pub struct Fleet(Vec<Organisation>);

impl Fleet {
    pub fn new(rng: &mut StdRng) -> Self {
        let organisations = ORGANISATIONS.map(|(org_id, account)| Organisation {
            org_id,
            account,
            hosts: (0..HOSTS_EACH).map(|_| host(rng)).collect(),
        });
        Self(organisations.into())
    }

    pub fn any(&self, rng: &mut StdRng) -> &Organisation {
        &self.0[rng.random_range(0..self.0.len())]
    }
}

fn host(rng: &mut StdRng) -> Host {
    let mut id = || {
        uuid::Builder::from_random_bytes(rng.random())
            .into_uuid()
            .hyphenated()
            .to_string()
    };
    Host {
        inventory_id: id(),
        system_id: id(),
    }
}

/// A request id that no other run uses, as ingress makes them: 32 hex digits.
pub fn request_id() -> String {
    Uuid::new_v4().simple().to_string()
}
