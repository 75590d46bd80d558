//! A user's gateway tokens in the users file: one added, one removed; everything else stays.

use toml_edit::{ArrayOfTables, Item, Table, value};

use super::{EditError, head_comment, meant, prefix};
use crate::directory::users::ReadUsers;
use crate::toml_reader::variables::escape;
use crate::user::gateway_token::{ClientToken, TokenDigest};
use crate::user::name::Username;

/// The key of the tables.
const KEY: &str = "client_token";

/// Adds `token` to those of `user`, whose table this is.
pub(super) fn add(
    table: &mut Table,
    user: &Username,
    token: &ClientToken,
    reader: &dyn ReadUsers,
) -> Result<(), EditError> {
    let tokens = tokens_of(table, user)?;
    if let Some(label) = &token.label
        && tokens
            .iter()
            .any(|other| meant(other, "label", reader).as_deref() == Some(label.as_str()))
    {
        return Err(EditError::LabelExists(user.clone(), label.clone()));
    }
    let mut new = Table::new();
    if let Some(label) = &token.label {
        new.insert("label", value(escape(label.as_str())));
    }
    new.insert("sha256", value(token.digest.to_string()));
    if let Some(expires) = token.expires {
        new.insert("expires", value(expires.to_string()));
    }
    new.decor_mut().set_prefix("\n");
    tokens.push(new);
    Ok(())
}

/// Removes the token of `digest` from those of `user`, whose table this is. What stands above it and belongs to the file
/// is returned: it is to stand above what comes next.
pub(super) fn remove(
    table: &mut Table,
    user: &Username,
    digest: TokenDigest,
    reader: &dyn ReadUsers,
) -> Result<Option<String>, EditError> {
    let tokens = tokens_of(table, user)?;
    let is_it = |other: &Table| {
        meant(other, "sha256", reader).is_some_and(|text| text.parse() == Ok(digest))
    };
    let index = tokens.iter().position(is_it);
    let index = index.ok_or_else(|| EditError::TokenMissing(user.clone(), digest.mark()))?;
    let mut head = tokens.get(index).map(head_comment).filter(|head| !head.trim().is_empty());
    tokens.remove(index);
    if let Some(next) = tokens.get_mut(index)
        && let Some(head) = head.take()
    {
        let own = prefix(next).trim_start_matches('\n').to_owned();
        next.decor_mut().set_prefix(format!("{head}{own}"));
    }
    if tokens.is_empty() {
        table.remove(KEY);
    }
    Ok(head)
}

/// The tables, made if there are none. Those that were written in one line get lines of their own.
fn tokens_of<'a>(
    table: &'a mut Table,
    user: &Username,
) -> Result<&'a mut ArrayOfTables, EditError> {
    let wrong = || EditError::NotTables(user.clone());
    if table.get(KEY).is_some_and(|item| !item.is_array_of_tables()) {
        let item = table.remove(KEY).unwrap_or_default();
        let tables = item.into_array_of_tables().map_err(|_| wrong())?;
        table.insert(KEY, Item::ArrayOfTables(tables));
    }
    let item = table.entry(KEY).or_insert(Item::ArrayOfTables(ArrayOfTables::new()));
    item.as_array_of_tables_mut().ok_or_else(wrong)
}

#[cfg(test)]
mod tests {
    use toml_edit::DocumentMut;

    use super::super::tests::Plain;
    use super::super::{Change, edit};
    use super::*;

    fn token(digit: &str, label: &str) -> ClientToken {
        let digest = digit.repeat(64).parse().unwrap();
        let expires = Some("2027-02-26T09:40:00Z".parse().unwrap());
        ClientToken { label: label.parse().ok(), digest, expires }
    }

    fn changed(before: &str, change: &Change<'_>) -> Result<String, EditError> {
        let short = |text: String, digit: &str| text.replace(&digit.repeat(64), digit);
        let long = ["a", "b", "c"].iter().fold(before.to_owned(), |text, digit| {
            text.replace(&format!("\"{digit}\""), &format!("\"{}\"", digit.repeat(64)))
        });
        let mut document: DocumentMut = long.parse().unwrap();
        edit(&mut document, &"ada".parse().unwrap(), change, &Plain)?;
        Ok(["a", "b", "c"].into_iter().fold(document.to_string(), short))
    }

    const FILE: &str = "# head\n\n[[user]] # one\nname = \"ada\"\npassword = \"x\" # changed\n\n\
                        # second\n[[user]]\nname = \"bob\"\n\n[[user.client_token]]\nsha256 = \"c\"\n# foot\n";

    #[test]
    fn a_token_is_added_to_its_user_and_comments_are_kept() {
        let once = changed(FILE, &Change::AddToken(&token("a", "kitchen"))).unwrap();
        let added = "\n[[user.client_token]]\nlabel = \"kitchen\"\nsha256 = \"a\"\nexpires = \"2027-02-26T09:40:00Z\"\n";
        let (above, below) = FILE.split_once("\n# second").unwrap();
        assert_eq!(once, format!("{above}{added}\n# second{below}"));
        let twice = changed(&once, &Change::AddToken(&token("b", "roof ${x}"))).unwrap();
        let more = added.replace("kitchen", "roof $${x}").replace("\"a\"", "\"b\"");
        assert_eq!(twice, format!("{above}{added}{more}\n# second{below}"));
        let again = changed(&twice, &Change::AddToken(&token("c", "kitchen")));
        assert!(matches!(again, Err(EditError::LabelExists(..))));
        // And away with them.
        let digest = |digit: &str| Change::RemoveToken(digit.repeat(64).parse().unwrap());
        assert_eq!(changed(&twice, &digest("b")).unwrap(), once);
        assert_eq!(changed(&once, &digest("a")).unwrap(), FILE);
        // Another's is not there.
        assert!(matches!(changed(&once, &digest("c")), Err(EditError::TokenMissing(..))));
    }

    #[test]
    fn what_stands_above_a_token_goes_with_it_and_what_is_the_files_stays() {
        let remove = Change::RemoveToken("a".repeat(64).parse().unwrap());
        let file = "[[user]]\nname = \"ada\"\n\n# of all\n\n# of this\n[[user.client_token]]\nsha256 = \"a\"\n";
        for (next, expected) in [
            (
                "\n[[user.client_token]]\nsha256 = \"b\"\n",
                "[[user.client_token]]\nsha256 = \"b\"\n",
            ),
            ("\n[[user]]\nname = \"bob\"\n", "[[user]]\nname = \"bob\"\n"),
            ("", ""),
        ] {
            let after = changed(&format!("{file}{next}"), &remove).unwrap();
            assert_eq!(after, format!("[[user]]\nname = \"ada\"\n\n# of all\n\n{expected}"));
        }
    }

    #[test]
    fn tokens_in_one_line_are_found() {
        let file = "[[user]]\nname = \"ada\"\nclient_token = [{ sha256 = \"a\" }]\n";
        let added = changed(file, &Change::AddToken(&token("b", "x"))).unwrap();
        assert_eq!(added.matches("[[user.client_token]]").count(), 2, "{added}");
        let wrong = changed(
            "[[user]]\nname = \"ada\"\nclient_token = 1\n",
            &Change::AddToken(&token("b", "x")),
        );
        assert!(matches!(wrong, Err(EditError::NotTables(_))));
    }
}
