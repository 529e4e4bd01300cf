//! The difference of two texts, line by line.

/// Lines kept around a change.
const AROUND: usize = 3;
/// Cells of the table of common lines, at most; longer texts are told as gone and come.
const CELLS: usize = 1_000_000;

/// One line of a difference.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Piece {
    /// Stands in both.
    Same(String),
    /// Is gone.
    Gone(String),
    /// Has come.
    Come(String),
    /// So many lines that stand in both are left out.
    Left(usize),
}

/// What differs, with a few lines around each change.
pub(super) fn difference(before: &str, after: &str) -> Vec<Piece> {
    let (before, after): (Vec<&str>, Vec<&str>) = (before.lines().collect(), after.lines().collect());
    let head = before.iter().zip(&after).take_while(|(a, b)| a == b).count();
    let rest = before[head..].iter().rev().zip(after[head..].iter().rev());
    let tail = rest.take_while(|(a, b)| a == b).count();
    let (old, new) = (&before[head..before.len() - tail], &after[head..after.len() - tail]);

    let same = |line: &&str| Piece::Same((*line).to_owned());
    let mut pieces: Vec<Piece> = before[..head].iter().map(same).collect();
    pieces.extend(middle(old, new));
    pieces.extend(before[before.len() - tail..].iter().map(same));
    shortened(pieces)
}

/// The difference of the lines between the first and the last change, by their longest common subsequence.
fn middle(old: &[&str], new: &[&str]) -> Vec<Piece> {
    let gone = |line: &&str| Piece::Gone((*line).to_owned());
    let come = |line: &&str| Piece::Come((*line).to_owned());
    if (old.len() + 1).saturating_mul(new.len() + 1) > CELLS {
        return old.iter().map(gone).chain(new.iter().map(come)).collect();
    }
    let width = new.len() + 1;
    let mut common = vec![0_u32; (old.len() + 1) * width];
    for i in (0..old.len()).rev() {
        for j in (0..new.len()).rev() {
            common[i * width + j] = if old[i] == new[j] {
                common[(i + 1) * width + j + 1] + 1
            } else {
                common[(i + 1) * width + j].max(common[i * width + j + 1])
            };
        }
    }
    let mut pieces = Vec::new();
    let (mut i, mut j) = (0, 0);
    while i < old.len() && j < new.len() {
        if old[i] == new[j] {
            pieces.push(Piece::Same(old[i].to_owned()));
            (i, j) = (i + 1, j + 1);
        } else if common[(i + 1) * width + j] >= common[i * width + j + 1] {
            pieces.push(Piece::Gone(old[i].to_owned()));
            i += 1;
        } else {
            pieces.push(Piece::Come(new[j].to_owned()));
            j += 1;
        }
    }
    pieces.extend(old[i..].iter().map(gone));
    pieces.extend(new[j..].iter().map(come));
    pieces
}

/// Leaves out what stands far from every change.
fn shortened(pieces: Vec<Piece>) -> Vec<Piece> {
    let is_change = |piece: &Piece| matches!(piece, Piece::Gone(_) | Piece::Come(_));
    let changes: Vec<usize> = pieces.iter().enumerate().filter(|(_, it)| is_change(it)).map(|(at, _)| at).collect();
    let mut kept = Vec::new();
    let mut left = 0;
    let mut near = changes.iter().copied().peekable();
    for (at, piece) in pieces.into_iter().enumerate() {
        // The next change that this line could still stand near to.
        while near.peek().is_some_and(|change| change + AROUND < at) {
            near.next();
        }
        if near.peek().is_some_and(|change| at + AROUND >= *change) {
            if left > 0 {
                kept.push(Piece::Left(left));
                left = 0;
            }
            kept.push(piece);
        } else {
            left += 1;
        }
    }
    if left > 0 {
        kept.push(Piece::Left(left));
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::{Piece::*, *};

    #[test]
    fn a_changed_line_is_gone_and_come() {
        let told = difference("server {\n  listen 80;\n}\n", "server {\n  listen 443 ssl;\n}\n");

        let expected = [
            Same("server {".to_owned()),
            Gone("  listen 80;".to_owned()),
            Come("  listen 443 ssl;".to_owned()),
            Same("}".to_owned()),
        ];
        assert_eq!(told, expected);
    }

    #[test]
    fn what_stands_far_from_a_change_is_counted() {
        let before: String = (0..40).map(|line| format!("{line}\n")).collect();
        let after = before.replace("20\n", "twenty\n");

        let told = difference(&before, &after);

        assert_eq!((told.first(), told.last()), (Some(&Left(17)), Some(&Left(16))));
        assert_eq!(told.len(), 2 + 2 * AROUND + 2);
    }

    #[test]
    fn equal_texts_and_huge_ones_are_told_too() {
        let many: String = (0..1500).map(|line| format!("{line}\n")).collect();
        let others: String = (0..1500).map(|line| format!("x{line}\n")).collect();

        assert_eq!(difference("a\nb", "a\nb"), [Left(2)]);
        assert_eq!(difference("", "a"), [Come("a".to_owned())]);
        assert_eq!(difference(&many, &others).len(), 3000);
    }

    proptest::proptest! {
        #[test]
        fn both_texts_can_be_made_from_their_difference(before in "([abc]\n){0,9}", after in "([abc]\n){0,9}") {
            let told = difference(&before, &after);
            let gone = told.iter().filter(|it| matches!(it, Gone(_))).count();
            let come = told.iter().filter(|it| matches!(it, Come(_))).count();
            let rest: usize = told.iter().map(|it| match it { Same(_) => 1, Left(count) => *count, _ => 0 }).sum();
            proptest::prop_assert_eq!(gone + rest, before.lines().count());
            proptest::prop_assert_eq!(come + rest, after.lines().count());
        }
    }
}
