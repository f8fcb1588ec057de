//! The dashboard as its page and programs see it: a server in this process, on documents that are written by hand.

mod documents;
mod figures;
mod live;
mod locks;
mod process;
mod support;
