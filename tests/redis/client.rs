use std::io::{self, BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpStream};

use crate::support::PATIENCE;

/// What Redis answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Reply {
    Text(Vec<u8>),
    Number(i64),
    Many(Vec<Reply>),
    Nothing,
    Error(String),
}

impl Reply {
    /// A text, or the text of an error.
    pub(crate) fn text(&self) -> String {
        match self {
            Self::Text(bytes) => String::from_utf8_lossy(bytes).into_owned(),
            Self::Error(text) => text.clone(),
            other => panic!("no text: {other:?}"),
        }
    }

    pub(crate) fn texts(&self) -> Vec<String> {
        let Self::Many(all) = self else { panic!("no list: {self:?}") };
        all.iter().map(Self::text).collect()
    }

    pub(crate) fn number(&self) -> i64 {
        let Self::Number(number) = self else { panic!("no number: {self:?}") };
        *number
    }
}

/// Asks the Redis at `address` one thing. An error is that nobody answers.
pub(crate) fn ask(address: SocketAddr, command: &[&str]) -> io::Result<Reply> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    let words = command.iter().map(|word| format!("${}\r\n{word}\r\n", word.len()));
    let bytes: String = [format!("*{}\r\n", command.len())].into_iter().chain(words).collect();
    stream.write_all(bytes.as_bytes())?;
    read(&mut BufReader::new(stream))
}

fn read(reader: &mut impl BufRead) -> io::Result<Reply> {
    let mut line = String::new();
    if reader.read_line(&mut line)? == 0 {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    let (kind, rest) = line.trim_end().split_at(1);
    let number = || rest.parse::<i64>().map_err(io::Error::other);
    Ok(match kind {
        "+" => Reply::Text(rest.into()),
        "-" => Reply::Error(rest.to_owned()),
        ":" => Reply::Number(number()?),
        "$" => match usize::try_from(number()?) {
            Ok(length) => {
                let mut bytes = vec![0; length + 2];
                reader.read_exact(&mut bytes)?;
                bytes.truncate(length);
                Reply::Text(bytes)
            }
            Err(_negative) => Reply::Nothing,
        },
        "*" => Reply::Many((0..number()?).map(|_| read(reader)).collect::<io::Result<_>>()?),
        _ => return Err(io::Error::other(format!("no answer of Redis: {line:?}"))),
    })
}
