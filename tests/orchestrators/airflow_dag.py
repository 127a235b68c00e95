"""examples/airflow by `airflow dags test`: each exit code's way, tasks that are stopped, 90 days killed on day 47."""

import json
import os
import signal
import sqlite3
import time
import urllib.parse
import urllib.request

import days_api
import harness
import lake_checks

DAG = "lakeward"


class Airflow:
    """A fresh home with an SQLite database."""

    def __init__(self, lakeward, work, source):
        self.work, self.home = work, work / "home"
        self.env = lakeward.env | {
            "AIRFLOW_HOME": str(self.home), "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__CORE__DAGS_FOLDER": str(harness.REPO / "examples/airflow"),
            "LAKEWARD_RETRY_AFTER": "1", "LAKEWARD_SOURCE": str(source),
        }
        code, _ = lake_checks.ran(["airflow", "db", "migrate"], self.env, work / "migrate.log")
        assert code == 0, lake_checks.tail(work / "migrate.log")

    def command(self, lake, first, end):
        conf = {"lake": str(lake), "from": first, "to": end}
        return ["airflow", "dags", "test", DAG, "2026-06-01", "--conf", json.dumps(conf)]

    def test(self, lake, first, end, log, env=None):
        """Runs the DAG to its end; the states and tries of its tasks."""
        lake_checks.ran(self.command(lake, first, end), self.env | (env or {}), log)
        return self.tasks()

    def tasks(self):
        """State and number of tries by task and window, of the last run, and the run's state."""
        with sqlite3.connect(f"file:{self.home / 'airflow.db'}?mode=ro", uri=True) as db:
            run, state = db.execute("select run_id, state from dag_run order by id desc limit 1").fetchone()
            rows = db.execute("select task_id, map_index, state, try_number from task_instance where run_id = ?", (run,))
            return state, {(task, n): (of, tries) for task, n, of, tries in rows}


def each_exit(report, lakeward, airflow, api, work):
    """One run over ten days, of which most go wrong in a way of their own."""
    lake, log = work / "exits", work / "exits.log"
    api.forget()
    api.drifting, api.miscounted = {1}, {6}
    api.refuse = {2: (400, 99), 3: (503, 4), 5: (403, 99)}
    with report.check("ten days, seven ways to end: each goes the way of its exit code") as facts:
        # Another run works on day 4 for longer than the DAG's.
        api.held[4] = 25
        holder = lakeward.start("extract", airflow.env["LAKEWARD_SOURCE"], "--lake", lake, "--date", days_api.date(4))
        lake_checks.until(lambda: api.asked_of({4}), "request of the run that holds day 4", beside=holder)
        state, tasks = airflow.test(lake, days_api.date(0), days_api.date(10), log, {"LAKEWARD_NOTICE_URL": f"http://127.0.0.1:{api.port}/notice"})
        holder.kill()
        holder.communicate()
        of = lambda n: tasks[("extract", n)]
        assert of(0) == ("success", 1), f"exit 0: {of(0)}\n{lake_checks.tail(log)}"
        assert of(1) == ("success", 1), f"exit 7: {of(1)}"
        for n, code in ((2, 4), (5, 3), (6, 8)):
            assert of(n) == ("failed", 1), f"exit {code} is tried once: {of(n)}"
        assert of(3) == ("success", 3), f"exit 5 is tried again: {of(3)}"
        assert of(4) == ("skipped", 1), f"exit 9: {of(4)}"
        text = log.read_text()
        for code in (3, 4, 5, 8, 9):
            assert f"exit {code}: lakeward extract" in text, f"no word of exit {code}"
        facts += ["exits 0, 3, 4, 5, 7, 8, 9", f"tries of the day that was away: {of(3)[1]}"]
    with report.check("exit 7 branches to the notice, which carries the table; nothing is said to have landed"):
        assert tasks[("drift_notice", -1)][0] == "failed" and tasks[("landed", -1)][0] == "skipped" and state == "failed", (state, tasks)
        (notice,) = api.notices
        assert "/loyalty_tier" in notice["text"] and "new_field" in notice["text"] and days_api.date(1) in notice["text"], notice["text"]
    with report.check("all other days are exact, the stopped ones are not published") as facts:
        facts.append(lake_checks.exact(lakeward, lake, api.truth([0, 3, 7, 8, 9]), 5))
    with report.check("exit 2 of the plan fails at once"):
        state, tasks = airflow.test(lake, days_api.date(1), days_api.date(0), work / "usage.log")
        assert tasks[("plan", -1)] == ("failed", 1) and state == "failed", (state, tasks)


def stopped(report, lakeward, airflow, api, work):
    """SIGTERM to the task's process group, as Airflow sends it."""
    lake, log = work / "stopped", work / "stopped.log"
    api.forget()
    api.held[0] = 1.0
    with report.check("SIGTERM of the task's group: one to the binary, checkpoint saved, the next try goes on behind it") as facts:
        with lake_checks.started(airflow.command(lake, days_api.date(0), days_api.date(1)), airflow.env, log) as p:
            lake_checks.until(lambda: api.asked_of({0}) >= 3, "third page", beside=p)
            told = time.monotonic()
            os.killpg(p.pid, signal.SIGTERM)
            saved = lake_checks.until(lambda: lake_checks.saved(lake), "checkpoint", beside=p)
            took = time.monotonic() - told
            api.forget()
            p.wait(timeout=900)
        state, tasks = airflow.tasks()
        assert "exit 143: lakeward extract" in log.read_text(), lake_checks.tail(log)
        assert tasks[("extract", 0)] == ("success", 2) and state == "success", (state, tasks)
        behind = [page for _, page in api.asked if page < saved]
        assert not behind, f"pages {behind} lie behind the checkpoint of {saved}"
        assert took < 5, f"the checkpoint took {took:.1f} s"
        facts += [lake_checks.exact(lakeward, lake, api.truth([0]), 1), f"checkpoint of {saved} pages {took:.1f} s after it"]


