//! Compiles the contract without `protoc`: protox parses it, tonic generates from the descriptors.

use std::path::PathBuf;

use prost::Message as _;

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
    tonic_prost_build::configure().compile_fds(descriptors)?;
    Ok(())
}
