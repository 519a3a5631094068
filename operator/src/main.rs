//! scratch
use operator::crd;
fn main() { print!("{}", serde_saphyr::to_string(&crd::definition()).expect("x")); }
