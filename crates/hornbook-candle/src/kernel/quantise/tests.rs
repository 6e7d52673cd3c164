use proptest::prelude::*;

use super::super::Team;
use super::*;

fn filling(rows: usize, inputs: usize, parts: usize) -> Filling {
    Filling { rows, inputs, parts, grain: 1 }
}

/// Every instruction set that this machine has.
fn sets() -> impl Iterator<Item = Isa> {
    InstructionSet::ALL.into_iter().filter_map(Isa::new)
}

fn team() -> Team {
    Team::new(2).expect("threads start")
}

#[test]
fn every_row_has_its_group() {
    for rows in 1..200 {
        let groups = Groups::of(rows);
        let mut next = 0;
        for number in 0..groups.count {
            let range = groups.rows(number);
            assert_eq!(range.start, next);
            assert!((1..=GROUP_ROWS).contains(&range.len()), "{range:?} of {rows}");
            assert!(range.clone().all(|row| groups.find(row) == range));
            next = range.end;
        }
        assert_eq!(next, rows);
    }
}

proptest! {
    #[test]
    fn numbers_are_off_by_half_a_step_at_most(
        numbers in prop::collection::vec(-1e3_f32..1e3, 96 * 7),
        magnitude in -20_i32..20,
    ) {
        let numbers: Vec<f32> = numbers.iter().map(|n| n * 2_f32.powi(magnitude)).collect();
        let mut rows = QuantisedRows::default();
        rows.copy(Crew { team: &team(), isa: Isa::detect() }, filling(7, 96, 1), &numbers);
        let found: Vec<f32> = (0..7).flat_map(|row| rows.row(row)).collect();
        for (numbers, found) in numbers.chunks(32).zip(found.chunks(32)) {
            let most = numbers.iter().fold(0.0_f32, |most, number| most.max(number.abs()));
            for (number, found) in numbers.iter().zip(found) {
                // Half a step, and what products of floats are rounded by.
                let bound = most * (0.5 / 127.0 + 1e-6);
                prop_assert!((number - found).abs() <= bound, "{number} {found}");
            }
        }
    }
}

#[test]
fn bytes_are_the_same_on_all_sets_in_parts_and_made_in_place() {
    let numbers: Vec<f32> = (0..13 * 192).map(|n| ((n * 37 % 1001) as f32 - 500.0) / 7.0).collect();
    let mut expected = QuantisedRows::default();
    let portable = Isa::new(InstructionSet::Portable).expect("everywhere");
    expected.copy(Crew { team: &team(), isa: portable }, filling(13, 192, 1), &numbers);
    for isa in sets() {
        for parts in [1, 2, 3, 6] {
            let mut copied = QuantisedRows::default();
            copied.copy(Crew { team: &team(), isa }, filling(13, 192, parts), &numbers);
            assert_eq!(bytes_of(&copied.lines), bytes_of(&expected.lines), "{isa:?}");
            let mut made = QuantisedRows::default();
            made.fill(Crew { team: &team(), isa }, filling(13, 192, parts), |row, part, place| {
                let start = row * 192 + part * place.len();
                place.copy_from_slice(&numbers[start..start + place.len()]);
            });
            assert_eq!(bytes_of(&made.lines), bytes_of(&expected.lines), "{isa:?}");
        }
    }
}

#[test]
fn zeros_and_very_small_numbers_are_zeros() {
    for number in [0.0, -0.0, 1e-38, -9e-31] {
        let mut rows = QuantisedRows::default();
        rows.copy(Crew { team: &team(), isa: Isa::detect() }, filling(1, 32, 1), &[number; 32]);
        assert_eq!(rows.row(0), [0.0; 32]);
    }
}

#[test]
fn what_is_not_finite_is_not_hidden() {
    for isa in sets() {
        for number in [f32::NAN, -f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
            let mut numbers = [1.0; 96];
            numbers[40] = number;
            let mut rows = QuantisedRows::default();
            rows.copy(Crew { team: &team(), isa }, filling(1, 96, 1), &numbers);
            let row = rows.row(0);
            assert!(row[32..64].iter().all(|found| !found.is_finite()), "{row:?}");
            assert_eq!((&row[..32], &row[64..]), (&[1.0; 32][..], &[1.0; 32][..]));
        }
    }
}
