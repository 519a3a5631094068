//! A session's id: 256 bits that nobody can guess, and that no log line, no error and no engine gets to see.

use sha2::{Digest, Sha256};
use std::fmt::{self, Write};

/// Bytes of an id.
const SIZE: usize = 32;

/// The secret that a client shows to be known again.
#[derive(Clone, PartialEq, Eq)]
pub struct SessionId(String);

impl SessionId {
    /// A fresh one, from the system's random source.
    pub(super) fn random() -> Result<Self, getrandom::Error> {
        let mut bytes = [0; SIZE];
        getrandom::fill(&mut bytes)?;
        let mut text = String::with_capacity(2 * SIZE);
        for byte in bytes {
            // A string takes everything.
            _ = write!(text, "{byte:02x}");
        }
        Ok(Self(text))
    }

    /// An id as we give them out; anything else is none, and never reaches an engine.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let ours = |byte: &u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
        (text.len() == 2 * SIZE && text.as_bytes().iter().all(ours)).then(|| Self(text.to_owned()))
    }

    /// The id itself, for the cookie only.
    pub(super) fn expose(&self) -> &str {
        &self.0
    }

    /// Where an engine keeps the session. Whoever reads the engine's keys learns no id from them.
    pub(super) fn key(&self) -> String {
        format!("session:{:x}", Sha256::digest(&self.0))
    }
}

/// Nothing of it is told.
impl fmt::Debug for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SessionId(hidden)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn ids_are_256_bits_and_never_the_same() {
        let ids: HashSet<String> = (0..1000).map(|_| SessionId::random().unwrap().0).collect();
        assert_eq!(ids.len(), 1000);
        for id in &ids {
            assert_eq!(SessionId::parse(id).unwrap().0, *id);
        }
        // Each bit of a random id is 1 in about half of them.
        let ones = |bit: usize| {
            ids.iter()
                .filter(|id| {
                    let byte = u8::from_str_radix(&id[bit / 8 * 2..][..2], 16).unwrap();
                    byte & (1 << (bit % 8)) != 0
                })
                .count()
        };
        for bit in 0..256 {
            assert!((350..650).contains(&ones(bit)), "bit {bit}: {}", ones(bit));
        }
    }

    #[test]
    fn only_what_we_give_out_is_an_id() {
        let id = "0123456789abcdef".repeat(4);
        assert!(SessionId::parse(&id).is_some());
        for other in [
            "",
            "0",
            &id[1..],
            &format!("{id}0"),
            &id.to_uppercase(),
            &id.replace('0', "é"),
            &format!(" {}", &id[1..]),
        ] {
            assert!(SessionId::parse(other).is_none(), "{other:?}");
        }
    }

    #[test]
    fn neither_the_key_nor_the_debug_text_holds_the_id() {
        let id = SessionId::parse(&"ab".repeat(32)).unwrap();
        // SHA-256 of the 64 characters.
        assert_eq!(
            id.key(),
            format!("session:{:x}", Sha256::digest("ab".repeat(32).as_bytes()))
        );
        assert!(!id.key().contains("abab") && !format!("{id:?}").contains("ab"));
    }
}
