//! A window's manifest: checkpoint, commit record and audit in one chain of numbered versions.
//!
//! # The stages of a commit
//!
//! Each line is one version, written once with a create-only put; a crash between any two lines leaves what
//! the last written one says, and the next run goes on from there.
//!
//! ```text
//! running     attempt, owner, the old published[]        take: the window is ours
//! running     files[] durable, cursor after them         checkpoint, as often as needed
//! publishing  every final name, every file to replace    from here anyone may complete it
//!               move staged -> final (repeatable: names are unique to the attempt)
//! committed   published[] = files[]                      the instant that readers see
//!               end the chains of covered windows; delete what was replaced; drop staging
//! committed   owner null, replaces[] empty               the last version; those before are pruned
//!
//! running     owner null, failure                        orderly end: any host resumes at once
//! failed      reports named, files[] kept                drift, reject limit or counts
//! ```
//!
//! # What a checkpoint may name
//!
//! | it names | only after |
//! |---|---|
//! | a data file | it is closed and durable, file and folder |
//! | the cursor `next` | every row of the pages before it is in a named file, or in the dead letters |
//! | `parts` | the key index, dead letters and shape of exactly those pages are durable |
//! | anything at all | nothing that an earlier version names was changed or deleted |
//!
//! The last rule is for resumes: until a later version is written, a rerun goes on from the earlier one, and
//! another run that took over may already be building on it. Staged files are deleted by the commit only.
//!
//! # Modules
//!
//! - [`version`]: one version's JSON.
//! - [`checkpoint`]: where a rerun goes on.
//! - [`chain`]: create-only versions, and what an error of a create means.
//! - [`owner`]: who works on a window, and whether that process lives.
//! - [`lease`]: taking a window, to resume, to complete or to start anew.
//! - [`hold`]: a window that is held: heartbeat, checkpoint, release, fail, publish.
//! - `place`: the one writer of a held window's versions.
//! - `overlap`: windows with other bounds.
//! - `publish`: the steps from `publishing` to the last version.
//! - [`snapshot`]: what readers see.
//! - [`history`]: the windows before one, and what their records were like.
//! - [`strays`]: what no manifest names; [`vacuum`]: deletes it.

mod belonging;
pub mod chain;
pub mod checkpoint;
pub mod history;
pub mod hold;
pub mod lease;
mod overlap;
pub mod owner;
mod place;
pub(crate) mod publish;
pub mod snapshot;
pub mod strays;
pub mod vacuum;
pub mod version;

#[cfg(test)]
mod tests;
