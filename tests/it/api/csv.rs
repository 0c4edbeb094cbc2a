//! Lists as CSV.

use super::fixture::Api;
use super::rows::{Payload, Status};

async fn stored(api: &Api) {
    let pool = &api.database.pool;
    let upload = Payload {
        account: Some("-1"),
        org_id: Some("=HYPERLINK(\"http://x\")"),
        ..Payload::of("r")
    };
    let id = upload.put(pool).await;
    Payload::of("s").put(pool).await;
    Status::of(id, "ingress", "received", "2026-01-31T08:00:00Z")
        .saying("said \"no\", twice\nand é")
        .put(pool)
        .await;
    Status::of(id, "puptoo", "error", "2026-01-31T08:00:01.5Z")
        .from("inventory")
        .saying("@cmd")
        .put(pool)
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn statuses_are_rows_under_the_names_of_json() {
    let api = Api::start().await;
    stored(&api).await;
    let answer = api.send("/v1/statuses?format=csv&sort_dir=asc").await;
    assert_eq!(answer.status(), 200);
    let header = |name| answer.headers()[name].to_str().unwrap().to_owned();
    assert_eq!(
        header("content-type"),
        "text/csv; charset=utf-8; header=present"
    );
    assert_eq!(
        header("content-disposition"),
        "attachment; filename=\"statuses.csv\""
    );
    assert_eq!(header("x-count"), "2");
    assert_eq!(answer.headers().get("x-count-capped"), None);
    assert_eq!(
        answer.text().await.unwrap(),
        concat!(
            "request_id,status,id,service,source,status_msg,date,created_at\r\n",
            "r,received,1,ingress,,\"said \"\"no\"\", twice\nand é\",2026-01-31T08:00:00Z,2026-01-31T08:00:00Z\r\n",
            "r,error,1,puptoo,inventory,'@cmd,2026-01-31T08:00:01.5Z,2026-01-31T08:00:01.5Z\r\n",
        )
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn payloads_are_rows_under_the_names_of_json() {
    let api = Api::start().await;
    stored(&api).await;
    assert_eq!(
        api.text("/payloads?format=csv&request_id=r").await,
        concat!(
            "id,request_id,account,inventory_id,system_id,created_at,org_id\r\n",
            "1,r,-1,,,2026-01-31T08:00:00Z,\"'=HYPERLINK(\"\"http://x\"\")\"\r\n",
        )
    );
    let list = api.json("/payloads?format=json&request_id=r").await;
    let row = list["data"][0].as_object().unwrap();
    let names: Vec<&str> = row.keys().map(String::as_str).collect();
    assert_eq!(
        row["org_id"], "=HYPERLINK(\"http://x\")",
        "JSON has it as it is"
    );
    let mut header = [
        "id",
        "request_id",
        "account",
        "inventory_id",
        "system_id",
        "created_at",
        "org_id",
    ];
    header.sort_unstable();
    let mut names = names;
    names.sort_unstable();
    assert_eq!(names, header);
}

#[tokio::test(flavor = "multi_thread")]
async fn filters_and_pages_are_those_of_the_list() {
    let api = Api::start().await;
    stored(&api).await;
    let header = "request_id,status,id,service,source,status_msg,date,created_at\r\n";
    for (query, rows) in [
        ("service=puptoo", 1),
        ("service=nobody", 0),
        ("page_size=1", 1),
        ("page_size=1&page=2", 0),
        ("date_gte=2026-01-31", 2),
    ] {
        let text = api.text(&format!("/statuses?format=csv&{query}")).await;
        let rest = text.strip_prefix(header).unwrap();
        assert_eq!(rest.matches("\r\n").count(), rows, "{query}: {text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_count_beyond_the_cap_says_so() {
    let api = Api::start().await;
    api.sql(
        "INSERT INTO payloads (request_id) SELECT 'r' || n FROM generate_series(1, 10001) AS n",
    )
    .await;
    let answer = api.send("/v1/payloads?format=csv").await;
    assert_eq!(answer.headers()["x-count"], "10000");
    assert_eq!(answer.headers()["x-count-capped"], "true");
}

#[tokio::test(flavor = "multi_thread")]
async fn another_format_is_refused() {
    let api = Api::start().await;
    for path in ["/payloads", "/statuses"] {
        let (status, message) = api.problem(&format!("{path}?format=xml")).await;
        assert_eq!(
            (status, message.as_str()),
            (400, "format \"xml\" is not one of json, csv")
        );
    }
}
