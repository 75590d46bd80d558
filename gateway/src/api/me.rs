//! `GET /api/v2/me`: the user of the session.

use http::header::CONTENT_TYPE;
use serde::Serialize;

use super::rejection::JSON;
use super::{Response, pretty_json};
use crate::user::User;

/// InfluxDB's user resource, its members in InfluxDB's order.
#[derive(Serialize)]
struct Resource<'a> {
    links: Links,
    id: String,
    name: &'a str,
    status: &'static str,
}

#[derive(Serialize)]
struct Links {
    #[serde(rename = "self")]
    this: String,
}

/// The user resource of `user`.
pub fn get(user: &User) -> Response {
    let id = user.id.to_string();
    let links = Links { this: format!("/api/v2/users/{id}") };
    let (name, status) = (user.name.as_str(), user.status.word());
    let mut response = Response::new(pretty_json(&Resource { links, id, name, status }));
    response.headers_mut().insert(CONTENT_TYPE, JSON);
    response
}

#[cfg(test)]
mod tests {
    use crate::api::tests::wire;
    use crate::user::tests::user;

    #[test]
    fn the_resource_reads_as_influxdbs() {
        let mut ada = user("ada<&>");
        ada.id = "0a1b2c3d4e5f6071".parse().unwrap();
        insta::assert_snapshot!(wire(&super::get(&ada)), @r#"
        200 OK
        content-type: application/json; charset=utf-8

        {
        	"links": {
        		"self": "/api/v2/users/0a1b2c3d4e5f6071"
        	},
        	"id": "0a1b2c3d4e5f6071",
        	"name": "ada\u003c\u0026\u003e",
        	"status": "active"
        }
        "#);
    }
}
