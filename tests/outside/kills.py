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


def saved_pages(manifests):
    """Pages behind the checkpoint that the next run must resume from; 0 where there is nothing to resume."""
    m = next(iter(manifests.values()), {})
    return (m["checkpoint"] or {}).get("pages", 0) if m.get("state") == "running" else 0


def kill_and_resume(lakeward, source, lake, api, newest, kills, delay, seed, edition=1, extra=(), after_each=None):
    """Starts a slow run of one window and kills it, `kills` times, then lets one finish at full speed.

    Fails where a run asks again for a page behind the checkpoint that it resumes from. `newest` reads the manifests.
    Says how it went.
    """
    r, ended, resumed, pages = random.Random(seed), 0, 0, 0
    for n in range(kills + 1):
        saved = saved_pages(newest())
        control(api, f"delay={delay if n < kills else 0}&edition={edition}")
        if n < kills:
            p = lakeward.start("extract", source, "--lake", lake, *WINDOW, *extra)
            time.sleep(r.uniform(0.1, 2.4))
            p.kill()
            _, err = p.communicate()
            ended += p.returncode == 0
            assert p.returncode in (0, -signal.SIGKILL), f"run {n + 1} ended with {p.returncode}\n{err[-1500:]}"
        else:
            lakeward.run("extract", source, "--lake", lake, *WINDOW, *extra).expect()
        again = sorted(page for page in asked(api) if page < saved)
        assert not again, f"run {n + 1} asked again for pages {again[:5]}; its checkpoint was behind {saved}"
        resumed += saved > 0
        pages += len(asked(api))
        if after_each and n < kills:
            after_each()
    assert resumed >= max(kills // 4, 1), f"only {resumed} of {kills} killed runs left a checkpoint to go on from"
    return [f"{kills} kills", f"{resumed} resumes", f"{pages} pages asked for", *([f"{ended} ended first"] if ended else [])]


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

    def newest():
        return harness.manifests(lake)

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

    def goes_on(other, code, wanted):
        """An orderly end left a checkpoint and no owner; a rerun, on any host, asks only for what is behind it."""
        assert code == wanted, f"exit {code} instead of {wanted}"
        (m,) = harness.manifests(other).values()
        saved = m["checkpoint"]["pages"]
        assert m["owner"] is None and 0 < saved < truth["pages"], f"{m['state']}, {m['owner']}, {m['checkpoint']}"
        assert not harness.data_files(other), "something is published"
        control(api, "delay=0")
        lakeward.run("extract", source, "--lake", other, *WINDOW).expect()
        again = [n for n in asked(api) if n < saved]
        assert not again, f"pages {again[:5]} lie behind the checkpoint of {saved} and were asked for again"
        ids, _ = rows(harness.data_files(other))
        assert len(ids) == len(set(ids)) == truth["rows"], f"{len(ids)} rows, {len(set(ids))} distinct"
        return f"checkpoint at {saved} of {truth['pages']} pages"

    with harness.server(command, f"{api}/requests", work / "api.log"):
        with report.check("kill -9 twenty times, then a rerun: exact rows, nothing left") as facts:
            facts += kill_and_resume(lakeward, source, lake, api, newest, 20, 0.25, 1, after_each=nothing_yet)
            whole(1)
            assert not leftovers(lake), leftovers(lake)[:3]
            harness.counts(lake)
            lakeward.run("verify", "--lake", lake).expect()
        with report.check("kill -9 of a refresh, ten times: the committed rows stay whole, then are replaced") as facts:
            facts += kill_and_resume(lakeward, source, lake, api, newest, 10, 0.2, 2, 2, ("--refresh",), lambda: still_whole({1, 2}))
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
        for name, code, stop in (("SIGTERM", 143, signal.SIGTERM), ("SIGINT", 130, signal.SIGINT)):
            with report.check(f"{name} saves a checkpoint: exit {code}, then a rerun goes on") as facts:
                other = work / name.lower()
                control(api, "delay=0.05")
                p = lakeward.start("extract", source, "--lake", other, *WINDOW)
                time.sleep(2)
                p.send_signal(stop)
                p.communicate(timeout=60)
                facts.append(goes_on(other, p.returncode, code))
        for option, limit in (("--max-requests", "30"), ("--deadline", "2s")):
            with report.check(f"{option} {limit}: checkpoint saved, exit 5, then a rerun goes on") as facts:
                other = work / option.strip("-")
                control(api, "delay=0.05")
                ran = lakeward.run("extract", source, "--lake", other, *WINDOW, option, limit)
                if option == "--max-requests":
                    assert len(asked(api)) <= int(limit), f"{len(asked(api))} requests"
                facts.append(goes_on(other, ran.code, 5))
        with report.check("a live run holds its window: a second ends with 9"):
            other = work / "held"
            control(api, "delay=0.1")
            first = lakeward.start("extract", source, "--lake", other, *WINDOW)
            time.sleep(1.5)
            second = lakeward.run("extract", source, "--lake", other, *WINDOW)
            first.terminate()
            first.communicate(timeout=60)
            second.expect(9)
