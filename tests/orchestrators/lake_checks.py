"""What must hold of a lake that orchestrators have filled, and what they ran beside."""

import contextlib
import json
import os
import pathlib
import signal
import subprocess
import time

import harness


def committed(lake):
    """The days, as `2026-03-01`, whose windows are committed right now."""
    states = {}
    for path in sorted(pathlib.Path(lake).glob("payments/_lakeward/windows/*/*.json")):
        with contextlib.suppress(FileNotFoundError, json.JSONDecodeError):
            m = json.loads(path.read_text())
            states[m["window"]["start"][:10]] = m["state"]
    return {day for day, state in states.items() if state == "committed"}


def saved(lake):
    """Pages behind the checkpoint of a lake's only window, once nobody owns it; else 0."""
    newest = max(pathlib.Path(lake).glob("payments/_lakeward/windows/*/*.json"), default=None)
    if not newest:
        return 0
    with contextlib.suppress(FileNotFoundError, json.JSONDecodeError):
        m = json.loads(newest.read_text())
        return m["checkpoint"]["pages"] if m["owner"] is None and m["state"] == "running" else 0
    return 0


def exact(lakeward, lake, truth, windows):
    """The rows of `truth` (minor units by id) and no others, by DuckDB; one commit a window; every file as its manifest says."""
    import duckdb

    found = duckdb.sql(f"select id, amount from read_parquet('{lake}/payments/date=*/*.parquet', hive_partitioning = true)").fetchall()
    rows = dict(found)
    assert len(rows) == len(found), f"{len(found) - len(rows)} rows are doubled"
    harness.same_rows({k: {"amount": harness.money(minor) / 100} for k, minor in truth.items()}, {k: {"amount": v} for k, v in rows.items()})
    commits = {}
    for path in sorted(pathlib.Path(lake).glob("payments/_lakeward/windows/*/*.json")):
        m = json.loads(path.read_text())
        if m["state"] == "committed":
            commits.setdefault(path.parent.name, set()).add(tuple(sorted(f["path"] for f in m["published"])))
    assert len(commits) == windows, f"{len(commits)} windows are committed instead of {windows}"
    twice = [name for name, published in commits.items() if len(published) > 1]
    assert not twice, f"committed more than once: {twice[:3]}"
    # Names files that no manifest names, too: what a second commit of a window would leave.
    lakeward.run("verify", "payments", "--lake", lake).expect()
    return f"{len(rows)} rows, {len(commits)} commits"


def until(condition, what, wait=900, beside=None):
    """Waits for a condition, while a program goes on."""
    end = time.monotonic() + wait
    while not (value := condition()):
        assert beside is None or beside.poll() is None, f"ended with {beside.returncode} before {what}"
        assert time.monotonic() < end, f"no {what} within {wait} s"
        time.sleep(0.05)
    return value


def running(*words):
    """Process ids whose command lines hold all of the words."""
    found = []
    for folder in pathlib.Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            line = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            if all(str(word) in line for word in words):
                found.append(int(folder.name))
    return found


def killed(pids):
    """kill -9, of what still runs."""
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


@contextlib.contextmanager
def started(command, env, log, cwd=None, stdout=None):
    """A program in a process group of its own; killed with all of its group where it still runs at the end."""
    with open(log, "ab") as err:
        p = subprocess.Popen(list(map(str, command)), env=env, cwd=cwd, stdin=subprocess.DEVNULL,
                             stdout=stdout or err, stderr=err, text=True, start_new_session=True)
    try:
        yield p
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(p.pid, signal.SIGKILL)
        p.wait()


def ran(command, env, log, cwd=None, wait=1800, stdout=None):
    """Runs to the end: exit code and stdout, where it is asked for."""
    with started(command, env, log, cwd, stdout) as p:
        out, _ = p.communicate(timeout=wait)
        return p.returncode, out


def tail(log, lines=25):
    return "\n".join(pathlib.Path(log).read_text(errors="replace").splitlines()[-lines:])
