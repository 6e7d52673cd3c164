//! Two versions of a template, line by line.

use axum::extract::{Path, State};
use axum::response::Response;
use hornbook_db::templates;
use hornbook_types::Reference;
use serde::Deserialize;

use super::chrome::Chrome;
use super::view::{DiffLine, DiffPage};
use super::{show, slug};
use crate::extract::QueryParams;
use crate::v1::templates::{LineChange, diff_lines};
use crate::{AppState, CanRead, Problem};

/// Which versions to compare.
#[derive(Debug, Deserialize)]
pub(super) struct Versions {
    from: u32,
    to: u32,
}

/// `GET /templates/{slug}/diff`.
pub(super) async fn page(
    CanRead(caller): CanRead,
    State(state): State<AppState>,
    Path(name): Path<String>,
    QueryParams(versions): QueryParams<Versions>,
) -> Result<Response, Problem> {
    let slug = slug("template", &name)?;
    let version = |number| Reference { slug: slug.clone(), version: Some(number) };
    let old = templates::get(&state.db, &version(versions.from)).await?;
    let new = templates::get(&state.db, &version(versions.to)).await?;
    let lines = number(diff_lines(&old.spec.body, &new.spec.body));
    let view = DiffPage {
        slug: slug.to_string(),
        from: versions.from,
        to: versions.to,
        added: lines.iter().filter(|line| line.kind == "add").count(),
        removed: lines.iter().filter(|line| line.kind == "del").count(),
        lines,
    };
    show("diff.html", &Chrome::new(&caller, "templates"), &view)
}

/// Gives each line its number in the versions that have it.
fn number(changes: Vec<LineChange>) -> Vec<DiffLine> {
    let (mut old, mut new) = (0, 0);
    let mut count = |in_old: bool, in_new: bool| {
        old += usize::from(in_old);
        new += usize::from(in_new);
        (in_old.then_some(old), in_new.then_some(new))
    };
    changes
        .into_iter()
        .map(|change| {
            let (kind, text, (old, new)) = match change {
                LineChange::Kept(text) => ("same", text, count(true, true)),
                LineChange::Removed(text) => ("del", text, count(true, false)),
                LineChange::Added(text) => ("add", text, count(false, true)),
            };
            DiffLine { kind, old, new, text }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_keep_their_numbers() {
        let lines = number(diff_lines("a\nb\nc", "a\nc\nd"));
        let shown: Vec<_> = lines.iter().map(|line| (line.kind, line.old, line.new)).collect();
        assert_eq!(
            shown,
            [
                ("same", Some(1), Some(1)),
                ("del", Some(2), None),
                ("same", Some(3), Some(2)),
                ("add", None, Some(3))
            ]
        );
    }
}
