//! `SplitMix64`, a pseudo-random sequence whose n-th number is computed directly from a seed.
//! Source: Steele, Lea and Flood, "Fast splittable pseudorandom number generators", 2014.

/// Returns the n-th number of a seed's sequence.
pub(crate) fn nth(seed: u64, n: u64) -> u64 {
    let mut bits = seed.wrapping_add(n.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ (bits >> 31)
}

/// Returns the n-th fraction of a seed's sequence: at least 0 and less than 1.
pub(crate) fn fraction(seed: u64, n: u64) -> f64 {
    let high = u32::try_from(nth(seed, n) >> 32).unwrap_or_default();
    f64::from(high) / (f64::from(u32::MAX) + 1.0)
}
