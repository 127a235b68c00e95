"""What strace saw of a local run: whatever a manifest names was on disk, file and folder, before the manifest was."""

import codecs
import json
import os
import pathlib
import re
import shutil
import sys

import harness
import memory

PAGES = 12
CALLS = "write,writev,pwrite64,pwritev,fsync,fdatasync,rename,renameat,renameat2,link,linkat,unlink,unlinkat"
VERSION = re.compile(r"/_lakeward/windows/[^/]+/(\d{8})\.json$")
LINE = re.compile(r"^(\d+) +(?:<\.\.\. (\w+) resumed>)?(.*)$")
STRING = re.compile(r'"((?:[^"\\]|\\.)*)"')


class Call:
    """One system call: where in the log it began and ended."""

    def __init__(self, name, text, start):
        self.name, self.text, self.start, self.end = name, text, start, None

    @property
    def strings(self):
        return [codecs.escape_decode(s.encode())[0] for s in STRING.findall(self.text)]

    @property
    def paths(self):
        return [s.decode() for s in self.strings]

    @property
    def file(self):
        """The path of the file descriptor that is the first argument."""
        found = re.match(r"\d+<([^>]*)>", self.text)
        return found.group(1) if found else ""


def calls(log):
    """The calls that succeeded, in the order that they ended."""
    done, under_way = [], {}
    for number, line in enumerate(log.read_text(errors="replace").splitlines()):
        found = LINE.match(line)
        if not found:
            continue
        pid, resumed, rest = found.groups()
        if resumed:
            call = under_way.pop(pid, None)
            if call is None:
                continue
            call.text += rest
        else:
            name, _, text = rest.partition("(")
            call = Call(name, text, number)
            if rest.endswith("<unfinished ...>"):
                call.text = text.removesuffix("<unfinished ...>")
                under_way[pid] = call
                continue
        call.end = number
        if not re.search(r"= -\d+ E", call.text):
            done.append(call)
    return done


class Disk:
    """What would be left after the power went at any line of the log."""

    def __init__(self, log):
        self.syncs, self.writes, self.moves, self.gone = {}, {}, {}, {}
        for call in calls(log):
            if call.name in ("fsync", "fdatasync"):
                self.syncs.setdefault(call.file, []).append(call)
            elif "write" in call.name:
                self.writes.setdefault(call.file, []).append(call)
            elif call.name.startswith(("rename", "link")):
                self.moves.setdefault(call.paths[1], []).append(call)
            elif call.name.startswith("unlink"):
                self.gone.setdefault(call.paths[0], []).append(call)

    def synced(self, path, after, before):
        """The end of a sync of `path` wholly between two lines."""
        ends = [s.end for s in self.syncs.get(path, []) if s.start > after and s.end < before]
        return min(ends, default=None)

    def durable(self, path, before):
        """Fails unless `path`, with all its bytes, outlasts a loss of power at line `before`; where it was so."""
        moves = [m for m in self.moves.get(path, []) if m.end < before]
        assert moves, f"{path} was not there"
        move = moves[-1]
        source = move.paths[0]
        if "#" in source:
            writes = self.writes.get(source, [])
            assert writes, f"{source} was never written"
            last = max(w.end for w in writes if w.end < move.start)
            assert self.synced(source, last, move.start), f"{path} was moved into place before its bytes were synced"
        else:
            self.durable(source, move.start)
        synced = self.synced(os.path.dirname(path), move.end, before)
        assert synced, f"the folder of {path} was not synced before it was relied on"
        return synced

    def versions(self):
        """Every manifest version: its move, its path, its content."""
        for path, moves in self.moves.items():
            if VERSION.search(path):
                for move in moves:
                    body = b"".join(s for w in self.writes[move.paths[0]] if w.end < move.start for s in w.strings)
                    yield move, path, json.loads(body)


def check(log, lake):
    """Holds every version of a run against the order of its calls; how many versions and names there were."""
    disk, names, committed = Disk(log), 0, {}
    versions = sorted(disk.versions(), key=lambda v: v[0].start)
    end = sum(1 for _ in log.open(errors="replace")) + 1
    for n, (move, path, m) in enumerate(versions):
        following = versions[n + 1][0].start if n + 1 < len(versions) else end
        synced = disk.durable(path, following)
        named = [f.get("staged") or f["path"] for f in m["files"]] if m["state"] != "committed" else []
        named += [f["path"] for f in m["published"]] if m["state"] == "committed" else []
        parts = m["checkpoint"].get("parts") or {}
        named += [p for part in parts.values() for p in (part if isinstance(part, list) else [part]) if p]
        named += [p for p in [m["rejects"], (m["drift"] or {}).get("path")] if p]
        made = [p for p in (f"{lake}/{name}" for name in named) if p in disk.moves]
        for name in made:
            disk.durable(name, move.start)
        names += len(made)
        if m["state"] == "committed":
            for f in m["published"]:
                committed.setdefault(f["path"], synced)
            for replaced in m["replaces"]:
                for gone in disk.gone.get(f"{lake}/{replaced}", []):
                    assert gone.start > synced, f"{replaced} was deleted before the commit that replaces it was durable"
                    names += 1
    return len(versions), names


def run(report, lakeward, work):
    strace = shutil.which("strace")
    work = harness.fresh(work)
    (port,) = harness.free_ports()
    source, lake = memory.write_source(work, port, "checkpoint_every: 10ms"), work / "lake"
    server = [sys.executable, memory.__file__, "serve", port, PAGES, 1]
    with harness.server(server, f"http://127.0.0.1:{port}/v1/events", work / "api.log"):
        for what, extra in [("a first run", []), ("a refresh", ["--refresh"])]:
            with report.check(f"{what}: durable before it is named, committed before the old goes") as facts:
                if not strace:
                    raise harness.Skip("there is no strace")
                log = work / f"{len(extra)}.strace"
                tracer = [strace, "-f", "-y", "-s", "1000000", "-e", f"trace={CALLS}", "-o", log]
                ran = lakeward.run("extract", source, "--lake", lake, *memory.WINDOW, *extra, by=tracer)
                if "ptrace" in ran.err.lower():
                    raise harness.Skip(ran.err.strip().splitlines()[-1])
                ran.expect()
                versions, names = check(pathlib.Path(log), lake)
                facts += [f"{versions} versions", f"{names} names"]
                assert versions >= 5 and names >= 20, f"{versions} versions, {names} names"
