//! What flows: the events Crisol reads and writes, their identity, limits and codec.

pub mod apv;
pub mod codec;
pub mod comparison;
pub mod control;
pub mod decision;
pub mod evidence;
pub mod facts;
pub mod headers;
pub mod hitl;
pub mod id;
pub mod json_text;
pub mod limits;
pub mod patch;
pub mod reason;
pub mod record;
pub mod schema;
pub mod timestamp;
pub mod topic;
pub mod trial;
pub mod verdict;
pub mod wargame;
