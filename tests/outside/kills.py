"""kill -9 at random instants, on any lake; and a refresh watched by a reader."""

import json
import random
import signal
import sys
import threading
import time

import harness
import payments_api

WINDOW = ("--from", "2026-03-16", "--to", "2026-03-19", "--every", "3d")


def control(api, query):
    assert harness.get(f"{api}/control?{query}")[0] == 200


def asked(api):
    return json.loads(harness.get(f"{api}/requests")[2])


def kill_and_resume(lakeward, source, lake, api, kills, seed, edition=1, extra=(), after_each=None):
    """Starts a slow run of one window and kills it, `kills` times, then lets one finish at full speed.

    Says how it went. Fails where a rerun asks again for the pages before the checkpoint that it resumes from.
    """
    r, survived = random.Random(seed), 0
    control(api, f"delay=0.08&edition={edition}")
    for _ in range(kills):
        p = lakeward.start("extract", source, "--lake", lake, *WINDOW, *extra, "--log", "json")
        time.sleep(r.uniform(0.15, 2.6))
        p.send_signal(signal.SIGKILL)
        p.communicate()
        survived += p.returncode != -signal.SIGKILL
        if after_each:
            after_each()
    pages = asked(api)
    control(api, f"delay=0&edition={edition}")
    lakeward.run("extract", source, "--lake", lake, *WINDOW, *extra).expect()
    last = asked(api)
    longest = max(pages, default=0)
    return [f"{kills} kills", f"{len(pages)} pages before the last run, up to page {longest + 1}",
            f"the last run began at page {min(last, default=longest) + 1}", *([f"{survived} ended first"] if survived else [])]


def leftovers(lake):
    """Files that no manifest accounts for: staged, or the store's own half-written ones."""
    found = [p for p in lake.rglob("*") if p.is_file()]
    return [str(p.relative_to(lake)) for p in found if "staging" in p.parts or "#" in p.name or p.name.endswith(".tmp")]


def rows(files):
    """id and edition of a list of files."""
    import pyarrow.parquet as pq

    ids, editions = [], set()
    for f in files:
        t = pq.ParquetFile(f).read(columns=["id", "edition"])
        ids += t["id"].to_pylist()
        editions |= set(t["edition"].to_pylist())
    return ids, editions


class Reader(threading.Thread):
    """Lists with `status --files` over and over and reads what is listed."""

    def __init__(self, lakeward, lake, rows):
        super().__init__()
        self.lakeward, self.lake, self.rows = lakeward, lake, rows
        self.ended, self.lists, self.seen, self.fault = threading.Event(), 0, [], None

    def look(self):
        files = self.lakeward.run("status", "--files", "--lake", self.lake, "payments").expect().out.splitlines()
        try:
            ids, editions = rows(files)
        except FileNotFoundError:  # a refresh ended between listing and reading: list again
            return
        self.lists += 1
        assert len(editions) == 1, f"a list holds the editions {editions}"
        assert len(ids) == len(set(ids)) == self.rows, f"a list holds {len(ids)} rows, {len(set(ids))} of them distinct"
        self.seen.append(editions.pop())

    def run(self):
        try:
            while not self.ended.is_set():
                self.look()
        except Exception as e:
            self.fault = e


