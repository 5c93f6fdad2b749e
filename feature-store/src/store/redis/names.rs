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
}
