//! Heads and bodies of HTTP/1, read as plainly as can be.

/// The first line of a message, and its headers.
pub(super) struct Head {
    pub(super) first: String,
    /// Names in lower case.
    pub(super) headers: Vec<(String, String)>,
}

impl Head {
    pub(super) fn of(text: &str) -> Self {
        let mut lines = text.split("\r\n");
        let first = lines.next().unwrap_or_default().to_owned();
        let header = |line: &str| {
            let (name, value) = line.split_once(':').unwrap_or((line, ""));
            (name.to_lowercase(), value.trim_matches([' ', '\t']).to_owned())
        };
        Self { first, headers: lines.map(header).collect() }
    }

    /// Whether the first line is a method, a target and a version.
    pub(super) fn is_of_request(&self) -> bool {
        let line = self.first.strip_suffix(" HTTP/1.1").or(self.first.strip_suffix(" HTTP/1.0"));
        let words = line.and_then(|line| line.split_once(' '));
        words.is_some_and(|(method, target)| !method.is_empty() && !target.trim_start().is_empty())
    }

    pub(super) fn all(&self, name: &str) -> Vec<&str> {
        let named = self.headers.iter().filter(|(other, _)| other == name);
        named.map(|(_, value)| value.as_str()).collect()
    }
}

/// How many bytes the body takes at the beginning of `data`, and what it holds; `None` while it is
/// incomplete, an error if it is none.
pub(super) fn body_length(head: &Head, data: &[u8]) -> Result<Option<(usize, Vec<u8>)>, ()> {
    if !head.all("transfer-encoding").is_empty() {
        return chunked(data);
    }
    let length = head.all("content-length").first().map_or(Ok(0), |length| length.parse());
    let length = length.map_err(|_| ())?;
    Ok(data.get(..length).map(|body| (length, body.to_vec())))
}

fn chunked(data: &[u8]) -> Result<Option<(usize, Vec<u8>)>, ()> {
    let (mut body, mut at) = (Vec::new(), 0);
    let line_end = |from: usize| {
        let end = data.get(from..)?.windows(2).position(|end| end == b"\r\n")?;
        Some(from + end)
    };
    while let Some(end) = line_end(at) {
        let size = data[at..end].split(|&byte| byte == b';').next().unwrap_or_default();
        let size = std::str::from_utf8(size).map_err(|_| ())?;
        if !size.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(());
        }
        let size = usize::from_str_radix(size, 16).map_err(|_| ())?;
        if size == 0 {
            let is_end = data[end..].windows(4).position(|end| end == b"\r\n\r\n");
            return Ok(is_end.map(|trailer| (end + trailer + 4, body)));
        }
        at = end + 2 + size + 2;
        let Some(chunk) = data.get(end + 2..at) else { return Ok(None) };
        body.extend_from_slice(&chunk[..size]);
    }
    Ok(None)
}
