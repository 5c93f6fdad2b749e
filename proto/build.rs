//! Compiles the contract without `protoc`: protox parses it, tonic generates from the descriptors.

use std::path::PathBuf;

use prost::Message as _;
use prost_types::FileDescriptorSet;

const FILES: [&str; 12] = [
    "cartwright/v1/events.proto",
    "cartwright/v1/features.proto",
    "cartwright/v1/erasures.proto",
    "cartwright/v1/shoppers.proto",
    "cartwright/v1/catalog.proto",
    "cartwright/v1/campaigns.proto",
    "cartwright/v1/candidates.proto",
    "cartwright/v1/offers.proto",
    "cartwright/v1/outcomes.proto",
    "cartwright/v1/recovery.proto",
    "cartwright/v1/snapshots.proto",
    "cartwright/v1/webhooks.proto",
];

fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("cargo:rerun-if-changed=cartwright");
    let descriptors = protox::compile(FILES, ["."])?;
    let out = PathBuf::from(std::env::var_os("OUT_DIR").ok_or("cargo sets OUT_DIR")?);
    std::fs::write(out.join("cartwright.v1.bin"), descriptors.encode_to_vec())?;
    tonic_prost_build::configure().compile_fds(descriptors.clone())?;
    encoded_features(descriptors, out.join("encoded"))
}

/// `FeatureService` once more, for its server, which answers rows that are encoded already.
fn encoded_features(
    mut descriptors: FileDescriptorSet,
    out: PathBuf,
) -> Result<(), Box<dyn std::error::Error>> {
    for file in &mut descriptors.file {
        file.service
            .retain(|service| service.name() == "FeatureService");
    }
    std::fs::create_dir_all(&out)?;
    tonic_prost_build::configure()
        .out_dir(out)
        .build_client(false)
        .extern_path(".cartwright.v1", "crate::v1")
        .extern_path(
            ".cartwright.v1.GetFeaturesResponse",
            "crate::EncodedFeaturesResponse",
        )
        .compile_fds(descriptors)?;
    Ok(())
}
