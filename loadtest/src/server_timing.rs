//! What the server says its time went to.
//!
//! Asked with the metadata `cartwright-timing: 1`, a server answers with `server-timing`, in the
//! syntax of the W3C draft "Server Timing": `features;dur=1.2, rank;dur=0.4`, durations in
//! milliseconds. A decision also carries its stages in itself.

use std::time::Duration;

use proto::v1 as pb;
use tonic::Response;
use tonic::metadata::{Ascii, MetadataValue};

/// Stages of one answer, kept as they came: only those of the slowest requests are ever read.
#[derive(Clone, Debug, Default)]
pub(crate) enum ServerTiming {
    /// The server said nothing.
    #[default]
    Unsaid,
    Header(MetadataValue<Ascii>),
    Stages(Vec<pb::StageLatency>),
}

/// One stage and how long it took.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Stage {
    pub(crate) name: String,
    pub(crate) took: Duration,
}

/// Asks for the answer below.
pub(crate) const ASK: &str = "cartwright-timing";
const ANSWER: &str = "server-timing";

impl ServerTiming {
    /// What the metadata of an answer says.
    pub(crate) fn of<T>(response: &Response<T>) -> Self {
        let header = response.metadata().get(ANSWER);
        header.map_or(Self::Unsaid, |value| Self::Header(value.clone()))
    }

    /// What the decision itself says, where its metadata says nothing.
    pub(crate) fn or_stages(self, stages: Vec<pb::StageLatency>) -> Self {
        match self {
            Self::Unsaid if !stages.is_empty() => Self::Stages(stages),
            Self::Unsaid | Self::Header(_) | Self::Stages(_) => self,
        }
    }

    /// The stages in the order said.
    pub(crate) fn stages(&self) -> Vec<Stage> {
        match self {
            Self::Unsaid => Vec::new(),
            Self::Header(value) => value.to_str().map(parse).unwrap_or_default(),
            Self::Stages(stages) => stages.iter().filter_map(stage).collect(),
        }
    }
}

fn stage(stage: &pb::StageLatency) -> Option<Stage> {
    let took = Duration::try_from(stage.latency?).ok()?;
    let name = stage.stage.clone();
    Some(Stage { name, took })
}

/// Entries without a duration say nothing about time and are left out.
fn parse(header: &str) -> Vec<Stage> {
    let entry = |entry: &str| {
        let mut parts = entry.split(';').map(str::trim);
        let name = parts.next().filter(|name| !name.is_empty())?;
        let millis = parts.find_map(|part| part.strip_prefix("dur="))?;
        let millis: f64 = millis.trim_matches('"').parse().ok()?;
        let took = Duration::try_from_secs_f64(millis / 1_000.0).ok()?;
        Some(Stage {
            name: name.to_owned(),
            took,
        })
    };
    header.split(',').filter_map(entry).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(stages: &[Stage]) -> Vec<(&str, u128)> {
        let stages = stages.iter();
        stages
            .map(|s| (s.name.as_str(), s.took.as_micros()))
            .collect()
    }

    #[test]
    fn reads_stages_and_leaves_out_what_is_no_time() {
        let header =
            "features;dur=1.25, cache;desc=\"hit\", rank;desc=forest;dur=\"0.4\", x;dur=-1, ;dur=3";
        assert_eq!(named(&parse(header)), [("features", 1_250), ("rank", 400)]);
        assert!(parse("").is_empty());
    }

    #[test]
    fn metadata_goes_before_what_the_decision_says() {
        let own = vec![pb::StageLatency {
            stage: "policy".into(),
            latency: Some(prost_types::Duration {
                seconds: 0,
                nanos: 2_000_000,
            }),
        }];
        let mut response = Response::new(());
        let said = ServerTiming::of(&response).or_stages(own.clone());
        assert_eq!(named(&said.stages()), [("policy", 2_000)]);
        response
            .metadata_mut()
            .insert(ANSWER, "rank;dur=3".parse().unwrap());
        let said = ServerTiming::of(&response).or_stages(own);
        assert_eq!(named(&said.stages()), [("rank", 3_000)]);
        assert!(ServerTiming::Unsaid.stages().is_empty());
    }
}
