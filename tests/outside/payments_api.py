"""A seeded payments API on loopback: pages made once on disk, served by cursor, every request remembered.

    payments_api.py make DIR [--pages N] [--per-page N] [--profile clean|mixed] [--seed N]
    payments_api.py serve DIR PORT

GET /v1/payments?from=UNIX&to=UNIX[&cursor=T]   one page: items, total, has_more, cursor (newest first)
GET /control?delay=SECONDS&edition=N            wait before each page; rewrite the `edition` of every record; forget the requests
GET /requests                                   the page numbers asked for since the last /control

Profile `mixed` writes amounts as an integer of minor units (90 %), a string (6 %) or a number (4 %) of major units,
and times as unix seconds (90 %), milliseconds (5 %) or ISO 8601 at +05:30 (5 %). One record a page holds 2**53 + 1
minor units, so that a float anywhere on the way shows in the sums.
"""

import argparse
import asyncio
import hashlib
import json
import os
import pathlib
import random
import urllib.parse
from datetime import datetime, timedelta, timezone

UTC, IST = timezone.utc, timezone(timedelta(hours=5, minutes=30))
FIRST_DAY = datetime(2026, 3, 16, tzinfo=UTC)
DAYS, DAY = 3, 86400
BIG = 2**53 + 1
CITIES = ["Bengaluru", "मुंबई", "Pune", "Köln", "São Paulo"]
ITEMS = ["Order", "Café latte — 250 ml", "दूध 1 L", 'Groceries "weekly"', "Subscription 🛒", "tab\there"]


def money(minor):
    return f"{minor // 100}.{minor % 100:02d}"


def token(page):
    return hashlib.md5(f"cursor-{page}".encode()).hexdigest()[:20]


def record(r, i, at, big, mixed):
    """One payment and its exact minor units: amount, fee, tax."""
    minor = BIG if big else r.randrange(100, 5_000_000)
    fee = minor % 1_000_000 * 2 // 100
    tax = fee * 18 // 100
    card = r.random() < 0.3
    ok = r.random() < 0.8
    amount, created = minor, at
    if mixed:
        x = r.random()
        if x < 0.06 or (big and x < 0.5):
            amount = money(minor)
        elif x < 0.10 and not big:
            amount = minor / 100
        x = r.random()
        if x < 0.05:
            created = at * 1000
        elif x < 0.10:
            created = datetime.fromtimestamp(at, IST).isoformat()
    return {
        "id": f"pay_{i:08d}{r.randrange(16**6):06x}", "entity": "payment", "edition": 1, "amount": amount,
        "base_amount": money(minor), "currency": "INR" if r.random() < 0.97 else "USD",
        "status": "captured" if ok else r.choice(["failed", "Authorized", "refunded"]),
        "method": "card" if card else r.choice(["upi", "netbanking", "wallet"]),
        "card": {"id": f"card_{r.randrange(16**12):012x}", "last4": f"{r.randrange(10**4):04d}"} if card else None,
        "international": r.random() < 0.03, "attempts": r.randrange(1, 6), "score": round(r.random(), 6),
        "tags": r.sample(["new", "vip", "web", "app"], r.randrange(3)),
        "description": f"{r.choice(ITEMS)} #{r.randrange(10**6)}" if r.random() < 0.8 else None,
        "email": f"user{r.randrange(10**6)}@example.com", "contact": f"+91{r.randrange(7 * 10**9, 10**10)}",
        "notes": {"city": r.choice(CITIES), "cart": f"c-{r.randrange(10**8)}", "n": [1, 2.50, None]}
        if r.random() < 0.85 else ([] if mixed else {}),
        "fee": fee / 100, "tax": money(tax), "settled_on": datetime.fromtimestamp(at + DAY, UTC).date().isoformat() if ok else None,
        "created_at": created, "captured_at": at * 1000 + r.randrange(2000, 60000) if ok else None,
    }, minor, fee, tax


