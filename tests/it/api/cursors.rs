//! Lists that are read on with a cursor.

use super::fixture::Api;

/// 23 payloads and as many statuses, three or four of each time; `{list}` sorts by `{time}`.
async fn filled() -> Api {
    let api = Api::start().await;
    api.sql(
        "INSERT INTO payloads (request_id, org_id, created_at)
         SELECT 'r' || n, '1', timestamptz '2026-01-31 08:00Z' + n / 4 * interval '1 us'
           FROM generate_series(1, 23) AS n;
         INSERT INTO services (name) VALUES ('ingress'), ('puptoo');
         INSERT INTO statuses (name) VALUES ('received'), ('success');
         SELECT create_partition('2026-01-30Z', '2026-01-31Z');
         SELECT create_partition('2026-01-31Z', '2026-02-01Z');
         INSERT INTO payload_statuses (payload_id, service_id, status_id, date, created_at)
         SELECT p.id, s.id, t.id, p.created_at - (p.id % 2) * interval '1 day', p.created_at
           FROM payloads AS p, services AS s, statuses AS t
          WHERE s.name = 'puptoo' AND t.name = CASE WHEN p.id % 3 = 0 THEN 'success' ELSE 'received' END",
    )
    .await;
    api
}

/// What a list holds, read on page by page; with each of the first pages something new comes, before the
/// first and after the last of what there was.
async fn read_on(api: &Api, list: &str, page_size: usize) -> Vec<String> {
    let mut read = Vec::new();
    let mut onward = String::new();
    loop {
        let path = format!("{list}&page_size={page_size}{onward}");
        let page = api.json(&path).await;
        let rows = page["data"].as_array().unwrap();
        assert!(rows.len() <= page_size, "{path}");
        read.extend(
            rows.iter()
                .map(|row| row["request_id"].as_str().unwrap().to_owned()),
        );
        let Some(next) = page.get("next") else {
            return read;
        };
        assert_eq!(rows.len(), page_size, "{path}: only the last page is short");
        assert!(
            page["count"].as_u64() >= Some(23),
            "{path}: of the whole list"
        );
        onward = format!("&cursor={}", next.as_str().unwrap());
        if read.len() < 4 * page_size {
            come_something(api).await;
        }
    }
}

async fn come_something(api: &Api) {
    api.sql(
        "INSERT INTO payloads (request_id, org_id, created_at)
         SELECT 'new' || nextval('payloads_id_seq'), '1', t
           FROM unnest(ARRAY['2026-01-31 09:00Z', '2026-01-31 07:00Z']::timestamptz[]) AS t;
         INSERT INTO payload_statuses (payload_id, service_id, status_id, date, created_at)
         SELECT p.id, s.id, t.id, p.created_at, p.created_at FROM payloads AS p, services AS s, statuses AS t
          WHERE p.request_id LIKE 'new%' AND s.name = 'puptoo' AND t.name = 'received'
            AND NOT EXISTS (SELECT FROM payload_statuses WHERE payload_id = p.id)",
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn each_row_comes_once_and_in_order_whatever_comes_meanwhile() {
    for list in [
        "/payloads?",
        "/payloads?org_id=1&sort_dir=asc",
        "/statuses?",
        "/statuses?sort_dir=asc",
        "/statuses?sort_by=created_at",
        "/statuses?service=puptoo",
        "/statuses?service=puptoo&sort_dir=asc",
    ] {
        for page_size in [1, 5, 23, 24] {
            let api = filled().await;
            let before = api
                .column(&format!("{list}&page_size=1000"), "request_id")
                .await;
            assert_eq!(before.len(), 23);
            let mut read = read_on(&api, list, page_size).await;
            read.retain(|id| !id.starts_with("new"));
            assert_eq!(read, before, "{list} by {page_size}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_numbered_page_can_be_read_on_too() {
    let api = filled().await;
    let all = api.column("/payloads?page_size=23", "request_id").await;
    let page = api.json("/payloads?page_size=5&page=2").await;
    let next = page["next"].as_str().unwrap();
    let rest = format!("/payloads?page_size=1000&cursor={next}");
    assert_eq!(api.column(&rest, "request_id").await, all[15..]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cursor_is_good_for_its_own_list_only() {
    let api = filled().await;
    let page = api.json("/statuses?service=puptoo&page_size=5").await;
    let next = page["next"].as_str().unwrap();
    // The same filter in other words, and another page size.
    api.json(&format!(
        "/statuses?service=PUPTOO&page_size=7&sort_dir=desc&cursor={next}"
    ))
    .await;
    for other in [
        "/statuses?",
        "/statuses?service=ingress",
        "/statuses?service=puptoo&sort_dir=asc",
        "/statuses?service=puptoo&sort_by=created_at",
        "/statuses?service=puptoo&date_lt=2026-02-01",
        "/payloads?",
    ] {
        let (status, message) = api.problem(&format!("{other}&cursor={next}")).await;
        assert_eq!(status, 400, "{other}");
        assert!(message.starts_with("cursor "), "{message}");
        assert!(message.contains("filters"), "{message}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_cursor_here_is_refused() {
    let api = filled().await;
    let page = api.json("/payloads?page_size=5").await;
    let next = page["next"].as_str().unwrap();
    for (query, said) in [
        (
            "cursor=x",
            r#"cursor "x" is not the `next` of an answer of this list"#,
        ),
        ("cursor=%00", "is not the `next` of an answer of this list"),
        (
            &format!("cursor={next}AAAA"),
            "is not the `next` of an answer of this list",
        ),
        (
            &format!("page=1&cursor={next}"),
            "page and cursor exclude each other",
        ),
        (
            &format!("sort_by=org_id&cursor={next}"),
            "cursor goes with sort_by created_at only",
        ),
    ] {
        let (status, message) = api.problem(&format!("/payloads?{query}")).await;
        assert_eq!(status, 400, "{query}");
        assert!(message.contains(said), "{message}");
    }
    let by_org = api.json("/payloads?sort_by=org_id&page_size=5").await;
    assert_eq!(by_org.get("next"), None, "it cannot be read on");
}
