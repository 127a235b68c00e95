"""Reads lakes in one local Spark session: jobs as JSON on stdin, answers as JSON on stdout.

A job is {"path": FOLDER}, summarized (with "merge" its files' schemas as one), or {"sql": TEXT}, whose views are counted and described.
"""

import json
import os
import re
import sys

os.environ["SPARK_LOCAL_IP"] = "127.0.0.1"
os.environ["TZ"] = "Asia/Kolkata"  # a reader's own zone must not matter

from pyspark.sql import SparkSession  # noqa: E402
from pyspark.sql import functions as f  # noqa: E402


def summarized(frame):
    columns = dict(frame.dtypes)
    data = [n for n in columns if n != "date"]
    dec = [n for n in data if columns[n].startswith("decimal")]
    ts = [n for n in data if columns[n] == "timestamp"]
    asked = [f.count(f.lit(1))] + [f.count(f.lit(1)) - f.count(f.col(n)) for n in data] + [f.sum(n) for n in dec]
    asked += [f.unix_micros(g(n)) for n in ts for g in (f.min, f.max)]
    row = list(frame.agg(*[a.alias(f"c{i}") for i, a in enumerate(asked)]).first())
    sums = row[1 + len(data):1 + len(data) + len(dec)]
    times = row[1 + len(data) + len(dec):]
    partitions = frame.groupBy(f.col("date").cast("string").alias("d")).count().orderBy("d").collect()
    return {"columns": columns, "rows": row[0], "nulls": dict(zip(data, row[1:])),
            "sums": {n: str(v or 0) for n, v in zip(dec, sums)},
            "ranges": {n: times[2 * i:2 * i + 2] for i, n in enumerate(ts)},
            "partitions": {p["d"]: p["count"] for p in partitions}}


def viewed(spark, text):
    for statement in re.split(r";[ \t]*(?:\n|$)", text):
        code = "\n".join(line for line in statement.splitlines() if not line.lstrip().startswith("--"))
        if code.strip():
            spark.sql(code)
    names = [v.name for v in spark.catalog.listTables() if v.isTemporary or v.tableType == "VIEW"]
    return {n: [spark.table(f"`{n}`").count(), spark.table(f"`{n}`").columns] for n in names}


def main():
    jobs = json.load(sys.stdin)
    spark = (SparkSession.builder.master("local[2]").appName("lakeward readers")
             .config("spark.ui.enabled", "false").config("spark.driver.host", "127.0.0.1")
             .config("spark.driver.memory", "1g").config("spark.sql.shuffle.partitions", "2")
             .config("spark.sql.warehouse.dir", "/tmp/lakeward-spark-warehouse").getOrCreate())
    answers = []
    for job in jobs:
        if "path" in job:
            merged = spark.read.option("mergeSchema", str(job.get("merge", False)).lower())
            answers.append({"summary": summarized(merged.parquet(job["path"]))})
        else:
            answers.append({"views": viewed(spark, job["sql"])})
            for table in spark.catalog.listTables():
                spark.sql(f"drop view if exists `{table.name}`")
    json.dump(answers, sys.stdout)
    spark.stop()


if __name__ == "__main__":
    main()
