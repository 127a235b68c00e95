//! `lakeward init`: what it draws passes `check` and is extracted, it writes over nothing, and it says what it guessed.

use super::support::cli::{Ended, SourceYaml, Workspace};
use super::support::lake::LakeDir;
use super::support::paged_api::{Options, PagedApi, Style};
use super::support::raw_server::{RawServer, Reply};

/// A folder without any file of a source.
fn empty() -> Workspace {
    let workspace = Workspace::new(&SourceYaml::new("http://127.0.0.1:9/v1", Style::Link));
    std::fs::remove_file(workspace.path("source.yaml")).unwrap();
    std::fs::remove_file(workspace.path("schema.yaml")).unwrap();
    workspace
}

fn files(workspace: &Workspace) -> usize {
    let count = |name: &str| std::fs::read_dir(workspace.path(name)).map_or(0, Iterator::count);
    count("") + count("schemas")
}

fn read(workspace: &Workspace, name: &str) -> String {
    std::fs::read_to_string(workspace.path(name)).unwrap()
}

#[track_caller]
fn init(workspace: &Workspace, args: &[&str]) -> Ended {
    let ended = workspace.lakeward(&[&["init"], args].concat()).exits(0);
    workspace.lakeward(&["check", &format!("{}.yaml", args[0])]).exits(0);
    ended
}

#[test]
fn a_url_of_every_way_to_page_is_drawn_and_extracted() {
    for style in [Style::Cursor, Style::Page, Style::Offset, Style::NextUrl, Style::Link] {
        let options = Options { records_per_day: vec![230], style, ..Options::default() };
        let api = PagedApi::start(options);
        let workspace = empty();
        let paging = match style {
            Style::Cursor | Style::NextUrl | Style::Link => "",
            Style::Page => "&page=1&per_page=100",
            Style::Offset => "&offset=0&limit=100",
        };
        // Numbers are told by the parameters; a link, a next URL and a cursor the API gives by itself.
        let url = format!("{}/payments?from=1773705600&to=1773792000{paging}", api.base_url());
        let ended = init(&workspace, &["gateway", "--from", &url]);
        assert!(ended.stdout.contains("of the sample fit the schema"), "{ended}");
        assert!(ended.stdout.contains("from, to"), "{ended}");
        assert_eq!(api.server().count(), 1, "fetched once: {ended}");
        let text = read(&workspace, "gateway.yaml");
        assert!(text.contains("{{ window.start | unix }}"), "{text}");
        let extract = ["extract", "gateway.yaml", "--date", "2026-03-17", "--lake", "lake"];
        workspace.lakeward(&extract).exits(0);
        let manifest = LakeDir::new(workspace.path("lake")).manifest("payments");
        assert_eq!(manifest["counts"]["fetched"], 230, "{style:?}: {text}");
    }
}

