//! The tree of RFC 6962, section 2.1, under our own domains.

use crate::digest::hash;
use crate::{Digest, domain};

fn node(left: Digest, right: Digest) -> Digest {
    hash(domain::TREE_NODE, &[&left.0, &right.0])
}

/// The largest power of two below `n`; `n` is above 1.
const fn split(n: usize) -> usize {
    1 << (n - 1).ilog2()
}

/// Root of the tree over these leaves, and for each leaf its siblings from the leaf up; of none, zeros.
pub(crate) fn tree(leaves: &[Digest]) -> (Digest, Vec<Vec<Digest>>) {
    let mut paths = vec![Vec::new(); leaves.len()];
    let root = fill(leaves, &mut paths);
    (root, paths)
}

/// Each node is hashed once.
fn fill(leaves: &[Digest], paths: &mut [Vec<Digest>]) -> Digest {
    match leaves {
        [] => Digest([0; 32]),
        [one] => *one,
        many => {
            let at = split(many.len());
            let (left_paths, right_paths) = paths.split_at_mut(at);
            let (left, right) = many.split_at(at);
            let (left, right) = (fill(left, left_paths), fill(right, right_paths));
            left_paths.iter_mut().for_each(|path| path.push(right));
            right_paths.iter_mut().for_each(|path| path.push(left));
            node(left, right)
        }
    }
}

/// The root that a leaf leads to by its path; `None` when a tree of `count` leaves has no such path.
pub(crate) fn climb(leaf: Digest, index: usize, count: usize, path: &[Digest]) -> Option<Digest> {
    if index >= count {
        return None;
    }
    if count == 1 {
        return path.is_empty().then_some(leaf);
    }
    let (sibling, below) = path.split_last()?;
    let at = split(count);
    match index.checked_sub(at) {
        None => Some(node(climb(leaf, index, at, below)?, *sibling)),
        Some(index) => Some(node(*sibling, climb(leaf, index, count - at, below)?)),
    }
}

#[cfg(test)]
mod tests {
    use super::{climb, tree};
    use crate::Digest;

    fn leaves(count: usize) -> Vec<Digest> {
        let leaf = |n: usize| Digest([u8::try_from(n).unwrap(); 32]);
        (0..count).map(leaf).collect()
    }

    #[test]
    fn every_leaf_climbs_to_the_root_and_no_other_does() {
        for count in 1..=33 {
            let leaves = leaves(count);
            let (root, paths) = tree(&leaves);
            for (index, leaf) in leaves.iter().enumerate() {
                let path = &paths[index];
                assert_eq!(climb(*leaf, index, count, path), Some(root));
                assert_ne!(climb(Digest([0xff; 32]), index, count, path), Some(root));
                for other in (0..count).filter(|other| *other != index) {
                    assert_ne!(climb(*leaf, other, count, path), Some(root));
                }
                let longer = [&path[..], &[root]].concat();
                assert_eq!(climb(*leaf, index, count, &longer), None);
                if let Some((_, shorter)) = path.split_last() {
                    assert_eq!(climb(*leaf, index, count, shorter), None);
                }
            }
            assert_eq!(climb(leaves[0], count, count, &[]), None);
        }
    }
}
