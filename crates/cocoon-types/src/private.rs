use std::fmt;

/// Content that must not reach a log, an error or a metric: a prompt, an answer, a key.
///
/// It has no `Display`, and its `Debug` says only that something is there. Whoever needs the value calls
/// [`Private::expose`], which is what a reviewer searches for.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Private<T>(T);

impl<T> Private<T> {
    /// Marks a value as private.
    pub const fn new(value: T) -> Self {
        Self(value)
    }

    /// The value, for carrying or computing; never for formatting.
    pub const fn expose(&self) -> &T {
        &self.0
    }

    /// The value, taken out.
    pub fn into_exposed(self) -> T {
        self.0
    }
}

impl<T> fmt::Debug for Private<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[private]")
    }
}

#[cfg(test)]
mod tests {
    use super::Private;

    #[test]
    fn debug_shows_nothing() {
        let text = format!(
            "{:?} {:#?}",
            Private::new("planted"),
            Some(Private::new(vec![1, 2]))
        );
        assert!(!text.contains("planted") && !text.contains('1'), "{text}");
    }
}
