//! What rejections say.

use super::*;
use crate::api::Response;
use crate::api::tests::wire;
use insta::assert_snapshot;

fn refused(rejection: Rejection) -> String {
    wire(&rejection.into())
}

#[test]
fn sign_in_is_refused_in_62_bytes_with_tabs() {
    let response = Response::from(Rejection::SignInOrOutRefused);
    assert_eq!(
        &response.body()[..],
        b"{\n\t\"code\": \"unauthorized\",\n\t\"message\": \"unauthorized access\"\n}"
    );
    assert_eq!(response.body().len(), 62);
}

#[test]
fn every_other_refusal_is_compact_and_of_55_bytes() {
    assert_snapshot!(refused(Rejection::Unauthorized), @r#"
    401 Unauthorized
    content-type: application/json; charset=utf-8
    x-platform-error-code: unauthorized

    {"code":"unauthorized","message":"unauthorized access"}
    "#);
    assert_eq!(Response::from(Rejection::Unauthorized).body().len(), 55);
}

#[test]
fn the_rest_of_the_table() {
    assert_snapshot!(refused(Rejection::UserInactive), @r#"
    403 Forbidden
    content-type: application/json; charset=utf-8
    x-platform-error-code: forbidden

    {"code":"forbidden","message":"User is inactive"}
    "#);
    assert_snapshot!(refused(Rejection::MethodNotAllowed("POST")), @"
    405 Method Not Allowed
    allow: POST
    ");
    assert_snapshot!(refused(Rejection::NoSuchPage), @"
    404 Not Found
    content-type: text/plain; charset=utf-8
    x-content-type-options: nosniff

    404 page not found
    ");
    assert_snapshot!(refused(Rejection::TooManySessions), @r#"
    503 Service Unavailable
    content-type: application/json; charset=utf-8
    x-platform-error-code: unavailable
    retry-after: 60

    {
    	"code": "unavailable",
    	"message": "too many sessions are open; try again later"
    }
    "#);
    assert_snapshot!(refused(Rejection::UpstreamFailed(Step::Connect)), @r#"
    502 Bad Gateway
    content-type: application/json; charset=utf-8
    x-platform-error-code: unavailable

    {
    	"code": "unavailable",
    	"message": "the upstream cannot be reached",
    	"op": "gateway/upstream.connect",
    	"err": "connection failed"
    }
    "#);
}
