"""What every outside check uses: the binary, servers on loopback, a lake read back, a line a check."""

import contextlib
import datetime as dt
import decimal
import glob
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import time
import traceback
import urllib.error
import urllib.request

HERE = pathlib.Path(__file__).resolve().parent
REPO = HERE.parent.parent
UTC = dt.timezone.utc
NODE_MODULES = pathlib.Path(os.environ.get("NODE_MODULES", REPO / "target/outside/node_modules"))


def small_table(name):
    """The schema file of a table of three columns, amounts in minor units."""
    return f"""version: 1
table: {name}
primary_key: [id]
partition_by: created_at
fields:
  - {{ name: id, type: string, required: true }}
  - {{ name: amount, type: "decimal(18, 2)", integers: minor, required: true }}
  - {{ name: created_at, type: timestamp, required: true }}
"""


MEASURE = """
import resource, subprocess, sys
code = subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL).returncode
used = resource.getrusage(resource.RUSAGE_CHILDREN)
print(used.ru_maxrss, used.ru_utime + used.ru_stime)
sys.exit(code)
"""


class Skip(Exception):
    """A check that cannot be made on this machine; the message says why."""


class Report:
    """One printed line a check, and the totals."""

    def __init__(self):
        self.passed, self.failed, self.skipped, self.group = 0, 0, 0, ""

    def _line(self, word, name, note):
        print(f"{word:<4} {self.group}: {name}{': ' + note if note else ''}", flush=True)

    @contextlib.contextmanager
    def check(self, name):
        """The body is the check: it passes unless it raises. It may append facts worth printing."""
        facts, start = [], time.monotonic()
        try:
            yield facts
        except Skip as e:
            self.skipped += 1
            self._line("skip", name, str(e))
        except Exception as e:  # a failed check must not stop the others
            self.failed += 1
            text = str(e) if isinstance(e, AssertionError) and str(e) else traceback.format_exc()
            self._line("FAIL", name, text.strip().replace("\n", "\n       "))
        else:
            self.passed += 1
            facts.append(f"{time.monotonic() - start:.1f} s")
            self._line("ok", name, ", ".join(map(str, facts)))

    def total(self):
        """The closing line."""
        skipped = f", {self.skipped} skipped" if self.skipped else ""
        print(f"{self.passed} passed, {self.failed} failed{skipped}", flush=True)


class Ran:
    """A finished run of the binary."""

    def __init__(self, args, code, out, err):
        self.args, self.code, self.out, self.err = args, code, out, err

    def expect(self, code=0):
        """Fails with everything that the run said unless it ended with `code`."""
        tail = "\n".join((self.err or self.out).strip().splitlines()[-15:])
        assert self.code == code, f"exit {self.code} instead of {code}: {' '.join(self.args)}\n{tail}"
        return self

    @property
    def report(self):
        """The document that `--report json` printed."""
        return json.loads(self.out)


