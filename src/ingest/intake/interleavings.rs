//! Every order of receiving, writing, refusing, losing lanes and crashing, with the store as a model: whatever
//! happens, each offset of the log ends once, as a status, a reject or a hole.
//!
//! [`Intake`], [`halving`] and [`Odd`] are the real ones. The model of the store holds to the same rules as
//! `store::writer`: a part is written only where it starts at the stored offset, all of a batch or nothing, or
//! its odd half first.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use proptest::prelude::*;
use proptest::sample::select;

use super::*;
use crate::status::Reason;
use crate::store::batch::samples::message;
use crate::store::halving::{self, Halved, Refusal};
use crate::store::odd_offsets::Odd;
use crate::store::parity::Parity;
use crate::store::writer::Written;

const LANES: [Lane; 3] = [0, 1, 2];
const MEMBERS: usize = 3;

/// What a partition's log holds at an offset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Slot {
    Message,
    /// Decoding makes a reject of it.
    Bad,
    /// The database refuses its row.
    Poison,
    /// A transaction marker, or nothing any more.
    Hole,
}

type Log = BTreeMap<Lane, Vec<Slot>>;

/// What the database holds of one lane.
#[derive(Debug, Default)]
struct Table {
    next: i64,
    skipped: i64,
    /// Counted with the offset, apart from the rows.
    rejected: i64,
    statuses: Vec<i64>,
    rejects: Vec<i64>,
    odd: Odd,
}

impl Table {
    fn write(&mut self, part: &Part) {
        self.write_rows(part, |_| true);
        self.next = part.end;
        self.skipped += part.skipped();
        self.rejected += self.odd.rejected(part);
    }

    fn write_odd(&mut self, part: &Part) {
        self.write_rows(part, |parity| parity == Parity::Odd);
        self.odd = self.odd.advanced(part);
    }

    fn write_rows(&mut self, part: &Part, of: impl Fn(Parity) -> bool) {
        let is_new = |offset, parity| of(parity) && !self.odd.is_done(offset, parity);
        let stored = part.stored.iter();
        let stored = stored.map(|one| (one.offset, Parity::of(&one.message.request_id)));
        let rejected = part.rejected.iter();
        let rejected = rejected.map(|one| (one.offset, Parity::of_reject(&one.reject)));
        let new = |(offset, parity)| is_new(offset, parity).then_some(offset);
        self.statuses.extend(stored.filter_map(new));
        self.rejects.extend(rejected.filter_map(new));
    }

    /// Everything below the stored offset is there once, as what the log has there, and beyond it only
    /// what is odd, below the odd offset.
    fn check(&self, log: &[Slot]) {
        let is_passed = |offset: i64| {
            offset < self.next || self.odd.is_done(offset, Parity::of(&request_id(offset)))
        };
        let of = |wanted: &[Slot], is_passed: &dyn Fn(i64) -> bool| -> Vec<i64> {
            let slots = (0..).zip(log).filter(|(_, slot)| wanted.contains(slot));
            let offsets = slots.map(|(offset, _)| offset);
            offsets.filter(|offset| is_passed(*offset)).collect()
        };
        let sorted = |offsets: &[i64]| {
            let mut offsets = offsets.to_vec();
            offsets.sort_unstable();
            offsets
        };
        let (bad, hole) = ([Slot::Bad, Slot::Poison], [Slot::Hole]);
        assert_eq!(sorted(&self.statuses), of(&[Slot::Message], &is_passed));
        assert_eq!(sorted(&self.rejects), of(&bad, &is_passed));
        let counted = |slots: &[Slot]| of(slots, &|offset| offset < self.next).len() as i64;
        assert_eq!(self.skipped, counted(&hole));
        assert_eq!(self.rejected, counted(&bad));
    }
}

/// Of the message at an offset: every other payload is odd.
fn request_id(offset: i64) -> String {
    (offset % 10).to_string()
}

/// The database.
#[derive(Debug)]
struct Store {
    log: Log,
    tables: BTreeMap<Lane, Table>,
}

impl Store {
    fn new(log: Log) -> Self {
        let tables = log.keys().map(|lane| (*lane, Table::default()));
        Self {
            tables: tables.collect(),
            log,
        }
    }

    /// As `Writer::write`; none if a row is refused.
    fn write(&mut self, batch: &Batch) -> Option<Written> {
        let passed = self.passed(batch);
        if self.refuses(batch, &passed, |_| true) {
            return None;
        }
        let mut written = Written::default();
        for (lane, part) in &batch.parts {
            let table = self.tables.get_mut(lane).unwrap();
            if passed.contains(lane) {
                table.write(part);
            }
            // Done by an earlier attempt, or no longer where its reader believes it to be.
            if table.next == part.end {
                written.committed.insert(*lane, part.end);
            } else {
                written.lost.insert(*lane, Some(table.next));
            }
        }
        Some(written)
    }

