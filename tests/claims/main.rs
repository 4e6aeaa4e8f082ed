//! What Crisol claims, tried on real servers. A file is a subject, a test is one claim.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_types,
    clippy::disallowed_methods,
    clippy::string_slice,
    clippy::unreachable,
    reason = "a claim that cannot go on has failed"
)]

mod fixture;
mod oracle;
mod stream;

mod ab;
mod arena;
mod backtest;
mod broker;
mod cli;
mod completions;
mod crash;
mod dlq;
mod duel;
mod exactly_once;
mod explain;
mod flood;
mod hostile;
mod house;
mod judgement;
mod learning;
mod logs;
mod memory;
mod models;
mod operations;
mod rebalance;
mod registry;
mod rejudge;
mod replay;
mod schemas;
mod service;
mod topics;
mod trials;
mod wargame;
mod zombie;
