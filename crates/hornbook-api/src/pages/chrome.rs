//! What stands around every page.

use hornbook_types::Scope;
use serde::Serialize;

use crate::Caller;

/// The frame of a page: where the reader is and who they are.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Chrome {
    version: &'static str,
    section: &'static str,
    /// True when the page is the section's own first page.
    exact: bool,
    /// True for a session, which can be ended.
    signed_in: bool,
    /// True when no key is needed.
    open: bool,
    nav: &'static [NavItem],
}

#[derive(Debug, Serialize)]
struct NavItem {
    section: &'static str,
    href: &'static str,
    label: &'static str,
}

const NAV: &[NavItem] = &[
    NavItem { section: "audiences", href: "/audiences", label: "Audiences" },
    NavItem { section: "templates", href: "/templates", label: "Templates" },
    NavItem { section: "seed-sets", href: "/seed-sets", label: "Seed sets" },
    NavItem { section: "imports", href: "/imports", label: "Imports" },
    NavItem { section: "jobs", href: "/jobs", label: "Jobs" },
    NavItem { section: "corpora", href: "/corpora", label: "Corpora" },
    NavItem { section: "endpoints", href: "/endpoints", label: "Endpoints" },
];

impl Chrome {
    /// The frame for `caller` at a page below `section`.
    pub(super) fn new(caller: &Caller, section: &'static str) -> Self {
        Self {
            version: env!("CARGO_PKG_VERSION"),
            section,
            exact: false,
            signed_in: caller.may(Scope::Read) && *caller != Caller::Local,
            open: *caller == Caller::Local,
            nav: NAV,
        }
    }

    /// The same frame at the section's first page.
    pub(super) fn exact(self) -> Self {
        Self { exact: true, ..self }
    }
}
