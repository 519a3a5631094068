//! Migrations are read into the binary when it is compiled: a new file must compile it again. The static program gets
//! its own way to copy memory.

use std::env::var;

fn main() {
    println!("cargo:rerun-if-changed=migrations");
    println!("cargo:rerun-if-changed=musl");
    let target = |part: &str| var(format!("CARGO_CFG_TARGET_{part}")).unwrap_or_default();
    // Elsewhere the C library has a good one.
    if target("ENV") == "musl" && target("ARCH") == "x86_64" {
        cc::Build::new()
            .file("musl/memory.c")
            .opt_level(2)
            .warnings_into_errors(true)
            .extra_warnings(true)
            // The loops of memcpy are not to become calls of memcpy.
            .flag("-ffreestanding")
            .flag("-fno-tree-loop-distribute-patterns")
            .compile("memory");
    }
}
