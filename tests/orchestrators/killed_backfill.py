"""A Dagster backfill of 90 daily partitions, killed on day 47; and Dagster alone killed, what it ran left to itself.

One process materializes the partitions one after the other (`dagster_days.py`): a process a partition, as Dagster's daemon starts
them, spends several seconds on imports for each, which is ten minutes for the same requests. For the same reason Dagster's home is
in memory where there is some (its SQLite waits for the disk at each of some twenty events a partition), and does not capture what
steps print (four processes a partition).
"""

import os
import pathlib
import signal
import subprocess
import sys
import tempfile

import dagster_asset
import days_api
import harness
import lake_checks

DAYS, KILLED_ON = 90, 47
HOME = """\
telemetry: { enabled: false }
compute_logs: { module: dagster._core.storage.noop_compute_log_manager, class: NoOpComputeLogManager }
"""
DAYS_BY_API = harness.REPO / "tests/orchestrators/dagster_days.py"


def backfill(env, log, days):
    """Dagster at work on these days, in a process group of its own."""
    return lake_checks.started([sys.executable, DAYS_BY_API, *days], env, log, stdout=subprocess.DEVNULL)


def begun(lake):
    """Pages behind the checkpoints of the days that are not committed, by day."""
    return {m["window"]["start"][:10]: (m["checkpoint"] or {}).get("pages", 0) for m in harness.manifests(lake).values() if m["state"] != "committed"}


def all_of_it(report, lakeward, env, api, work):
    """A machine that goes away: Dagster's process group and what it ran in others."""
    lake, log, last = work / "lake", work / "killed.log", KILLED_ON - 1
    env, dates = env | {"LAKEWARD_LAKE": str(lake)}, [days_api.date(n) for n in range(DAYS)]
    api.forget()
    api.held[last] = 0.5
    with report.check(f"{DAYS} partitions, Dagster and what it runs killed on day {KILLED_ON}: whole days only") as facts:
        with backfill(env, log, dates) as p:
            lake_checks.until(lambda: (last, 3) in api.asked, f"last page of day {KILLED_ON}", beside=p)
            os.killpg(p.pid, signal.SIGKILL)
            lake_checks.killed(lake_checks.running("lakeward extract", lake))
        done, half = lake_checks.committed(lake), begun(lake)
        assert done == set(dates[:last]), f"committed are {sorted(done)}"
        assert set(half) == {dates[last]} and half[dates[last]] > 0, f"half fetched are {half}"
        facts += [f"{len(done)} days committed", f"{half[dates[last]]} pages of day {KILLED_ON} saved", f"{len(api.asked)} requests"]
    api.forget()
    with report.check(f"started again: every partition is made, no page of days 1 to {last} is asked for, and it ends exact") as facts:
        answers = dagster_asset.materialized(env, log, dates)
        assert all(a["success"] and a["made"][0]["written"] == 100 for a in answers), answers
        again = [(day, page) for day, page in api.asked if page < half.get(dates[day], 0) or day < last]
        assert not again, f"asked for again: {again[:5]}"
        rest = sorted((day, page) for day in range(last, DAYS) for page in range(half.get(dates[day], 0), api.pages))
        assert sorted(api.asked) == rest, f"{len(api.asked)} requests for {len(rest)} pages that were left"
        facts += [f"{len(rest)} of {DAYS * api.pages} pages", lake_checks.exact(lakeward, lake, api.truth(range(DAYS)), DAYS)]


def orchestrator_alone(report, lakeward, env, api, work):
    """Dagster's process group only: lakeward has one of its own, and goes on with its day."""
    lake, log, days, last = work / "orphan", work / "orphan.log", 5, 2
    env, dates = env | {"LAKEWARD_LAKE": str(lake)}, [days_api.date(n) for n in range(days)]
    api.forget()
    api.held[last] = 0.8
    with report.check(f"Dagster alone killed, lakeward in the middle of day {last + 1}: the next one waits for it, no page is asked for twice") as facts:
        with backfill(env, log, dates) as p:
            lake_checks.until(lambda: (last, 0) in api.asked, f"first page of day {last + 1}", beside=p)
            # Until the next one comes: Dagster's imports take longer than the day does.
            api.held[last] = 6.0
            os.killpg(p.pid, signal.SIGKILL)
        left = lake_checks.running("lakeward extract", lake)
        assert len(left) == 1, f"{len(left)} runs are left"
        answers = dagster_asset.materialized(env, log, dates)
        assert all(a["success"] and a["made"][0]["written"] == 100 for a in answers), answers
        every = [(day, page) for day in range(days) for page in range(api.pages)]
        assert sorted(api.asked) == every, f"{len(api.asked)} requests for {len(every)} pages"
        facts += [f"tried again {answers[last]['retried']} times", lake_checks.exact(lakeward, lake, api.truth(range(days)), days)]


def run(report, lakeward, work):
    memory = pathlib.Path("/dev/shm")
    with days_api.serving() as api, tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else work) as home:
        pathlib.Path(home, "dagster.yaml").write_text(HOME)
        api.handle_error = lambda *_: None  # who is killed hangs up
        env = lakeward.env | {
            "DAGSTER_HOME": home, "PYTHONPATH": str(dagster_asset.ASSETS.parent), "LAKEWARD_RETRY_AFTER": "4",
            "LAKEWARD_SOURCE": str(api.write_source(work / "declared")),
        }
        all_of_it(report, lakeward, env, api, work)
        orchestrator_alone(report, lakeward, env, api, work)
