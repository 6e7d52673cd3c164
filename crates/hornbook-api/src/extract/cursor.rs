//! Lists in pages: `?limit=1..200&cursor=`, the cursor opaque.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::Problem;
use crate::limits::{CURSOR_BYTES, PAGE_ITEMS_DEFAULT, PAGE_ITEMS_MAX};

/// One page of a list.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(crate) struct Page<T> {
    /// The items.
    pub(crate) data: Vec<T>,
    /// Send it back as `cursor` for the next page; null on the last one.
    pub(crate) next_cursor: Option<String>,
}

/// The number of items on a page, from what the client asked for.
pub(crate) fn page_limit(asked: Option<u32>) -> Result<u32, Problem> {
    match asked.unwrap_or(PAGE_ITEMS_DEFAULT) {
        limit if (1..=PAGE_ITEMS_MAX).contains(&limit) => Ok(limit),
        limit => Err(Problem::query(format!("limit is {limit}; it needs 1 to {PAGE_ITEMS_MAX}"))),
    }
}

/// Makes a position opaque, so that clients do not build on its shape.
pub(crate) fn encode_cursor(position: &impl Serialize) -> String {
    URL_SAFE_NO_PAD.encode(serde_json::to_vec(position).unwrap_or_default())
}

/// The position in a cursor that this service made.
pub(crate) fn decode_cursor<T: DeserializeOwned>(
    cursor: Option<&str>,
) -> Result<Option<T>, Problem> {
    let Some(cursor) = cursor else { return Ok(None) };
    let bad = || Problem::query("cursor is not one that this list gave out");
    if cursor.len() > CURSOR_BYTES {
        return Err(bad());
    }
    let bytes = URL_SAFE_NO_PAD.decode(cursor).map_err(|_| bad())?;
    serde_json::from_slice(&bytes).map(Some).map_err(|_| bad())
}

impl<T> Page<T> {
    /// A page from up to `limit + 1` rows: one more than asked for means there is a next page.
    pub(crate) fn cut<P: Serialize>(
        mut rows: Vec<T>,
        limit: u32,
        position: impl Fn(&T) -> P,
    ) -> Self {
        let limit = limit as usize;
        let more = rows.len() > limit;
        rows.truncate(limit);
        let next_cursor =
            if more { rows.last().map(|last| encode_cursor(&position(last))) } else { None };
        Self { data: rows, next_cursor }
    }

    /// The same page of something made from each item.
    pub(crate) fn map<U>(self, make: impl FnMut(T) -> U) -> Page<U> {
        Page { data: self.data.into_iter().map(make).collect(), next_cursor: self.next_cursor }
    }
}

/// The parameters of every list.
#[derive(Debug, Default, serde::Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct ListQuery {
    /// Items on the page, 1 to 200; default 50.
    pub(crate) limit: Option<u32>,
    /// `next_cursor` of the page before.
    pub(crate) cursor: Option<String>,
}

impl ListQuery {
    /// Where the page begins, and how many items it has at most.
    pub(crate) fn position<T: DeserializeOwned>(&self) -> Result<(Option<T>, u32), Problem> {
        Ok((decode_cursor(self.cursor.as_deref())?, page_limit(self.limit)?))
    }
}
