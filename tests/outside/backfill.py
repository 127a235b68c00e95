"""Ninety days in one run, killed on day 47; and ended as an orchestrator ends a task: SIGTERM, then SIGKILL after ten seconds."""

import contextlib
import signal
import subprocess
import sys
import time
import urllib.parse

import harness
import kills

# Last on the path: what lies beside it there has the names of what lies here.
sys.path.append(str(harness.REPO / "tests/orchestrators"))

import days_api  # noqa: E402
import lake_checks  # noqa: E402

DAYS, PAGES, KILLED_ON = 90, 6, 47
SLOW_FROM = 3  # pages of a day that come at once
GRACE, PROMISED = 10, 5  # seconds: what an orchestrator waits before SIGKILL, and what lakeward takes at most


class Slow(days_api.Handler):
    """From the fourth page of a day on, an answer does not come, or late, or byte by byte, or is to be asked for later."""

    def answer(self, status, body, **headers):
        query = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(self.path).query))
        way = self.server.way if int(query.get("cursor", 0)) >= SLOW_FROM else None
        if way == "asks to wait":
            return super().answer(429, {"error": "too many"}, **{"Retry-After": 60})
        if way == "drips":
            self.wfile = Dripping(self.wfile)
        elif way:
            time.sleep(60 if way == "hangs" else 3)
        with contextlib.suppress(ConnectionError):
            super().answer(status, body, **headers)


class Dripping:
    """Writes a byte, and the next a quarter of a second later."""

    def __init__(self, file):
        self.file = file

    def write(self, text):
        for n in range(len(text)):
            self.file.write(text[n:n + 1])
            time.sleep(0.25)

    def __getattr__(self, name):
        return getattr(self.file, name)


@contextlib.contextmanager
def extract(lakeward, source, lake, days, jobs):
    """The backfill's one command; killed where it still runs when the block ends."""
    p = lakeward.start("extract", source, "--from", days_api.date(0), "--to", days_api.date(days), "--every", "1d", "--lake", lake, "--jobs", jobs)
    try:
        yield p
    finally:
        if p.returncode is None:
            p.kill()
            p.communicate()


def ended(process, code=0):
    """Waits for the end of a run that must end by itself."""
    _, err = process.communicate(timeout=300)
    assert process.returncode == code, f"exit {process.returncode} instead of {code}\n{err[-2000:]}"


def forget(api):
    """Forgets the requests, and is well-behaved again."""
    api.forget()
    api.way = None


def windows(lake):
    """The newest manifest of every window, by the number of its day."""
    by_date = {days_api.date(n): n for n in range(DAYS)}
    return {by_date[m["window"]["start"][:10]]: m for m in harness.manifests(lake).values()}


def behind(found):
    """How many pages of each day lie behind its checkpoint: all of them where it is committed."""
    return {n: PAGES if m["state"] == "committed" else (m["checkpoint"] or {}).get("pages", 0) for n, m in found.items()}


def rerun(lakeward, api, source, lake, days, jobs, pages):
    """Ends the backfill: each page behind no checkpoint is asked for once and no other, the rows are the truth, nothing is staged."""
    with extract(lakeward, source, lake, days, jobs) as p:
        ended(p)
    again = sorted((day, page) for day, page in api.asked if page < pages.get(day, 0))
    assert not again, f"asked for again, though saved: {again[:5]}"
    rest = sorted((day, page) for day in range(days) for page in range(pages.get(day, 0), PAGES))
    assert sorted(api.asked) == rest, f"{len(api.asked)} requests for {len(rest)} pages that were left"
    harness.counts(lake)
    assert not kills.leftovers(lake), kills.leftovers(lake)[:3]
    return f"{len(rest)} of {days * PAGES} pages", lake_checks.exact(lakeward, lake, api.truth(range(days)), days)


