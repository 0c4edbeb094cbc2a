//! `GET {mount}/payloads/{request_id}/kibanaLink`: what the services logged about a payload.

use axum::Json;
use axum::extract::State;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Serialize;
use utoipa::{IntoParams, ToSchema};

use super::app::App;
use super::params::{Asked, FromParams, Params, ParentId, request_ids};
use super::problem::{Problem, ProblemBody};
use crate::config;
use crate::status::canonical_request_id;

/// What is more than a letter or digit is escaped, but for what never means anything in a URL.
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'~');

/// Which lines of the log.
#[derive(Clone, Debug, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct KibanaQuery {
    /// Only what this service logged, by the name it logs under.
    service: Option<String>,
}

impl FromParams for KibanaQuery {
    fn from_params(params: &Params) -> Result<Self, Problem> {
        Ok(Self {
            service: params.get("service").map(str::to_owned),
        })
    }
}

/// Where the logs are.
#[derive(Debug, Serialize, ToSchema)]
pub struct KibanaLink {
    #[schema(
        example = "https://kibana.example.com/app/kibana#/discover?_g=(time:(from:now-7d,to:now))"
    )]
    url: String,
}

/// Read the logs
///
/// A link to Kibana, which searches what the services logged about the payload within 7 days. Whether
/// there is such a payload is not looked up.
#[utoipa::path(
    get, path = "/payloads/{request_id}/kibanaLink", tag = "links", operation_id = "getKibanaLink",
    params(
        ("request_id" = String, Path, description = "Dashed or not, with blanks around it or not", example = "0f3c8f1e6a5d4a7b9c2d1e0f8a7b6c5d"),
        KibanaQuery,
    ),
    responses(
        (status = 200, description = "The link", body = KibanaLink),
        (status = 404, description = "No payload can have this request id", body = ProblemBody),
    )
)]
pub async fn link(
    State(app): State<App>,
    ParentId(given): ParentId,
    Asked(query): Asked<KibanaQuery>,
) -> Result<Json<KibanaLink>, Problem> {
    if request_ids(&given).is_none() {
        app.metrics.invalid_request_ids.inc();
        return Err(Problem::PayloadNotFound(given));
    }
    let id = canonical_request_id(given.trim());
    Ok(Json(KibanaLink {
        url: url(&app.kibana, &id, query.service.as_deref()),
    }))
}

/// Kibana keeps what a page shows in its URL, in a notation of its own (Rison), and searches by
/// Lucene's: a value is escaped for each of the three.
fn url(kibana: &config::Kibana, request_id: &str, service: Option<&str>) -> String {
    let mut query = format!("request_id:{}", lucene(request_id));
    if let Some(service) = service {
        query += &format!(" AND {}:{}", kibana.service_field, lucene(service));
    }
    let (query, index) = (rison(&query), rison(&kibana.index));
    let place = kibana.url.rsplit('#').next().unwrap_or_default();
    let and = if place.contains('?') { '&' } else { '?' };
    format!(
        "{}{and}_g=(filters:!(),refreshInterval:(pause:!t,value:0),time:(from:now-7d,to:now))\
         &_a=(columns:!(_source),filters:!(),index:{index},interval:auto,\
         query:(language:lucene,query:{query}),sort:!('@timestamp',desc))",
        kibana.url
    )
}

/// A value to search for: as it is where that means just itself, else as a phrase.
fn lucene(value: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
    let is_word = matches!(value, "AND" | "OR" | "NOT");
    let begins_plainly = value.starts_with(|c: char| c.is_ascii_alphanumeric());
    if begins_plainly && !is_word && value.chars().all(is_plain) {
        return value.to_owned();
    }
    let escaped = value.replace('\\', r"\\").replace('"', "\\\"");
    format!("\"{escaped}\"")
}

/// A string in Rison, within a URL.
fn rison(text: &str) -> String {
    let escaped = text.replace('!', "!!").replace('\'', "!'");
    format!("'{}'", utf8_percent_encode(&escaped, ESCAPED))
}

#[cfg(test)]
mod tests {
    use percent_encoding::percent_decode_str;

    use super::*;

    const ID: &str = "0f3c8f1e6a5d4a7b9c2d1e0f8a7b6c5d";

    fn kibana(url: &str) -> config::Kibana {
        config::Kibana {
            url: url.to_owned(),
            index: "43c5fed0-d5ce".to_owned(),
            service_field: "app".to_owned(),
        }
    }

    /// What Kibana searches for, once it has read the URL.
    fn searched(service: &str) -> String {
        let url = url(&kibana("https://k/#/discover"), ID, Some(service));
        let quoted = url.split_once("lucene,query:'").unwrap().1;
        let quoted = quoted.split_once("'),sort").unwrap().0;
        assert!(
            !quoted.contains(['\'', '"', ' ', '&', '#', '(', '+']),
            "{quoted}"
        );
        let rison = percent_decode_str(quoted).decode_utf8().unwrap();
        rison.replace("!'", "'").replace("!!", "!")
    }

    #[test]
    fn a_plain_value_is_searched_for_as_it_is() {
        assert_eq!(
            searched("inventory-mq-service"),
            format!("request_id:{ID} AND app:inventory-mq-service")
        );
    }

    #[test]
    fn a_value_cannot_leave_its_place() {
        for (service, phrase) in [
            ("a' OR *", r#""a' OR *""#),
            ("a\" OR b:\\", r#""a\" OR b:\\""#),
            ("a),b:!(c", r#""a),b:!(c""#),
            ("a&_a=b#c", r#""a&_a=b#c""#),
            ("a+b %41", r#""a+b %41""#),
            ("*", r#""*""#),
            ("NOT", r#""NOT""#),
            ("-a", r#""-a""#),
            ("d\u{fc}se\n", "\"d\u{fc}se\n\""),
        ] {
            assert_eq!(
                searched(service),
                format!("request_id:{ID} AND app:{phrase}")
            );
        }
    }

    #[test]
    fn the_parameters_follow_on_what_the_page_has_already() {
        let link = |page| url(&kibana(page), ID, None);
        assert!(link("https://k/app#/discover").starts_with("https://k/app#/discover?_g=("));
        assert!(
            link("https://k/app?tenant=a#/discover")
                .starts_with("https://k/app?tenant=a#/discover?_g=(")
        );
        assert!(
            link("https://k/app#/discover?x=y").starts_with("https://k/app#/discover?x=y&_g=(")
        );
        assert!(link("https://k/discover").ends_with(&format!(
            "index:'43c5fed0-d5ce',interval:auto,query:(language:lucene,query:'request_id%3A{ID}'),sort:!('@timestamp',desc))"
        )));
    }
}
