"""Faults between lakeward and its bucket: whatever gets lost, a rerun ends with every row once."""

import contextlib
import random
import signal
import sys
import time
import urllib.parse

import fault_proxy
import harness
import kills
import payments_api
import s3

WINDOW = kills.WINDOW
SINGLE, STORMS, OUTAGES = 50, 12, 6
SEED = 20260316
LEASE = 60
TOKEN = "expired-session-token-of-the-check"


def multipart_uploads(store):
    """The uploads that a bucket keeps open."""
    import boto3

    client = boto3.client("s3", endpoint_url=f"http://127.0.0.1:{store.port}", aws_access_key_id=s3.KEY,
                          aws_secret_access_key=s3.SECRET, region_name=s3.REGION)
    return client.list_multipart_uploads(Bucket=s3.BUCKET).get("Uploads", [])


class Bench:
    """A store behind the proxy, and what a run into it must have left."""

    def __init__(self, lakeward, name, store, proxy, source, truth):
        through = store.env() | {"AWS_ENDPOINT_URL": f"http://127.0.0.1:{proxy.port}", "AWS_TIMEOUT": "2s"}
        self.name, self.store, self.proxy, self.source, self.truth = name, store, proxy, source, truth
        self.faulty, self.direct = lakeward.with_env(**through), lakeward.with_env(**store.env())

    def lake(self, name):
        return f"s3://{s3.BUCKET}/{self.name}/{name}", f"{self.name}/{name}"

    def extract(self, by, lake, *more):
        return by.extract(self.source, "--lake", lake, *WINDOW, *more)

    def heals(self, name, *more, edition=1):
        """The same command without faults: every row once, nothing staged, nothing that no manifest names."""
        lake, prefix = self.lake(name)
        self.extract(self.direct, lake, *more).expect()
        s3.exact(self.store.rows(prefix, s3.COLUMNS), self.truth, edition)
        left = [p for p in self.store.objects(prefix) if "/staging/" in p]
        assert not left, f"{name}: {len(left)} staged objects are left, such as {left[:2]}"
        verified = self.direct.run("verify", "--lake", lake, "--format", "json").expect().report
        assert not verified["strays"], f"{name}: {verified['strays']}"

    def requests(self):
        """How many a run without faults sends."""
        self.proxy.begin()
        self.extract(self.faulty, self.lake(f"clean-{time.monotonic_ns()}")[0]).expect()
        return self.proxy.count

    def befallen(self, name, plan, *more, lake=None):
        """A run under faults: it ends well or says that the store failed."""
        self.proxy.begin(plan)
        ran = self.extract(self.faulty, self.lake(lake or name)[0], *more)
        hit = self.proxy.hit
        assert ran.code in (0, 6), f"{name}: exit {ran.code} after {hit}\n{ran.err[-1500:]}"
        assert "panicked" not in ran.err, f"{name}: {ran.err[-1500:]}"
        return ran.code, hit

    def published(self, lake):
        """What readers of the manifests see, file by file; twice the same where nobody writes."""
        return self.direct.run("status", "--files", "--lake", lake).expect().out.splitlines()


def read(bench, path):
    with bench.store.fs.open_input_stream(path) as f:
        return f.read()


def single(bench, facts):
    """One fault at one request of a run, drawn by a seed."""
    requests, r, ended = bench.requests(), random.Random(SEED), {0: 0, 6: 0}
    kinds = fault_proxy.BEFORE + fault_proxy.AFTER
    for n in range(SINGLE):
        kind, at = kinds[n % len(kinds)], r.randrange(1, requests + 1)
        name = f"single-{n}"
        code, hit = bench.befallen(f"{name} ({kind} at {at})", lambda q: kind if q.number == at else None, lake=name)
        assert len(hit) <= 1
        ended[code] += 1
        bench.heals(name)
    facts += [f"{SINGLE} faults of {len(kinds)} kinds, each at one of {requests} requests", f"{ended[0]} runs went on, {ended[6]} ended with 6", f"seed {SEED}"]


def storms(bench, facts):
    """Faults by the dozen, at random: first of a first run, then of a refresh."""
    total, kinds = 0, fault_proxy.BEFORE + fault_proxy.AFTER
    for n in range(STORMS):
        name, r = f"storm-{n}", random.Random(SEED + n)
        plan = lambda q: r.choice(kinds[:-1]) if r.random() < 0.12 else None
        _, hit = bench.befallen(name, plan)
        total += len(hit)
        bench.heals(name)
        lake, prefix = bench.lake(name)
        _, hit = bench.befallen(name, plan, "--refresh")
        total += len(hit)
        assert bench.published(lake), f"{name}: readers see nothing"
        bench.heals(name, "--refresh")
    facts += [f"{2 * STORMS} runs", f"{total} faults", f"seeds {SEED} to {SEED + STORMS - 1}"]


