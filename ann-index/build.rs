//! Compiles the C++ shim against the headers that `faiss-sys` installed.

fn main() {
    println!("cargo:rerun-if-changed=src/ffi/shim.cpp");
    println!("cargo:rerun-if-env-changed=CXXFLAGS");
    let Some(root) = std::env::var_os("DEP_FAISS_C_ROOT") else {
        println!("cargo::error=faiss-sys did not say where it installed FAISS (DEP_FAISS_C_ROOT)");
        return;
    };
    cc::Build::new()
        .cpp(true)
        .std("c++17")
        .flag("-fopenmp")
        .warnings(true)
        // FAISS's own headers are not ours to warn about.
        .flag("-isystem")
        .flag(std::path::Path::new(&root).join("include"))
        .file("src/ffi/shim.cpp")
        .compile("ann_index_shim");
}