def make(folder, pages, per_page, profile, seed):
    """Writes items.bin (the pages' arrays), index.json (where each lies) and expected.json (the truth)."""
    assert pages % DAYS == 0, "a page holds records of one day"
    folder = pathlib.Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    r, index, offset = random.Random(seed), [], 0
    total = pages * per_page
    start, span = int(FIRST_DAY.timestamp()), DAYS * DAY
    truth = {"rows": total, "pages": pages, "amount": 0, "fee": 0, "tax": 0, "days": {}, "captured_nulls": 0}
    with open(folder / "items.bin", "wb") as out:
        for page in range(pages):
            items = []
            for k in range(per_page):
                i = page * per_page + k
                at = start + span - 1 - i * span // total
                rec, minor, fee, tax = record(r, i, at, k == per_page // 2, profile == "mixed")
                truth["amount"] += minor
                truth["fee"] += fee
                truth["tax"] += tax
                day = datetime.fromtimestamp(at, UTC).date().isoformat()
                truth["days"][day] = truth["days"].get(day, 0) + 1
                truth["captured_nulls"] += rec["captured_at"] is None
                items.append(rec)
            # Every fourth page escapes what is not ASCII, every fifth is pretty-printed.
            body = json.dumps(items, ensure_ascii=page % 4 == 0, indent=1 if page % 5 == 4 else None,
                              separators=(",", ": ") if page % 5 == 4 else (",", ":")).encode()
            out.write(body)
            index.append([offset, len(body)])
            offset += len(body)
    truth |= {"bytes": offset, "first": start + span - 1 - (total - 1) * span // total, "last": start + span - 1}
    (folder / "index.json").write_text(json.dumps({"per_page": per_page, "pages": index}))
    (folder / "expected.json").write_text(json.dumps(truth, indent=1))
    return truth


class Api:
    """The pages, and what was asked for."""

    def __init__(self, folder):
        index = json.loads((pathlib.Path(folder) / "index.json").read_text())
        self.per_page, self.index = index["per_page"], index["pages"]
        self.pages = {token(n): n for n in range(len(self.index))}
        self.file = os.open(pathlib.Path(folder) / "items.bin", os.O_RDONLY)
        self.delay, self.edition, self.asked = 0.0, 1, []

    def span(self, query):
        """The first page of the window and the page after its last; newest come first."""
        a_day, first = len(self.index) // DAYS, int(FIRST_DAY.timestamp())
        day = lambda name, default: min(max((int(query.get(name, default)) - first) // DAY, 0), DAYS)
        return (DAYS - day("to", first + DAYS * DAY)) * a_day, (DAYS - day("from", first)) * a_day

    async def answer(self, target):
        url = urllib.parse.urlsplit(target)
        query = dict(urllib.parse.parse_qsl(url.query))
        if url.path == "/control":
            self.delay, self.edition = float(query.get("delay", 0)), int(query.get("edition", 1))
            self.asked = []
            return 200, b"{}"
        if url.path == "/requests":
            return 200, json.dumps(self.asked).encode()
        if url.path != "/v1/payments":
            return 404, b'{"error":"no such path"}'
        start, end = self.span(query)
        page = self.pages.get(query["cursor"]) if "cursor" in query else start
        if page is None or not start <= page <= end:
            return 400, b'{"error":"no such cursor"}'
        self.asked.append(page)
        if self.delay:
            await asyncio.sleep(self.delay)
        items = os.pread(self.file, self.index[page][1], self.index[page][0]) if page < end else b"[]"
        if self.edition != 1:
            items = items.replace(b'"edition":1,', b'"edition":%d,' % self.edition)
            items = items.replace(b'"edition": 1,', b'"edition": %d,' % self.edition)
        more = page + 1 < end
        cursor = b'"%s"' % token(page + 1).encode() if more else b"null"
        return 200, b'{"items":%s,"total":%d,"has_more":%s,"cursor":%s}' % (
            items, (end - start) * self.per_page, b"true" if more else b"false", cursor)

    async def connection(self, reader, writer):
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                status, body = await self.answer(head.split(b" ", 2)[1].decode())
                writer.write(b"HTTP/1.1 %d %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" %
                             (status, b"OK" if status == 200 else b"No", len(body)) + body)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    async def serve(self, port):
        async with await asyncio.start_server(self.connection, "127.0.0.1", port) as s:
            await s.serve_forever()


TABLE = """\
version: 1
table: payments
primary_key: [id]
partition_by: created_at
raw_column: _raw
fields:
  - { name: id, type: string, required: true }
  - { name: edition, type: int32 }
  - { name: amount, type: "decimal(18, 2)", integers: minor, required: true, min: 0 }
  - { name: base_amount, type: "decimal(18, 2)" }
  - { name: currency, type: string }
  - { name: status, type: string, case: lower, known: [authorized, captured, refunded, failed] }
  - { name: method, type: string }
  - { name: card_id, type: string, from: /card/id }
  - { name: card_last4, type: string, from: /card/last4 }
  - { name: international, type: bool }
  - { name: attempts, type: int64 }
  - { name: score, type: float64 }
  - { name: tags, type: list(string) }
  - { name: description, type: string }
  - { name: email, type: string }
  - { name: contact, type: string }
  - { name: notes, type: json }
  - { name: fee, type: "decimal(18, 2)" }
  - { name: tax, type: "decimal(18, 2)" }
  - { name: settled_on, type: date }
  - { name: created_at, type: timestamp, required: true }
  - { name: captured_at, type: timestamp }
"""

SOURCE = """\
version: 1
source: gateway
base_url: http://127.0.0.1:{port}/v1
checkpoint_every: {checkpoint_every}
streams:
  payments:
    schema: payments.yaml
    path: /payments
    params: {{ from: "{{{{ window.start | unix }}}}", to: "{{{{ window.end | unix }}}}" }}
    records: /items
    total: /total
    pagination: {{ type: cursor, cursor: /cursor, param: cursor, has_more: /has_more }}
"""


def write_source(folder, port, checkpoint_every="30s"):
    """The source and schema files of this API; the source file's path."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "payments.yaml").write_text(TABLE)
    (folder / "source.yaml").write_text(SOURCE.format(port=port, checkpoint_every=checkpoint_every))
    return folder / "source.yaml"


def main():
    p = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    commands = p.add_subparsers(dest="command", required=True)
    m = commands.add_parser("make")
    m.add_argument("dir")
    m.add_argument("--pages", type=int, default=999)
    m.add_argument("--per-page", type=int, default=100)
    m.add_argument("--profile", choices=["clean", "mixed"], default="mixed")
    m.add_argument("--seed", type=int, default=7)
    s = commands.add_parser("serve")
    s.add_argument("dir")
    s.add_argument("port", type=int)
    a = p.parse_args()
    if a.command == "make":
        print(json.dumps(make(a.dir, a.pages, a.per_page, a.profile, a.seed)))
    else:
        asyncio.run(Api(a.dir).serve(a.port))


if __name__ == "__main__":
    main()