def outages(bench, facts):
    """A store that answers 503 from some request on: exit 6, and the same command goes on where it ended."""
    requests = bench.requests()
    for n in range(OUTAGES):
        name, at = f"outage-{n}", 1 + n * requests // OUTAGES
        code, hit = bench.befallen(name, lambda q: "503 undone" if q.number >= at else None)
        assert code == 6 and hit, f"{name}: exit {code}"
        bench.heals(name)
    facts += [f"{OUTAGES} outages, from one of {requests} requests on"]


def expired(bench, facts):
    """What a bucket says of a session that is over; it repeats the token, and lakeward must not."""
    lake, prefix = bench.lake("expired")
    bench.proxy.begin(lambda q: "expired")
    ran = bench.extract(bench.faulty.with_env(AWS_SESSION_TOKEN=TOKEN), lake).expect(6)
    assert "ExpiredToken" in ran.err, ran.err[-800:]
    assert TOKEN not in ran.out + ran.err, "the session token is shown"
    assert not bench.store.objects(prefix)


def paused(bench, api, facts):
    """An owner that is stopped while it moves its files, for longer than its lease: another run takes its place."""
    lake, prefix = bench.lake("paused")
    kills.control(api, "edition=1")
    bench.extract(bench.direct, lake).expect()
    kills.control(api, "edition=2")
    bench.proxy.begin(lambda q: "wait" if q.method == "PUT" and "x-amz-copy-source" in q.headers else None)
    owner = bench.faulty.with_env(AWS_TIMEOUT="300s").start("extract", bench.source, "--lake", lake, *WINDOW, "--refresh")
    assert bench.proxy.waiting.wait(60), "nothing is moved"
    owner.send_signal(signal.SIGSTOP)
    # A store may carry out at any later time what it has been asked for: what the copies will be is known now.
    late = {urllib.parse.unquote(q.target).lstrip("/"): read(bench, urllib.parse.unquote(q.headers["x-amz-copy-source"]).lstrip("/")) for q in bench.proxy.held}
    kills.control(api, "edition=3")
    # It cannot look dead at once: its process is there. Its lease ends by time alone.
    bench.extract(bench.direct, lake, "--refresh").expect(9)
    time.sleep(LEASE + 5)
    bench.extract(bench.direct, lake, "--refresh").expect()
    files = bench.published(lake)
    owner.send_signal(signal.SIGCONT)
    bench.proxy.released.set()
    _, err = owner.communicate(timeout=120)
    assert owner.returncode in (6, 9), f"the paused owner ended with {owner.returncode}\n{err[-1500:]}"
    for path, body in late.items():
        with bench.store.fs.open_output_stream(path) as f:
            f.write(body)
    assert bench.published(lake) == files, "the paused owner changed what is published"
    said = bench.direct.run("verify", "--lake", lake, "--format", "json").expect(6)
    problems = sorted(p["path"] for p in said.report["problems"])
    extra = sorted(p.removeprefix(f"{s3.BUCKET}/{prefix}/") for p in late)
    assert problems == extra, f"verify names {problems}, the bucket has {extra} too many"
    bench.direct.run("vacuum", "--lake", lake, "--older-than", "0s", "--delete").expect()
    s3.exact(bench.store.rows(prefix, s3.COLUMNS), bench.truth, edition=3)
    bench.direct.run("verify", "--lake", lake).expect()
    facts += [f"exit {owner.returncode}", f"{len(extra)} late copies named, then removed"]


