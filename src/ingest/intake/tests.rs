use std::time::Duration;

use super::*;
use crate::status::Reason;
use crate::store::batch::samples::message;

fn limits(messages: usize, bytes: usize) -> Ingest {
    Ingest {
        batch_max_messages: messages,
        batch_max_bytes: bytes,
        batch_max_wait: Duration::from_millis(200),
        max_names: 10_000,
    }
}

fn receive(intake: &mut Intake, lane: Lane, offset: i64) -> Receipt {
    intake.receive(Received {
        lane,
        offset,
        key: None,
        value: Some(b"0123456789"),
        produced_at: None,
        decoded: Ok(message("r")),
    })
}

fn reading(limits: Ingest, lane: Lane, next: i64) -> Intake {
    let mut intake = Intake::new(limits);
    intake.assign([lane]);
    assert!(intake.start(lane, next));
    intake
}

#[test]
fn a_part_starts_at_the_stored_offset_and_counts_holes_as_skipped() {
    let mut intake = reading(limits(100, 1_000), 3, 40);
    assert_eq!(receive(&mut intake, 3, 42), Receipt::Taken);
    assert_eq!(receive(&mut intake, 3, 43), Receipt::Taken);
    let batch = intake.take();
    let part = &batch.parts[&3];
    assert_eq!((part.start, part.end, part.skipped()), (40, 44, 2));
    receive(&mut intake, 3, 44);
    assert_eq!(intake.take().parts[&3].start, 44, "the next follows on");
}

#[test]
fn a_reject_keeps_its_bytes() {
    let mut intake = reading(limits(100, 1_000), 0, 0);
    intake.receive(Received {
        lane: 0,
        offset: 0,
        key: Some(b"k"),
        value: None,
        produced_at: None,
        decoded: Err(Reject {
            reason: Reason::Malformed,
            detail: "empty".into(),
            service: None,
            request_id: None,
        }),
    });
    let batch = intake.take();
    let rejected = &batch.parts[&0].rejected[0];
    assert_eq!(rejected.raw.key.as_deref(), Some(&b"k"[..]));
    assert_eq!(rejected.raw.value, None);
}

#[test]
fn closes_on_count_and_on_bytes() {
    let mut intake = reading(limits(2, 1_000), 0, 0);
    receive(&mut intake, 0, 0);
    assert_eq!(intake.full(), None);
    receive(&mut intake, 0, 1);
    assert_eq!(intake.full(), Some(Close::Count));
    let mut intake = reading(limits(100, 15), 0, 0);
    receive(&mut intake, 0, 0);
    receive(&mut intake, 0, 1);
    assert_eq!(intake.full(), Some(Close::Bytes));
    intake.take();
    assert_eq!(intake.full(), None);
    // A reject is kept with its key.
    intake.receive(Received {
        lane: 0,
        offset: 2,
        key: Some(&[0; 15]),
        value: None,
        produced_at: None,
        decoded: Ok(message("r")),
    });
    assert_eq!(intake.full(), Some(Close::Bytes));
}

#[test]
fn what_is_not_being_read_is_stale() {
    let mut intake = Intake::new(limits(100, 1_000));
    assert_eq!(receive(&mut intake, 0, 0), Receipt::Stale, "not ours");
    intake.assign([0]);
    assert_eq!(receive(&mut intake, 0, 0), Receipt::Stale, "not located");
    intake.start(0, 5);
    assert_eq!(receive(&mut intake, 0, 4), Receipt::Stale, "passed already");
    assert_eq!(receive(&mut intake, 0, 5), Receipt::Taken);
    assert!(intake.release(0));
    assert!(intake.is_empty(), "its part goes with the lane");
    assert!(!intake.start(0, 9), "a late answer starts nothing");
}
