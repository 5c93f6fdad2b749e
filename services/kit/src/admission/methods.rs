//! Which methods pass the gate.

use std::collections::HashMap;

use prost::Message as _;
use prost_types::FileDescriptorSet;

/// Publishing and status: how an overloaded role is looked at and mended.
const NEVER_LIMITED: &str = "cartwright.v1.SnapshotService";

/// The unary methods of `services`, by the path of their requests.
pub(crate) fn limited(services: &[&str]) -> HashMap<String, usize> {
    let files = FileDescriptorSet::decode(proto::DESCRIPTORS).unwrap_or_default();
    let mut paths = Vec::new();
    for file in &files.file {
        for service in &file.service {
            let name = format!("{}.{}", file.package(), service.name());
            if name == NEVER_LIMITED || !services.contains(&name.as_str()) {
                continue;
            }
            let unary = service
                .method
                .iter()
                .filter(|method| !method.client_streaming() && !method.server_streaming());
            paths.extend(unary.map(|method| format!("/{name}/{}", method.name())));
        }
    }
    paths.sort_unstable();
    paths.into_iter().zip(0..).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unary_methods_are_limited_and_streams_and_snapshots_are_not() {
        let services = [
            "cartwright.v1.EventService",
            "cartwright.v1.SnapshotService",
            "cartwright.v1.CatalogService",
        ];
        let limited = limited(&services);
        assert!(limited.contains_key("/cartwright.v1.EventService/PushEvents"));
        assert!(limited.contains_key("/cartwright.v1.CatalogService/UpsertItems"));
        for path in [
            "/cartwright.v1.EventService/StreamEvents",
            "/cartwright.v1.CatalogService/StreamItemUpdates",
            "/cartwright.v1.SnapshotService/GetStatus",
            "/cartwright.v1.FeatureService/GetFeatures",
            "/grpc.health.v1.Health/Check",
        ] {
            assert!(!limited.contains_key(path), "{path}");
        }
    }
}
