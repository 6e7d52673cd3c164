//! Listing a dataset of a stand-in Hub: revisions, pages, splits, and what else servers say.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, Response, Uri};
use hornbook_hub::{DatasetSpec, PullError, list_dataset, pull_model};
use hornbook_inference::Secret;
use hornbook_inference::http::{Client, GuardPolicy};
use tempfile::TempDir;
use tokio::net::TcpListener;

const MAIN: &str = "1111111111111111111111111111111111111111";
const CONVERTED: &str = "2222222222222222222222222222222222222222";
const TOKEN: &str = "hf_secret_token";

/// What the stand-in was asked, with the token that came along.
type Seen = Arc<Mutex<Vec<(String, Option<String>)>>>;

async fn start() -> (String, Seen) {
    let seen = Seen::default();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let router = Router::new().fallback(answer).with_state(seen.clone());
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    (url, seen)
}

async fn answer(State(seen): State<Seen>, uri: Uri, headers: HeaderMap) -> Response<Body> {
    let token = headers.get("authorization").map(|value| value.to_str().unwrap().to_owned());
    seen.lock().unwrap().push((uri.to_string(), token));
    let json = |text: String| Response::builder().body(Body::from(text)).unwrap();
    let file =
        |path: &str| format!("{{\"type\":\"file\",\"path\":\"{path}\",\"size\":5,\"oid\":\"x\"}}");
    match uri.to_string().as_str() {
        "/api/datasets/org/name/revision/main" => json(format!("{{\"sha\":\"{MAIN}\"}}")),
        "/api/datasets/org/name/revision/refs%2Fconvert%2Fparquet" => {
            json(format!("{{\"sha\":\"{CONVERTED}\"}}"))
        }
        tree if tree == format!("/api/datasets/org/name/tree/{MAIN}?recursive=true") => {
            let entries = [
                file("README.md"),
                "{\"type\":\"directory\",\"path\":\"data\",\"size\":0,\"oid\":\"x\"}".to_owned(),
                file("data/train-00001-of-00002.parquet"),
            ];
            let next = format!("<{tree}&cursor=2>; rel=\"next\"");
            let page = format!("[{}]", entries.join(","));
            Response::builder().header("link", next).body(Body::from(page)).unwrap()
        }
        tree if tree == format!("/api/datasets/org/name/tree/{MAIN}?recursive=true&cursor=2") => {
            json(format!("[{}]", file("data/train-00000-of-00002.parquet")))
        }
        tree if tree == format!("/api/datasets/org/name/tree/{CONVERTED}?recursive=true") => {
            json(format!("[{}]", file("default/validation/0000.parquet")))
        }
        "/api/datasets/old/name/revision/main" => Response::builder()
            .status(307)
            .header("location", "/api/datasets/org/name/revision/main")
            .body(Body::empty())
            .unwrap(),
        "/api/datasets/away/name/revision/main" => Response::builder()
            .status(302)
            .header("location", "http://127.0.0.2:9/x")
            .body(Body::empty())
            .unwrap(),
        "/api/datasets/odd/name/revision/main" => json("{\"sha\":\"../../x\"}".to_owned()),
        "/api/datasets/busy/name/revision/main" => {
            Response::builder().status(429).body(Body::empty()).unwrap()
        }
        path if path
            == format!("/datasets/org/name/resolve/{MAIN}/data/train-00000-of-00002.parquet") =>
        {
            json("PAR1!".to_owned())
        }
        _ => Response::builder()
            .status(404)
            .header("x-error-code", "RepoNotFound")
            .body(Body::empty())
            .unwrap(),
    }
}

fn spec(endpoint: &str, repo: &str, split: &str) -> DatasetSpec {
    DatasetSpec {
        endpoint: endpoint.to_owned(),
        token: Some(Secret::new(TOKEN)),
        repo: repo.to_owned(),
        revision: "main".to_owned(),
        config: "default".to_owned(),
        split: split.to_owned(),
    }
}

fn client() -> Client {
    Client::new(GuardPolicy::local()).unwrap()
}

#[tokio::test]
async fn a_split_is_found_over_pages_and_its_files_are_pulled() {
    let (url, seen) = start().await;
    let spec = spec(&url, "org/name", "train");
    let found = list_dataset(&client(), &spec).await.unwrap();
    assert_eq!(found.commit, MAIN);
    let paths: Vec<&str> = found.files.iter().map(|file| file.path.as_str()).collect();
    assert_eq!(paths, ["data/train-00000-of-00002.parquet", "data/train-00001-of-00002.parquet"]);
    let dir = TempDir::new().unwrap();
    let pull = spec.file(&found.commit, paths[0], dir.path());
    let path = pull_model(&client(), &pull, &|_| {}).await.unwrap();
    assert_eq!(std::fs::read(path).unwrap(), b"PAR1!");
    let bearer = Some(format!("Bearer {TOKEN}"));
    assert!(seen.lock().unwrap().iter().all(|(_, token)| *token == bearer));
}

#[tokio::test]
async fn what_the_hub_itself_made_of_a_dataset_comes_second() {
    let (url, _) = start().await;
    let found = list_dataset(&client(), &spec(&url, "org/name", "validation")).await.unwrap();
    assert_eq!((found.commit.as_str(), found.files.len()), (CONVERTED, 1));
    let none = list_dataset(&client(), &spec(&url, "org/name", "test")).await;
    let Err(PullError::NotFound { detail, .. }) = none else { panic!("{none:?}") };
    assert!(detail.contains("split 'test'"), "{detail}");
}

#[tokio::test]
async fn renamed_hostile_and_busy_servers_are_told_apart() {
    let (url, _) = start().await;
    let list = async |repo: &str| list_dataset(&client(), &spec(&url, repo, "train")).await;
    let renamed = list("old/name").await;
    // The commit is found where the dataset was moved to; its files are not where it was.
    assert!(matches!(renamed, Err(PullError::NotFound { .. })), "{renamed:?}");
    let away = list("away/name").await;
    assert!(matches!(away, Err(PullError::Unexpected(_))), "{away:?}");
    let odd = list("odd/name").await;
    assert!(matches!(odd, Err(PullError::Unexpected(_))), "{odd:?}");
    assert!(matches!(list("busy/name").await, Err(PullError::Throttled { .. })));
    let gone = list("no/name").await.unwrap_err().to_string();
    assert!(gone.contains("no/name") && !gone.contains(TOKEN), "{gone}");
    assert!(matches!(list("../name").await, Err(PullError::BadSpec(_))));
}
