//! GPT-2's spelling of bytes: every byte is one printable character of the vocabulary.

/// The byte that a vocabulary character stands for.
pub(super) fn byte_of(character: char) -> Option<u8> {
    let code = u32::from(character);
    if let Ok(byte) = u8::try_from(code)
        && is_printable(byte)
    {
        return Some(byte);
    }
    // The other bytes, in order, are the characters from U+0100 on: up to the space, from the
    // delete character to the no-break space, and the soft hyphen.
    match code.checked_sub(0x100)? {
        index @ 0..=32 => Some(index as u8),
        index @ 33..=66 => Some((index - 33) as u8 + 0x7f),
        67 => Some(0xad),
        _ => None,
    }
}

fn is_printable(byte: u8) -> bool {
    matches!(byte, b'!'..=b'~' | 0xa1..=0xac | 0xae..=0xff)
}

/// The bytes that a vocabulary entry stands for; `None` when it holds a foreign character.
pub(super) fn bytes_of(entry: &str) -> Option<Vec<u8>> {
    entry.chars().map(byte_of).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spells_every_byte_once() {
        let mut found: Vec<u8> =
            (0..0x200).filter_map(char::from_u32).filter_map(byte_of).collect();
        found.sort_unstable();
        assert_eq!(found, (0..=u8::MAX).collect::<Vec<_>>());
        assert_eq!(bytes_of("Ġthe").as_deref(), Some(&b" the"[..]));
        assert_eq!(bytes_of("Ċ").as_deref(), Some(&b"\n"[..]));
        assert_eq!(bytes_of("ĉ").as_deref(), Some(&b"\t"[..]));
        assert_eq!(bytes_of("\u{200b}"), None);
    }
}
