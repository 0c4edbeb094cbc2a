//! Links to what the services logged.

use super::fixture::Api;

const ID: &str = "0f3c8f1e6a5d4a7b9c2d1e0f8a7b6c5d";

async fn link(api: &Api, path: &str) -> String {
    let answer = api.json(path).await;
    assert_eq!(answer.as_object().unwrap().len(), 1, "{answer}");
    answer["url"].as_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_searches_for_the_payload_and_the_service() {
    let api = Api::with(&[
        ("KIBANA_URL", "https://logs.example.com/app#/discover"),
        ("KIBANA_INDEX", "it's"),
        ("KIBANA_SERVICE_FIELD", "@app"),
    ])
    .await;
    let all = link(&api, &format!("/payloads/{ID}/kibanaLink")).await;
    assert_eq!(
        all,
        format!(
            "https://logs.example.com/app#/discover?_g=(filters:!(),refreshInterval:(pause:!t,value:0),\
             time:(from:now-7d,to:now))&_a=(columns:!(_source),filters:!(),index:'it%21%27s',interval:auto,\
             query:(language:lucene,query:'request_id%3A{ID}'),sort:!('@timestamp',desc))"
        )
    );
    let dashed = "0F3C8F1E-6A5D-4A7B-9C2D-1E0F8A7B6C5D";
    assert_eq!(
        link(&api, &format!("/payloads/%20{dashed}/kibanaLink?service=")).await,
        all
    );
    let of_service = link(&api, &format!("/payloads/{ID}/kibanaLink?service=Puptoo")).await;
    assert!(
        of_service.contains(&format!(
            "query:'request_id%3A{ID}%20AND%20%40app%3APuptoo')"
        )),
        "{of_service}"
    );
    let sly = link(
        &api,
        &format!("/payloads/{ID}/kibanaLink?service=a%27),x:(%22%26_a=1%23b"),
    )
    .await;
    assert!(
        sly.contains("%3A%22a%21%27%29%2Cx%3A%28%5C%22%26_a%3D1%23b%22')"),
        "{sly}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn any_id_that_may_be_one_has_a_link() {
    let api = Api::start().await;
    let other = link(&api, "/payloads/not%20a%27uuid/kibanaLink").await;
    assert!(
        other.contains("query:'request_id%3A%22not%20a%21%27uuid%22')"),
        "{other}"
    );
    assert_eq!(api.problem("/payloads/%00/kibanaLink").await.0, 404);
    assert_eq!(api.problem("/payloads/%20/kibanaLink").await.0, 404);
    assert_eq!(api.metrics.invalid_request_ids.get(), 2);
    assert_eq!(
        api.metrics.db_seconds.get_sample_count(),
        0,
        "no question to the database"
    );
}
