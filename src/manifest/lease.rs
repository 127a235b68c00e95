//! Taking a window: who may work on it, and from where (DESIGN §5, step 1).
//!
//! | newest version | plain run | `--refresh` |
//! |---|---|---|
//! | none, or ended by a window that is gone | attempt 1 | attempt 1 |
//! | live owner, not committed | held (exit 9) | held |
//! | committed, owner still tidies up | committed | held |
//! | publishing, or committed and not tidied up | completed first | completed first |
//! | committed | committed | next attempt |
//! | running, nothing published | resume, or start anew | the same |
//! | running, an earlier commit published | committed | resume, or start anew |
//! | failed, nothing published | start anew | start anew |
//! | failed, an earlier commit published | committed | start anew |
//!
//! Resume needs equal fingerprints. `accept_drift` resumes a window that failed by the contract.

use std::sync::Arc;

use chrono::{DateTime, Utc};

use crate::clock::Clock;
use crate::error::{Error, ErrorKind, Result};
use crate::manifest::chain::{Chain, Head, describe};
use crate::manifest::checkpoint::Checkpoint;
use crate::manifest::hold::{Resumed, WindowRun};
use crate::manifest::overlap;
use crate::manifest::owner::Owner;
use crate::manifest::place::Held;
use crate::manifest::publish;
use crate::manifest::version::{Counts, DataFile, FORMAT, Failure, Manifest, State, new_commit_id};
use crate::window::Window;

/// How often a window's state may change under our eyes before we give up.
const ROUNDS: u32 = 8;

/// Who takes a window, and what for.
#[derive(Clone, Debug)]
pub struct Take {
    /// The run.
    pub run_id: String,
    /// The window of time; of a batch, the instants at which its events were received.
    pub window: Window,
    /// Fingerprint of what decides typed rows.
    pub schema_fingerprint: String,
    /// Fingerprint of what decides which records are fetched.
    pub source_fingerprint: String,
    /// Whether a committed window is extracted again.
    pub refresh: bool,
    /// Whether the staged rows of a window that failed by the contract are taken over.
    pub accept_drift: bool,
    /// The field by which rows are held to the window.
    pub clip: Option<String>,
}

/// What there is to do for a window.
#[derive(Debug)]
pub enum Taken {
    /// Nothing: it is committed.
    Committed(Box<Manifest>),
    /// The window is ours.
    Run(Box<WindowRun>),
}

/// Takes the window of `chain`, completing an unfinished publish first, whoever began it.
///
/// # Errors
/// `Held` when a live run has it, `Usage` when a committed window overlaps with other bounds, `Store` when
/// the lake fails or the chain cannot be trusted.
pub async fn take(chain: Chain, clock: Arc<dyn Clock>, take: Take) -> Result<Taken> {
    for _ in 0..ROUNDS {
        let now = clock.now();
        let newest = chain.newest().await?;
        let live = newest.as_ref().is_some_and(|(_, manifest)| is_live(manifest, now));
        let Some((number, manifest)) = newest else {
            return start(chain, clock, &take, None).await;
        };
        if live && (manifest.state != State::Committed || take.refresh) {
            return Err(held(&chain, &manifest));
        }
        if manifest.is_unfinished() && !live {
            roll_forward(&chain, &clock, &take, (number, manifest)).await?;
            continue;
        }
        let wanted = take.refresh || accepts(&manifest, &take);
        match manifest.as_committed() {
            Some(commit) if !wanted => {
                if !live {
                    publish::prune(&chain, number, &manifest).await;
                }
                return Ok(Taken::Committed(Box::new(commit)));
            }
            Some(_) | None => return start(chain, clock, &take, Some((number, manifest))).await,
        }
    }
    Err(Error::new(ErrorKind::Held, "other runs keep changing the window")
        .with("window", chain.name())
        .hint("let them end, then run the same command again"))
}

fn is_live(manifest: &Manifest, now: DateTime<Utc>) -> bool {
    manifest.owner.as_ref().is_some_and(|owner| owner.is_live(now))
}

fn held(chain: &Chain, manifest: &Manifest) -> Error {
    let error = Error::new(ErrorKind::Held, "another live run holds the window")
        .with("window", chain.name())
        .hint("let it end; were it killed on another host, its hold ends 60 seconds after its heartbeat");
    describe(error, manifest)
}

/// Claims an unfinished publish, so that one run at a time moves its files, and completes it.
async fn roll_forward(
    chain: &Chain,
    clock: &Arc<dyn Clock>,
    take: &Take,
    (number, manifest): (u64, Manifest),
) -> Result<()> {
    tracing::info!(window = %chain.name(), run = %manifest.run_id, "completing an unfinished publish");
    let attempt = manifest.attempt;
    let held = Held::new(chain.clone(), Arc::clone(clock), Head::new(number, manifest));
    let owner = Owner::current(clock.now());
    held.write(|next| next.owner = Some(owner)).await?;
    let run = WindowRun::start(Arc::new(held), attempt, None, take.refresh);
    run.complete().await.map(drop)
}

