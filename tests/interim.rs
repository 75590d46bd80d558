use std::io::Write as _;

use crate::influxdb::Influxdb;
use crate::support::*;

/// One that says that an answer will come.
const EARLY: &str = "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n";

/// How many of them may come before an answer.
const MOST: usize = 16;

/// The interim answers that come over `client`, and the status of the answer.
fn answer_after(client: &mut Client, request: &str) -> (usize, u16) {
    let mut answer = client.send(request);
    let mut interim = 0;
    while answer.status < 200 {
        assert_eq!((answer.status, answer.header("link")), (103, Some("</a>")));
        interim += 1;
        assert!(interim < 1000, "there is no end");
        answer = client.read();
    }
    (interim, answer.status)
}

/// What has come whole, and what has not.
fn requests(line: &str) -> [String; 2] {
    [
        get("/api/v2/buckets", &[line]),
        with_body("POST", "/api/v2/write", &[line], &"x".repeat(1_000_000)),
    ]
}

#[test]
fn interim_answers_are_passed_on_up_to_a_number_and_beyond_it_there_is_no_answer() {
    for (count, expected) in [(1, 200), (MOST, 200), (MOST + 1, 502)] {
        let upstream = Upstream::behaving(move |_, stream| {
            let _ = stream.write_all(EARLY.repeat(count).as_bytes());
            answer(stream, "200 OK", "")
        });
        let gateway = Gateway::start(upstream.address);
        let line = cookie(&gateway.sign_in("ada"));
        for request in requests(&line) {
            let begin = request.lines().next().unwrap();
            // The second one is not answered with what was left of the first.
            for _ in 0..2 {
                let (interim, status) = answer_after(&mut gateway.connect(), &request);
                assert_eq!(status, expected, "{count} {begin}");
                // What was on its way when there was one too many, may be lost.
                assert!(interim == count || status == 502 && interim <= MOST, "{count}: {interim}");
            }
        }
    }
}

/// An upstream that never comes to an answer is not listened to for ever.
#[test]
fn interim_answers_without_end_end() {
    let upstream = Upstream::behaving(|_, stream| {
        while stream.write_all(EARLY.as_bytes()).is_ok() {}
        false
    });
    let gateway = Gateway::start(upstream.address);
    let line = cookie(&gateway.sign_in("ada"));
    for request in requests(&line) {
        let (interim, status) = answer_after(&mut gateway.connect(), &request);
        assert!(status == 502 && interim <= MOST, "{interim} {status}");
    }
}

#[test]
fn the_gateways_own_questions_have_the_same_bound() {
    let influxdb = Influxdb::start();
    let config = "[users]\nsource = \"influxdb\"\n";
    let gateway = Gateway::start_with(influxdb.upstream.address, config, "");
    let sign_in = post("/api/v2/signin", &[&basic("ada", PASSWORD)]);
    for (count, is_good) in [(MOST, true), (MOST + 1, false), (0, true)] {
        influxdb.state().before = Box::leak(EARLY.repeat(count).into_boxed_str());
        let status = gateway.connect().send(&sign_in).status;
        assert_eq!(status == 204, is_good, "{count}: {status}");
    }
}
