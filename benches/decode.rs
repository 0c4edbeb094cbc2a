//! What one core decodes: the usual message, one with escapes to resolve, and all the sample messages.

use std::hint::black_box;

use chrono::{DateTime, Utc};
use criterion::{
    BenchmarkGroup, Criterion, Throughput, criterion_group, criterion_main, measurement,
};
use payload_tracker::status::{Message, Rules};

const USUAL: &str = r#"{"service": "insights-advisor-service", "status": "success", "status_msg": "Successfully logged 4 reports.", "request_id": "747c1300667b441e8e8f448337588ec0", "inventory_id": "766637dd-653f-4bf0-99a1-a117b455cd96", "source": "insights-client", "account": "6089719", "org_id": "11789772", "date": "2026-08-21T09:14:12.938202Z"}"#;

const ESCAPED: &str = r#"{"SERVICE": "Insights-Advisor-Service", "status": "error", "status_msg": "Traceback (most recent call last):\n  File \"/opt/app-root/views.py\", line 60\nValueError: \ud83d\ude00 \udcff \u0000", "request_id": "747C1300-667B-441E-8E8F-448337588EC0:host", "org_id": 11789772, "date": "2026-08-21 09:14:12.938202+0200"}"#;

fn decode(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("decode");
    messages(&mut group, "usual", &[USUAL.as_bytes()]);
    messages(&mut group, "escaped", &[ESCAPED.as_bytes()]);
    let samples = include_bytes!("../seed/producer_messages.jsonl");
    let samples: Vec<_> = samples.split(|byte| *byte == b'\n').collect();
    messages(&mut group, "samples", &samples);
    group.finish();
}

fn messages(group: &mut BenchmarkGroup<'_, measurement::WallTime>, name: &str, values: &[&[u8]]) {
    let rules = Rules::default();
    let now: DateTime<Utc> = "2026-08-21T12:00:00Z".parse().expect("a time");
    group.throughput(Throughput::Elements(values.len() as u64));
    group.bench_function(name, |bencher| {
        bencher.iter(|| {
            for value in values {
                let _ = black_box(Message::decode(black_box(value), &rules, now));
            }
        });
    });
}

criterion_group!(benches, decode);
criterion_main!(benches);