/// Writes the first version of our attempt, then discards what no checkpoint names.
async fn start(
    chain: Chain,
    clock: Arc<dyn Clock>,
    take: &Take,
    before: Option<(u64, Manifest)>,
) -> Result<Taken> {
    let now = clock.now();
    overlap::covered(&chain, now, take.refresh).await?;
    let resumed = before.as_ref().and_then(|(_, manifest)| resume(manifest, take));
    if take.accept_drift && resumed.is_none() && before.as_ref().is_some_and(|(_, m)| is_refused(m))
    {
        tracing::warn!(
            "the source or schema file has changed since the rows were staged: --accept-drift is not about them, the window is fetched anew"
        );
    }
    let first = first_version(&chain, now, take, before.as_ref().map(|(_, m)| m), resumed.as_ref());
    let attempt = first.attempt;
    let number = before.map_or(0, |(number, _)| number);
    let held = Arc::new(Held::new(chain, clock, Head::new(number, first)));
    held.write(|_| ()).await?;
    let run = WindowRun::start(Arc::clone(&held), attempt, resumed, take.refresh);
    // Of two overlapping windows that begin at once, at least one sees the other here.
    if let Err(error) = overlap::covered(&held.chain, now, take.refresh).await {
        let failure = Failure::from(&error);
        if let Err(second) = run.release(failure).await {
            tracing::debug!(window = %held.chain.name(), error = %second, "owner not cleared");
        }
        return Err(error);
    }
    publish::discard(&held.chain, &held.newest().await.1).await?;
    Ok(Taken::Run(Box::new(run)))
}

/// Whether the staged rows of a failed attempt are what the caller asks for.
fn accepts(manifest: &Manifest, take: &Take) -> bool {
    // Of an acceptance that was killed, the newest attempt is still the one that took over.
    let refused = is_refused(manifest) || (manifest.accepted && manifest.state == State::Running);
    take.accept_drift && refused && same_fingerprints(manifest, take)
}

/// Whether the contract stopped the newest attempt.
fn is_refused(manifest: &Manifest) -> bool {
    let contract = ErrorKind::Contract.exit_code();
    manifest.state == State::Failed
        && manifest.failure.as_ref().is_some_and(|failure| failure.exit == contract)
}

fn same_fingerprints(manifest: &Manifest, take: &Take) -> bool {
    manifest.schema_fingerprint == take.schema_fingerprint
        && manifest.source_fingerprint == take.source_fingerprint
}

fn resume(manifest: &Manifest, take: &Take) -> Option<Resumed> {
    let left = manifest.state == State::Running
        && manifest.checkpoint.pages > 0
        && same_fingerprints(manifest, take);
    let accepted = accepts(manifest, take);
    (left || accepted).then(|| Resumed {
        attempt: manifest.attempt,
        files: manifest.files.iter().cloned().map(DataFile::into).collect(),
        checkpoint: manifest.checkpoint.clone(),
        counts: manifest.counts,
        accepted,
    })
}

fn first_version(
    chain: &Chain,
    now: DateTime<Utc>,
    take: &Take,
    before: Option<&Manifest>,
    resumed: Option<&Resumed>,
) -> Manifest {
    // Of a window that another one ended, nothing is published here any more.
    let carried = before.filter(|manifest| manifest.is_committed());
    let started_at = resumed.and(before).map_or(now, |manifest| manifest.started_at);
    Manifest {
        version: FORMAT,
        commit_id: new_commit_id(),
        table: chain.dir().table().to_owned(),
        source: chain.name().source().to_owned(),
        stream: chain.name().stream().to_owned(),
        window: take.window,
        state: State::Running,
        attempt: before.map_or(1, |manifest| manifest.attempt.saturating_add(1)),
        run_id: take.run_id.clone(),
        owner: Some(Owner::current(now)),
        schema_fingerprint: take.schema_fingerprint.clone(),
        source_fingerprint: take.source_fingerprint.clone(),
        checkpoint: resumed.map_or_else(Checkpoint::start, |r| r.checkpoint.clone()),
        files: resumed.and(before).map(|manifest| manifest.files.clone()).unwrap_or_default(),
        published: carried.map(|manifest| manifest.published.clone()).unwrap_or_default(),
        replaces: Vec::new(),
        rejects: None,
        drift: None,
        profile: None,
        counts: resumed.map_or_else(Counts::default, |r| r.counts),
        started_at,
        committed_at: carried.and_then(|manifest| manifest.committed_at),
        failure: None,
        accepted: resumed.is_some_and(|resumed| resumed.accepted),
        clip: take.clip.clone(),
        covers: carried.map(|manifest| manifest.covers.clone()).unwrap_or_default(),
        ends: Vec::new(),
        ended_by: None,
        last_commit: carried.and_then(Manifest::commit_record),
    }
}
