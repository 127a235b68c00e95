#!/usr/bin/env python3
"""Rows a second of one backfill by 1, 2, 4 and 8 worker processes; and what a window and a page cost.

    scaling.py [--bin PATH] [--work DIR] [--runs N] [--windows N] [--pages N] [--latency MS]   the line of workers
    scaling.py --quota N           the same under `rate_limit: { per_second: N, share: 1/WORKERS }`: it bends at the quota
    scaling.py --costs             CPU and wall a window and a page, and requests to the store a window and a page

Each worker is a `lakeward extract --jobs 1` on its own share of the windows of one backfill, all into one lake on local disk. The
API is a process of its own on loopback, whose pages (100 records of about 1 kB) are made before the first request and which holds
each back for the latency. Its own limit is measured in the same run, by as many clients as there are workers at most, in processes
of their own and without latency, which read each answer and do nothing with it. Prints Markdown.

The standard library suffices; the store's requests of `--costs` need `moto_server` beside the interpreter (that of `.ci/run`:
`target/outside/venv/bin/python benches/scaling.py --costs`) and are left out without it. Figures are medians of `--runs`.
"""

import argparse
import collections
import contextlib
import os
import pathlib
import shutil
import statistics
import subprocess
import sys
import threading
import time
import urllib.parse

from scaling_api import TICK, Api, Cost, PER_PAGE, instant, pages_a_second, read_pages, write_source

REPO = pathlib.Path(__file__).resolve().parent.parent
WORKERS = (1, 2, 4, 8)
CORES = len(os.sched_getaffinity(0))


def extract(binary, source, lake, shares, env=None, jobs=1):
    """A process for each share of the windows, all at once: seconds to the last one's end, and CPU of all."""
    environment = {k: v for k, v in os.environ.items() if k in ("PATH", "HOME", "TMPDIR")} | (env or {})
    start, running = time.monotonic(), []
    for first, end in shares:
        command = [binary, "extract", source, "--lake", lake, "--from", instant(first), "--to", instant(end), "--every", "1h", "--jobs", jobs]
        running.append(subprocess.Popen(list(map(str, command)), env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE))
    cpu = 0.0
    for p in running:
        said = p.stderr.read()
        _, status, used = os.wait4(p.pid, 0)
        p.returncode = os.waitstatus_to_exitcode(status)
        cpu += used.ru_utime + used.ru_stime
        if p.returncode:
            sys.exit(f"exit {p.returncode}\n{said.decode()[-2000:]}")
    return Cost(time.monotonic() - start, cpu)


def busy():
    """CPU seconds that the machine has spent on anything: at usual priority or above it, and below it (user time alone)."""
    user, nice, system, _, _, irq, soft, steal = map(int, pathlib.Path("/proc/stat").read_text().split("\n")[0].split()[1:9])
    return (user + system + irq + soft + steal) / TICK, nice / TICK


def table(head, rows):
    print(f"| {' | '.join(head)} |\n|{'---|' * len(head)}")
    for row in rows:
        print(f"| {' | '.join(row)} |")
    print(flush=True)


