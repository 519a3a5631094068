//! Numbers that look random and can be had again: `SplitMix64`.

/// The number after this one.
pub(crate) fn next(seed: u64) -> u64 {
    let mut z = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// A sample of at most `count` items, the same for the same seed, in their order.
pub(crate) fn sample<T>(items: Vec<T>, count: usize, seed: u64) -> Vec<T> {
    if items.len() <= count {
        return items;
    }
    let mut keyed: Vec<(u64, usize, T)> = items
        .into_iter()
        .enumerate()
        .map(|(index, item)| {
            let key = next(seed ^ next(u64::try_from(index).unwrap_or_default()));
            (key, index, item)
        })
        .collect();
    keyed.sort_by_key(|(key, ..)| *key);
    keyed.truncate(count);
    keyed.sort_by_key(|(_, index, _)| *index);
    keyed.into_iter().map(|(.., item)| item).collect()
}
