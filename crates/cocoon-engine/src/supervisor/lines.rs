use tokio::io::{AsyncRead, AsyncReadExt as _};

/// Longest line that is shown; the rest of it is left out.
const MAX_LINE_BYTES: usize = 1024;

/// Reads text lines from a program without ever keeping more than one of limited length.
pub(super) struct Lines<R> {
    source: R,
    chunk: Box<[u8; 4096]>,
    filled: usize,
    taken: usize,
    line: Vec<u8>,
}

impl<R: AsyncRead + Unpin> Lines<R> {
    pub(super) fn new(source: R) -> Self {
        Self {
            source,
            chunk: Box::new([0; 4096]),
            filled: 0,
            taken: 0,
            line: Vec::new(),
        }
    }

    /// The next line, safe to show: cut at its limit, without control characters. `None` at the end.
    pub(super) async fn next(&mut self) -> Option<String> {
        loop {
            while self.taken < self.filled {
                let rest = &self.chunk[self.taken..self.filled];
                let end = memchr::memchr(b'\n', rest);
                let part = &rest[..end.unwrap_or(rest.len())];
                let room = MAX_LINE_BYTES.saturating_sub(self.line.len());
                self.line.extend_from_slice(&part[..part.len().min(room)]);
                self.taken += part.len() + usize::from(end.is_some());
                if end.is_some() {
                    return Some(self.take_line());
                }
            }
            self.taken = 0;
            self.filled = self.source.read(&mut self.chunk[..]).await.unwrap_or(0);
            if self.filled == 0 {
                return (!self.line.is_empty()).then(|| self.take_line());
            }
        }
    }

    fn take_line(&mut self) -> String {
        let line = String::from_utf8_lossy(&self.line)
            .trim_end()
            .replace(char::is_control, " ");
        self.line.clear();
        line
    }
}

#[cfg(test)]
mod tests {
    use super::Lines;

    #[tokio::test]
    async fn lines_are_cut_and_cleaned() {
        let text = [
            b"one\r\ntwo\x1b[31m\n\n".as_slice(),
            &[b'x'; 10_000],
            b"\nlast\xff",
        ]
        .concat();
        let mut lines = Lines::new(text.as_slice());
        assert_eq!(lines.next().await.unwrap(), "one");
        assert_eq!(lines.next().await.unwrap(), "two [31m");
        assert_eq!(lines.next().await.unwrap(), "");
        assert_eq!(lines.next().await.unwrap().len(), 1024);
        assert_eq!(lines.next().await.unwrap(), "last\u{fffd}");
        assert_eq!(lines.next().await, None);
    }
}
