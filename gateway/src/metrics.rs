//! Metrics: what happens is counted here, and written as text for Prometheus.
//!
//! To count is to add to an atomic number. To write takes no lock that a request takes, and does not look
//! at sessions one by one.

mod certificates;
mod histogram;
pub mod label;
pub mod process;
pub mod providers;
mod requests;
pub mod text;
mod users;
mod values;

use std::time::Duration;

use certificates::Certificates;
pub use certificates::Expiry;
use histogram::{Histogram, Histograms};
use label::{
    BanScope, Connection, EndCause, GatewayTokenOutcome, GrpcStatus, HandshakeFailure, JwtOutcome,
    LookUp, Method, Reload, RouteClass, SignIn, StatusClass, StoreOutcome, UpstreamStep,
};
use providers::Providers;
use requests::Requests;
use text::{Format, Kind, Text};
use users::Users;
use values::{Counter, Counters, Gauge, Metric};

/// What this process counts.
pub static METRICS: Metrics = Metrics::new();

/// Each metric with its name; its first comment is what readers are told of it.
macro_rules! metrics {
    ($(#[doc = $help:literal] $field:ident: $kind:ty = $name:literal,)+) => {
        /// All that is counted.
        pub struct Metrics {
            $(#[doc = $help] pub $field: $kind,)+
            /// Identity providers.
            pub providers: Providers,
            /// Requests and bytes of each user.
            pub users: Users,
        }

        impl Metrics {
            /// All zero.
            const fn new() -> Self {
                Self {
                    $($field: <$kind>::new(),)+
                    providers: Providers::new(),
                    users: Users::new(),
                }
            }

            /// Writes all of it.
            pub fn render(&self, format: Format) -> String {
                let mut text = Text::new(format);
                $(
                    text.begin($name, <$kind as Metric>::KIND, $help);
                    self.$field.write(&mut text);
                )+
                self.providers.write(&mut text);
                self.users.write(&mut text);
                process::write(&mut text);
                let build = "influx_gateway_build_info";
                text.begin(build, Kind::Gauge, "The version of the program. Always 1.");
                text.sample("", &[("version", env!("CARGO_PKG_VERSION"))], 1);
                text.end()
            }
        }
    };
}

metrics! {
    /// Requests, by what they asked for, their method, and the first digit of the answer's status.
    requests: Requests = "influx_gateway_requests_total",
    /// Calls of gRPC that are over, by their status; none where the client has left before.
    grpc_calls: Counters<GrpcStatus, { GrpcStatus::COUNT }> = "influx_gateway_grpc_calls_total",
    /// How long requests took, from their head to the end of the answer.
    request_duration: Histograms<RouteClass, { RouteClass::COUNT }> =
        "influx_gateway_request_duration_seconds",
    /// How long forwarded requests took from looking for a connection to the head of the upstream's answer.
    upstream_duration: Histogram = "influx_gateway_upstream_duration_seconds",
    /// How long requests took before they went upstream, or in all if they did not.
    own_duration: Histogram = "influx_gateway_own_duration_seconds",
    /// Bytes of the bodies of requests.
    received: Counter = "influx_gateway_received_bytes_total",
    /// Bytes of the bodies of answers.
    sent: Counter = "influx_gateway_sent_bytes_total",
    /// Sign-ins, and old passwords at a change of passwords that were refused, by what came of them.
    sign_ins: Counters<SignIn, { SignIn::COUNT }> = "influx_gateway_sign_ins_total",
    /// JWTs that requests came with, by what came of them.
    jwts: Counters<JwtOutcome, { JwtOutcome::COUNT }> = "influx_gateway_jwt_verifications_total",
    /// Gateway tokens that requests came with, by what came of them.
    gateway_tokens: Counters<GatewayTokenOutcome, { GatewayTokenOutcome::COUNT }> =
        "influx_gateway_gateway_tokens_total",
    /// Waits that began after failed sign-ins, by who has to wait.
    bans: Counters<BanScope, { BanScope::COUNT }> = "influx_gateway_bans_total",
    /// Sign-ins that wait for their turn.
    sign_ins_waiting: Gauge = "influx_gateway_sign_ins_waiting",
    /// How long sign-ins waited for their turn.
    sign_in_wait: Histogram = "influx_gateway_sign_in_wait_seconds",
    /// How long it took to hash a password.
    password_hash: Histogram = "influx_gateway_password_hash_seconds",
    /// Live sessions. In Redis, those of all gateways.
    sessions: Gauge = "influx_gateway_sessions",
    /// How many sessions there may be.
    sessions_limit: Gauge = "influx_gateway_sessions_limit",
    /// Sessions that have begun.
    sessions_created: Counter = "influx_gateway_sessions_created_total",
    /// Sessions that have ended, by the cause. Of several gateways, one counts it.
    sessions_ended: Counters<EndCause, { EndCause::COUNT }> = "influx_gateway_sessions_ended_total",
    /// Whether the session store can be asked.
    store_up: Gauge = "influx_gateway_store_up",
    /// Questions to Redis, by what came of them.
    store_calls: Counters<StoreOutcome, { StoreOutcome::COUNT }> = "influx_gateway_store_calls_total",
    /// How long Redis took to answer.
    store_call_duration: Histogram = "influx_gateway_store_call_duration_seconds",
    /// Sessions looked up for requests with Redis as the store, by where: at hand, or in Redis.
    store_lookups: Counters<LookUp, { LookUp::COUNT }> = "influx_gateway_store_lookups_total",
    /// TLS handshakes with clients that came to nothing, by the reason.
    tls_handshake_failures: Counters<HandshakeFailure, { HandshakeFailure::COUNT }> =
        "influx_gateway_tls_handshake_failures_total",
    /// Whether the upstream answered when it was last asked.
    upstream_up: Gauge = "influx_gateway_upstream_up",
    /// Connections to the upstream that requests got, by whether they were there before.
    upstream_connections: Counters<Connection, { Connection::COUNT }> =
        "influx_gateway_upstream_connections_total",
    /// Requests that were tried again at the upstream.
    upstream_retries: Counter = "influx_gateway_upstream_retries_total",
    /// Requests that failed at the upstream, by the step.
    upstream_failures: Counters<UpstreamStep, { UpstreamStep::COUNT }> =
        "influx_gateway_upstream_failures_total",
    /// Requests that the upstream was too slow for, by the step.
    upstream_timeouts: Counters<UpstreamStep, { UpstreamStep::COUNT }> =
        "influx_gateway_upstream_timeouts_total",
    /// Spans that were dropped because too many waited, or because the collector did not take them.
    spans_dropped: Counter = "influx_gateway_spans_dropped_total",
    /// Whether the gateway answers what has been asked, and ends.
    draining: Gauge = "influx_gateway_draining",
    /// When the certificate of a listener ends, in seconds since 1970.
    certificates: Certificates = "influx_gateway_certificate_expiry_timestamp_seconds",
    /// Users files read again, by whether their users were taken.
    users_reloads: Counters<Reload, { Reload::COUNT }> = "influx_gateway_users_reloads_total",
    /// Whether the configuration was taken when it was last read.
    reload_successful: Gauge = "influx_gateway_config_last_reload_successful",
    /// When the configuration was last taken, in seconds since 1970.
    reload_time: Gauge = "influx_gateway_config_last_reload_success_timestamp_seconds",
    /// How often the configuration was read again and not taken.
    reload_failures: Counter = "influx_gateway_config_reload_failures_total",
    /// When the process was started, in seconds since 1970.
    started: Gauge = "process_start_time_seconds",
}

/// A request that is over.
pub struct Answered {
    /// What it asked for.
    pub route: RouteClass,
    /// Its method.
    pub method: Method,
    /// What came of it.
    pub status: StatusClass,
    /// How long it took.
    pub whole: Duration,
    /// How long it took before it went upstream, or in all.
    pub own: Duration,
    /// How long the upstream took for the head of its answer, if there was one.
    pub upstream: Option<Duration>,
    /// Bytes of its body.
    pub received: u64,
    /// Bytes of the answer's.
    pub sent: u64,
}

impl Metrics {
    /// Counts a request that is over. Each is counted once.
    pub fn answered(&self, request: &Answered) {
        self.requests.count(request.route, request.method, request.status);
        self.request_duration.note(request.route, request.whole);
        self.own_duration.note(request.own);
        if let Some(upstream) = request.upstream {
            self.upstream_duration.note(upstream);
        }
        self.received.add(request.received);
        self.sent.add(request.sent);
    }
}

#[cfg(test)]
mod tests;
