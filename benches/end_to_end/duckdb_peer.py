"""DuckDB over the same pages: curl to files, eight at a time by page number, then one COPY into date partitions.

duckdb_peer.py BASE OUT raw|typed RECORDS      does not: follow a cursor, retry, resume, check totals, reject a record
"""

import json
import os
import subprocess
import sys
import tempfile
import urllib.request

import duckdb

base, out, kept, records = sys.argv[1:]
card = {"id": "VARCHAR", "name": "VARCHAR", "last4": "VARCHAR", "network": "VARCHAR"}
money = "DECIMAL(18,2)"
item = {
    "id": "VARCHAR", "amount": "BIGINT", "currency": "VARCHAR", "base_amount": money, "status": "VARCHAR",
    "order_id": "VARCHAR", "invoice_id": "VARCHAR", "international": "BOOLEAN", "method": "VARCHAR",
    "amount_refunded": "BIGINT", "refund_status": "VARCHAR", "captured": "BOOLEAN", "description": "VARCHAR",
    "card": card, "bank": "VARCHAR", "wallet": "VARCHAR", "vpa": "VARCHAR", "email": "VARCHAR", "contact": "VARCHAR",
    "notes": "JSON", "fee": money, "tax": money, "error_code": "VARCHAR", "error_description": "VARCHAR",
    "acquirer_data": {"rrn": "VARCHAR", "auth_code": "VARCHAR"}, "created_at": "BIGINT", "captured_at": "BIGINT",
    "settled_at": "TIMESTAMPTZ",
}


def sql_type(shape):
    if isinstance(shape, str):
        return shape
    return "STRUCT(" + ", ".join(f'"{key}" {sql_type(inner)}' for key, inner in shape.items()) + ")"


with tempfile.TemporaryDirectory(dir=os.path.dirname(out)) as folder:
    with urllib.request.urlopen(f"{base}/v1/payments") as first:
        pages = json.load(first)["total_pages"]
    fetch = ["curl", "-sf", "-Z", "--parallel-max", "8", f"{base}/v1/payments?page=[1-{pages}]", "-o", f"{folder}/#1.json"]
    subprocess.run(fetch, check=True)
    read = f"read_json('{folder}/*.json', format='unstructured', maximum_object_size=100000000, columns={{items: '%s'}})"
    if kept == "raw":
        texts = f"""SELECT unnest(from_json(items, '["JSON"]')) AS text FROM {read % 'JSON'}"""
        rows = f"SELECT from_json(text, '{json.dumps(item)}') AS i, text::VARCHAR AS _raw FROM ({texts})"
    else:
        rows = f"SELECT unnest(items) AS i FROM {read % (sql_type(item) + '[]')}"
    computed = {
        "amount": f"(i.amount::DECIMAL(18,0) * 0.01)::{money}",
        "amount_refunded": f"(i.amount_refunded::DECIMAL(18,0) * 0.01)::{money}",
        "created_at": "to_timestamp(i.created_at)",
        "captured_at": "to_timestamp(i.captured_at / 1000)",
        "notes": "i.notes::VARCHAR",
        "date": "strftime(to_timestamp(i.created_at), '%Y-%m-%d')",
    }
    columns = ", ".join(f"{sql} AS {name}" for name, sql in computed.items())
    raw = ", _raw" if kept == "raw" else ""
    select = f"SELECT i.* EXCLUDE (amount, amount_refunded, created_at, captured_at, notes), {columns}{raw} FROM ({rows})"
    connection = duckdb.connect()
    connection.execute(f"SET TimeZone='UTC'; SET temp_directory='{folder}/spill'; SET preserve_insertion_order=false")
    copy = f"COPY ({select}) TO '{out}' (FORMAT parquet, COMPRESSION zstd, PARTITION_BY (date))"
    written = connection.execute(copy).fetchone()[0]
    assert written == int(records), f"{written} rows instead of {records}"
