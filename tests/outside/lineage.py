"""OpenLineage events over HTTP and in a file, each held against the published JSON Schemas."""

import collections
import contextlib
import http.server
import json
import signal
import sys
import threading
import time

import harness
import kills
import payments_api

SPEC = harness.HERE / "openlineage"
OWN = harness.REPO / "schemas/openlineage.schema.json"
PARENT = "airflow/prod/gateway.extract/0199a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b"


def validator():
    """Of a whole event: the format, and each facet by the schema that it names."""
    from jsonschema import Draft202012Validator
    from referencing import Registry, Resource

    files = [*SPEC.glob("*.json"), OWN]
    schemas = {s["$id"]: s for s in (json.loads(f.read_text()) for f in files)}
    registry = Registry().with_resources([(i, Resource.from_contents(s)) for i, s in schemas.items()])
    by_reference = lambda ref: Draft202012Validator({"$ref": ref}, registry=registry, format_checker=Draft202012Validator.FORMAT_CHECKER)

    def facets(node):
        if isinstance(node, dict):
            if "_schemaURL" in node:
                yield node
            for value in node.values():
                yield from facets(value)
        elif isinstance(node, list):
            for value in node:
                yield from facets(value)

    def check(event):
        by_reference(event["schemaURL"]).validate(event)
        seen = collections.Counter()
        for facet in facets(event):
            assert facet["_schemaURL"].split("#")[0] in schemas, f"no published schema {facet['_schemaURL']}"
            by_reference(facet["_schemaURL"]).validate(facet)
            seen[facet["_schemaURL"].rsplit("/", 1)[-1]] += 1
        return seen

    return check


class Catalogue(http.server.ThreadingHTTPServer):
    """Takes events as Marquez does: POST /api/v1/lineage, 201."""

    def __init__(self):
        self.events, self.keys, self.status = [], set(), 201
        super().__init__(("127.0.0.1", 0), Endpoint)

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_address[1]}"


class Endpoint(http.server.BaseHTTPRequestHandler):
    """One event."""

    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        if self.path == "/api/v1/lineage":
            self.server.events.append(json.loads(body))
            self.server.keys.add(self.headers.get("authorization"))
        self.send_response(self.server.status if self.path == "/api/v1/lineage" else 404)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


@contextlib.contextmanager
def catalogue():
    served = Catalogue()
    threading.Thread(target=served.serve_forever, daemon=True).start()
    try:
        yield served
    finally:
        served.shutdown()


def kinds(events):
    return collections.Counter(e["eventType"] for e in events)


def run(report, lakeward, work):
    work = harness.fresh(work)
    truth = payments_api.make(work / "data", 30, 100, "mixed", 31)
    (port,) = harness.free_ports()
    source = payments_api.write_source(work, port, "100ms")
    api = f"http://127.0.0.1:{port}"
    command = [sys.executable, payments_api.__file__, "serve", work / "data", port]
    with harness.server(command, f"{api}/requests", work / "api.log"), catalogue() as marquez:
        env = {"OPENLINEAGE_URL": marquez.url, "OPENLINEAGE_API_KEY": "k3y-of-the-catalogue", "OPENLINEAGE_NAMESPACE": "prod",
               "OPENLINEAGE_PARENT_ID": PARENT}
        told = lakeward.with_env(**env)
        check, days = validator(), ("--from", "2026-03-16", "--to", "2026-03-19")
        with report.check("a run tells an endpoint of each window's start and commit, valid by the published schemas") as facts:
            told.run("extract", source, "--lake", work / "lake", *days, "--jobs", "2").expect()
            assert kinds(marquez.events) == {"START": 3, "COMPLETE": 3}, kinds(marquez.events)
            facets = sum((check(e) for e in marquez.events), collections.Counter())
            rows = sum(o["outputFacets"]["outputStatistics"]["rowCount"] for e in marquez.events if e["eventType"] == "COMPLETE" for o in e["outputs"])
            assert rows == truth["rows"], f"{rows} rows are told, {truth['rows']} wanted"
            parent = marquez.events[0]["run"]["facets"]["parent"]
            assert "/".join([parent["job"]["namespace"], parent["job"]["name"], parent["run"]["runId"]]) == PARENT, parent
            assert marquez.keys == {"Bearer k3y-of-the-catalogue"}, "another key than the declared"
            facts += [f"{len(marquez.events)} events", f"{rows} rows", ", ".join(f"{n} {name}" for name, n in sorted(facets.items()))]
        with report.check("a SIGTERM is an ABORT, a refused request a FAIL") as facts:
            marquez.events.clear()
            kills.control(api, "delay=0.2")
            stopped = told.start("extract", source, "--lake", work / "stopped", *kills.WINDOW)
            while not marquez.events and stopped.poll() is None:
                time.sleep(0.05)
            stopped.send_signal(signal.SIGTERM)
            stopped.communicate(timeout=60)
            assert stopped.returncode == 143 and kinds(marquez.events) == {"START": 1, "ABORT": 1}, kinds(marquez.events)
            kills.control(api, "delay=0")
            told.run("extract", source, "--lake", work / "failed", *kills.WINDOW, "--max-requests", "2").expect(5)
            assert kinds(marquez.events) == {"START": 2, "ABORT": 1, "FAIL": 1}, kinds(marquez.events)
            for event in marquez.events:
                check(event)
        with report.check("an endpoint that refuses fails nothing, and the key is not shown"):
            marquez.status = 401
            ran = told.run("extract", source, "--lake", work / "refused", *days).expect()
            assert "OpenLineage" in ran.err and "401" in ran.err, ran.err[-800:]
            assert "k3y-of-the-catalogue" not in ran.out + ran.err, "the key is shown"
