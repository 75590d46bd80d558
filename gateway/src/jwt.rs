//! JWTs: what they say, whether that is true, and what it is good for. Bearer tokens, and those by which providers sign
//! users in and out.
//!
//! Nothing in here asks anybody or knows what time it is: keys and the time are arguments.

pub mod address;
pub mod claims;
pub mod discovery;
pub mod form;
pub mod grants;
pub mod id_token;
pub mod keys;
pub mod logout_token;
pub mod parameters;
pub mod refusal;
mod ring_provider;
pub mod rules;
mod times;
pub mod verify;

#[cfg(test)]
mod tests;
