"""examples/spark by spark-submit: 90 days on local-cluster with a killed driver and a killed executor; speculation on two hosts."""

import contextlib
import json
import os
import pathlib
import signal
import subprocess
import sys

import days_api
import harness
import lake_checks

SCRIPT = harness.REPO / "examples/spark/backfill.py"
CONF = {
    "spark.speculation": "true", "spark.speculation.interval": "100ms", "spark.speculation.multiplier": "1.1",
    "spark.speculation.quantile": "0.1", "spark.speculation.minTaskRuntime": "100ms",
    "spark.ui.enabled": "false", "spark.sql.shuffle.partitions": "2", "spark.driver.host": "127.0.0.1",
    "spark.eventLog.enabled": "true", "spark.eventLog.compress": "false", "spark.eventLog.rolling.enabled": "false",
}
EXECUTOR = "CoarseGrainedExecutorBackend"


def submit(master, events, source, lake, days):
    """The command of a backfill from day 0 on."""
    events.mkdir(exist_ok=True)
    conf = [a for k, v in (CONF | {"spark.eventLog.dir": f"file://{events}"}).items() for a in ("--conf", f"{k}={v}")]
    return ["spark-submit", "--master", master, *conf, SCRIPT, source, "payments", "--lake", lake, "--from", days_api.date(0), "--to", days_api.date(days)]


def events_of(folder):
    """The events of all applications that logged there; the log of one that was killed ends in the middle of a line."""
    events = []
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        lines = [line for line in path.read_text().splitlines() if line.startswith("{")]
        for n, line in enumerate(lines, 1):
            try:
                events.append(json.loads(line))
            except json.JSONDecodeError:
                assert path.name.endswith(".inprogress") and n == len(lines), f"{path}: {line[:200]}"
    return events


def parents(pid):
    """The process and what it was started by, upwards."""
    while pid > 1:
        line = pathlib.Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        yield pid, line
        pid = int(pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[1])


def executor_of(*words):
    """The executor above the lakeward that has these words in its command line."""
    for pid in lake_checks.running("lakeward extract", *words):
        with contextlib.suppress(OSError):
            for parent, line in parents(pid):
                if EXECUTOR in line:
                    return parent
    return None


def reported(out, days):
    """What the job read of the lake, checked."""
    answer = json.loads(out.strip().splitlines()[-1])
    assert answer["windows"] == days and not answer["failed"], answer
    assert answer["rows"] == {days_api.date(n): 100 for n in range(days)}, answer["rows"]
    return answer


def local_cluster(report, lakeward, env, api, source, work):
    """Two workers on this machine: the driver killed on day 47, then an executor in the middle of what is left."""
    lake, log, days = work / "lake", work / "local-cluster.log", 90
    command = submit("local-cluster[2,1,1024]", work / "events", source, lake, days)
    api.forget()
    with report.check("local-cluster[2,1,1024], 90 days, the driver killed on day 47"):
        with lake_checks.started(command, env, log, work) as p:
            lake_checks.until(lambda: len(lake_checks.committed(lake)) >= 46, "46 days", beside=p)
            executors = [e for e in [executor_of(lake)] if e]
            os.killpg(p.pid, signal.SIGKILL)
        lake_checks.killed(lake_checks.running("lakeward extract", lake))
        lake_checks.until(lambda: not lake_checks.running(EXECUTOR, "local-cluster", *executors), "end of the executors")
    done = {n for n in range(days) if days_api.date(n) in lake_checks.committed(lake)}
    api.forget()
    api.delay = 0.1
    with report.check("the rerun asks for no page of the days before; an executor is killed in its middle; exact rows, one commit a window") as facts:
        assert 46 <= len(done) < days, f"{len(done)} days are committed"
        with lake_checks.started(command, env, log, work, stdout=subprocess.PIPE) as p:
            lake_checks.until(lambda: len(lake_checks.committed(lake)) >= len(done) + 10, "ten days more", beside=p)
            lost = lake_checks.until(lambda: executor_of(lake), "executor", beside=p)
            os.kill(lost, signal.SIGKILL)
            out, _ = p.communicate(timeout=1800)
        assert p.returncode == 0, lake_checks.tail(log)
        assert api.asked_of(done) == 0, f"{api.asked_of(done)} requests for days that were done"
        answer = reported(out, days)
        assert answer["extracted"] == days - len(done), answer
        failed = [e for e in events_of(work / "events") if e["Event"] == "SparkListenerTaskEnd" and "ExecutorLost" in e["Task End Reason"]["Reason"]]
        assert failed, "no task was lost with its executor"
        facts += [lake_checks.exact(lakeward, lake, api.truth(range(days)), days), f"{len(done)} days were done", f"{len(failed)} task lost with its executor"]


