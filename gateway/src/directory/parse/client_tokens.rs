//! Parsing of `[[user.client_token]]`.

use std::collections::{HashMap, HashSet};

use crate::toml_reader::Table;
use crate::user::gateway_token::{ClientToken, Expiry, Label, TokenDigest};

/// Where each token stood first, whosever it was.
pub(super) type Seen = HashMap<TokenDigest, usize>;

/// The tokens of the user in `user`, as far as they are right.
pub(super) fn client_tokens(user: &mut Table<'_>, seen: &mut Seen) -> Vec<ClientToken> {
    let mut labels = HashSet::new();
    let tables = user.tables("client_token");
    tables.into_iter().filter_map(|table| client_token(table, seen, &mut labels)).collect()
}

fn client_token(
    mut table: Table<'_>,
    seen: &mut Seen,
    labels: &mut HashSet<Label>,
) -> Option<ClientToken> {
    let line = table.line();
    let label = table.parsed("label", str::parse::<Label>);
    let digest = table.required("sha256", str::parse::<TokenDigest>);
    let expires = table.parsed("expires", str::parse::<Expiry>);
    if let Some(label) = &label
        && !labels.insert(label.clone())
    {
        table.fault("label", &format!("duplicate label {label}: another token of the user has it"));
    }
    if let Some(digest) = digest
        && let Some(first) = seen.insert(digest, line)
    {
        let what = format!("duplicate token {}: also that of line {first}", digest.mark());
        table.fault("sha256", &what);
    }
    table.close();
    Some(ClientToken { label, digest: digest?, expires })
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::super::parse;
    use super::Label;
    use crate::toml_reader::tests::BARE;

    const HASH: &str =
        "$argon2id$v=19$m=8,t=1,p=1$c29tZXNhbHRzb21l$MTIzNDU2Nzg5MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTI";

    fn user(name: &str, id: u8, tokens: &str) -> String {
        format!("[[user]]\nname = '{name}'\nid = '{id:016x}'\npassword = '{HASH}'\n{tokens}")
    }

    fn token(digit: &str, keys: &str) -> String {
        format!("[[user.client_token]]\nsha256 = '{}'\n{keys}", digit.repeat(64))
    }

    #[test]
    fn a_token_is_its_users() {
        let of_ada = token("a", "label = 'kitchen'\nexpires = '2027-02-26T09:40:00Z'\n");
        let text = user("ada", 1, &(of_ada + &token("b", ""))) + &user("bob", 2, &token("c", ""));
        let users = parse("users.toml", &text, Path::new("."), BARE).ok().unwrap();
        for (digit, name, label) in
            [("a", "ada", Some("kitchen")), ("b", "ada", None), ("c", "bob", None)]
        {
            let holder = users.holder(&digit.repeat(64).parse().unwrap()).unwrap();
            assert_eq!(holder.user.name.as_str(), name);
            assert_eq!(holder.token.label.as_ref().map(Label::as_str), label);
            assert_eq!(holder.token.expires.is_some(), label.is_some());
        }
        assert!(users.holder(&"d".repeat(64).parse().unwrap()).is_none());
    }

    #[test]
    fn faults_are_told_all_at_once_and_show_no_token() {
        let key = "A".repeat(43);
        let written =
            format!("[[user.client_token]]\nsha256 = 'igw_{key}'\nfor = 'x'\nexpires = 'soon'\n");
        let text = user(
            "ada",
            1,
            &(token("a", "label = 'x'\n") + &token("a", "label = 'x'\n") + &written),
        );
        let faults = parse("users.toml", &text, Path::new("."), BARE).err().unwrap();
        let faults: Vec<_> = faults.iter().map(ToString::to_string).collect();
        for (line, what) in [
            (10, "user.client_token.label: duplicate label x"),
            (9, "user.client_token.sha256: duplicate token aaaaaaaa: also that of line 5"),
            (12, "user.client_token.sha256: expected the SHA-256 of a token"),
            (13, "user.client_token.for: unknown key; known here: label, sha256, expires"),
            (14, "user.client_token.expires: \"soon\" is not a time"),
        ] {
            let beginning = format!("users.toml:{line}: {what}");
            let is_told = faults.iter().any(|fault| fault.starts_with(&beginning));
            assert!(is_told, "{beginning}\n{faults:#?}");
        }
        assert_eq!(faults.len(), 5, "{faults:#?}");
        assert!(!faults.concat().contains(&key), "{faults:#?}");
    }
}
