//! All declarations, by the role that exposes them.

use std::collections::BTreeMap;

use kit::metrics::reference::Section;
use kit::metrics::{Declaration, EVERY_ROLE, PROCESS, process};

/// The roles with their own groups.
pub(crate) const ROLES: [Section; 3] = [
    Section {
        role: "features",
        title: "features",
        about: "Events in, features out.",
        groups: features::metrics::GROUPS,
    },
    Section {
        role: "candidates",
        title: "candidates",
        about: "Items that could be shown.",
        groups: candidates::metrics::GROUPS,
    },
    Section {
        role: "recovery",
        title: "recovery",
        about: "Decisions.",
        groups: recovery::metrics::GROUPS,
    },
];

/// What every role exposes, under its own name.
pub(crate) const SHARED: Section = Section {
    role: "<role>",
    title: "Every role",
    about: "`<role>` is `features`, `candidates` or `recovery`.",
    groups: EVERY_ROLE,
};

/// What each process exposes once.
pub(crate) const OF_PROCESS: Section = Section {
    role: PROCESS,
    title: "The process",
    about: "Once in each process, however many roles it runs.",
    groups: process::GROUPS,
};

/// Every name that is exposed somewhere, with its declaration.
pub(crate) fn exposed() -> BTreeMap<String, &'static Declaration> {
    let mut exposed = BTreeMap::new();
    let own = ROLES
        .iter()
        .chain([&OF_PROCESS])
        .map(|section| (section.role, section.groups));
    let shared = ROLES.iter().map(|section| (section.role, SHARED.groups));
    for (role, groups) in own.chain(shared) {
        for metric in groups.iter().flat_map(|group| group.metrics) {
            let name = metric.name(role);
            assert!(
                exposed.insert(name.clone(), *metric).is_none(),
                "{name} is declared twice"
            );
        }
    }
    exposed
}
