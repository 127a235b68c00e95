"""A payments API on loopback with as many days as are asked for: seeded records, every request remembered.

GET /v1/payments?from=UNIX&to=UNIX[&cursor=N]   a page of a day: items, total, has_more, cursor
POST /notice                                    what an orchestrator tells a person; kept in `notices`
"""

import contextlib
import http.server
import json
import random
import threading
import time
import urllib.parse
from datetime import datetime, timedelta, timezone

FIRST = datetime(2026, 3, 1, tzinfo=timezone.utc)
DAY = 86_400
BIG = 2**53 + 1  # minor units that no float holds

TABLE = """\
version: 1
table: payments
primary_key: [id]
partition_by: created_at
raw_column: _raw
drift: { new_field: fail }
fields:
  - { name: id, type: string, required: true }
  - { name: amount, type: "decimal(18, 2)", integers: minor, required: true, min: 0 }
  - { name: status, type: string, known: [captured, failed, refunded] }
  - { name: created_at, type: timestamp, required: true }
"""

SOURCE = """\
version: 1
source: gateway
base_url: http://127.0.0.1:{port}/v1
auth: {{ type: bearer, token: {{ env: GATEWAY_TOKEN }} }}
retry: {{ max_attempts: 2, max_wait: 1s }}
checkpoint_every: 300ms
streams:
  payments:
    schema: payments.yaml
    path: /payments
    params: {{ from: "{{{{ window.start | unix }}}}", to: "{{{{ window.end | unix }}}}" }}
    records: /items
    total: /total
    pagination: {{ type: cursor, cursor: /cursor, param: cursor, has_more: /has_more }}
"""


def date(n):
    """The date of day `n`."""
    return (FIRST + timedelta(days=n)).date().isoformat()


class Api(http.server.ThreadingHTTPServer):
    """The days, what was asked for, and how it behaves: set the attributes at any time."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, pages=4, per_page=25, token="t0ken"):
        super().__init__(("127.0.0.1", 0), Handler)
        self.pages, self.per_page, self.token = pages, per_page, token
        self.behave()
        self.asked, self.notices, self.lock = [], [], threading.Lock()

    @property
    def port(self):
        return self.server_address[1]

    def write_source(self, folder):
        """The source and schema files of this API; the source file's path."""
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "payments.yaml").write_text(TABLE)
        (folder / "source.yaml").write_text(SOURCE.format(port=self.port))
        return folder / "source.yaml"

    def records(self, day):
        """The records of a day, and their amounts in minor units by id."""
        r, start = random.Random(day), int(FIRST.timestamp()) + day * DAY
        count = self.pages * self.per_page
        items, minor = [], {}
        for n in range(count):
            key, amount = f"pay_{day:03d}_{n:04d}", BIG if n == 7 else r.randrange(100, 5_000_000)
            minor[key] = amount
            status = r.choice(["captured", "failed", "refunded"])
            items.append({
                "id": key, "status": "disputed" if day in self.odd and n == 3 else status, "created_at": start + n * DAY // count,
                "amount": amount if n % 3 else f"{amount // 100}.{amount % 100:02d}",
            } | ({"loyalty_tier": "gold"} if day in self.drifting else {}))
        return items, minor

    def truth(self, days):
        """Minor units by id of some days."""
        return {k: v for day in days for k, v in self.records(day)[1].items()}

    def asked_of(self, days):
        """How many requests there were for these days."""
        with self.lock:
            return sum(day in days for day, _ in self.asked)

    def forget(self):
        """Forgets the requests, and is well-behaved again."""
        with self.lock:
            self.asked.clear()
        self.behave()
        self.notices.clear()

    def behave(self):
        """By day: seconds before each page, a status and how often it is given, fields and values that nobody declared, a wrong total."""
        self.delay, self.held, self.refuse = 0.0, {}, {}
        self.drifting, self.odd, self.miscounted = set(), set(), set()


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self, status, body, **headers):
        body = json.dumps(body).encode()
        self.send_response(status)
        for name, value in {"Content-Type": "application/json", "Content-Length": len(body), **headers}.items():
            self.send_header(name, str(value))
        self.end_headers()
        with contextlib.suppress(ConnectionError):
            self.wfile.write(body)

    def do_GET(self):
        api, url = self.server, urllib.parse.urlsplit(self.path)
        query = dict(urllib.parse.parse_qsl(url.query))
        if url.path != "/v1/payments":
            return self.answer(404, {"error": "no such path"})
        if self.headers["Authorization"] != f"Bearer {api.token}":
            return self.answer(401, {"error": "no such token"})
        day = (int(query["from"]) - int(FIRST.timestamp())) // DAY
        page = int(query.get("cursor", 0))
        with api.lock:
            api.asked.append((day, page))
            status, times = api.refuse.get(day, (0, 0))
            if times:
                api.refuse[day] = (status, times - 1)
        time.sleep(api.held.get(day, api.delay))
        if times:
            return self.answer(status, {"error": "refused"})
        items, _ = api.records(day)
        last = page + 1 >= api.pages
        self.answer(200, {
            "items": items[page * api.per_page:(page + 1) * api.per_page], "total": len(items) + (day in api.miscounted), "has_more": not last,
            "cursor": None if last else str(page + 1),
        })

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.notices.append(body)
        self.answer(200, {})

    def log_message(self, *_):
        pass


@contextlib.contextmanager
def serving(**how):
    """An API that answers while the block runs."""
    api = Api(**how)
    threading.Thread(target=api.serve_forever, daemon=True).start()
    try:
        yield api
    finally:
        api.shutdown()
        api.server_close()