#[test]
fn nothing_is_written_over_and_nothing_is_half_written() {
    let workspace = empty();
    init(&workspace, &["gateway"]);
    let before = read(&workspace, "gateway.yaml");
    workspace.lakeward(&["init", "gateway"]).exits(2).complains(&["gateway.yaml exists"]);
    let other = workspace.lakeward(&["init", "other"]).exits(2);
    other.complains(&["schemas/records.yaml exists"]);
    assert!(!workspace.path("other.yaml").exists());
    assert_eq!(read(&workspace, "gateway.yaml"), before);
    init(&workspace, &["other", "--stream", "orders"]);
    // A name that is taken is known before anything is asked of an API.
    let server = RawServer::start(|_, _| Reply::json(200, r#"[{"id":1}]"#));
    let url = format!("{}/orders", server.base_url());
    workspace
        .lakeward(&["init", "third", "--from", &url])
        .exits(2)
        .complains(&["orders.yaml exists"]);
    assert_eq!(server.count(), 0);
    workspace.lakeward(&["init", "../up"]).exits(2).complains(&["no name for a source"]);
}

#[test]
fn saved_responses_are_drawn_in_every_format() {
    let workspace = empty();
    let json = r#"{"data": [{"id": "a", "amount": 380.5, "created_at": "2026-03-17T00:00:00Z"}], "next_cursor": null}"#;
    workspace.write("orders.json", json);
    init(&workspace, &["one", "--from", "orders.json"]);
    let text = read(&workspace, "one.yaml");
    assert!(text.contains("records: /data") && text.contains("cursor: /next_cursor"), "{text}");
    assert!(read(&workspace, "schemas/orders.yaml").contains("type: \"decimal(18, 2)\""));
    workspace
        .write("refunds.jsonl", "{\"id\": 1, \"at\": \"2026-03-17\"}\n{\"id\": 2, \"at\": null}\n");
    init(&workspace, &["two", "--from", "refunds.jsonl"]);
    assert!(read(&workspace, "two.yaml").contains("format: ndjson"));
    workspace.write(
        "stock.csv",
        "sku,quantity,counted_at\n007,5,2026-03-17T00:00:00Z\n008,,2026-03-17T01:00:00Z\n",
    );
    let ended = init(&workspace, &["three", "--from", "stock.csv"]);
    assert!(ended.stdout.contains("2 of 2 records"), "{ended}");
    let schema = read(&workspace, "schemas/stock.yaml");
    assert!(
        schema.contains("name: sku, type: string")
            && schema.contains("name: quantity, type: int64")
    );
}

#[test]
fn bad_samples_are_refused_with_the_reason() {
    let workspace = empty();
    for (name, text, said) in [
        ("a.csv", "id,name\n1\n", "line 2: 1 value where the header has 2"),
        ("a.csv", "id,id\n1,2\n", "the name `id` twice"),
        ("a.ndjson", "{\"id\":1}\n{\n", "line 2 is not one JSON value"),
        ("a.json", "<html></html>", "neither JSON, NDJSON nor CSV"),
        ("a.json", "{\"id\": 1}", "no list of records"),
        ("a.json", "{\"data\": []}", "the list at `/data` has no records"),
        ("a.json", "", "empty"),
    ] {
        workspace.write(name, text);
        let before = files(&workspace);
        workspace.lakeward(&["init", "x", "--from", name]).exits(2).complains(&[said]);
        assert_eq!(files(&workspace), before, "{said}");
    }
    workspace.lakeward(&["init", "x", "--from", "gone.json"]).exits(2).complains(&["gone.json"]);
    std::fs::write(workspace.path("latin.csv"), b"id\ncaf\xe9\n").unwrap();
    workspace.lakeward(&["init", "x", "--from", "latin.csv"]).exits(2).complains(&["not UTF-8"]);
}

#[test]
fn what_a_url_ends_with_ends_the_command() {
    let workspace = empty();
    for (status, body, exit) in [(401, "who are you", 3), (404, "no", 4), (503, "busy", 5)] {
        let server = RawServer::start(move |_, _| Reply::new(status, "text/plain", body));
        let url = format!("{}/orders", server.base_url());
        let ended = workspace.lakeward(&["init", "x", "--from", &url]).exits(exit);
        ended.complains(&[&status.to_string()]);
        assert_eq!(server.count(), 1, "{ended}");
    }
    let server = RawServer::start(|_, _| Reply::new(200, "text/html", "<html>log in</html>"));
    let url = format!("{}/orders", server.base_url());
    workspace.lakeward(&["init", "x", "--from", &url]).exits(4).complains(&["text/html", "log in"]);
    assert_eq!(files(&workspace), 0);
}

#[test]
fn credentials_are_named_and_never_written() {
    const CANARY: &str = "canary-7f3a9c51";
    let workspace = empty();
    let server = RawServer::start(|request, _| match request.header("x-api-key") {
        Some(CANARY) => Reply::json(200, format!(r#"[{{"id": 1, "echo": "{CANARY}"}}]"#)),
        _ => Reply::json(401, "{}"),
    });
    let url = format!("{}/orders", server.base_url());
    for secret in
        [format!("{url}?api_key={CANARY}"), url.replace("http://", &format!("http://u:{CANARY}@"))]
    {
        let ended = workspace.lakeward(&["init", "x", "--from", &secret]).exits(2);
        ended.complains(&["--auth"]);
        assert!(!ended.stderr.contains(CANARY), "{ended}");
    }
    let literal = format!("bearer:{CANARY}");
    let ended = workspace.lakeward(&["init", "x", "--from", &url, "--auth", &literal]).exits(2);
    assert!(!ended.stderr.contains(CANARY), "{ended}");
    assert_eq!(server.count(), 0);
    let args = [
        "init",
        "x",
        "--from",
        &url,
        "--auth",
        "header:X-Api-Key:ORDERS_KEY",
        "--log-level",
        "trace",
    ];
    workspace.lakeward(&args).exits(2).complains(&["ORDERS_KEY", "is not set"]);
    let ended = workspace.lakeward(&args).env("ORDERS_KEY", CANARY).exits(0);
    let written = read(&workspace, "x.yaml") + &read(&workspace, "schemas/orders.yaml");
    assert!(written.contains("value: { env: ORDERS_KEY }"), "{written}");
    assert!(!(written + &ended.stdout + &ended.stderr).contains(CANARY), "{ended}");
}

const OPENAPI: &str = r#"
openapi: 3.1.0
info: { title: Orders, version: "1" }
servers: [{ url: BASE }]
security: [{ key: [] }]
components:
  securitySchemes: { key: { type: apiKey, in: header, name: X-Api-Key } }
  schemas:
    Order:
      type: object
      required: [id, created_at]
      properties:
        id: { type: string }
        amount: { type: number }
        status: { type: string, enum: [open, paid] }
        created_at: { type: string, format: date-time }
        parent: { anyOf: [{ $ref: '#/components/schemas/Order' }, { type: "null" }] }
paths:
  /orders:
    get:
      operationId: listOrders
      parameters:
        - { name: created_after, in: query, schema: { type: string, format: date-time } }
        - { name: page, in: query, schema: { type: integer, default: 1 } }
        - { name: per_page, in: query, schema: { type: integer, maximum: 2 } }
      responses:
        200:
          description: ok
          content:
            application/json:
              schema:
                type: object
                properties:
                  orders: { type: array, items: { $ref: '#/components/schemas/Order' } }
                  has_more: { type: boolean }
  /customers:
    get:
      operationId: listCustomers
      responses:
        200: { description: ok, content: { application/json: { schema: { type: array, items: { $ref: '#/components/schemas/Order' } } } } }
"#;

#[test]
fn an_operation_of_an_openapi_document_is_drawn_and_extracted() {
    let server = RawServer::start(|request, _| {
        if request.header("x-api-key") != Some("k-0123456789") {
            return Reply::json(401, "{}");
        }
        let page: u32 = request.param("page").unwrap_or_default().parse().unwrap();
        let order = |n: u32| {
            format!(
                r#"{{"id":"{page}-{n}","amount":1.50,"status":"open","created_at":"2026-03-17T0{n}:00:00Z"}}"#
            )
        };
        Reply::json(
            200,
            format!(r#"{{"orders":[{},{}],"has_more":{}}}"#, order(1), order(2), page < 3),
        )
    });
    let workspace = empty();
    workspace.write("api.yaml", &OPENAPI.replace("BASE", &server.base_url()));
    let ended = workspace.lakeward(&["init", "shop", "--from", "api.yaml"]).exits(2);
    ended.complains(&["2 operations"]);
    assert!(ended.stderr.contains("listOrders (GET /orders)"), "{ended}");
    let unknown = ["init", "shop", "--from", "api.yaml", "--operation", "listOrder"];
    workspace.lakeward(&unknown).exits(2).complains(&["did you mean `listOrders`"]);
    init(&workspace, &["shop", "--from", "api.yaml", "--operation", "listOrders"]);
    let text = read(&workspace, "shop.yaml");
    for written in [
        "auth: { type: api_key, header: X-Api-Key, value: { env: SHOP_API_KEY } }",
        "created_after: \"{{ window.start | iso8601 }}\"",
        "records: /orders",
        "{ type: page, param: page, first: 1, size_param: per_page, size: 2, has_more: /has_more }",
    ] {
        assert!(text.contains(written), "{written}: {text}");
    }
    let schema = read(&workspace, "schemas/orders.yaml");
    assert!(
        schema.contains("known: [open, paid]") && schema.contains("name: parent, type: json"),
        "{schema}"
    );
    let extract = ["extract", "shop.yaml", "--date", "2026-03-17", "--lake", "lake"];
    workspace.lakeward(&extract).env("SHOP_API_KEY", "k-0123456789").exits(0);
    let manifest = LakeDir::new(workspace.path("lake")).manifest("orders");
    assert_eq!(manifest["counts"]["written"], 6);
}

#[test]
fn an_openapi_document_may_come_from_its_api_as_json() {
    let document = r#"{"openapi": "3.0.0", "servers": [{"url": "/v9"}], "paths": {"/a/{b}/items": {"get": {
        "parameters": [{"name": "b", "in": "path", "required": true, "schema": {"type": "string"}}],
        "responses": {"200": {"description": "", "content": {"application/json": {"schema":
            {"type": "array", "items": {"type": "object", "properties": {"id": {"type": "integer"}}}}}}}}}}}}"#;
    let server = RawServer::start(move |_, _| Reply::json(200, document));
    let workspace = empty();
    let url = format!("{}/openapi.json", server.base_url());
    let ended = init(&workspace, &["one", "--from", &url]);
    assert!(ended.stdout.contains("--param b=VALUE"), "{ended}");
    let text = read(&workspace, "one.yaml");
    assert!(text.contains("/v9\n") && text.contains("path: \"/a/{b}/items\""), "{text}");
    init(&workspace, &["two", "--from", &url, "--param", "b=x y", "--stream", "things"]);
    assert!(read(&workspace, "two.yaml").contains("/a/x%20y/items"));
    workspace.write("old.json", r#"{"swagger": "2.0", "paths": {}}"#);
    workspace.lakeward(&["init", "x", "--from", "old.json"]).exits(2).complains(&["Swagger"]);
    workspace.write("cut.yaml", "openapi: 3.0.0\npaths: { a: [\n");
    workspace.lakeward(&["init", "x", "--from", "cut.yaml"]).exits(2).complains(&["not YAML"]);
    let outside = document.replace(
        "\"items\": {\"type\": \"object\", \"properties\": {\"id\": {\"type\": \"integer\"}}}",
        "\"items\": {\"$ref\": \"other.yaml#/X\"}",
    );
    workspace.write("outside.json", &outside);
    workspace.lakeward(&["init", "x", "--from", "outside.json"]).exits(2);
}