    /// As `Writer::write` of a large batch that goes no further than its odd half; false if a row of that
    /// is refused.
    fn write_odd(&mut self, batch: &Batch) -> bool {
        let passed = self.passed(batch);
        if self.refuses(batch, &passed, |parity| parity == Parity::Odd) {
            return false;
        }
        for lane in passed {
            let table = self.tables.get_mut(&lane).unwrap();
            table.write_odd(&batch.parts[&lane]);
        }
        true
    }

    fn passed(&self, batch: &Batch) -> BTreeSet<Lane> {
        let passes = |lane: &Lane, part: &Part| part.start == self.tables[lane].next;
        let parts = batch.parts.iter();
        let passed = parts.filter(|(lane, part)| passes(lane, part));
        passed.map(|(lane, _)| *lane).collect()
    }

    fn refuses(&self, batch: &Batch, passed: &BTreeSet<Lane>, of: impl Fn(Parity) -> bool) -> bool {
        batch.stored().any(|(lane, one)| {
            let parity = Parity::of(&one.message.request_id);
            passed.contains(&lane)
                && of(parity)
                && !self.tables[&lane].odd.is_done(one.offset, parity)
                && self.slot(lane, one.offset) == Slot::Poison
        })
    }

    fn slot(&self, lane: Lane, offset: i64) -> Slot {
        self.log[&lane][offset as usize]
    }

    fn check(&self) {
        for (lane, table) in &self.tables {
            table.check(&self.log[lane]);
        }
    }
}

/// A consumer.
#[derive(Debug)]
struct Member {
    intake: Intake,
    /// Where each lane is fetched next.
    position: BTreeMap<Lane, i64>,
    /// Starts that were found out and are not heard of yet.
    located: BTreeMap<Lane, i64>,
    /// What is with the writer, the earliest piece last.
    pieces: Vec<Batch>,
    done: Written,
}

impl Member {
    fn new() -> Self {
        Self {
            intake: Intake::new(Ingest {
                batch_max_messages: 10,
                batch_max_bytes: 1_000,
                batch_max_wait: Duration::from_millis(200),
                max_names: 10_000,
            }),
            position: BTreeMap::new(),
            located: BTreeMap::new(),
            pieces: Vec::new(),
            done: Written::default(),
        }
    }

    /// Fetches the lane's next message, if it is being read and there is one.
    fn receive(&mut self, lane: Lane, log: &[Slot]) {
        if !self.intake.reading().contains(&lane) {
            assert_eq!(
                deliver(&mut self.intake, lane, 0, Slot::Message),
                Receipt::Stale
            );
            return;
        }
        let position = self.position.get_mut(&lane).unwrap();
        let rest = (*position..).zip(&log[*position as usize..]);
        let next = rest.into_iter().find(|(_, slot)| **slot != Slot::Hole);
        if let Some((offset, slot)) = next {
            assert_eq!(
                deliver(&mut self.intake, lane, offset, *slot),
                Receipt::Taken
            );
            *position = offset + 1;
            // What was fetched before comes again.
            assert_eq!(
                deliver(&mut self.intake, lane, offset, *slot),
                Receipt::Stale
            );
        }
    }

    fn locate(&mut self, store: &Store) {
        for lane in self.intake.locating() {
            self.located.insert(lane, store.tables[&lane].next);
        }
    }

    fn start(&mut self) {
        for (lane, next) in std::mem::take(&mut self.located) {
            if self.intake.start(lane, next) {
                self.position.insert(lane, next);
            }
        }
    }

    fn hand_over(&mut self) {
        if self.pieces.is_empty() && !self.intake.is_empty() {
            self.pieces.push(self.intake.take());
        }
    }

    /// Tries the next piece. Without an answer it is tried again later, committed or not.
    fn write(&mut self, store: &mut Store, is_answered: bool) {
        let Some(mut piece) = self.pieces.pop() else {
            return;
        };
        piece
            .parts
            .retain(|lane, _| !self.done.lost.contains_key(lane));
        match store.write(&piece) {
            Some(_) if !is_answered => self.pieces.push(piece),
            Some(written) => self.done.extend(written),
            None => self.pieces.extend(halve(piece)),
        }
        if self.pieces.is_empty() {
            for lane in std::mem::take(&mut self.done).lost.into_keys() {
                self.intake.restart(lane);
            }
        }
    }

    /// Tries the next piece, and gets no further than its odd half.
    fn write_odd(&mut self, store: &mut Store) {
        let Some(mut piece) = self.pieces.pop() else {
            return;
        };
        piece
            .parts
            .retain(|lane, _| !self.done.lost.contains_key(lane));
        match store.write_odd(&piece) {
            true => self.pieces.push(piece),
            false => self.pieces.extend(halve(piece)),
        }
    }

    /// The end of what is with the writer and of what is open.
    fn drain(&mut self, store: &mut Store) {
        while !self.pieces.is_empty() || !self.intake.is_empty() {
            self.hand_over();
            self.write(store, true);
        }
    }
}

fn halve(piece: Batch) -> Vec<Batch> {
    let refusal = Refusal {
        sqlstate: Some("22021".into()),
        message: "poison".into(),
    };
    match halving::halve(piece, &refusal) {
        Halved::Halves(earlier, later) => vec![later, earlier],
        Halved::Rejected(rejected) => vec![rejected],
    }
}