def line(a):
    """The table of workers."""
    if a.windows % max(WORKERS):
        sys.exit(f"--windows must be a multiple of {max(WORKERS)}")
    latency, rows = a.latency / 1000, a.windows * a.pages * PER_PAGE
    with Api(a.windows, a.pages) as free:
        limit, load = pages_a_second(free, max(WORKERS), 400)
        size = free.page_bytes
    with Api(a.windows, a.pages, latency=latency) as api:
        trip = read_pages(api.port, [(0, n % a.pages) for n in range(60)])
        print(f"{a.windows} windows of {a.pages} pages of {PER_PAGE} records, {rows} rows, {size / 1000:.0f} kB a page; {CORES} cores; median of {a.runs}.")
        print(f"A page to a client that does nothing: {trip * 1000:.1f} ms (median). The API's limit without latency: at least {limit:.0f} pages/s "
              f"({limit * PER_PAGE:.0f} rows/s) to {max(WORKERS)} such clients, which it took {load:.0%} of a core for.")
        if a.quota:
            print(f"Quota: {a.quota} requests a second, share 1/WORKERS.")
        print()
        out, alone = [], None
        for workers in WORKERS:
            share = a.windows // workers
            shares = [(n * share, (n + 1) * share) for n in range(workers)]
            rule = f"rate_limit: {{ per_second: {a.quota}, share: 1/{workers} }}\n" if a.quota else ""
            runs = []
            for _ in range(a.runs):
                source = write_source(a.work, api.port, rule)
                shutil.rmtree(a.work / "lake", ignore_errors=True)
                (others, below), served = busy(), api.cpu()
                cost = extract(a.bin, source, a.work / "lake", shares)
                (now, now_below), served = busy(), api.cpu() - served
                others, below = max(now - others - cost.cpu - served, 0), now_below - below
                runs.append((cost.wall, cost.cpu, served / cost.wall, others / cost.wall / CORES, below / cost.wall / CORES))
            wall, cpu, served, others, below = (statistics.median(column) for column in zip(*runs))
            alone = alone or wall
            waits = a.windows * a.pages / workers * trip / wall
            ours = cpu / wall / CORES
            allowed = workers * max(a.quota // workers, 1) if a.quota else None
            asked = a.windows * a.pages / wall
            if allowed and asked > 0.85 * allowed:
                binds = f"quota ({allowed}/s)"
            elif served > 0.8:
                binds = "API server"
            elif ours + others + served / CORES > 0.9:
                binds = "cores"
            else:
                binds = f"latency ({waits:.0%} of the time)" if waits > 0.6 else f"neither: latency {waits:.0%} of the time"
            spread = f"{min(r[0] for r in runs):.1f} to {max(r[0] for r in runs):.1f}"
            shares_of_time = [f"{ours:.0%}", f"{served:.0%}", f"{others:.0%} + {below:.0%}"]
            out.append([str(workers), f"{wall:.1f}", spread, f"{rows / wall:.0f}", f"{alone / wall:.2f}", f"{cpu:.2f}", *shares_of_time, f"{asked:.0f}", binds])
            print(f"<!-- {workers}: {wall:.1f} s -->", file=sys.stderr, flush=True)
    table(["workers", "seconds", "of the runs", "rows/s", "speed-up", "CPU s of lakeward", "of all cores", "API server, of a core",
           "others, of all cores + at lower priority", "pages/s", "binds"], out)


# What a window and a page cost.

def slope(measure, few, many, runs):
    """What one more costs, by the medians of two sizes, start-up aside."""
    costs = {n: [measure(n) for _ in range(runs)] for n in (few, many)}
    middle = {n: [statistics.median(column) for column in zip(*found)] for n, found in costs.items()}
    return Cost(*((b - a) / (many - few) for a, b in zip(middle[few], middle[many])))


def on_disk(a, api, windows, again=False):
    """Windows into a new lake, or windows that are committed by then."""
    source, lake = write_source(a.work, api.port), a.work / "lake"
    shutil.rmtree(lake, ignore_errors=True)
    cost = extract(a.bin, source, lake, [(0, windows)])
    return extract(a.bin, source, lake, [(0, windows)]) if again else cost


def kind(request):
    """What a request to the store is."""
    query = urllib.parse.parse_qs(request.query, keep_blank_values=True)
    if request.method == "GET" and "list-type" in query:
        of_all = query["prefix"][0].endswith("/_lakeward/windows/")
        return "LIST of all windows" if of_all else "LIST"
    if request.method == "POST":
        return "DELETE (by POST)" if "delete" in query else "POST of an upload"
    return "COPY" if "x-amz-copy-source" in request.headers else request.method


@contextlib.contextmanager
def bucket(work):
    """moto behind a proxy that counts."""
    sys.path.append(str(REPO / "tests/outside"))
    import fault_proxy
    import s3

    with s3.moto(work) as store, fault_proxy.before(store.port) as proxy:
        yield proxy, store.env() | {"AWS_ENDPOINT_URL": f"http://127.0.0.1:{proxy.port}"}, f"s3://{s3.BUCKET}"


def asked(proxy, do):
    """Requests by kind while something is done."""
    counts, lock = collections.Counter(), threading.Lock()

    def plan(request):
        with lock:
            counts[kind(request)] += 1

    proxy.begin(plan)
    do()
    return counts


def store_requests(a):
    """Requests a window to S3: the difference of two numbers of windows."""
    rows, few, many = [], 4, 24
    with bucket(a.work) as (proxy, env, root):
        def row(what, api, count):
            found = {}
            for n in (few, many):
                lake = f"{root}/{what.replace(' ', '-').replace(',', '')}-{n}"
                found[n] = count(api, lake, n)
            each = {k: (found[many][k] - found[few][k]) / (many - few) for k in sorted(found[many])}
            start = {k: found[few][k] - few * each[k] for k in each}
            name = lambda of: ", ".join(f"{v:g} {k}" for k, v in of.items() if v) or "none"
            rows.append([what, f"{sum(each.values()):g}", name(each), name(start)])

        def first(api, lake, n):
            return asked(proxy, lambda: extract(a.bin, write_source(a.work, api.port), lake, [(0, n)], env))

        def again(api, lake, n):
            first(api, lake, n)
            return first(api, lake, n)

        for what, pages, per_page, count in (
            ("empty window", 1, 0, first), ("window of one page of 5", 1, 5, first), ("window of 10 pages of 100", 10, 100, first),
            ("committed window, skipped", 1, 5, again),
        ):
            with Api(many, pages, per_page) as api:
                row(what, api, count)
    table(["S3 (moto)", "requests a window", "of them", "of the run besides"], rows)


def in_a_long_lake(a, windows):
    """What an hour more costs in a lake that has as many."""
    few, many = 5, 45
    with Api(windows + a.runs * (few + many), 1, 5) as api:
        source, lake, end = write_source(a.work, api.port), a.work / "lake", windows
        shutil.rmtree(lake, ignore_errors=True)
        extract(a.bin, source, lake, [(0, windows)], jobs=8)

        def more(n):
            nonlocal end
            end += n
            return extract(a.bin, source, lake, [(end - n, end)])

        return slope(more, few, many, a.runs)


def costs(a):
    print(f"{CORES} cores; no latency; slopes between two sizes, start-up aside; medians of {a.runs}.\n")
    few, many, rows = 20, 120, []
    said = lambda cost: [f"{cost.cpu * 1000:.2f}", f"{cost.wall * 1000:.2f}"]
    for what, per_page, again in (("empty window", 0, False), ("window of one page of 5", 5, False), ("committed window, skipped", 5, True)):
        with Api(many, 1, per_page) as api:
            rows.append([f"{what}, of {many}", *said(slope(lambda n: on_disk(a, api, n, again), few, many, a.runs))])
    rows.append([f"window of one page of 5, after {a.long}", *said(in_a_long_lake(a, a.long))])
    with Api(1, 1, 5) as api:
        whole = [on_disk(a, api, 1) for _ in range(max(a.runs, 5))]
        rows.append(["a run of one such window, start-up included", *said(Cost(*(statistics.median(column) for column in zip(*whole))))])
    few, many, by_pages = 50, 1050, {}
    for pages in (few, many):
        with Api(1, pages) as api:
            size = api.page_bytes
            by_pages[pages] = [on_disk(a, api, 1) for _ in range(a.runs)]
    cost = slope(lambda n: by_pages[n].pop(), few, many, a.runs)
    rows.append([f"page of {PER_PAGE} records, {size / 1000:.0f} kB, of a window of {many}", *said(cost)])
    table(["local disk", "CPU ms", "wall ms"], rows)
    if pathlib.Path(sys.executable).with_name("moto_server").is_file():
        store_requests(a)
    else:
        print("Requests to the store: not counted, there is no moto_server beside this Python.")


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--bin", default=REPO / "target/release/lakeward", type=pathlib.Path)
    p.add_argument("--work", default=REPO / "target/tmp/scaling", type=pathlib.Path)
    p.add_argument("--runs", default=3, type=int)
    p.add_argument("--windows", default=32, type=int, help="hours of the backfill; a multiple of 8")
    p.add_argument("--pages", default=25, type=int, help="pages a window")
    p.add_argument("--latency", default=50, type=float, metavar="MS", help="from a request to its page")
    p.add_argument("--quota", type=int, metavar="N", help="requests a second that all workers share")
    p.add_argument("--long", default=1000, type=int, metavar="N", help="windows of the long lake of --costs")
    p.add_argument("--costs", action="store_true", help="what a window and a page cost, and requests to the store")
    a = p.parse_args()
    a.bin = a.bin.resolve()
    if not a.bin.is_file():
        p.error(f"no binary at {a.bin}: cargo build --release")
    a.work.mkdir(parents=True, exist_ok=True)
    a.work = a.work.resolve()
    (costs if a.costs else line)(a)


if __name__ == "__main__":
    main()
