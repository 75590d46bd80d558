//! Requests and what must come of them: the line, who asks, the body, and the outcome as `said` has it.

/// A request, and what must come of it.
pub type Case = (&'static str, &'static [&'static str], &'static str, &'static str);

const CROSS_SITE: &str = "sec-fetch-site: cross-site";
const TOKEN: &str = "authorization: Token all";

/// Who asks: a name means a new session of that user, other words are header lines.
pub const CASES: [Case; 56] = [
    // Signing in and out.
    ("POST /api/v2/signin", &["basic ada"], "", "204, by ada"),
    ("POST /api/v2/signin", &["basic gone"], "", "204, by gone"),
    ("POST /api/v2/signin", &["wrong ada"], "", "401 unauthorized"),
    ("POST /api/v2/signin", &["wrong nobody"], "", "401 unauthorized"),
    ("POST /api/v2/signin", &[], "", "401 unauthorized"),
    ("POST /api/v2/signin", &[TOKEN], "", "401 unauthorized"),
    ("POST /api/v2/signin", &["basic ada", CROSS_SITE], "", "403 forbidden"),
    ("POST /api/v2/signin/", &["basic ada"], "", "401 unauthorized"),
    ("POST /api/v2/signin/", &["ada", "basic ada"], "", "204, by ada"),
    ("GET /api/v2/signin", &[], "", "401 unauthorized"),
    ("GET /api/v2/signin", &["ada"], "", "405 method not allowed, by ada"),
    ("OPTIONS /api/v2/signin", &[], "", "405 method not allowed"),
    ("POST /api/v2/signin/x", &["ada"], "", "404 not found, by ada"),
    ("POST /api/v2/signout", &["ada"], "", "204, by ada"),
    ("POST /api/v2/signout", &["gone"], "", "204, by gone"),
    ("POST /api/v2/signout", &[], "", "401 unauthorized"),
    ("POST /api/v2/signout", &[TOKEN], "", "401 unauthorized"),
    ("POST /api/v2/signout", &["ada", CROSS_SITE], "", "403 forbidden"),
    // Who am I?
    ("GET /api/v2/me", &["ada"], "", "200, by ada"),
    ("GET /api/v2/me", &["gone"], "", "403 forbidden, by gone"),
    ("GET /api/v2/me", &[], "", "401 unauthorized"),
    ("GET /api/v2/me", &["basic ada"], "", "401 unauthorized"),
    ("GET /api/v2/me", &["ada", CROSS_SITE], "", "200, by ada"),
    ("GET /api/v2/me", &[TOKEN], "", "forward: as it came"),
    ("POST /api/v2/me", &["ada"], "", "405 method not allowed, by ada"),
    // The API.
    ("GET /api/v2/buckets", &["ada"], "", "forward: Token shared, by ada"),
    ("GET /api/v2/buckets", &["olga"], "", "forward: Token own, by olga"),
    ("GET /api/v2/buckets", &["rita"], "", "forward: Token shared, by rita"),
    ("GET /api/v2/buckets", &["gone"], "", "403 forbidden, by gone"),
    ("GET /api/v2/buckets", &[], "", "401 unauthorized"),
    ("GET /api/v2/buckets", &["basic ada"], "", "401 unauthorized"),
    ("GET /api/v2/buckets", &["ada", "basic olga"], "", "forward: Token shared, by ada"),
    ("GET /api/v2/buckets", &["ada", TOKEN], "", "forward: as it came"),
    ("GET /api/v2/buckets", &["cookie: influxdb-oss-session=x"], "", "401 unauthorized"),
    ("POST /api/v2/buckets", &["rita"], "", "403 forbidden, by rita"),
    ("POST /api/v2/write", &["ada"], "m v=1", "forward: Token shared, by ada"),
    ("POST /api/v2/write", &["ada", CROSS_SITE], "m v=1", "403 forbidden, by ada"),
    ("POST /api/v2/write", &[TOKEN, CROSS_SITE], "m v=1", "forward: as it came"),
    ("POST /api/v2/write", &["ada", "content-length: 5000"], "", "413 request too large"),
    ("POST /api/v2/authorizations", &["ada"], "{}", "403 forbidden, by ada"),
    ("POST /api/v2/authorizations", &["olga"], "{}", "forward: Token own, by olga"),
    ("BREW /api/v2/buckets", &["ada"], "", "405 method not allowed"),
    ("GET /api/v2/../v2/me", &["ada"], "", "400 invalid"),
    // Passwords.
    ("PUT /api/v2/me/password", &["ada", "basic ada"], NEW, "204, by ada"),
    ("PUT /api/v2/me/password", &["ada", "wrong ada"], NEW, "403 forbidden, by ada"),
    ("PUT /api/v2/me/password", &["ada"], NEW, "400 invalid, by ada"),
    ("PUT /api/v2/me/password", &["ada", "basic ada"], "{}", "400 invalid, by ada"),
    ("PUT /api/v2/me/password", &["basic ada"], NEW, "401 unauthorized"),
    ("POST /api/v2/users/0000000000000001/password", &["ada"], NEW, "403 forbidden, by ada"),
    ("POST /api/v2/users/0000000000000001/password", &[TOKEN], NEW, "forward: as it came"),
    // What needs nobody, and what is nowhere.
    ("GET /api/v2", &[], "", "public"),
    ("GET /health", &["ada"], "", "public"),
    ("POST /write", &[], "m v=1", "public"),
    ("POST /api/v2/setup", &[], "{}", "403 forbidden"),
    ("GET /gateway/health", &[], "", "200"),
    ("GET /metrics", &["ada"], "", "404 not found"),
];

const NEW: &str = r#"{"password":"another horse"}"#;

/// What a store that cannot be asked changes: whatever needs a session is 503, and nothing else.
pub const IN_TROUBLE: [Case; 16] = [
    ("POST /api/v2/signin", &["basic ada"], "", UNKNOWN),
    ("POST /api/v2/signin", &["wrong ada"], "", "401 unauthorized"),
    ("POST /api/v2/signin/", &["session", "basic ada"], "", UNKNOWN),
    ("GET /api/v2/signin", &["session"], "", UNKNOWN),
    ("POST /api/v2/signin/x", &["session"], "", UNKNOWN),
    ("POST /api/v2/signout", &["session"], "", UNKNOWN),
    ("POST /api/v2/signout", &[], "", "401 unauthorized"),
    ("GET /api/v2/me", &["session"], "", UNKNOWN),
    ("GET /api/v2/me", &[], "", "401 unauthorized"),
    ("GET /api/v2/buckets", &["session"], "", UNKNOWN),
    ("POST /api/v2/write", &["session"], "m v=1", UNKNOWN),
    ("POST /api/v2/write", &["session", CROSS_SITE], "m v=1", UNKNOWN),
    ("PUT /api/v2/me/password", &["session", "basic ada"], NEW, UNKNOWN),
    ("GET /api/v2/buckets", &[TOKEN], "", "forward: as it came"),
    ("GET /api/v2", &[], "", "public"),
    ("GET /gateway/health", &[], "", "200"),
];

pub const UNKNOWN: &str = "503 unavailable";
