//! Parsing of the users file: its `[[user]]` tables.

mod client_tokens;

use std::collections::HashMap;
use std::path::Path;

use super::link::Link;
use super::users::{Account, Users};
use crate::toml_reader::{Diagnostic, Document, Environment, Table};
use crate::user::access::Access;
use crate::user::login_name::CanonicalName;
use crate::user::name::Username;
use crate::user::password::PasswordHash;
use crate::user::secret::ApiToken;
use crate::user::{Status, User, UserId};

/// Reads the users file `text`, called `name` in faults; all faults at once.
///
/// Token files are looked for relative to `folder`, the users file's own.
pub fn parse(
    name: &str,
    text: &str,
    folder: &Path,
    environment: Environment<'_>,
) -> Result<Users, Vec<Diagnostic>> {
    let document = Document::parse(name, text, environment);
    let mut root = document.root();
    let mut seen = Seen::default();
    let users: Vec<_> = root
        .tables("user")
        .into_iter()
        .filter_map(|table| account(table, folder, &mut seen))
        .collect();
    root.close();
    let faults = document.into_faults();
    if faults.is_empty() { Ok(Users::new(users)) } else { Err(faults) }
}

/// A hash that is that of no password: nobody can find one. It stays the same, so that nothing has changed when a file is
/// read again.
const NOBODYS: &str = "$argon2id$v=19$m=19456,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

/// Where each name, each id and each user of a provider stood first.
#[derive(Default)]
struct Seen {
    names: HashMap<CanonicalName, usize>,
    ids: HashMap<UserId, usize>,
    links: HashMap<Link, usize>,
    tokens: client_tokens::Seen,
}

fn account(mut table: Table<'_>, folder: &Path, seen: &mut Seen) -> Option<Account> {
    let line = table.line();
    let name = table.required("name", str::parse::<Username>);
    let id = if table.has("oidc") {
        table.parsed("id", str::parse::<UserId>)
    } else {
        table.required("id", str::parse::<UserId>)
    };
    let password = if table.has("oidc") && !table.has("password") {
        // The user comes by the provider alone.
        PasswordHash::parse(NOBODYS).ok()
    } else {
        table.required("password", PasswordHash::parse)
    };
    let is_of_the_environment = table.is_of_the_environment("password");
    let statuses = [("active", Status::Active), ("inactive", Status::Inactive)];
    let status = table.choice("status", &statuses).unwrap_or(Status::Active);
    let accesses = Access::ALL.map(|access| (access.word(), access));
    let access = table.choice("access", &accesses).unwrap_or(Access::Full);
    let token = token(&mut table, folder);
    let own = table.parsed("oidc", str::parse::<Link>);
    let id = if table.has("id") { id } else { own.as_ref().map(Link::id) };
    let client_tokens = client_tokens::client_tokens(&mut table, &mut seen.tokens);

    if let Some(name) = &name
        && let Some(first) = seen.names.insert(name.into(), line)
    {
        table.fault("name", &format!("duplicate name {name}: also the user of line {first}"));
    }
    if let Some(id) = id
        && let Some(first) = seen.ids.insert(id, line)
    {
        let key = if table.has("id") { "id" } else { "oidc" };
        table.fault(key, &format!("duplicate id {id}: also the user of line {first}"));
    }
    if let Some(own) = &own
        && let Some(first) = seen.links.insert(own.clone(), line)
    {
        table.fault("oidc", &format!("also the user of line {first}"));
    }
    table.close();
    let user = User { name: name?, id: id?, status, access, token };
    let mut account = Account::new(user, password?).linked(own).with_tokens(client_tokens);
    account.is_of_the_environment = is_of_the_environment;
    Some(account)
}

