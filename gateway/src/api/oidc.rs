//! Signing in by providers, as browsers see it: cookies of sign-ins that have begun, and pages that say why one has failed.

pub mod cookie;
pub mod failure;
