//! Masking: placeholders where a document holds somebody's address, number or a profane word.
//!
//! This refuses nothing. It is off unless a job asks for it, and changes documents that every gate passed.

mod code;
mod email;
mod ip;
mod phone;

use std::ops::Range;

use hornbook_types::Mask;

use super::profanity;

/// What was masked in a text.
pub(super) struct Masked {
    /// The text with placeholders.
    pub(super) text: String,
    /// How many of each kind, in the order of [`Mask`].
    pub(super) counts: Vec<(Mask, u64)>,
}

/// Name of the score that counts what was masked.
pub(super) fn score(mask: Mask) -> &'static str {
    match mask {
        Mask::Email => "masked_email",
        Mask::Phone => "masked_phone",
        Mask::Ip => "masked_ip",
        Mask::Profanity => "masked_profanity",
    }
}

fn placeholder(mask: Mask) -> &'static str {
    match mask {
        Mask::Email => "[email]",
        Mask::Phone => "[phone]",
        Mask::Ip => "[ip]",
        Mask::Profanity => "[profanity]",
    }
}

/// Masks what was asked for; `None` when there is nothing of it.
pub(super) fn mask(text: &str, kinds: &[Mask]) -> Option<Masked> {
    let mut kinds = kinds.to_vec();
    kinds.sort_unstable();
    kinds.dedup();
    let mut found: Vec<(Range<usize>, Mask)> = Vec::new();
    for &kind in &kinds {
        let ranges: Vec<Range<usize>> = match kind {
            Mask::Email => email::find(text),
            Mask::Phone => code::outside(text, phone::find(text)),
            Mask::Ip => code::outside(text, ip::find(text)),
            Mask::Profanity => profanity::find(text).collect(),
        };
        found.extend(ranges.into_iter().map(|range| (range, kind)));
    }
    if found.is_empty() {
        return None;
    }
    found.sort_unstable_by_key(|(range, kind)| (range.start, *kind));
    let mut counts: Vec<(Mask, u64)> = kinds.into_iter().map(|kind| (kind, 0)).collect();
    let mut masked = String::with_capacity(text.len());
    let mut end = 0;
    for (range, kind) in found {
        // Of two that overlap, the one that begins first: a number within an address is part of it.
        if range.start < end {
            continue;
        }
        masked.push_str(&text[end..range.start]);
        masked.push_str(placeholder(kind));
        end = range.end;
        for (counted, count) in &mut counts {
            *count += u64::from(*counted == kind);
        }
    }
    masked.push_str(&text[end..]);
    counts.retain(|&(_, count)| count > 0);
    Some(Masked { text: masked, counts })
}

#[cfg(test)]
mod tests;
