"""A table of the lake as a daily partitioned asset, what its manifest counted as metadata, and an asset check on drift.

    dagster asset materialize -f lakeward_assets.py --select payments --partition 2026-03-17

A partition is a window: materializing it again asks the API for nothing, once it is committed. The check fails with what
`lakeward drift` shows: as a warning where the rows are published, as an error where they were stopped (exit 7). `lakeward` must be on the PATH, its credentials
in the environment.
"""

import json
import os
import subprocess

import dagster as dg

SOURCE = os.environ.get("LAKEWARD_SOURCE", "/etc/lakeward/gateway.yaml")
LAKE = os.environ.get("LAKEWARD_LAKE", "s3://bucket/raw")
RETRY_AFTER = float(os.environ.get("LAKEWARD_RETRY_AFTER", "120"))  # seconds
TABLE = "payments"
DAYS = dg.DailyPartitionsDefinition(start_date="2026-03-01", timezone="UTC")

DRIFT, HELD = 7, 9
PASSING = {5, 6, HELD, 130, 143}  # later: the API or the lake is away, another run holds the window, the run was stopped


def lakeward(*args):
    """Runs the binary; its exit code and stdout."""
    # A process group of its own, so that Ctrl-C and a run's end reach it once: a second signal would end it before
    # its checkpoint is saved.
    run = subprocess.Popen(["lakeward", *args], stdout=subprocess.PIPE, text=True, start_new_session=True)
    try:
        out, _ = run.communicate()
    except BaseException:  # Dagster interrupts the step
        run.terminate()
        run.wait()
        raise
    return run.returncode, out


def drift_of(day):
    """What `lakeward drift` shows of a day."""
    code, out = lakeward("drift", TABLE, "--lake", LAKE, "--date", day, "--format", "markdown")
    return out if code == 0 else f"`lakeward drift` ended with {code}"


@dg.asset(
    name=TABLE,
    partitions_def=DAYS,
    pool="gateway",
    retry_policy=dg.RetryPolicy(max_retries=5, delay=RETRY_AFTER),
    check_specs=[dg.AssetCheckSpec("no_drift", asset=TABLE, description="the API sent what is declared and what earlier days had")],
)
def payments(context: dg.AssetExecutionContext):
    """Payments of a UTC day, as the gateway lists them."""
    day = context.partition_key
    code, out = lakeward("extract", SOURCE, TABLE, "--lake", LAKE, "--date", day, "--log", "json", "--report", "json")
    if code not in (0, DRIFT):
        raise dg.Failure(f"lakeward extract ended with {code}", allow_retries=code in PASSING or code < 0)
    (window,) = json.loads(out)["windows"]
    stopped = code == DRIFT
    found = window["drift"]["findings"] if window["drift"] else 0
    yield dg.AssetCheckResult(
        check_name="no_drift",
        passed=not stopped and found == 0,
        severity=dg.AssetCheckSeverity.ERROR if stopped else dg.AssetCheckSeverity.WARN,
        metadata={"findings": found, "drift": dg.MetadataValue.md(drift_of(day))},
    )
    if stopped:
        raise dg.Failure("stopped by drift policy or reject limit: the rows are staged, not published", allow_retries=False)
    counts = {name: count for name, count in window["counts"].items() if count is not None}
    rows = {"dagster/partition_row_count": counts["written"]}
    yield dg.MaterializeResult(metadata=counts | rows | {"window": window["window"]["name"]})


daily = dg.define_asset_job("daily", selection=[TABLE], partitions_def=DAYS)
defs = dg.Definitions(assets=[payments], jobs=[daily], schedules=[dg.build_schedule_from_partitioned_job(daily)])
