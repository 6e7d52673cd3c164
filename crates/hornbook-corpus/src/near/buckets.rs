//! From buckets to pairs.

use super::documents::Members;
use super::limits::BUCKET_HEADS;
use super::pair::{Member, Pair};
use super::sorter::{Sorted, Sorter};
use super::stats::NearStats;
use crate::AssembleError;

/// Reads members bucket by bucket and hands every pair to compare to `pairs`; the documents in question.
pub(super) fn pair_up(
    mut members: Sorted<'_>,
    pairs: &mut Sorter,
    stats: &mut NearStats,
) -> Result<Members, AssembleError> {
    let mut in_question = Members::default();
    let mut bucket = Bucket::default();
    while let Some(record) = members.next()? {
        let member = Member::unpack(record);
        if bucket.key != Some(member.key) {
            bucket.close(stats);
            bucket.key = Some(member.key);
        }
        bucket.add(member, |pair| {
            in_question.insert(pair.worse.1);
            in_question.insert(pair.better.1);
            pairs.push(pair.pack())
        })?;
    }
    bucket.close(stats);
    in_question.seal();
    Ok(in_question)
}

/// The bucket being read. Its members come by priority, so that its heads are the ones most likely to be kept.
#[derive(Default)]
struct Bucket {
    key: Option<u64>,
    references: Vec<Member>,
    others: Vec<Member>,
    members: u64,
    compared: u64,
    reference_members: u64,
}

impl Bucket {
    fn add(
        &mut self,
        member: Member,
        mut compare: impl FnMut(Pair) -> Result<(), AssembleError>,
    ) -> Result<(), AssembleError> {
        self.members += 1;
        if member.is_reference() {
            self.reference_members += 1;
            if self.references.len() < BUCKET_HEADS {
                self.references.push(member);
            }
            return Ok(());
        }
        for head in self.references.iter().chain(&self.others) {
            if head.index != member.index {
                self.compared += 1;
                let worse = (member.order, member.index);
                compare(Pair { worse, better: (head.order, head.index) })?;
            }
        }
        if self.others.len() < BUCKET_HEADS {
            self.others.push(member);
        }
        Ok(())
    }

    fn close(&mut self, stats: &mut NearStats) {
        let choose_two = |count: u64| count * count.saturating_sub(1) / 2;
        let all = choose_two(self.members) - choose_two(self.reference_members);
        stats.buckets += u64::from(self.members > 1);
        stats.largest_bucket = stats.largest_bucket.max(self.members);
        stats.pairs_passed_over += all.saturating_sub(self.compared);
        self.references.clear();
        self.others.clear();
        (self.members, self.compared, self.reference_members) = (0, 0, 0);
    }
}
