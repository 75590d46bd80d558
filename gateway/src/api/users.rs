//! `/api/v2/users/{id}`: requests that change or delete one of InfluxDB's users.

use http::Method;

use crate::auth::errand::Deed;
use crate::user::UserId;

/// What `method` on `path` does to which user. New passwords have a route of their own.
pub fn deed(method: &Method, path: &str) -> Option<(Deed, UserId)> {
    let deed = match *method {
        Method::PATCH => Deed::Update,
        Method::DELETE => Deed::Delete,
        _ => return None,
    };
    let id = path.strip_prefix("/api/v2/users/")?;
    Some((deed, account(id.strip_suffix('/').unwrap_or(id))?))
}

/// The id as InfluxDB reads it, in capitals too.
pub fn account(id: &str) -> Option<UserId> {
    id.to_ascii_lowercase().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn f_09_what_is_done_to_which_user() {
        let id = |text: &str| text.parse::<UserId>().ok();
        for (method, path, expected) in [
            (Method::DELETE, "/api/v2/users/0a1b2c3d4e5f6071", Some(Deed::Delete)),
            (Method::PATCH, "/api/v2/users/0A1B2C3D4E5F6071", Some(Deed::Update)),
            (Method::DELETE, "/api/v2/users/0a1b2c3d4e5f6071/", Some(Deed::Delete)),
            (Method::GET, "/api/v2/users/0a1b2c3d4e5f6071", None),
            (Method::POST, "/api/v2/users/0a1b2c3d4e5f6071", None),
            (Method::DELETE, "/api/v2/users/0a1b2c3d4e5f6071/labels", None),
            (Method::DELETE, "/api/v2/users/", None),
            (Method::DELETE, "/api/v2/orgs/0a1b2c3d4e5f6071", None),
        ] {
            let expected = expected.map(|deed| (deed, id("0a1b2c3d4e5f6071").unwrap()));
            assert_eq!(deed(&method, path), expected, "{method} {path}");
        }
    }
}
