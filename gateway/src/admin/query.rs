//! The query of a request: each name once, and none that nobody knows.

use std::str::FromStr;

use super::response::Refusal;
use crate::hex;

/// Names and values of a query that nobody has taken yet.
pub(super) struct Query(Vec<(String, String)>);

impl Query {
    /// Reads `text`, in which `+` is a blank and `%` begins two hex digits.
    pub(super) fn read(text: &str) -> Result<Self, Refusal> {
        let mut pairs: Vec<(String, String)> = Vec::new();
        for pair in text.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let (name, value) = (decode(name)?, decode(value)?);
            if pairs.iter().any(|(other, _)| *other == name) {
                return Err(Refusal::invalid(format!("{name:?} stands there twice")));
            }
            pairs.push((name, value));
        }
        Ok(Self(pairs))
    }

    /// The value of `name`.
    pub(super) fn take(&mut self, name: &str) -> Option<String> {
        let place = self.0.iter().position(|(other, _)| other == name)?;
        Some(self.0.swap_remove(place).1)
    }

    /// The value of `name`, which is to be `what`.
    pub(super) fn parsed<T: FromStr>(
        &mut self,
        name: &str,
        what: &str,
    ) -> Result<Option<T>, Refusal> {
        let parse = |text: String| text.parse().map_err(|_| wrong(name, &text, what));
        self.take(name).map(parse).transpose()
    }

    /// A number from 1 to `most`.
    pub(super) fn number(&mut self, name: &str, most: usize) -> Result<Option<usize>, Refusal> {
        let Some(text) = self.take(name) else { return Ok(None) };
        let number = text.parse().ok().filter(|number| (1..=most).contains(number));
        let is_plain = text.bytes().all(|byte| byte.is_ascii_digit());
        let number = number.filter(|_| is_plain);
        let what = format!("a number from 1 to {most}");
        number.map(Some).ok_or_else(|| wrong(name, &text, &what))
    }

    /// Refuses what nobody has taken.
    pub(super) fn close(self) -> Result<(), Refusal> {
        match self.0.first() {
            None => Ok(()),
            Some((name, _)) => Err(Refusal::invalid(format!("{name:?} is not known here"))),
        }
    }
}

fn wrong(name: &str, text: &str, what: &str) -> Refusal {
    Refusal::invalid(format!("{name}: expected {what}, found {text:?}"))
}

fn decode(text: &str) -> Result<String, Refusal> {
    let bad = || Refusal::invalid("the query is not encoded as UTF-8 with %XX".to_owned());
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        rest = after;
        match first {
            b'+' => bytes.push(b' '),
            b'%' => {
                let (digits, after) = rest.split_first_chunk::<2>().ok_or_else(bad)?;
                bytes.extend(hex::decode(&digits.to_ascii_lowercase()).ok_or_else(bad)?);
                rest = after;
            }
            other => bytes.push(other),
        }
    }
    String::from_utf8(bytes).map_err(|_| bad())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_name_stands_once_and_is_known() {
        let mut query = Query::read("user=ada+l%C3%B6ve%26&limit=7").ok().unwrap();
        assert_eq!(query.take("user").as_deref(), Some("ada l\u{f6}ve&"));
        assert_eq!(query.number("limit", 9).ok().unwrap(), Some(7));
        assert!(query.close().is_ok());
        for wrong in ["a=1&a=2", "a=%", "a=%4", "a=%zz", "a=%ff"] {
            assert!(Query::read(wrong).is_err(), "{wrong}");
        }
        for wrong in ["n=0", "n=10", "n=+1", "n=-1", "n=", "n=x"] {
            assert!(Query::read(wrong).ok().unwrap().number("n", 9).is_err(), "{wrong}");
        }
        assert!(Query::read("x").ok().unwrap().close().is_err());
    }
}
