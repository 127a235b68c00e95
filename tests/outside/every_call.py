"""A run of three pages that dies at one system call on its lake or its network after the other, or is refused one on its lake:
the same command heals it."""

import collections
import errno
import random
import shutil
import signal
import subprocess
import sys

import harness
import kills
import payments_api

WINDOW = kills.WINDOW
SEED = 20260317
# So many calls of a run at most are struck: each of the first ones, or some that are spread over it evenly.
KILLS, REFUSALS = 200, 75
REFUSED = {"create": ["EIO", "ENOSPC", "EMFILE", "EROFS"], "open": ["EIO", "EMFILE"], "write": ["EIO", "ENOSPC", "EDQUOT"],
           "fsync": ["EIO", "ENOSPC"], "rename": ["EIO", "EROFS"], "link": ["EIO", "EMLINK", "EROFS"], "unlink": ["EIO", "EROFS"],
           "unlinkat": ["EIO"], "mkdir": ["EIO", "ENOSPC", "EROFS"], "rmdir": ["EIO"]}


def shim(work):
    """The library that strikes, built by the compiler that Rust links with."""
    cc, library = shutil.which("cc"), work / "strike.so"
    if not cc:
        raise harness.Skip("there is no C compiler")
    source = harness.HERE / "strike.c"
    subprocess.run([cc, "-O1", "-shared", "-fPIC", "-o", library, source, "-ldl", "-w"], check=True)
    return library


class Bench:
    """A lake on local disk, and runs that are struck at a call on it."""

    def __init__(self, lakeward, library, source, truth, work, api):
        self.lakeward, self.library, self.source, self.truth, self.api = lakeward, library, source, truth, api
        self.lake, self.log = work / "lake", work / "calls.txt"

    def struck(self, at, error, *more):
        """A run that is struck, and the calls it made."""
        self.log.unlink(missing_ok=True)
        env = {"LD_PRELOAD": self.library, "STRIKE_ROOT": self.lake, "STRIKE_AT": at, "STRIKE_ERRNO": error, "STRIKE_LOG": self.log}
        if not error:
            env["STRIKE_NET"] = 1
        by = self.lakeward.with_env(**{k: str(v) for k, v in env.items()})
        ran = by.run("extract", self.source, "--lake", self.lake, *WINDOW, *more, timeout=120)
        lines = self.log.read_text().splitlines() if self.log.exists() else []
        return ran, [line.split(" ", 2) for line in lines]

    def begin(self, refresh):
        """An empty lake, or one whose window is committed."""
        harness.fresh(self.lake)
        kills.control(self.api, "edition=1")
        if refresh:
            self.lakeward.run("extract", self.source, "--lake", self.lake, *WINDOW).expect()
            kills.control(self.api, "edition=2")

    def heals(self, *more):
        """The same command once more: every row once, of the newest edition, and nothing left over."""
        self.lakeward.run("extract", self.source, "--lake", self.lake, *WINDOW, *more).expect()
        self.whole({2 if more else 1})
        assert not kills.leftovers(self.lake), kills.leftovers(self.lake)[:3]
        verified = self.lakeward.run("verify", "--lake", self.lake, "--format", "json").expect().report
        assert not verified["strays"], verified["strays"]

    def whole(self, editions, files=None):
        ids, found = kills.rows(harness.data_files(self.lake) if files is None else files)
        assert len(ids) == len(set(ids)) == self.truth["rows"], f"{len(ids)} rows, {len(set(ids))} distinct"
        assert len(found) == 1 and found <= editions, f"editions {found}"

    def read(self, refresh):
        """What a reader of the manifests sees before anything is healed: all rows of an edition, or nothing yet."""
        listed = self.lakeward.run("status", "--files", "--lake", self.lake)
        files = listed.out.splitlines() if listed.code == 0 else []
        assert listed.code == 0 or not refresh, f"a committed window is not listed: {listed.err}"
        if files or refresh:
            self.whole({1, 2} if refresh else {1}, files)


def places(calls, most):
    """Evenly spread over a run."""
    step = max(len(calls) / most, 1)
    return [int(n * step) + 1 for n in range(int(len(calls) / step))]


def over(bench, most, draw, facts):
    """Strikes a first run and a refresh at one call after the other; how the runs ended."""
    ended, kinds = collections.Counter(), collections.Counter()
    for refresh in (False, True):
        more = ["--refresh"] if refresh else []
        bench.begin(refresh)
        ran, calls = bench.struck(0, draw("open")[1], *more)
        ran.expect()
        facts.append(f"{len(calls)} calls of a {'refresh' if refresh else 'first run'}")
        for at in places(calls, most):
            name, error = draw(calls[at - 1][1])
            bench.begin(refresh)
            ran, made = bench.struck(at, error, *more)
            # Threads take turns: the call of this number may be another than it was in the run that was counted.
            struck = made[at - 1][1:] if len(made) >= at else ["none"]
            try:
                assert "panicked" not in ran.err, ran.err[-1500:]
                allowed = {-signal.SIGKILL, 0} if not error else {0, 6}
                assert ran.code in allowed, f"exit {ran.code}\n{ran.err[-1500:]}"
                bench.read(refresh)
                bench.heals(*more)
            except AssertionError as e:
                raise AssertionError(f"{name} at call {at}, {' '.join(struck)}, of {'a refresh' if refresh else 'a first run'}: {e}") from e
            ended[ran.code] += 1
            kinds[struck[0]] += 1
    facts += [f"{sum(ended.values())} struck", *(f"{n} ended with {code}" for code, n in sorted(ended.items()))]
    facts.append(", ".join(f"{kind} {n}" for kind, n in kinds.most_common()))
    return ended


def run(report, lakeward, work):
    work = harness.fresh(work)
    truth = payments_api.make(work / "data", 3, 40, "mixed", 23)
    (port,) = harness.free_ports()
    source = payments_api.write_source(work, port, "10ms")
    api = f"http://127.0.0.1:{port}"
    command = [sys.executable, payments_api.__file__, "serve", work / "data", port]
    with harness.server(command, f"{api}/requests", work / "api.log"):
        with report.check("SIGKILL at one call on the lake after the other: every row once") as facts:
            bench = Bench(lakeward, shim(work), source, truth, work, api)
            ended = over(bench, KILLS, lambda call: ("SIGKILL", 0), facts)
            assert ended[-signal.SIGKILL] >= KILLS, f"few were killed: {ended}"
        with report.check("EIO, ENOSPC and the like at one call after the other: exit 6, every row once") as facts:
            bench, r = Bench(lakeward, shim(work), source, truth, work, api), random.Random(SEED)

            def draw(call):
                name = r.choice(REFUSED.get(call, ["EIO"]))
                return name, getattr(errno, name)

            ended = over(bench, REFUSALS, draw, facts)
            facts.append(f"seed {SEED}")
            assert ended[6] >= REFUSALS // 4, f"few runs noticed: {ended}"
