//! Memory, on a real Redis and inside the process: what it keeps, what it never says, and that the
//! stream does without.

mod neighbour;
mod store;
mod truth;
