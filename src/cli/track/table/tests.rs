use super::*;
use crate::cli::text::Text;
use crate::cli::track::api::Durations;

fn row(date: &str, service: &str, status: &str, message: &str) -> Row {
    Row {
        request_id: Text::new("747c1300667b441e8e8f448337588ec0"),
        service: Text::new(service),
        status: Text::new(status),
        status_msg: Text::new(message),
        org_id: Text::new("11789772"),
        date: date.parse().unwrap(),
        ..Row::default()
    }
}

fn path() -> Path {
    let mut advisor = row(
        "2026-08-21T23:59:12Z",
        "insights-advisor-service",
        "received",
        "Processing engine results",
    );
    advisor.source = Text::new("insights-client");
    Path {
        data: vec![
            row(
                "2026-08-21T23:59:07.2283Z",
                "ingress",
                "received",
                "Payload received by ingress",
            ),
            advisor,
            row(
                "2026-08-22T00:02:15Z",
                "vulnerability",
                "error",
                "evaluation failed",
            ),
        ],
        duration: Durations {
            total_time: Text::new("00:03:07.771700"),
        },
        truncated: false,
    }
}

fn table(width: Option<usize>) -> String {
    let path = path();
    let layout = Layout::new(&path.data, width, false);
    let mut lines = vec![layout.heading()];
    let mut previous = None;
    for row in &path.data {
        lines.push(layout.row(row, previous));
        previous = Some(row.date);
    }
    lines.join("\n")
}

#[test]
fn a_path_over_midnight() {
    assert_eq!(
        table(None),
        "\
TIME UTC      SERVICE                                     STATUS       AFTER  MESSAGE
2026-08-21
23:59:07.228  ingress                                     received            Payload received by ingress
23:59:12.000  insights-advisor-service (insights-client)  received   +4.771s  Processing engine results
2026-08-22
00:02:15.000  vulnerability                               error       +3m03s  evaluation failed"
    );
}

#[test]
fn messages_end_where_the_terminal_does() {
    let table = table(Some(84));
    assert!(table.contains("insights-advisor-service…"), "{table}");
    assert!(table.contains("Payload received by in…"), "{table}");
    assert!(table.lines().all(|line| measure_text_width(line) <= 84));
}

#[test]
fn columns_stand_under_their_headings() {
    let rows = [row("2026-08-21T09:14:07Z", "qpc", "ok", "done")];
    let layout = Layout::new(&rows, None, false).roomy();
    let (heading, line) = (layout.heading(), layout.row(&rows[0], Some(rows[0].date)));
    for (title, cell) in [("SERVICE", "qpc"), ("STATUS", "ok"), ("MESSAGE", "done")] {
        assert_eq!(heading.find(title), line.find(cell), "{heading}\n{line}");
    }
    let narrow = Layout::new(&rows, None, false);
    assert_eq!(
        narrow.heading().find("STATUS"),
        narrow.row(&rows[0], Some(rows[0].date)).find("ok")
    );
}

#[test]
fn wide_characters_count_twice() {
    let rows = [row(
        "2026-08-21T09:14:07Z",
        "主机",
        "失敗",
        "メッセージが長すぎます",
    )];
    let layout = Layout::new(&rows, Some(60), false);
    let line = layout.row(&rows[0], Some(rows[0].date));
    assert!(measure_text_width(&line) <= 60, "{line}");
}

#[test]
fn colour_only_when_asked_for() {
    let failed = row("2026-08-21T09:14:07Z", "puptoo", "failed", "");
    let draw = |colours| {
        let layout = Layout::new(std::slice::from_ref(&failed), None, colours);
        layout.row(&failed, None) + &layout.heading()
    };
    assert!(draw(true).contains("\u{1b}[31mfailed"));
    assert!(!draw(false).contains('\u{1b}'));
}

#[test]
fn times_between_statuses() {
    for (milliseconds, text) in [
        (0, "+0.000s"),
        (59_999, "+59.999s"),
        (60_000, "+1m00s"),
        (3_723_000, "+1h02m"),
        (93_600_000, "+1d02h"),
        (-1, "late"),
    ] {
        assert_eq!(after(TimeDelta::milliseconds(milliseconds)), text);
    }
}

#[test]
fn header_and_footer_leave_out_what_is_unknown() {
    let path = path();
    assert_eq!(
        header(&path),
        "payload   747c1300667b441e8e8f448337588ec0\norg       11789772\n"
    );
    assert_eq!(footer(&path), "3 statuses, total time 00:03:07.771700");
}