class Lakeward:
    """The binary under test, with an environment of its own."""

    def __init__(self, binary, env=None):
        self.binary = str(pathlib.Path(binary).resolve())
        # Not the caller's AWS_*, proxies or tokens: a check sees only what it sets.
        keep = ("PATH", "HOME", "LANG", "TMPDIR", "RUST_BACKTRACE")
        self.env = {k: os.environ[k] for k in keep if k in os.environ} | (env or {})

    def with_env(self, **env):
        return Lakeward(self.binary, self.env | env)

    def start(self, *args, cwd=None, by=()):
        """A run that the check goes on beside, started `by` another program."""
        return subprocess.Popen([*map(str, by), self.binary, *map(str, args)], env=self.env, cwd=cwd, text=True,
                                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    def run(self, *args, cwd=None, timeout=900, by=()):
        """Runs to the end."""
        with self.start(*args, cwd=cwd, by=by) as p:
            try:
                out, err = p.communicate(timeout=timeout)
            except subprocess.TimeoutExpired:
                p.kill()
                raise AssertionError(f"no end after {timeout} s: {' '.join(map(str, args))}")
        return Ran([str(a) for a in args], p.returncode, out, err)

    def extract(self, source, *args, cwd=None, timeout=900):
        """`extract … --report json`."""
        return self.run("extract", source, *args, "--report", "json", cwd=cwd, timeout=timeout)

    def peak_mb(self, *args):
        """Runs to the end and says the peak resident memory in MiB, wall and CPU seconds."""
        start = time.monotonic()
        # By a process of little memory: what a child is forked from counts for its peak.
        p = subprocess.run([sys.executable, "-c", MEASURE, self.binary, *map(str, args)], env=self.env,
                           stdin=subprocess.DEVNULL, capture_output=True, text=True)
        assert p.returncode == 0, f"exit {p.returncode}\n{p.stderr[-2000:]}"
        peak, cpu = map(float, p.stdout.split())
        return peak / 1024, time.monotonic() - start, cpu


def free_ports(n=1):
    """Ports that the system says are free."""
    sockets = [socket.socket() for _ in range(n)]
    for s in sockets:
        s.bind(("127.0.0.1", 0))
    ports = [s.getsockname()[1] for s in sockets]
    for s in sockets:
        s.close()
    return ports


def answers(url, headers=None):
    """Whether a server answers at all; a refusal is an answer. Of `tcp://HOST:PORT`, whether it listens."""
    if url.startswith("tcp://"):
        host, port = url.removeprefix("tcp://").split(":")
        with socket.socket() as s:
            return s.connect_ex((host, int(port))) == 0
    try:
        urllib.request.urlopen(urllib.request.Request(url, headers=headers or {}), timeout=5).close()
    except urllib.error.HTTPError:
        pass
    except OSError:
        return False
    return True


def get(url, headers=None):
    """Status, headers and body of one request."""
    try:
        with urllib.request.urlopen(urllib.request.Request(url, headers=headers or {}), timeout=30) as r:
            return r.status, dict(r.headers), r.read()
    except urllib.error.HTTPError as e:
        return e.code, dict(e.headers), e.read()


@contextlib.contextmanager
def server(command, url, log, env=None, cwd=None, wait=90):
    """A server in its own process group, up when `url` answers, ended with the block."""
    with open(log, "wb") as out:
        p = subprocess.Popen([str(c) for c in command], stdin=subprocess.DEVNULL, stdout=out, stderr=out,
                             env=os.environ | (env or {}), cwd=cwd, start_new_session=True)
    try:
        until = time.monotonic() + wait
        while not answers(url):
            if p.poll() is not None or time.monotonic() > until:
                tail = pathlib.Path(log).read_text(errors="replace")[-2000:]
                raise RuntimeError(f"{command[0]} does not answer at {url}\n{tail}")
            time.sleep(0.1)
        yield p
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(p.pid, signal.SIGTERM)
        try:
            p.wait(timeout=10)
        except subprocess.TimeoutExpired:
            os.killpg(p.pid, signal.SIGKILL)
            p.wait()


def fresh(path):
    """An empty folder."""
    shutil.rmtree(path, ignore_errors=True)
    path.mkdir(parents=True)
    return path


def data_files(lake, table="payments"):
    """The data files as a listing finds them."""
    return sorted(glob.glob(f"{lake}/{table}/date=*/*.parquet"))


def manifests(lake, table="payments"):
    """The newest manifest of every window, by the window's name."""
    newest = {}
    for path in sorted(glob.glob(f"{lake}/{table}/_lakeward/windows/*/*.json")):
        newest[os.path.basename(os.path.dirname(path))] = json.loads(pathlib.Path(path).read_text())
    return newest


def counts(lake, table="payments"):
    """The counts of all windows added up, after checking that each adds up in itself."""
    total = {}
    for name, m in manifests(lake, table).items():
        c = m["counts"]
        assert m["state"] == "committed", f"{name} is {m['state']}"
        parts = c["written"] + c["rejected"] + c["duplicates"] + c["outside"]
        assert c["fetched"] == parts, f"{name}: fetched is not the sum of its parts: {c}"
        for k, v in c.items():
            total[k] = total.get(k, 0) + (v or 0)
    return total


def lake_rows(lake, columns, key, table="payments"):
    """The rows of a local lake by their key, as Python values."""
    import pyarrow.dataset as ds

    rows = ds.dataset(f"{lake}/{table}", format="parquet", partitioning="hive").to_table(columns=columns).to_pylist()
    by_key = {r[key]: r for r in rows}
    assert len(by_key) == len(rows), f"{len(rows) - len(by_key)} rows are doubled"
    return by_key


def same_rows(expected, found):
    """Fails with the first difference between two dictionaries of rows."""
    missing, extra = expected.keys() - found.keys(), found.keys() - expected.keys()
    assert not missing, f"{len(missing)} of {len(expected)} rows are missing, such as {sorted(missing)[:3]}"
    assert not extra, f"{len(extra)} rows are not the API's, such as {sorted(extra)[:3]}"
    for key, want in expected.items():
        got = found[key]
        for field, value in want.items():
            assert got[field] == value and type(got[field]) is type(value), \
                f"{key}: {field} is {got[field]!r} instead of {value!r}"


def money(text):
    """An exact amount with two digits."""
    return decimal.Decimal(text).quantize(decimal.Decimal("0.01"))