def run(report, lakeward, work):
    work = harness.fresh(work)
    truth = payments_api.make(work / "data", 90, 100, "mixed", 21)
    (port,) = harness.free_ports()
    source = payments_api.write_source(work, port, "300ms")
    api, lake = f"http://127.0.0.1:{port}", work / "lake"
    command = [sys.executable, payments_api.__file__, "serve", work / "data", port]

    def whole(edition):
        ids, editions = rows(harness.data_files(lake))
        assert editions == {edition}, f"editions {editions} instead of {edition}"
        assert len(ids) == len(set(ids)) == truth["rows"], f"{len(ids)} rows, {len(set(ids))} distinct, {truth['rows']} wanted"

    def nothing_yet():
        """Before the first commit a reader sees nothing, or all of it."""
        for m in harness.manifests(lake).values():
            if m["state"] in ("publishing", "committed"):
                return
        assert not harness.data_files(lake), "rows are visible before they are committed"

    def still_whole(edition):
        """By the manifests, a committed window stays whole while its refresh is killed."""
        files = lakeward.run("status", "--files", "--lake", lake, "payments").expect().out.splitlines()
        ids, editions = rows(files)
        assert len(ids) == truth["rows"] and len(editions) == 1 and editions <= edition, f"{len(ids)} rows of {editions}"

    with harness.server(command, f"{api}/requests", work / "api.log"):
        with report.check("kill -9 twenty times, then a rerun: exact rows, nothing left") as facts:
            facts += kill_and_resume(lakeward, source, lake, api, 20, 1, after_each=nothing_yet)
            whole(1)
            assert not leftovers(lake), leftovers(lake)[:3]
            harness.counts(lake)
            lakeward.run("verify", "--lake", lake).expect()
        with report.check("a rerun after a kill goes on behind its checkpoint") as facts:
            other = work / "resumed"
            control(api, "delay=0.05")
            p = lakeward.start("extract", source, "--lake", other, *WINDOW)
            until, saved = time.monotonic() + 60, 0
            while saved < 20 and time.monotonic() < until and p.poll() is None:
                time.sleep(0.05)
                try:
                    saved = max((m["checkpoint"] or {}).get("pages", 0) for m in harness.manifests(other).values())
                except (ValueError, FileNotFoundError, json.JSONDecodeError):
                    saved = 0
            p.kill()
            p.communicate()
            assert saved >= 20, f"a checkpoint of {saved} pages after a minute"
            (m,) = harness.manifests(other).values()
            saved = m["checkpoint"]["pages"]
            control(api, "delay=0")
            lakeward.run("extract", source, "--lake", other, *WINDOW).expect()
            again = [n for n in asked(api) if n < saved]
            assert not again, f"pages {again[:5]} lie before the checkpoint of {saved} and were asked for again"
            assert len(rows(harness.data_files(other))[0]) == truth["rows"]
            facts.append(f"checkpoint at {saved} of {truth['pages']} pages")
        with report.check("kill -9 of a refresh, ten times: the committed rows stay whole, then are replaced") as facts:
            facts += kill_and_resume(lakeward, source, lake, api, 10, 2, 2, ("--refresh",), lambda: still_whole({1, 2}))
            whole(2)
            assert not leftovers(lake), leftovers(lake)[:3]
        with report.check("every list of status --files is the old rows or the new") as facts:
            reader = Reader(lakeward, lake, truth["rows"])
            reader.start()
            for edition in (3, 4, 5):
                control(api, f"edition={edition}")
                lakeward.run("extract", source, "--lake", lake, *WINDOW, "--refresh").expect()
            reader.ended.set()
            reader.join()
            if reader.fault:
                raise reader.fault
            assert reader.seen == sorted(reader.seen), "an older list after a newer"
            whole(5)
            facts.append(f"{reader.lists} lists")
        with report.check("SIGTERM saves a checkpoint: exit 143, then a rerun goes on") as facts:
            other = work / "terminated"
            control(api, "delay=0.05")
            p = lakeward.start("extract", source, "--lake", other, *WINDOW)
            time.sleep(2)
            p.terminate()
            p.communicate(timeout=60)
            assert p.returncode == 143, f"exit {p.returncode}"
            (m,) = harness.manifests(other).values()
            assert m["owner"] is None and m["checkpoint"]["pages"] > 0, f"{m['state']}, {m['owner']}, {m['checkpoint']}"
            control(api, "delay=0")
            lakeward.run("extract", source, "--lake", other, *WINDOW).expect()
            assert not [n for n in asked(api) if n < m["checkpoint"]["pages"]], "pages before the checkpoint were asked for again"
            facts.append(f"checkpoint at {m['checkpoint']['pages']} of {truth['pages']} pages")
        with report.check("a live run holds its window: a second ends with 9"):
            other = work / "held"
            control(api, "delay=0.1")
            first = lakeward.start("extract", source, "--lake", other, *WINDOW)
            time.sleep(1.5)
            second = lakeward.run("extract", source, "--lake", other, *WINDOW)
            first.terminate()
            first.communicate(timeout=60)
            second.expect(9)
