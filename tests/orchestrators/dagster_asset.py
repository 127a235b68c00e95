"""examples/dagster by `dagster asset materialize` and its Python API: counts as metadata, the check on drift, a kill on day 15 of 30."""

import json
import os
import signal
import subprocess
import sys

import days_api
import harness
import lake_checks

ASSETS = harness.REPO / "examples/dagster/lakeward_assets.py"


def materialized(env, log, days):
    """What came of each of the days, by the Python API."""
    command = [sys.executable, harness.REPO / "tests/orchestrators/dagster_days.py", *days]
    _, out = lake_checks.ran(command, env, log, stdout=subprocess.PIPE)
    answers = [json.loads(line) for line in out.splitlines() if line.startswith("{\"day\"")]
    assert len(answers) == len(days), lake_checks.tail(log)
    return answers


def ways(report, lakeward, env, api, work):
    """Days that go well, drift, are stopped, and are away for a while."""
    lake, log = work / "lake", work / "days.log"
    with report.check("dagster asset materialize: a day, exact") as facts:
        command = ["dagster", "asset", "materialize", "-f", ASSETS, "--select", "payments", "--partition", days_api.date(0)]
        code, _ = lake_checks.ran(command, env, work / "materialize.log")
        assert code == 0, lake_checks.tail(work / "materialize.log")
        facts.append(lake_checks.exact(lakeward, lake, api.truth([0]), 1))
    api.forget()
    api.odd, api.drifting, api.refuse = {2}, {3}, {4: (503, 4), 5: (400, 99)}
    well, odd, stopped, away, refused = materialized(env, log, [days_api.date(n) for n in range(1, 6)])
    with report.check("its metadata are the manifest's counts"):
        (metadata,) = well["made"]
        name, m = next((n, m) for n, m in harness.manifests(lake).items() if m["window"]["start"].startswith(days_api.date(1)))
        assert {k: metadata[k] for k in m["counts"] if m["counts"][k] is not None} == {k: v for k, v in m["counts"].items() if v is not None}, (metadata, m["counts"])
        assert metadata["dagster/partition_row_count"] == 100 and name.endswith(metadata["window"]), metadata
        assert well["checks"][0]["passed"], well
    with report.check("a value that nobody knew: published, and the check on drift warns"):
        (check,) = odd["checks"]
        assert odd["success"] and odd["made"][0]["written"] == 100, odd
        assert (check["passed"], check["severity"]) == (False, "WARN") and "disputed" in check["drift"], check
    with report.check("exit 7: the check fails with the table, nothing is made, nothing is tried again"):
        (check,) = stopped["checks"]
        assert not stopped["success"] and not stopped["made"] and stopped["retried"] == 0, stopped
        assert (check["passed"], check["severity"]) == (False, "ERROR") and "loyalty" in check["drift"], check
    with report.check("exit 5 is tried again, exit 4 is not"):
        assert away["success"] and away["retried"] == 2, away
        assert not refused["success"] and refused["retried"] == 0 and api.asked_of({5}) == 1, (refused, api.asked_of({5}))


def killed(report, lakeward, env, api, work):
    """Dagster and all that it ran, killed in the middle."""
    lake, log, days = work / "backfill", work / "backfill.log", 30
    env = env | {"LAKEWARD_LAKE": str(lake)}
    dates = [days_api.date(n) for n in range(days)]
    api.forget()
    with report.check("30 days, Dagster killed on day 15: the rerun asks for no page of the days before, and ends exact") as facts:
        command = [sys.executable, harness.REPO / "tests/orchestrators/dagster_days.py", *dates]
        with lake_checks.started(command, env, log) as p:
            lake_checks.until(lambda: len(lake_checks.committed(lake)) >= 14, "14 days", beside=p)
            os.killpg(p.pid, signal.SIGKILL)
            lake_checks.killed(lake_checks.running("lakeward extract", lake))
        done = {n for n in range(days) if dates[n] in lake_checks.committed(lake)}
        assert 14 <= len(done) < days, f"{len(done)} days are committed"
        api.forget()
        answers = materialized(env, log, dates)
        assert all(a["success"] and a["made"][0]["written"] == 100 for a in answers), answers
        assert api.asked_of(done) == 0, f"{api.asked_of(done)} requests for days that were done"
        facts += [lake_checks.exact(lakeward, lake, api.truth(range(days)), days), f"{len(done)} days were done"]


def interrupted(report, lakeward, env, api, work):
    """SIGTERM, as `dagster run terminate` and a pod's end send it."""
    lake, log = work / "interrupted", work / "interrupted.log"
    env = env | {"LAKEWARD_LAKE": str(lake)}
    api.forget()
    api.held[0] = 1.0
    with report.check("SIGTERM of the run: one to the binary, checkpoint saved, Dagster's next try goes on behind it") as facts:
        command = [sys.executable, harness.REPO / "tests/orchestrators/dagster_days.py", days_api.date(0)]
        with lake_checks.started(command, env, log, stdout=subprocess.PIPE) as p:
            lake_checks.until(lambda: api.asked_of({0}) >= 3, "third page", beside=p)
            os.killpg(p.pid, signal.SIGTERM)
            saved = lake_checks.until(lambda: lake_checks.saved(lake), "checkpoint", beside=p)
            api.forget()
            out, _ = p.communicate(timeout=900)
        answer = json.loads(out.splitlines()[-1])
        assert answer["success"] and answer["retried"] == 1, answer
        again = [page for _, page in api.asked if page < saved]
        assert not again, f"pages {again} lie behind the checkpoint of {saved}"
        facts += [lake_checks.exact(lakeward, lake, api.truth([0]), 1), f"checkpoint of {saved} pages"]


def run(report, lakeward, work):
    (work / "home").mkdir()
    with days_api.serving() as api:
        env = lakeward.env | {
            "DAGSTER_HOME": str(work / "home"), "PYTHONPATH": str(ASSETS.parent), "LAKEWARD_RETRY_AFTER": "1",
            "LAKEWARD_SOURCE": str(api.write_source(work / "declared")), "LAKEWARD_LAKE": str(work / "lake"),
        }
        ways(report, lakeward, env, api, work)
        interrupted(report, lakeward, env, api, work)
        killed(report, lakeward, env, api, work)