fn token(table: &mut Table<'_>, folder: &Path) -> Option<ApiToken> {
    let environment = table.environment();
    let token = table.parsed("token", ApiToken::parse);
    let from_file =
        table.parsed("token_file", |path| ApiToken::of_file(&folder.join(path), environment.file));
    if token.is_some() && from_file.is_some() {
        table.fault("token_file", "either token or token_file, not both");
    }
    token.or(from_file)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::toml_reader::tests::BARE;
    use crate::user::secret::Scheme;

    const HASH: &str =
        "$argon2id$v=19$m=8,t=1,p=1$c29tZXNhbHRzb21l$MTIzNDU2Nzg5MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTI";

    fn check(text: &str, expected: &[&str]) {
        let text = text.replace("HASH", HASH);
        let result = parse("users.toml", &text, Path::new("conf"), BARE);
        let faults: Vec<_> =
            result.err().unwrap_or_default().iter().map(Diagnostic::to_string).collect();
        assert_eq!(faults, expected, "{text}");
    }

    #[test]
    fn a_good_file_has_its_users() {
        let text = format!(
            "[[user]]\nname = 'ada'\nid = '0000000000000001'\npassword = '{HASH}'\n\
             [[user]]\nname = 'bob'\nid = '0000000000000002'\npassword = '{HASH}'\n\
             status = 'inactive'\ntoken = ' t '\n"
        );
        let users = parse("users.toml", &text, Path::new("."), BARE).ok().unwrap();
        let users = users.sorted();
        assert_eq!(users.len(), 2);
        assert_eq!(users[1].status, Status::Inactive);
        assert_eq!(users[1].token.as_ref().unwrap().authorization(Scheme::Token), "Token t");
    }

    #[test]
    fn faults_are_told_all_at_once() {
        check(
            "[[user]]\nname = 'a,b'\nid = '1'\npassword = 'plain'\nstatus = 'gone'\nrole = 1\n",
            &[
                "users.toml:2: user.name: a name is 1 to 255 visible ASCII characters without \
                 colon and comma",
                "users.toml:3: user.id: an id is 16 hex digits in lower case, for example \
                 \"0a1b2c3d4e5f6071\"; `influx-gateway user add` makes one",
                "users.toml:4: user.password: not a PHC string; `influx-gateway hash` makes one",
                "users.toml:5: user.status: \"gone\" is not one of \"active\", \"inactive\"",
                "users.toml:6: user.role: unknown key; known here: name, id, password, status, \
                 access, token, token_file, oidc, client_token",
            ],
        );
    }

    #[test]
    fn duplicates_name_both_lines() {
        check(
            "[[user]]\nname = 'ada'\nid = '0000000000000001'\npassword = 'HASH'\n\
             [[user]]\nname = 'ada'\nid = '0000000000000001'\npassword = 'HASH'\n",
            &[
                "users.toml:6: user.name: duplicate name ada: also the user of line 1",
                "users.toml:7: user.id: duplicate id 0000000000000001: also the user of line 1",
            ],
        );
        check(
            "[[user]]\nname = 'ada'\nid = '0000000000000001'\npassword = 'HASH'\n\
             [[user]]\nname = 'Ada'\nid = '0000000000000002'\npassword = 'HASH'\n",
            &["users.toml:6: user.name: duplicate name Ada: also the user of line 1"],
        );
    }

    #[test]
    fn a_user_of_a_provider_has_an_id_that_follows_from_the_link() {
        let read = |text: &str| {
            let users = parse("users.toml", text, Path::new("."), BARE).ok().unwrap();
            users.sorted().into_iter().map(|user| user.id.to_string()).collect::<Vec<_>>()
        };
        let text = "[[user]]\nname = 'ada'\noidc = 'keycloak:8f1c'\n";
        // printf 'keycloak\0%s' 8f1c | sha256sum | cut -c1-16
        assert_eq!(read(text), ["ab2124c51309fc30"]);
        // The name is none of it; another provider and another `sub` are.
        assert_eq!(read(&text.replace("ada", "bob")), read(text));
        assert_ne!(read(&text.replace("8f1c", "8f1d")), read(text));
        assert_ne!(read(&text.replace("keycloak", "other")), read(text));
        // One that is written counts.
        assert_eq!(read(&format!("{text}id = '0000000000000001'\n")), ["0000000000000001"]);
    }

    #[test]
    fn an_id_that_follows_from_a_link_is_nobody_elses() {
        check(
            "[[user]]\nname = 'ada'\nid = 'ab2124c51309fc30'\npassword = 'HASH'\n\
             [[user]]\nname = 'bob'\noidc = 'keycloak:8f1c'\n",
            &["users.toml:7: user.oidc: duplicate id ab2124c51309fc30: also the user of line 1"],
        );
        // What is wrong is told once.
        check(
            "[[user]]\nname = 'ada'\noidc = 'keycloak'\n\
             [[user]]\nname = 'bob'\nid = '1'\noidc = 'keycloak:8f1c'\n",
            &[
                "users.toml:3: user.oidc: expected the id of an [[oidc]], a colon and the `sub` by which that knows the \
                 user; write for example \"keycloak:0d5f4c3a-8a1b-4b6f-9d57-6f1f7c1e8a21\"",
                "users.toml:6: user.id: an id is 16 hex digits in lower case, for example \"0a1b2c3d4e5f6071\"; \
                 `influx-gateway user add` makes one",
            ],
        );
    }

    #[test]
    fn what_is_missing_is_told_at_the_head_of_the_user() {
        check(
            "# a comment\n[[user]]\nid = '0000000000000001'\n",
            &["users.toml:2: user.name: missing", "users.toml:2: user.password: missing"],
        );
    }

    #[test]
    fn a_token_file_that_is_missing_is_a_fault_and_a_token_is_not_shown() {
        check(
            "[[user]]\nname = 'ada'\nid = '0000000000000001'\npassword = 'HASH'\n\
             token = 'two words'\ntoken_file = 'ada.token'\n",
            &[
                "users.toml:5: user.token: a token is visible ASCII without blanks",
                "users.toml:6: user.token_file: no such file",
            ],
        );
    }

    proptest::proptest! {
        /// Whatever a users file says, accepted users have names of their own that can be headers,
        /// and ids of their own; and a refusal shows neither hash nor token.
        #[test]
        fn accepted_users_are_distinct_and_refusals_keep_secrets(
            users in proptest::collection::vec(
                ("[ab,: é]{1,3}", "[01]{16}|[0-9a-fA-F]{15,17}", "active|inactive|gone",
                 "secret-[a-z ]{1,8}"), 0..4)
        ) {
            let table = |(name, id, status, token): &(String, String, String, String)| {
                format!(
                    "[[user]]\nname = '{name}'\nid = '{id}'\npassword = '{HASH}'\n\
                     status = '{status}'\ntoken = '{token}'\n"
                )
            };
            let text = users.iter().map(table).collect::<Vec<_>>().concat();
            match parse("users.toml", &text, Path::new("."), BARE) {
                Ok(read) => {
                    proptest::prop_assert_eq!(read.count(), users.len());
                    let ids: std::collections::HashSet<_> =
                        read.sorted().iter().map(|user| user.id).collect();
                    proptest::prop_assert_eq!(ids.len(), users.len());
                    for user in read.sorted() {
                        proptest::prop_assert!(user.name.as_str().bytes().all(|b| b.is_ascii_graphic()));
                    }
                }
                Err(faults) => {
                    let told: Vec<_> = faults.iter().map(Diagnostic::to_string).collect();
                    let told = told.join("\n");
                    proptest::prop_assert!(!told.contains("secret-") && !told.contains("argon2id$v"));
                }
            }
        }
    }
}
