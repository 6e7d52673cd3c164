//! What the columns of documents hold that filters ask: the same few values for all of a source's documents.

use std::collections::BTreeMap;

use hornbook_types::CorpusRow;
use serde::{Deserialize, Serialize};

/// The columns that a filter can ask, as some documents have them.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct Class([String; 6]);

/// The class of documents past the number of classes that are told apart.
pub(crate) const UNTOLD: u16 = u16::MAX;

impl Class {
    /// That of a row.
    pub(crate) fn of(row: &CorpusRow) -> Self {
        let columns = [
            &row.audience,
            &row.format,
            &row.template,
            &row.endpoint,
            &row.model,
            &row.finish_reason,
        ];
        Self(columns.map(Clone::clone))
    }

    /// A row that has these columns and no others.
    pub(super) fn row(&self) -> CorpusRow {
        let [audience, format, template, endpoint, model, finish_reason] = self.0.clone();
        CorpusRow {
            audience,
            format,
            template,
            endpoint,
            model,
            finish_reason,
            ..CorpusRow::default()
        }
    }
}

/// Classes by number, in the order in which they were first met.
#[derive(Default)]
pub(crate) struct Classes {
    numbers: BTreeMap<Class, u16>,
    met: Vec<Class>,
}

impl Classes {
    /// The number of a class.
    pub(crate) fn number(&mut self, class: &Class) -> u16 {
        if let Some(number) = self.numbers.get(class) {
            return *number;
        }
        let number = u16::try_from(self.met.len()).unwrap_or(UNTOLD);
        if number < UNTOLD {
            self.met.push(class.clone());
            self.numbers.insert(class.clone(), number);
        }
        number
    }

    /// All of them, by number.
    pub(crate) fn list(&self) -> &[Class] {
        &self.met
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_are_numbered_as_they_come_until_there_are_too_many() {
        let class = |model: usize| {
            Class::of(&CorpusRow { model: model.to_string(), ..CorpusRow::default() })
        };
        let mut classes = Classes::default();
        for model in 0..70_000 {
            let expected = u16::try_from(model).unwrap_or(UNTOLD);
            assert_eq!(classes.number(&class(model)), expected);
        }
        assert_eq!(classes.number(&class(3)), 3);
        assert_eq!(classes.list().len(), usize::from(UNTOLD));
        assert_eq!(classes.list()[7].row().model, "7");
    }
}
