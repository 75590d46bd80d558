//! Writes whole lines to a file or a pipe that may be full.

use std::io::{self, ErrorKind, Write};

/// Writes lines, and keeps in mind what did not get through: a line that was torn is ended before the
/// next one begins, and the next one is told how many are lost.
#[derive(Debug, Default)]
pub struct WholeLines {
    is_torn: bool,
    lost: usize,
}

impl WholeLines {
    /// For what already ends with `last`, if it holds anything.
    pub fn after(last: Option<u8>) -> Self {
        Self { is_torn: last.is_some_and(|byte| byte != b'\n'), lost: 0 }
    }

    /// Goes on elsewhere, where `fresh` has begun: what is lost is told there.
    pub fn go_on(&mut self, fresh: Self) {
        self.is_torn = fresh.is_torn;
    }

    /// Counts lines that were lost elsewhere.
    pub fn note_lost(&mut self, count: usize) {
        self.lost += count;
    }

    /// Writes `lines`, each with its end, and before them the line that `tell` makes of the number of
    /// those that are lost, if any are. If that fails, returns how many of `lines` are, and why.
    pub fn write(
        &mut self,
        out: &mut impl Write,
        lines: &[u8],
        tell: impl FnOnce(usize, &mut Vec<u8>),
    ) -> Result<(), (usize, io::Error)> {
        let mut amends = Vec::new();
        if self.is_torn {
            amends.push(b'\n');
        }
        if self.lost > 0 {
            tell(self.lost, &mut amends);
        }
        if let Err((rest, error)) = self.write_part(out, &amends) {
            let count = ends(lines);
            // What lacks nothing but its end has been told.
            self.lost = if rest == 1 && amends.len() > 1 { count } else { self.lost + count };
            return Err((count, error));
        }
        self.lost = 0;
        self.write_part(out, lines).map_err(|(rest, error)| {
            let left = &lines[lines.len() - rest..];
            let is_whole = self.is_torn && left.first() == Some(&b'\n');
            self.lost = ends(left) - usize::from(is_whole);
            (self.lost, error)
        })
    }

    /// Writes `bytes`, or says how many of them are left.
    fn write_part(&mut self, out: &mut impl Write, bytes: &[u8]) -> Result<(), (usize, io::Error)> {
        let mut left = bytes;
        while !left.is_empty() {
            match out.write(left) {
                Ok(0) => return Err((left.len(), ErrorKind::WriteZero.into())),
                Ok(count) => {
                    self.is_torn = left[count - 1] != b'\n';
                    left = &left[count..];
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err((left.len(), error)),
            }
        }
        Ok(())
    }
}

fn ends(lines: &[u8]) -> usize {
    memchr::memchr_iter(b'\n', lines).count()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Takes so many bytes, and no more.
    struct Disk {
        written: Vec<u8>,
        room: usize,
    }

    impl Write for Disk {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let count = bytes.len().min(self.room);
            if count == 0 {
                return Err(ErrorKind::StorageFull.into());
            }
            self.room -= count;
            self.written.extend_from_slice(&bytes[..count]);
            Ok(count)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn tell(count: usize, out: &mut Vec<u8>) {
        out.extend_from_slice(format!("lost {count}\n").as_bytes());
    }

    proptest! {
        /// However much room there is each time, what is read afterwards is lines, torn ones, and
        /// the number of all that are missing or torn.
        #[test]
        fn f_34_every_line_is_there_or_counted(rounds in proptest::collection::vec((0..60_usize, 1..4_usize), 1..20)) {
            let mut disk = Disk { written: Vec::new(), room: 0 };
            let mut lines = WholeLines::default();
            let mut number = 0;
            let mut write = |disk: &mut Disk, count: usize| {
                let numbers = number..number + count;
                number += count;
                let text = numbers.map(|one| format!("<line {one:03}>\n")).collect::<Vec<_>>().concat();
                lines.write(disk, text.as_bytes(), tell).is_ok()
            };
            for (room, count) in rounds {
                disk.room = room;
                let fits = write(&mut disk, count);
                prop_assert!(fits || disk.room == 0);
            }
            disk.room = 10_000;
            prop_assert!(write(&mut disk, 1));
            let text = String::from_utf8(disk.written).unwrap();
            let whole = text.lines().filter(|line| line.len() == 10 && line.ends_with('>')).count();
            let told = text.lines().filter_map(|line| line.strip_prefix("lost ")?.parse::<usize>().ok());
            prop_assert_eq!(whole + told.sum::<usize>(), number, "{}", text);
            prop_assert!(text.ends_with(">\n"));
        }
    }

    #[test]
    fn f_34_what_an_earlier_process_has_torn_is_ended() {
        for (last, written) in [(None, "a\n"), (Some(b'\n'), "a\n"), (Some(b'}'), "\na\n")] {
            let mut disk = Disk { written: Vec::new(), room: 100 };
            WholeLines::after(last).write(&mut disk, b"a\n", tell).unwrap();
            assert_eq!(disk.written, written.as_bytes());
        }
    }
}
