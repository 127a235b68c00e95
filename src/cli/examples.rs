//! What `--help` says below the options: examples, and the exit codes.

pub(super) const EXITS: &str = "\
Try it:  lakeward demo

Exit codes, for an orchestrator:
    0  done, or nothing to do                     go on
    1  unexpected                                 look
    2  usage, source or schema file wrong         fix, not retry
    3  credentials or permission refused          alert, not retry
    4  the API refused or broke its contract      alert, not retry
    5  a passing fault outlasted the retries      retry later, resumes from the checkpoint
    6  the lake could not be written or read      retry later
    7  drift policy or reject limit exceeded      alert; staged rows and reports are kept
    8  the API's total and the rows disagree      alert
    9  another live run holds the window          skip
  130, 143  interrupted; checkpoint saved         run again";

pub(super) const DEMO_EXAMPLES: &str = "\
    Examples:\n\
    \x20 lakeward demo\n\
    \x20 lakeward demo --lake s3://bucket/demo";

pub(super) const INIT_EXAMPLES: &str = "\
    Examples:\n\
    \x20 lakeward init gateway\n\
    \x20 lakeward init gateway --from 'https://api.example.com/v1/payments?from=1773705600&count=100' --auth bearer:GATEWAY_TOKEN\n\
    \x20 lakeward init gateway --from payments.json                     # a saved response: JSON, NDJSON or CSV\n\
    \x20 lakeward init gateway --from openapi.yaml --operation listPayments\n\n\
    A URL is fetched once. Files that are there are never written over. What was guessed is said.";

pub(super) const CHECK_EXAMPLES: &str = "\
    Example:\n\
    \x20 lakeward check gateway.yaml";

pub(super) const PEEK_EXAMPLES: &str = "\
    Examples:\n\
    \x20 lakeward peek gateway.yaml payments\n\
    \x20 lakeward peek gateway.yaml payments --date 2026-03-17 --format json\n\n\
    One request, without retries; credentials are not shown. Nothing is written.";

pub(super) const PLAN_EXAMPLES: &str = "\
    Examples:\n\
    \x20 lakeward plan gateway.yaml payments --from 2026-03-01 --to 2026-04-01\n\
    \x20 lakeward plan gateway.yaml --date 2026-03-17 --lake ./lake     # with the state of each window";

pub(super) const EXTRACT_EXAMPLES: &str = "\
    Examples:\n\
    \x20 lakeward extract gateway.yaml payments --date 2026-03-17\n\
    \x20 lakeward extract gateway.yaml --from 2026-03-01 --to 2026-04-01 --jobs 4\n\
    \x20 lakeward extract gateway.yaml --date 2026-03-17T06:00:00Z --every 1h --memory 256MiB\n\
    \x20 lakeward extract gateway.yaml --date 2026-03-17 --refresh       # fetch it again and replace it\n\
    \x20 lakeward extract gateway.yaml --date 2026-03-17 --accept-drift  # publish what exit 7 kept staged\n\
    \x20 lakeward extract gateway.yaml --lookback 2d                     # the last two full days, again\n\
    \x20 lakeward extract gateway.yaml --lake s3://bucket/raw --date 2026-03-17 --log json --report json\n\n\
    Run the same command again after any failure: it goes on from the checkpoint. Exit codes: lakeward --help";

pub(super) const LAND_EXAMPLES: &str = "\
    Examples:\n\
    \x20 lakeward land gateway.yaml --inbox ./inbox\n\
    \x20 lakeward land gateway.yaml payments --inbox ./inbox --lake s3://bucket/raw --every 1m --log json\n\n\
    An event leaves the inbox after the commit that holds it: run the same command again after any failure.";

pub(super) const RECONCILE_EXAMPLES: &str = "\
    Examples:\n\
    \x20 lakeward reconcile gateway.yaml payments --inbox ./inbox --lookback 2h\n\
    \x20 lakeward reconcile gateway.yaml --date 2026-03-17 --max-missed 0.01 --report json\n\n\
    The windows are fetched again and replaced, as by `extract --refresh`. Exit 7 where the webhook missed too many.";

pub(super) const STATUS_EXAMPLES: &str = "\
    Examples:\n\
    \x20 lakeward status\n\
    \x20 lakeward status payments --files | xargs ls -l\n\
    \x20 lakeward status --lake s3://bucket/raw --format json";

pub(super) const SQL_EXAMPLES: &str = "\
    Examples:\n\
    \x20 lakeward sql payments > views.sql && duckdb -init views.sql\n\
    \x20 lakeward sql payments --dialect spark > views.sql && spark-sql -i views.sql";

pub(super) const DRIFT_EXAMPLES: &str = "\
    Examples:\n\
    \x20 lakeward drift payments --date 2026-03-17\n\
    \x20 lakeward drift payments --patch --schema payments.yaml > new.yaml   # with the lines that accept it\n\
    \x20 lakeward drift --lake s3://bucket/raw --since 2026-03-01 --format html > drift.html\n\n\
    Exit 0 whatever was found: it is `extract` that fails by the policy (exit 7).";

pub(super) const REJECTS_EXAMPLES: &str = "\
    Examples:\n\
    \x20 lakeward rejects payments --date 2026-03-17\n\
    \x20 lakeward rejects --since 2026-03-01 --format json\n\
    \x20 lakeward rejects replay --schema schemas/payments.yaml         # lands those that it accepts";

pub(super) const REDECODE_EXAMPLES: &str = "\
    Examples:\n\
    \x20 lakeward redecode --schema new.yaml --dry-run\n\
    \x20 lakeward redecode --schema new.yaml --from 2026-03-01 --to 2026-04-01\n\n\
    Each window changes at once or not at all; windows that are by the schema already are left.";

pub(super) const VACUUM_EXAMPLES: &str = "\
    Examples:\n\
    \x20 lakeward vacuum --lake s3://bucket/lake                        # names them, deletes nothing\n\
    \x20 lakeward vacuum --lake lake payments --older-than 1d --delete";

pub(super) const VERIFY_EXAMPLES: &str = "\
    Examples:\n\
    \x20 lakeward verify\n\
    \x20 lakeward verify payments --format json";

pub(super) const COMPACT_EXAMPLES: &str = "\
    Examples:\n\
    \x20 lakeward compact --lake s3://bucket/lake --dry-run             # says what it would merge\n\
    \x20 lakeward compact --lake lake payments --target-file 256MiB";

pub(super) const SERVE_EXAMPLES: &str = "\
    Examples:\n\
    \x20 lakeward serve gateway.yaml --listen 127.0.0.1:8080 --inbox /var/lib/lakeward/inbox\n\
    \x20 lakeward serve gateway.yaml --listen 0.0.0.0:8443 --tls-cert chain.pem --tls-key key.pem\n\n\
    Beside the webhooks: /healthz, /readyz, and /metrics for Prometheus. SIGTERM answers what was accepted, then ends.";

pub(super) const INBOX_EXAMPLES: &str = "\
    Examples:\n\
    \x20 lakeward inbox list --state refused\n\
    \x20 lakeward inbox show 17 --body | jq .\n\
    \x20 lakeward inbox requeue --all";
