//! The name that a person has most likely meant.

/// Returns the nearest of the names, if it is near enough.
pub fn nearest<'a>(typed: &str, names: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let near = |name: &&str| strsim::damerau_levenshtein(typed, name);
    let nearest = names.min_by_key(near)?;
    // Of a short name one letter may be wrong, of a long one up to a quarter.
    (near(&nearest) <= 1.max(nearest.chars().count() / 4)).then_some(nearest)
}

/// Returns a question that ends with a space, or nothing if no name is near.
pub fn did_you_mean<'a>(typed: &str, names: impl Iterator<Item = &'a str>) -> String {
    nearest(typed, names).map(|name| format!("Did you mean {name}? ")).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_near_name_is_meant() {
        let names = ["response-lost", "response-reset", "slow", "web-page"];
        for (typed, meant) in [
            ("respons-lost", Some("response-lost")),
            ("response-rest", Some("response-reset")),
            ("slwo", Some("slow")),
            ("fast", None),
            ("", None),
            ("webpage", Some("web-page")),
        ] {
            assert_eq!(nearest(typed, names.into_iter()), meant, "{typed}");
        }
        assert_eq!(nearest("slow", std::iter::empty()), None);
    }
}
