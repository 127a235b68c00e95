"""dlt over the same pages, into Parquet on local disk.

dlt_peer.py BASE OUT default|tuned|arrow RECORDS      does not: keep the raw record, partition by date, check totals
default: the rest_api source as documented. tuned: typed columns, no nested tables, two workers, large buffers, zstd.
arrow: pages to Arrow tables by hand.
"""

import os
import sys

base, out, mode, records = sys.argv[1:]
os.environ |= {
    "DLT_DATA_DIR": f"{out}.dlt",
    "RUNTIME__DLTHUB_TELEMETRY": "false",
    "RUNTIME__LOG_LEVEL": "ERROR",
    "DESTINATION__FILESYSTEM__BUCKET_URL": f"file://{out}",
}
if mode != "default":
    os.environ |= {
        "DATA_WRITER__BUFFER_MAX_ITEMS": "20000",
        "DATA_WRITER__COMPRESSION": "zstd",
        "EXTRACT__WORKERS": "2",
        "EXTRACT__DATA_WRITER__FILE_MAX_ITEMS": "60000",
        "NORMALIZE__WORKERS": "2",
        "NORMALIZE__START_METHOD": "spawn",
        "NORMALIZE__DATA_WRITER__ROW_GROUP_SIZE": "20000",
        "LOAD__WORKERS": "2",
    }

import dlt
from dlt.sources.helpers.rest_client import RESTClient
from dlt.sources.helpers.rest_client.paginators import JSONResponseCursorPaginator
from dlt.sources.rest_api import rest_api_source

MONEY = {"data_type": "decimal", "precision": 18, "scale": 2}
COLUMNS = {
    "base_amount": MONEY, "fee": MONEY, "tax": MONEY, "created_at": {"data_type": "timestamp"},
    "settled_at": {"data_type": "timestamp"}, "notes": {"data_type": "json"},
}


@dlt.resource(name="payments", max_table_nesting=0)
def tables():
    import pyarrow

    client = RESTClient(base, data_selector="items", paginator=JSONResponseCursorPaginator("cursor", "cursor"))
    rows = []
    for page in client.paginate("/v1/payments"):
        rows += [record | {"notes": str(record["notes"])} for record in page]
        if len(rows) >= 20_000:
            yield pyarrow.Table.from_pylist(rows)
            rows = []
    if rows:
        yield pyarrow.Table.from_pylist(rows)


def source():
    if mode == "arrow":
        return tables()
    paginator = {"type": "cursor", "cursor_path": "cursor", "cursor_param": "cursor"}
    resource = {"name": "payments", "endpoint": {"path": "v1/payments", "data_selector": "items", "paginator": paginator}}
    if mode == "tuned":
        resource |= {"columns": COLUMNS, "max_table_nesting": 0}
    return rest_api_source({"client": {"base_url": base}, "resources": [resource]})


if __name__ == "__main__":
    pipeline = dlt.pipeline("bench", destination="filesystem", dataset_name="ds", pipelines_dir=f"{out}.dlt/pipelines")
    pipeline.run(source(), loader_file_format="parquet", write_disposition="replace")
    written = pipeline.last_trace.last_normalize_info.row_counts["payments"]
    assert written == int(records), f"{written} rows instead of {records}"
