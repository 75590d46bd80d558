//! How long the pieces of a forwarded request take: `cargo bench --features internals`.

mod setup;

use std::hint::black_box;
use std::time::{Duration, Instant};

use criterion::{BatchSize, BenchmarkId, Criterion, Throughput};
use http::header::COOKIE;
use http::{HeaderMap, HeaderValue, Method};
use influx_gateway::internals::framing::{self, HeadLimits, HeadScan};
use influx_gateway::internals::{
    MemoryStore, Moment, RequestId, Route, SessionId, SessionToken, TrustedProxies, X_REQUEST_ID,
    path,
};
use setup::{PATH, Setup, store};

fn main() {
    let criterion = Criterion::default().warm_up_time(Duration::from_millis(500));
    let criterion = criterion.measurement_time(Duration::from_secs(2)).sample_size(50);
    let mut criterion = criterion.configure_from_args();
    let setup = Setup::new();
    head(&mut criterion, &setup);
    cookie(&mut criterion, &setup);
    route(&mut criterion, &setup);
    sessions(&mut criterion);
    rewriting(&mut criterion, &setup);
    request_id(&mut criterion);
    criterion.final_summary();
}

fn head(criterion: &mut Criterion, setup: &Setup) {
    let limits = HeadLimits { bytes: 64 * 1024, fields: 100, target: 16 * 1024, websockets: false };
    let mut head = format!("GET {} HTTP/1.1\r\n", setup.request.uri).into_bytes();
    for (name, value) in &setup.request.headers {
        head.extend_from_slice(&[name.as_str().as_bytes(), b": ", value.as_bytes()].concat());
        head.extend_from_slice(b"\r\n");
    }
    head.extend_from_slice(b"\r\n");
    criterion.bench_function("head/scan", |bench| {
        bench.iter(|| HeadScan::default().scan(black_box(&head), &limits));
    });
    criterion.bench_function("head/check", |bench| {
        bench.iter(|| framing::check(black_box(&head), &limits));
    });
}

fn cookie(criterion: &mut Criterion, setup: &Setup) {
    let token = SessionToken::generate().text();
    let line = format!("{}={}", setup.cookie.name, *token);
    let line = HeaderValue::from_str(&line).expect("a cookie is a header value");
    let alone = HeaderMap::from_iter([(COOKIE, line)]);
    let among = &setup.request.headers;
    for (name, headers) in [("alone", &alone), ("among-others", among)] {
        criterion.bench_function(&format!("cookie/{name}"), |bench| {
            bench.iter(|| setup.cookie.token(black_box(headers)));
        });
    }
    criterion.bench_function("token/digest", |bench| {
        bench.iter(|| SessionToken::parse(black_box(token.as_bytes())).map(|token| token.id()));
    });
}

fn route(criterion: &mut Criterion, setup: &Setup) {
    for (name, path) in
        [("forwarded", PATH), ("local", "/api/v2/me"), ("public", "/health"), ("elsewhere", "/x")]
    {
        criterion.bench_function(&format!("route/{name}"), |bench| {
            bench.iter(|| {
                let route = Route::of(&Method::GET, black_box(path), &setup.forwarding);
                (route, path::check(path))
            });
        });
    }
}

fn sessions(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("session");
    for entries in [1_000, 1_000_000] {
        let (store, ids) = store(entries);
        for threads in [1, 2] {
            group.throughput(Throughput::Elements(threads));
            let id = BenchmarkId::new(format!("{entries}-sessions"), format!("{threads}-threads"));
            group.bench_function(id, |bench| {
                bench.iter_custom(|rounds| touch(&store, &ids, threads, rounds));
            });
        }
    }
    group.finish();
}

/// How long it takes as many threads to find and renew so many sessions each.
fn touch(store: &MemoryStore, ids: &[SessionId], threads: u64, rounds: u64) -> Duration {
    let start = Instant::now();
    std::thread::scope(|scope| {
        for thread in 0..threads {
            // Ids are random, so those that follow each other are nowhere near in the store.
            let own = ids.iter().cycle().skip(ids.len() / 2 * usize::from(thread > 0));
            scope.spawn(move || {
                for (_, id) in (0..rounds).zip(own) {
                    assert!(black_box(store.touch(id, Moment::now())).is_some());
                }
            });
        }
    });
    start.elapsed()
}

fn rewriting(criterion: &mut Criterion, setup: &Setup) {
    criterion.bench_function("rewrite/request", |bench| {
        bench.iter_batched_ref(
            || setup.request.clone(),
            |request| setup.rewrite(request),
            BatchSize::SmallInput,
        );
    });
    criterion.bench_function("rewrite/answer", |bench| {
        bench.iter_batched_ref(
            || setup.response.clone(),
            |response| setup.rules().clear(response),
            BatchSize::SmallInput,
        );
    });
    let proxies = TrustedProxies::default();
    criterion.bench_function("origin", |bench| {
        let client = setup.client.address;
        bench.iter(|| proxies.client_info(black_box(client), false, &setup.request.headers));
    });
}

fn request_id(criterion: &mut Criterion) {
    let mut brought = HeaderMap::new();
    brought.insert(X_REQUEST_ID, RequestId::make().header_value());
    for (name, headers) in [("made", &HeaderMap::new()), ("kept", &brought)] {
        criterion.bench_function(&format!("request-id/{name}"), |bench| {
            bench.iter(|| RequestId::of(black_box(headers)));
        });
    }
}
