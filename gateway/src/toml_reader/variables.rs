//! Environment variables in strings.

use std::cell::RefCell;

/// Replaces each `${NAME}` of `text` by the environment `variable`, once; `$${` stands for `${`.
pub fn expand(text: &str, variable: &dyn Fn(&str) -> Option<String>) -> Result<String, String> {
    let mut expanded = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find("${") {
        let (before, after) = rest.split_at(start);
        if let Some(escaped) = before.strip_suffix('$') {
            expanded.push_str(escaped);
            expanded.push_str("${");
            rest = &after[2..];
            continue;
        }
        let end = after.find('}').ok_or("`${` without `}`; write `$${` for a plain `${`")?;
        let name = &after[2..end];
        let value = variable(name)
            .ok_or_else(|| format!("the environment variable {name:?} is not set"))?;
        expanded.push_str(before);
        expanded.push_str(&value);
        rest = &after[end + 1..];
    }
    expanded.push_str(rest);
    Ok(expanded)
}

/// What is to be written for `text`: nothing in it is taken for a variable then.
pub fn escape(text: &str) -> String {
    text.replace("${", "$${")
}

/// The names of the environment variables in `text`.
pub fn names_in(text: &str) -> Vec<String> {
    let names = RefCell::new(Vec::new());
    let note = |name: &str| {
        names.borrow_mut().push(name.to_owned());
        Some(String::new())
    };
    // What cannot be expanded, is never read so far.
    let _ = expand(text, &note);
    names.into_inner()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_are_named_and_escaped_ones_are_none() {
        assert_eq!(names_in("${A}-$${B}-${C}"), ["A", "C"]);
        assert_eq!(names_in("$argon2id$v=19$m={8}"), [""; 0]);
    }

    proptest::proptest! {
        /// Whatever is written, is read again as it was.
        #[test]
        fn what_is_escaped_is_read_as_it_was(text in "([$]|[{]|[}]|[a-z]){0,12}") {
            let read = expand(&escape(&text), &|_| None);
            proptest::prop_assert_eq!(read, Ok(text));
        }
    }
}
