//! Kafka: clients, transactions, tables, topics and dead letters. Nothing above this room knows the
//! client library's types but the engine, which drives them.

pub mod client;
pub mod dead_letter;
pub mod embedded;
pub mod ends;
pub mod error;
pub mod letters;
pub mod partitioner;
pub mod pulse;
pub mod range;
pub mod source;
pub mod statistics;
pub mod table;
pub mod topics;
pub mod transaction;
pub mod write;
