//! The lists of a bucket's open uploads, page by page; what real servers answer is tried from outside.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::Router;
use axum::extract::{Query, Request, State};
use axum::http::{Method, StatusCode};
use object_store::aws::AmazonS3Builder;

use super::*;

type Asked = Arc<Mutex<Vec<String>>>;

/// A bucket of two pages of uploads, the first of which has two pages of parts.
async fn answer(
    State(asked): State<Asked>,
    Query(query): Query<HashMap<String, String>>,
    request: Request,
) -> (StatusCode, String) {
    let get = |name: &str| query.get(name).map(String::as_str);
    let path = request.uri().path().to_owned();
    asked.lock().expect("asked").push(format!("{} {path}", request.method()));
    assert!(request.headers().contains_key("authorization") && get("X-Amz-Signature").is_none());
    let upload = |key: &str, id: &str| {
        format!(
            "<Upload><Key>{key}</Key><UploadId>{id}</UploadId><Initiator><ID>x</ID></Initiator>\
             <Initiated>2026-03-16T07:08:09.000Z</Initiated></Upload>"
        )
    };
    let text = match (get("uploads"), get("uploadId"), get("key-marker"), get("part-number-marker"))
    {
        _ if request.method() == Method::DELETE => return (StatusCode::NOT_FOUND, String::new()),
        (Some(_), _, None, _) => {
            assert_eq!(get("prefix"), Some("lake/t/"));
            format!(
                "<ListMultipartUploadsResult><NextKeyMarker>lake/t/a</NextKeyMarker><NextUploadIdMarker>1/+=</NextUploadIdMarker>\
                 <IsTruncated>true</IsTruncated>{}</ListMultipartUploadsResult>",
                upload("lake/t/a", "1/+=")
            )
        }
        (Some(_), _, Some("lake/t/a"), _) => {
            assert_eq!(get("upload-id-marker"), Some("1/+="));
            // A server that says "more" and where we were already is not asked without end.
            format!(
                "<ListMultipartUploadsResult><NextKeyMarker>lake/t/a</NextKeyMarker><NextUploadIdMarker>1/+=</NextUploadIdMarker>\
                 <IsTruncated>true</IsTruncated>{}{}</ListMultipartUploadsResult>",
                upload("lake/t/b&amp;~c[1]", "2"),
                upload("lake/t/gone", "3")
            )
        }
        (_, Some("1/+="), _, None) => "<ListPartsResult><NextPartNumberMarker>2</NextPartNumberMarker><IsTruncated>true</IsTruncated>\
             <Part><PartNumber>1</PartNumber><Size>5</Size></Part><Part><Size>6</Size></Part></ListPartsResult>"
            .to_owned(),
        (_, Some("1/+="), _, Some("2")) => {
            "<ListPartsResult><IsTruncated>false</IsTruncated><Part><Size>7</Size></Part></ListPartsResult>".to_owned()
        }
        (_, Some("2"), ..) => "<ListPartsResult/>".to_owned(),
        (_, Some("3"), ..) => return (StatusCode::NOT_FOUND, "<Error/>".to_owned()),
        other => unreachable!("{other:?}"),
    };
    (StatusCode::OK, text)
}

async fn serve(app: Router) -> SocketAddr {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("port");
    let address = listener.local_addr().expect("address");
    tokio::spawn(async move { axum::serve(listener, app).await });
    address
}

fn uploads_at(address: SocketAddr) -> OpenUploads {
    let kept = KeptClient::default();
    let bucket = AmazonS3Builder::new()
        .with_bucket_name("b")
        .with_endpoint(format!("http://{address}"))
        .with_allow_http(true)
        .with_access_key_id("key")
        .with_secret_access_key("secret")
        .with_http_connector(kept.clone())
        .build()
        .expect("bucket");
    OpenUploads::new(
        bucket,
        Path::from("lake"),
        "us-east-1".to_owned(),
        kept.take().expect("client"),
    )
}

#[tokio::test]
async fn every_page_is_asked_for_once_and_paths_are_the_lake_s() {
    let asked = Asked::default();
    let app = Router::new().fallback(answer).with_state(Arc::clone(&asked));
    let uploads = uploads_at(serve(app).await);
    let found = uploads.list(&Path::from("t")).await.expect("list");
    let seen: Vec<_> = found.iter().map(|u| (u.path.as_str(), u.id.as_str(), u.bytes)).collect();
    assert_eq!(seen, [("t/a", "1/+=", 18), ("t/b&~c[1]", "2", 0)]);
    assert_eq!(found[0].begun.to_rfc3339(), "2026-03-16T07:08:09+00:00");
    asked.lock().expect("asked").clear();
    uploads.abort(&Path::from("t/a"), "1/+=").await.expect("one that is ended already");
    assert_eq!(*asked.lock().expect("asked"), ["DELETE /b/lake/t/a"]);
}

#[tokio::test]
async fn a_bucket_that_does_not_tell_has_none_and_one_that_fails_is_an_error() {
    for (status, wanted) in [
        (StatusCode::FORBIDDEN, Some(0)),
        (StatusCode::BAD_REQUEST, Some(0)),
        (StatusCode::NOT_IMPLEMENTED, Some(0)),
        (StatusCode::INTERNAL_SERVER_ERROR, None),
    ] {
        let asked = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&asked);
        let app = Router::new().fallback(move || async move {
            count.fetch_add(1, Ordering::Relaxed);
            (status, "<Error><Code>No</Code></Error>")
        });
        let listed = uploads_at(serve(app).await).list(&Path::from("t")).await;
        assert_eq!(listed.as_ref().ok().map(Vec::len), wanted, "{status}: {listed:?}");
        let tries = if wanted.is_some() { 1 } else { 1 + MAX_RETRIES };
        assert_eq!(asked.load(Ordering::Relaxed), tries, "{status}");
    }
    let expired = "<Error><Code>ExpiredToken</Code></Error>";
    let app = Router::new().fallback(move || async move { (StatusCode::BAD_REQUEST, expired) });
    let listed = uploads_at(serve(app).await).list(&Path::from("t")).await;
    assert!(listed.is_err(), "{listed:?}");
    let app = Router::new().fallback(|| async { "this is no list" });
    let listed = uploads_at(serve(app).await).list(&Path::from("t")).await;
    assert!(listed.is_err(), "{listed:?}");
}
