//! JWT bearer tokens: what they say, whether that is true, and what it is good for.
//!
//! Nothing in here asks anybody or knows what time it is: keys and the time are arguments.

pub mod address;
pub mod claims;
pub mod discovery;
pub mod form;
pub mod grants;
pub mod keys;
pub mod refusal;
mod ring_provider;
pub mod rules;
mod times;
pub mod verify;

#[cfg(test)]
mod tests;