def parts(bench, lakeward, work, facts):
    """An object of several parts that fails for good: none of its parts stays open in the bucket."""
    (port,) = harness.free_ports()
    big = work / "big"
    harness.fresh(big)
    source = payments_api.write_source(big, port, "1h")
    with open(big / "payments.yaml", "a") as schema:
        schema.write("parquet: { compression: uncompressed }\n")  # so that a day takes several parts
    truth = payments_api.make(big / "data", 3, 20000, "clean", 5)
    command = [sys.executable, payments_api.__file__, "serve", big / "data", port]
    with harness.server(command, f"http://127.0.0.1:{port}/requests", big / "api.log"):
        seen = {}
        for kind in fault_proxy.BEFORE + ["500 after", "reset after"]:
            # Not the beginning: where the answer to that is lost, nobody knows what there is to abort.
            for what, is_it in [("part", lambda q: q.method == "PUT"), ("end", lambda q: q.method == "POST" and "uploadId" in q.query)]:
                lake, prefix = bench.lake(f"parts-{what}-{kind.replace(' ', '-')}")
                of_file = lambda q: is_it(q) and q.target.endswith(".parquet") and "x-amz-copy-source" not in q.headers
                bench.proxy.begin(lambda q: kind if of_file(q) else None)
                ran = bench.faulty.extract(source, "--lake", lake, *WINDOW)
                assert ran.code in (0, 6), f"{kind} of a {what}: exit {ran.code}\n{ran.err[-800:]}"
                seen[ran.code] = seen.get(ran.code, 0) + 1
                open_ones = multipart_uploads(bench.store)
                assert not open_ones, f"{kind} of a {what}: {len(open_ones)} uploads are left open"
                bench.direct.extract(source, "--lake", lake, *WINDOW).expect()
                s3.exact(bench.store.rows(prefix, s3.COLUMNS), truth)
        facts += [f"{sum(seen.values())} runs", f"{seen.get(6, 0)} ended with 6", "no upload left open"]
        killed(bench, source, truth, facts)


def killed(bench, source, truth, facts):
    """A run that is killed between two parts leaves an upload open: verify names it, vacuum ends it."""
    lake, prefix = bench.lake("parts-killed")
    # The second part of a file: the first is in the bucket.
    bench.proxy.begin(lambda q: "wait" if q.method == "PUT" and "partNumber=2" in q.query else None)
    run = bench.faulty.with_env(AWS_TIMEOUT="300s").start("extract", source, "--lake", lake, *WINDOW)
    assert bench.proxy.waiting.wait(60), "no second part is sent"
    vacuum = ["vacuum", "--lake", lake, "--older-than", "0s", "--format", "json"]
    live = bench.direct.run(*vacuum, "--delete").expect().report["objects"]
    assert not live and multipart_uploads(bench.store), f"an upload that is under way was taken for a stray: {live}"
    run.send_signal(signal.SIGKILL)
    run.communicate(timeout=60)
    bench.proxy.released.set()
    before = len(multipart_uploads(bench.store))
    named = bench.direct.run("verify", "--lake", lake, "--format", "json").expect().report["strays"]
    assert before and [stray["kind"] for stray in named] == ["upload"] * before, f"{before} are open, verify names {named}"
    assert max(stray["bytes"] for stray in named) >= 5 << 20, named
    # Parts that were under way at the kill may still arrive: the bytes may grow.
    paths = [stray["path"] for stray in named]
    for more in ([], ["--delete"]):
        told = bench.direct.run(*vacuum, *more).expect().report["objects"]
        assert [stray["path"] for stray in told] == paths, f"verify names {named}, vacuum {told}"
    assert not multipart_uploads(bench.store), "an upload is still open"
    bench.direct.extract(source, "--lake", lake, *WINDOW).expect()
    s3.exact(bench.store.rows(prefix, s3.COLUMNS), truth)
    facts += [f"{before} open after a kill, named and ended"]


def run(report, lakeward, work):
    work = harness.fresh(work)
    truth = payments_api.make(work / "data", 12, 50, "mixed", 17)
    (port,) = harness.free_ports()
    source = payments_api.write_source(work, port, "20ms")
    api = f"http://127.0.0.1:{port}"
    command = [sys.executable, payments_api.__file__, "serve", work / "data", port]
    with harness.server(command, f"{api}/requests", work / "api.log"):
        for name, start in (("moto", s3.moto), ("seaweedfs", s3.seaweedfs)):
            with contextlib.ExitStack() as stack:
                kills.control(api, "edition=1")
                store = stack.enter_context(start(work))
                proxy = stack.enter_context(fault_proxy.before(store.port))
                bench = Bench(lakeward, name, store, proxy, source, truth)
                with report.check(f"{name}: one fault at one request: every row once") as facts:
                    single(bench, facts)
                with report.check(f"{name}: many faults in a run and in its refresh: every row once") as facts:
                    storms(bench, facts)
                with report.check(f"{name}: 503 from some request on: exit 6, then it goes on") as facts:
                    outages(bench, facts)
                with report.check(f"{name}: an expired session: exit 6, the token is not shown") as facts:
                    expired(bench, facts)
                with report.check(f"{name}: parts of an object that failed are not left in the bucket") as facts:
                    parts(bench, lakeward, work, facts)
                with report.check(f"{name}: an owner paused past its lease publishes nothing") as facts:
                    paused(bench, api, facts)
