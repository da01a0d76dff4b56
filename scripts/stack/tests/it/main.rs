//! The supervisor with real processes: alone, and with a whole world of stand-ins.

// Said once more, because clippy lets only what is marked so unwrap.
#[cfg(test)]
mod rotate_keys;
#[cfg(test)]
mod run;
#[cfg(test)]
mod supervisor;
#[cfg(test)]
mod with_services;
#[cfg(test)]
mod world;