@contextlib.contextmanager
def two_hosts(env, work):
    """A standalone master and two workers of a core each, on loopback addresses of their own: Spark speculates on another host only."""
    (port,) = harness.free_ports()
    master = f"spark://127.0.0.1:{port}"
    env = env | {"SPARK_WORKER_DIR": str(work / "workers"), "SPARK_LOG_DIR": str(work / "workers")}
    deploy = ["spark-class", "org.apache.spark.deploy"]
    with contextlib.ExitStack() as stack:
        start = lambda args, ip, log: stack.enter_context(lake_checks.started(args, env | {"SPARK_LOCAL_IP": ip}, work / log, work))
        p = start([deploy[0], f"{deploy[1]}.master.Master", "--host", "127.0.0.1", "--port", port, "--webui-port", 0], "127.0.0.1", "master.log")
        lake_checks.until(lambda: harness.answers(f"tcp://127.0.0.1:{port}"), "master", beside=p)
        for n in (2, 3):
            ip = f"127.0.0.{n}"
            start([deploy[0], f"{deploy[1]}.worker.Worker", "--host", ip, "--webui-port", 0, "--cores", 1, "--memory", "1g", master], ip, f"worker-{n}.log")
        lake_checks.until(lambda: (work / "master.log").read_text().count("Registering worker") == 2, "workers")
        yield master


def speculation(report, lakeward, env, api, source, work):
    """A window that is slow: Spark starts it a second time, on the other host, and then loses the host of the first."""
    lake, log, days = work / "speculated", work / "speculation.log", 10
    slow = days - 1
    api.forget()
    api.held[slow] = 2.0
    with report.check("two hosts, a slow window is speculated and its first executor killed: exact rows, one commit a window") as facts:
        with two_hosts(env, work) as master:
            command = submit(master, work / "speculated-events", source, lake, days)
            with lake_checks.started(command, env, log, work, stdout=subprocess.PIPE) as p:
                copies = lambda: sum('"Speculative":true' in f.read_text() for f in (work / "speculated-events").rglob("*") if f.is_file())
                first = lake_checks.until(lambda: executor_of(lake, f"--from {days_api.date(slow)}"), "slow window", beside=p)
                lake_checks.until(lambda: api.asked_of({slow}) >= 2 and f"Starting task {slow}.1 in stage 0.0" in log.read_text(), "speculation", beside=p)
                os.kill(first, signal.SIGKILL)
                out, _ = p.communicate(timeout=1800)
        assert p.returncode == 0, lake_checks.tail(log)
        reported(out, days)
        events = events_of(work / "speculated-events")
        started = [e["Task Info"] for e in events if e["Event"] == "SparkListenerTaskStart"]
        speculated = [t for t in started if t["Speculative"]]
        assert speculated and copies(), "nothing was speculated"
        assert any(t["Index"] == slow for t in speculated), speculated
        pages = [page for day, page in api.asked if day == slow]
        assert len(pages) <= api.pages + 1, f"pages {pages} of the slow window: a checkpoint was not used"
        facts += [lake_checks.exact(lakeward, lake, api.truth(range(days)), days), f"{len(speculated)} speculated", f"pages of the slow window as asked for: {pages}"]


def run(report, lakeward, work):
    env = lakeward.env | {"SPARK_LOCAL_IP": "127.0.0.1", "PYSPARK_PYTHON": sys.executable, "PYSPARK_DRIVER_PYTHON": sys.executable}
    with days_api.serving() as api:
        source = api.write_source(work / "declared")
        speculation(report, lakeward, env, api, source, work)
        local_cluster(report, lakeward, env, api, source, work)