fn deliver(intake: &mut Intake, lane: Lane, offset: i64, slot: Slot) -> Receipt {
    intake.receive(Received {
        lane,
        offset,
        key: None,
        value: Some(b"{}"),
        produced_at: None,
        decoded: match slot {
            Slot::Bad => Err(Reject {
                reason: Reason::Malformed,
                detail: "bad".into(),
                service: None,
                request_id: Some(request_id(offset)),
            }),
            Slot::Message | Slot::Poison | Slot::Hole => Ok(message(&request_id(offset))),
        },
    })
}

/// One thing that happens.
#[derive(Clone, Copy, Debug)]
enum Step {
    Receive(usize, Lane),
    /// The open batch is closed.
    HandOver(usize),
    /// The writer tries its next piece; whether it hears the answer of the COMMIT.
    Write(usize, bool),
    /// It gets no further than the odd half.
    WriteOdd(usize),
    /// The stored offsets of lanes that wait for theirs are read.
    Locate(usize),
    /// The consumer hears of them.
    Start(usize),
    /// The log is said not to hold the lane's offset, or the topic to be gone: it is located again.
    Restart(usize, Lane),
    /// The group takes the lane away, and waits for what is open to be written or does not.
    Revoke(usize, Lane, bool),
    /// The group gives the lane, whoever else still believes to have it.
    Assign(usize, Lane),
    /// The process dies, and another starts without any lane.
    Crash(usize),
}

fn step() -> impl Strategy<Value = Step> {
    let member = || 0..MEMBERS;
    let lane = || select(&LANES);
    prop_oneof![
        20 => (member(), lane()).prop_map(|(member, lane)| Step::Receive(member, lane)),
        5 => member().prop_map(Step::HandOver),
        10 => (member(), prop::bool::weighted(0.7)).prop_map(|(member, heard)| Step::Write(member, heard)),
        3 => member().prop_map(Step::WriteOdd),
        5 => member().prop_map(Step::Locate),
        5 => member().prop_map(Step::Start),
        1 => (member(), lane()).prop_map(|(member, lane)| Step::Restart(member, lane)),
        1 => (member(), lane(), any::<bool>()).prop_map(|(member, lane, drain)| Step::Revoke(member, lane, drain)),
        3 => (member(), lane()).prop_map(|(member, lane)| Step::Assign(member, lane)),
        1 => member().prop_map(Step::Crash),
    ]
}

fn log() -> impl Strategy<Value = Log> {
    let slot = prop_oneof![
        12 => Just(Slot::Message),
        2 => Just(Slot::Bad),
        1 => Just(Slot::Poison),
        2 => Just(Slot::Hole),
    ];
    let ends = LANES.map(|_| prop::collection::vec(slot.clone(), 0..60));
    ends.prop_map(|logs| LANES.into_iter().zip(logs).collect())
}

fn take(step: Step, members: &mut [Member], store: &mut Store) {
    match step {
        Step::Receive(member, lane) => members[member].receive(lane, &store.log[&lane]),
        Step::HandOver(member) => members[member].hand_over(),
        Step::Write(member, is_answered) => members[member].write(store, is_answered),
        Step::WriteOdd(member) => members[member].write_odd(store),
        Step::Locate(member) => members[member].locate(store),
        Step::Start(member) => members[member].start(),
        Step::Restart(member, lane) => {
            members[member].intake.restart(lane);
        }
        Step::Revoke(member, lane, is_drained) => {
            if is_drained {
                members[member].drain(store);
            }
            members[member].intake.release(lane);
        }
        Step::Assign(member, lane) => {
            let member = &mut members[member];
            // The group gives no lane to whom it believes to have it.
            member.intake.release(lane);
            member.located.remove(&lane);
            member.intake.assign([lane]);
        }
        Step::Crash(member) => members[member] = Member::new(),
    }
}

/// A new consumer reads every lane to its end.
fn read_on(store: &mut Store) {
    let mut member = Member::new();
    member.intake.assign(LANES);
    member.locate(store);
    member.start();
    for lane in LANES {
        for _ in 0..store.log[&lane].len() {
            member.receive(lane, &store.log[&lane]);
        }
    }
    member.drain(store);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]
    #[test]
    fn every_offset_ends_once_whatever_happens(
        log in log(),
        steps in prop::collection::vec(step(), 0..300),
    ) {
        let mut store = Store::new(log);
        let mut members: Vec<Member> = (0..MEMBERS).map(|_| Member::new()).collect();
        for step in steps {
            take(step, &mut members, &mut store);
            store.check();
        }
        read_on(&mut store);
        store.check();
        for (lane, table) in &store.tables {
            // Holes at the end of a log are passed with the next message only.
            let last = store.log[lane].iter().rposition(|slot| *slot != Slot::Hole);
            prop_assert_eq!(table.next, last.map_or(0, |last| last as i64 + 1));
        }
    }
}
