//! Key names. All of a partition carry one hash tag, so that in a cluster they share a node.

use crate::store::{Key, Kind, Log, Partition};

/// Makes key names under one prefix.
#[derive(Clone, Debug)]
pub(super) struct Names {
    prefix: String,
}

impl Names {
    pub(super) fn new(key_prefix: &str) -> Self {
        let mut prefix = key_prefix.to_owned();
        if !prefix.is_empty() {
            prefix.push('.');
        }
        Self { prefix }
    }

    fn name(&self, partition: Partition, rest: &str) -> String {
        format!("{{{}{partition}}}:{rest}", self.prefix)
    }

    pub(super) fn value(&self, key: &Key) -> String {
        let mut name = self.index(key.partition, key.kind);
        name.push(':');
        name.push_str(&key.id);
        name
    }

    /// The set of the ids of a kind.
    pub(super) fn index(&self, partition: Partition, kind: Kind) -> String {
        self.name(partition, kind.code())
    }

    /// The hash of the partition's counters: the last number of each log, and of commits.
    pub(super) fn counters(&self, partition: Partition) -> String {
        self.name(partition, "n")
    }

    pub(super) fn deadlines(&self, partition: Partition) -> String {
        self.name(partition, "due")
    }

    pub(super) fn log(&self, partition: Partition, log: Log) -> String {
        self.name(partition, log.code())
    }

    /// What the names of all values of a kind match.
    pub(super) fn any_value(&self, kind: Kind) -> String {
        format!("{{{}p???}}:{}:*", self.prefix, kind.code())
    }

    /// What the names of the last entries handed out match, of all groups of a log.
    pub(super) fn any_group(&self, log: Log) -> String {
        format!("{{{}p???}}:{}:c:*", self.prefix, log.code())
    }

    /// Partition and id of a value of this kind.
    pub(super) fn parse_value(&self, kind: Kind, name: &str) -> Option<(Partition, String)> {
        let (partition, rest) = self.parse(name)?;
        let id = rest.strip_prefix(kind.code())?.strip_prefix(':')?;
        Some((partition, id.to_owned()))
    }

    /// Partition and group of a name that [`Names::any_group`] matches.
    pub(super) fn parse_group(&self, log: Log, name: &str) -> Option<(Partition, String)> {
        let (partition, rest) = self.parse(name)?;
        let group = rest.strip_prefix(log.code())?.strip_prefix(":c:")?;
        Some((partition, group.to_owned()))
    }

    fn parse<'a>(&self, name: &'a str) -> Option<(Partition, &'a str)> {
        let tagged = name.strip_prefix('{')?.strip_prefix(&self.prefix)?;
        let (number, rest) = tagged.strip_prefix('p')?.split_once("}:")?;
        Some((Partition::new(number.parse().ok()?)?, rest))
    }

    /// A group's deliveries, who holds them, and the last one handed out.
    pub(super) fn group(&self, partition: Partition, log: Log, group: &str) -> [String; 3] {
        let log = self.log(partition, log);
        ["g", "h", "c"].map(|part| format!("{log}:{part}:{group}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_the_design() {
        let key = Key::new(Partition::new(17).expect("is one"), Kind::Shopper, "ann");
        assert_eq!(Names::new("").value(&key), "{p017}:s:ann");
        assert_eq!(Names::new("shop1").value(&key), "{shop1.p017}:s:ann");
        let names = Names::new("");
        assert_eq!(names.deadlines(key.partition), "{p017}:due");
        assert_eq!(names.log(key.partition, Log::Events), "{p017}:ev");
        assert_eq!(names.log(key.partition, Log::Outbox), "{p017}:out");
    }

    #[test]
    fn a_name_is_read_back_under_its_own_prefix_alone() {
        let key = Key::new(Partition::new(17).expect("is one"), Kind::Coupon, "a:b}:c");
        let names = [Names::new(""), Names::new("shop1"), Names::new("shop2")];
        for (at, one) in names.iter().enumerate() {
            for (from, other) in names.iter().enumerate() {
                let read = one.parse_value(key.kind, &other.value(&key));
                let same = (key.partition, key.id.clone());
                assert_eq!(read, (at == from).then_some(same), "{one:?} {other:?}");
            }
            let [_, _, cursor] = one.group(key.partition, Log::Outbox, "mail:1");
            let read = one.parse_group(Log::Outbox, &cursor);
            assert_eq!(read, Some((key.partition, "mail:1".to_owned())));
            assert_eq!(one.parse_group(Log::Redriven, &cursor), None);
        }
    }
}
