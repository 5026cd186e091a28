
/// Chooses one mistake of those in this build, by its number.
pub(crate) mod mutant {
    use std::fs::File;
    use std::io::Write;
    use std::sync::OnceLock;
    use std::sync::atomic::{AtomicBool, Ordering};

    const COUNT: usize = 100_000;

    enum Choice {
        One(usize),
        /// Each mistake is written to a file when it is reached first.
        Record(File, Box<[AtomicBool]>),
    }

    fn choice() -> Choice {
        let record = std::env::var_os("EPS_MUTANTS_REACHED");
        match record.and_then(|path| File::options().create(true).append(true).open(path).ok()) {
            Some(file) => Choice::Record(file, (0..COUNT).map(|_| AtomicBool::new(false)).collect()),
            None => Choice::One(std::env::var("EPS_MUTANT").ok().and_then(|it| it.parse().ok()).unwrap_or(COUNT)),
        }
    }

    /// Whether a mistake is chosen.
    pub(crate) fn is(number: usize) -> bool {
        static CHOICE: OnceLock<Choice> = OnceLock::new();
        match CHOICE.get_or_init(choice) {
            Choice::One(chosen) => *chosen == number,
            Choice::Record(file, reached) => {
                if !reached[number].swap(true, Ordering::Relaxed) {
                    let _ = { file }.write_all(format!("{number}\n").as_bytes());
                }
                false
            }
        }
    }

    /// `Option::is_some_and`, and with the mistake `is_none_or`.
    pub(crate) fn is_some_and<T>(number: usize, value: Option<T>, test: impl FnOnce(T) -> bool) -> bool {
        let is_mutant = is(number);
        value.map_or(is_mutant, test)
    }

    /// `Option::is_none_or`, and with the mistake `is_some_and`.
    pub(crate) fn is_none_or<T>(number: usize, value: Option<T>, test: impl FnOnce(T) -> bool) -> bool {
        let is_mutant = is(number);
        value.map_or(!is_mutant, test)
    }

    /// `Iterator::any`, and with the mistake `all`.
    pub(crate) fn any<I: Iterator>(number: usize, mut values: I, test: impl FnMut(I::Item) -> bool) -> bool {
        if is(number) { values.all(test) } else { values.any(test) }
    }

    /// `Iterator::all`, and with the mistake `any`.
    pub(crate) fn all<I: Iterator>(number: usize, mut values: I, test: impl FnMut(I::Item) -> bool) -> bool {
        if is(number) { values.any(test) } else { values.all(test) }
    }
}
