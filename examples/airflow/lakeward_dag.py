"""A day's window, or a backfill of many, from an API into the lake: one mapped task a window.

    plan -> extract (one a window) -> verify -> route -> landed | drift_notice

The schedule runs yesterday's window. A backfill is the same DAG with `from` and `to`:

    airflow dags trigger lakeward --conf '{"from": "2026-03-01", "to": "2026-06-01"}'

A run is green when all of its windows are in the lake. `lakeward` must be on the worker's PATH, its credentials in the
environment.
"""

import datetime as dt
import json
import os
import signal
import subprocess
import urllib.request

from airflow.sdk import Asset, TriggerRule, dag, get_current_context, task
from airflow.sdk.exceptions import AirflowException, AirflowFailException, AirflowSkipException
from airflow.timetables.interval import CronDataIntervalTimetable

GATEWAY = {
    "source": os.environ.get("LAKEWARD_SOURCE", "/etc/lakeward/gateway.yaml"),
    "stream": os.environ.get("LAKEWARD_STREAM", "payments"),
    "lake": os.environ.get("LAKEWARD_LAKE", "s3://bucket/raw"),
    "from": None,
    "to": None,
}
RETRY_AFTER = dt.timedelta(seconds=float(os.environ.get("LAKEWARD_RETRY_AFTER", "120")))
NOTICE_URL = os.environ.get("LAKEWARD_NOTICE_URL")  # a chat's incoming webhook: {"text": …}

DRIFT, HELD = 7, 9
PASSING = {5, 6, 130, 143}  # the API or the lake is away for now; the run was stopped


def lakeward(*args, codes=(0,)):
    """Runs the binary; its exit code and stdout where the code is of `codes`, else the task's end by that code."""
    # A process group of its own: Airflow signals the task's whole group, and a second SIGTERM would end lakeward
    # before its checkpoint is saved. It is told once, from here.
    run = subprocess.Popen(["lakeward", *args], stdout=subprocess.PIPE, text=True, start_new_session=True)
    told = []

    def stop(*_):
        if not told:
            told.append(True)
            run.terminate()

    before = signal.signal(signal.SIGTERM, stop)
    try:
        out, _ = run.communicate()
    except BaseException:  # the task's own timeout, or Ctrl-C
        stop()
        run.wait()
        raise
    finally:
        signal.signal(signal.SIGTERM, before)
    code, said = run.returncode, f"exit {run.returncode}: lakeward {' '.join(args)}"
    if code in codes:
        return code, out
    if code == HELD:
        raise AirflowSkipException(f"{said}: another live run holds the window")
    if code in PASSING or code < 0:
        raise AirflowException(said)
    raise AirflowFailException(said)


@dag(
    dag_id="lakeward",
    schedule=CronDataIntervalTimetable("0 0 * * *", timezone="UTC"),
    start_date=dt.datetime(2026, 3, 1, tzinfo=dt.timezone.utc),
    catchup=False,
    params=GATEWAY,
    default_args={"retries": 5, "retry_delay": RETRY_AFTER},
    max_active_tasks=8,
)
def windows_of_the_gateway():
    @task
    def plan():
        """The windows of the run's days that are not in the lake yet."""
        context = get_current_context()
        p = context["params"]
        first = p["from"] or context["data_interval_start"].isoformat()
        end = p["to"] or context["data_interval_end"].isoformat()
        _, out = lakeward("plan", p["source"], p["stream"], "--from", first, "--to", end, "--lake", p["lake"])
        return [w for w in json.loads(out)["windows"] if w["state"] != "committed"]

    @task(map_index_template="{{ window_name }}")
    def extract(window):
        """One window: its exit code, 0 or 7, and what its manifest counted."""
        get_current_context()["window_name"] = window["window"]
        code, out = lakeward(*window["args"], "--log", "json", "--report", "json", codes=(0, DRIFT))
        (of,) = json.loads(out)["windows"]
        return {"exit": code, "table": window["table"], "from": window["from"], "to": window["to"], "counts": of["counts"]}

    @task(trigger_rule=TriggerRule.ALL_DONE)
    def verify(windows):
        """Every published file of the tables against its manifest."""
        for table in sorted({w["table"] for w in windows or []}):
            print(lakeward("verify", table, "--lake", get_current_context()["params"]["lake"])[1])

    @task.branch(trigger_rule=TriggerRule.ALL_DONE)
    def route(ended):
        return "drift_notice" if any(w["exit"] == DRIFT for w in ended or []) else "landed"

    @task(trigger_rule=TriggerRule.NONE_FAILED, outlets=[Asset("lakeward_payments")])
    def landed():
        """What reads the table is scheduled on this asset."""

    @task(trigger_rule=TriggerRule.ALL_DONE)
    def drift_notice(ended):
        """Tells what the API changed. The windows are staged, not published, so that the run ends red."""
        stopped = [w for w in ended if w["exit"] == DRIFT]
        lake = get_current_context()["params"]["lake"]
        tables = [lakeward("drift", w["table"], "--lake", lake, "--from", w["from"], "--to", w["to"])[1] for w in stopped]
        text = f"{len(stopped)} of {len(list(ended))} windows were stopped by drift policy or reject limit\n" + "\n".join(tables)
        print(text)
        if NOTICE_URL:
            body = json.dumps({"text": text}).encode()
            urllib.request.urlopen(urllib.request.Request(NOTICE_URL, body, {"Content-Type": "application/json"}), timeout=30)
        raise AirflowFailException("see the notice; `lakeward extract … --accept-drift` publishes what is staged")

    windows = plan()
    ended = extract.expand(window=windows)
    verified, way = verify(windows), route(ended)
    ended >> verified >> way >> drift_notice(ended)
    done = landed()
    [ended, verified, way] >> done


windows_of_the_gateway()
