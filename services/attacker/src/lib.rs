//! Real Kafka clients that try to break in.
//!
//! Each attack must be refused, and for the right reason; controls with good papers must get
//! through before and after, because a cluster that is down refuses everybody and proves nothing;
//! and afterwards the topics must hold no record of an attacker.
//!
//! # Layout
//!
//! - [`run`], [`Config`], [`Report`]: the whole matrix and its result.
//! - [`Attack`], [`attempt_named`]: one attack, as the small binaries run it.
//! - `attacks`: how each is carried out: at the door (TLS, SASL), in the house (ACLs), a man in the
//!   middle, and the same with librdkafka, the client library real users have.
//! - `controls`: good clients, one for every permission of the plan.
//! - `evidence`: what the topics held before and after.
//! - `answer`: what a broker answered, what was expected, and the verdict.
//!
//! Start reading at [`run`].

mod answer;
mod attacks;
pub mod cli;
mod controls;
mod error;
mod evidence;
mod named;
mod report;
mod runner;
mod world;

pub use answer::{Answer, Refusal, Verdict};
pub use attacks::Attack;
pub use error::{Error, Result};
pub use named::{Named, attempt_named, main as named_main};
pub use report::{Line, Report};
pub use runner::run;
pub use world::Config;
