//! Remembering batches: what was paid for is found again after any death.

use std::fmt;
use std::time::Duration;

use futures_util::future::BoxFuture;
use sha2::{Digest, Sha256};

/// What a request is, whichever process asks: the first 128 bits of a SHA-256.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RequestId(pub [u8; Self::BYTES]);

impl RequestId {
    /// Length in bytes.
    pub const BYTES: usize = 16;
    /// What `custom_id` begins with.
    pub(super) const PREFIX: &str = "hb-";

    /// The id of a body that draws with `seed`, which not every body holds.
    pub(super) fn of(body: &[u8], seed: u64) -> Self {
        let digest = Sha256::new().chain_update(seed.to_le_bytes()).chain_update(body).finalize();
        let mut id = [0; Self::BYTES];
        id.copy_from_slice(&digest[..Self::BYTES]);
        Self(id)
    }

    /// The id in a `custom_id`, if it is one of ours.
    pub(super) fn parse(custom_id: &str) -> Option<Self> {
        let digits = custom_id.strip_prefix(Self::PREFIX)?.as_bytes();
        if digits.len() != 2 * Self::BYTES {
            return None;
        }
        let mut id = [0; Self::BYTES];
        for (byte, pair) in id.iter_mut().zip(digits.chunks_exact(2)) {
            let digit = |ascii: u8| char::from(ascii).to_digit(16);
            *byte = u8::try_from((digit(pair[0])? << 4) | digit(pair[1])?).ok()?;
        }
        Some(Self(id))
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(Self::PREFIX)?;
        self.0.iter().try_for_each(|byte| write!(out, "{byte:02x}"))
    }
}

/// A batch in which requests were found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenBatch {
    /// Our own name for it, which the provider keeps beside it.
    pub key: String,
    /// The provider's name for it; none where nobody lived to hear it.
    pub batch_id: Option<String>,
    /// Those of the requests looked for that it asks.
    pub requests: Vec<RequestId>,
    /// How long ago it was noted, by the journal's clock.
    pub age: Duration,
}

/// Where batches of one endpoint are noted, before they are paid for.
///
/// A batch is begun, claimed and then created. Whoever finds one that was only begun or claimed
/// looks whether the provider has it; where it surely has not, it is given up.
///
/// Errors are told in words for people.
pub trait BatchJournal: Send + Sync {
    /// Notes a batch whose file is about to be uploaded, with its requests, each of them once; one
    /// that is noted already stays as it is.
    fn begin<'a>(
        &'a self,
        key: &'a str,
        requests: &'a [RequestId],
    ) -> BoxFuture<'a, Result<(), String>>;

    /// Notes that the batch is made now, and says whether it may be.
    ///
    /// It may not where it was given up, or where another batch asks one of its requests that is
    /// none of `passed`, the batches known to have no answer: one that was claimed, or noted
    /// before this one.
    fn claim<'a>(
        &'a self,
        key: &'a str,
        passed: &'a [String],
    ) -> BoxFuture<'a, Result<bool, String>>;

    /// Notes the provider's name for it.
    fn created<'a>(&'a self, key: &'a str, batch_id: &'a str) -> BoxFuture<'a, Result<(), String>>;

    /// Forgets a batch that the provider has not, unless its maker may still be at it: noted less
    /// than `uploading` ago and not claimed, or claimed less than `making` ago. True where it is
    /// forgotten now.
    fn give_up<'a>(
        &'a self,
        key: &'a str,
        uploading: Duration,
        making: Duration,
    ) -> BoxFuture<'a, Result<bool, String>>;

    /// Forgets a batch that surely was not made, or whose answers have all been had.
    fn forget<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<(), String>>;

    /// The batches that hold some of these requests, newest first.
    fn find<'a>(
        &'a self,
        requests: &'a [RequestId],
    ) -> BoxFuture<'a, Result<Vec<OpenBatch>, String>>;
}

#[cfg(test)]
mod tests {
    use super::RequestId;

    #[test]
    fn an_id_is_read_back_from_its_custom_id() {
        let id = RequestId::of(b"{}", 1);
        assert_eq!(RequestId::parse(&id.to_string()), Some(id));
        assert!(id.to_string().len() <= 64, "the provider's limit");
        assert_ne!(RequestId::of(b"{}", 2), id, "another seed is another request");
        let text = id.to_string();
        for bad in ["", "hb-", &text[1..], &text[..text.len() - 1], "hb-zz", "request-1"] {
            assert_eq!(RequestId::parse(bad), None, "{bad}");
        }
    }
}
