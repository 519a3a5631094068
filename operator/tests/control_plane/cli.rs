//! The verbs of the command line that ask a cluster.

mod status;
