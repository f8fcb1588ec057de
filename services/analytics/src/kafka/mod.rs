//! Kafka clients of the two stages.

pub mod denied;
pub mod group;
pub mod instance;
pub mod onlooker;
pub mod restore;
pub mod transaction;