def killed(report, lakeward, api, source, work, jobs):
    """kill -9 in the middle of day 47, with as many days in flight as there are jobs."""
    lake, last = work / f"lake{jobs}", KILLED_ON - 1
    forget(api)
    api.held = {n: 0.4 for n in range(last, DAYS)}
    with report.check(f"{DAYS} days, --jobs {jobs}, kill -9 on day {KILLED_ON}: the lake holds whole days only") as facts:
        with extract(lakeward, source, lake, DAYS, jobs) as p:
            lake_checks.until(lambda: (last, 4) in api.asked and len(lake_checks.committed(lake)) >= last, f"fifth page of day {KILLED_ON}", beside=p)
            p.kill()
            ended(p, -signal.SIGKILL)
        found = windows(lake)
        done = {n for n, m in found.items() if m["state"] == "committed"}
        begun = {n: m for n, m in found.items() if n not in done}
        pages = behind(found)
        assert done == set(range(last)), f"committed are {sorted(done)}"
        assert last in begun and len(begun) <= jobs and {m["state"] for m in begun.values()} == {"running"}, {n: m["state"] for n, m in begun.items()}
        assert pages[last] > 0, f"no checkpoint: {begun[last]}"
        visible = {path.split("date=")[1][:10] for path in harness.data_files(lake)}
        assert visible == {days_api.date(n) for n in done}, "what is visible is not what is committed"
        lake_checks.exact(lakeward, lake, api.truth(done), last)
        facts += [f"{len(done)} days committed", f"half fetched: {', '.join(f'day {n + 1}, {pages[n]} pages saved' for n in sorted(begun))}", f"{len(api.asked)} requests"]
    forget(api)
    with report.check(f"--jobs {jobs}, the rerun: no page of days 1 to {last}, none behind a checkpoint, every other once, exact rows") as facts:
        facts += rerun(lakeward, api, source, lake, DAYS, jobs, pages)
        assert not api.asked_of(range(last)), f"{api.asked_of(range(last))} requests for days that were committed"
        facts.append(f"{api.asked_of({last})} of day {KILLED_ON}")
    forget(api)
    with report.check(f"--jobs {jobs}, once more: nothing to do"):
        with extract(lakeward, source, lake, DAYS, jobs) as p:
            ended(p)
        assert not api.asked, f"{len(api.asked)} requests"


def orderly(process):
    """SIGTERM, and SIGKILL if it is still there ten seconds later, as orchestrators do; the seconds that it took by itself."""
    told = time.monotonic()
    process.terminate()
    try:
        process.wait(timeout=GRACE)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        raise AssertionError(f"still there {GRACE} s after SIGTERM: SIGKILL")
    took = time.monotonic() - told
    ended(process, 143)
    return took


def stopped(report, lakeward, api, source, work, way, jobs):
    """SIGTERM while a page of each day in flight does not come."""
    days, lake = 2 * jobs, work / f"{way.replace(' ', '-')}{jobs}"
    forget(api)
    api.way = way
    with report.check(f"SIGTERM, --jobs {jobs}, while the API {way}: 143 within {PROMISED} s, all pages that came are saved") as facts:
        in_flight = {(n, SLOW_FROM) for n in range(jobs)}
        # A wait that the API asks of one holds the others back.
        enough = in_flight.intersection if way == "asks to wait" else in_flight.issubset
        with extract(lakeward, source, lake, days, jobs) as p:
            lake_checks.until(lambda: enough(api.asked), "page that does not come", beside=p)
            time.sleep(0.5)
            took = orderly(p)
        found = windows(lake)
        pages = behind(found)
        assert all((m["state"], m["owner"]) == ("running", None) for m in found.values()), found
        answered = {n: sum(page < SLOW_FROM for day, page in api.asked if day == n) for n in found}
        assert pages == answered and SLOW_FROM in pages.values(), f"saved are {pages}, answered were {answered}"
        assert not harness.data_files(lake), "something is published"
        assert took < PROMISED, f"{took:.1f} s"
        facts += [f"{took:.2f} s after it", f"pages saved by day: {list(pages.values())}"]
    forget(api)
    with report.check("the rerun: no page that was saved, every other once, exact rows") as facts:
        facts += rerun(lakeward, api, source, lake, days, jobs, pages)


def run(report, lakeward, work):
    work = harness.fresh(work)
    lakeward = lakeward.with_env(GATEWAY_TOKEN="t0ken")
    with days_api.serving(pages=PAGES) as api:
        api.RequestHandlerClass, api.handle_error = Slow, lambda *_: None  # who is killed hangs up
        source = api.write_source(work)
        for jobs in (1, 4):
            killed(report, lakeward, api, source, work, jobs)
        source.write_text(source.read_text().replace("max_wait: 1s", "max_wait: 90s"))
        for way, jobs in (("hangs", 1), ("hangs", 4), ("is slow", 1), ("drips", 1), ("asks to wait", 4)):
            stopped(report, lakeward, api, source, work, way, jobs)