def again(report, airflow, api, work):
    """The days of the check before, which are in the lake."""
    api.forget()
    with report.check("a run over days that are in the lake asks for nothing and is green"):
        state, tasks = airflow.test(work / "stopped", days_api.date(0), days_api.date(1), work / "again.log")
        assert state == "success" and tasks[("landed", -1)][0] == "success" and not api.asked, (state, tasks, api.asked)


def marked_failed(report, lakeward, airflow, api, work):
    """A running task marked as failed by a person: an executor, the API server, Airflow's own way to end a task."""
    lake, log = work / "marked", work / "marked.log"
    (port,) = harness.free_ports()
    base = f"http://127.0.0.1:{port}"
    env = airflow.env | {
        "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{base}/execution/", "AIRFLOW__API_AUTH__JWT_SECRET": "s" * 64,
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "True", "AIRFLOW__CORE__EXECUTOR": "LocalExecutor", "AIRFLOW__CORE__PARALLELISM": "1",
    }
    api.forget()
    api.held[0] = 2.0
    serve = ["airflow", "api-server", "--host", "127.0.0.1", "--port", port, "--workers", 1]
    with report.check("a task marked as failed while it runs: Airflow ends it, checkpoint saved, the next run goes on behind it") as facts:
        with lake_checks.started(serve, env, work / "server.log") as server:
            lake_checks.until(lambda: harness.answers(f"{base}/api/v2/version"), "API server", beside=server)
            command = airflow.command(lake, days_api.date(0), days_api.date(1))
            with lake_checks.started([*command, "--use-executor"], env, log) as p:
                lake_checks.until(lambda: api.asked_of({0}) >= 2, "second page", beside=p)
                token = json.loads(harness.get(f"{base}/auth/token")[2])["access_token"]
                with sqlite3.connect(f"file:{airflow.home / 'airflow.db'}?mode=ro", uri=True) as db:
                    (run,) = db.execute("select run_id from dag_run order by id desc limit 1").fetchone()
                url = f"{base}/api/v2/dags/{DAG}/dagRuns/{urllib.parse.quote(run)}/taskInstances/extract/0"
                headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
                urllib.request.urlopen(urllib.request.Request(url, b'{"new_state": "failed"}', headers, method="PATCH"), timeout=60).close()
                saved = lake_checks.until(lambda: lake_checks.saved(lake), "checkpoint", beside=p)
                p.wait(timeout=900)
        state, tasks = airflow.tasks()
        assert "exit 143: lakeward extract" in log.read_text(), lake_checks.tail(log)
        assert tasks[("extract", 0)] == ("failed", 1) and state == "failed", (state, tasks)
        api.forget()
        state, _ = airflow.test(lake, days_api.date(0), days_api.date(1), log)
        behind = [page for _, page in api.asked if page < saved]
        assert state == "success" and not behind, f"{state}; pages {behind} lie behind the checkpoint of {saved}"
        facts += [lake_checks.exact(lakeward, lake, api.truth([0]), 1), f"checkpoint of {saved} pages"]


def long_backfill(report, lakeward, airflow, api, work):
    """The orchestrator and all that it ran, killed in the middle."""
    lake, log, days = work / "backfill", work / "backfill.log", 90
    api.forget()
    with report.check("90 days, Airflow killed on day 47: the rerun asks for no page of the days before, and ends exact") as facts:
        with lake_checks.started(airflow.command(lake, days_api.date(0), days_api.date(days)), airflow.env, log) as p:
            lake_checks.until(lambda: len(lake_checks.committed(lake)) >= 46, "46 days", beside=p)
            os.killpg(p.pid, signal.SIGKILL)
            lake_checks.killed(lake_checks.running("lakeward extract", lake))
            p.wait()
        done = {n for n in range(days) if days_api.date(n) in lake_checks.committed(lake)}
        assert 46 <= len(done) < days, f"{len(done)} days are committed"
        before = len(api.asked)
        api.forget()
        state, tasks = airflow.test(lake, days_api.date(0), days_api.date(days), log)
        assert state == "success", lake_checks.tail(log)
        assert sum(task == "extract" for task, _ in tasks) == days - len(done), f"{len(done)} days were done, {tasks}"
        assert api.asked_of(done) == 0, f"{api.asked_of(done)} requests for days that were done"
        facts += [lake_checks.exact(lakeward, lake, api.truth(range(days)), days), f"{len(done)} days were done", f"{before} and {len(api.asked)} requests"]


def run(report, lakeward, work):
    with days_api.serving() as api:
        airflow = Airflow(lakeward, work, api.write_source(work / "declared"))
        each_exit(report, lakeward, airflow, api, work)
        stopped(report, lakeward, airflow, api, work)
        again(report, airflow, api, work)
        marked_failed(report, lakeward, airflow, api, work)
        long_backfill(report, lakeward, airflow, api, work)
