//! The guarded client: where it goes and where it does not.

use crate::support::{Server, http};
use hornbook_inference::http::{Client, GuardPolicy, HttpError, Method, Url, read_capped};

async fn get(policy: GuardPolicy, url: &str) -> Result<u16, HttpError> {
    let client = Client::new(policy).unwrap();
    let request = client.request(Method::GET, &Url::parse(url).unwrap())?;
    Ok(client.send(request).await?.status().as_u16())
}

#[tokio::test]
async fn private_addresses_are_refused_by_literal_and_by_name() {
    let server = Server::start(vec![http(200, &[], "inside")]).await;
    for host in ["127.0.0.1", "[::ffff:127.0.0.1]", "0x7f.1", "2130706433", "localhost"] {
        let url = format!("http://{host}:{}/", server.port);
        let refused = get(GuardPolicy::public(), &url).await;
        assert!(matches!(refused, Err(HttpError::AddressRefused(_))), "{host}: {refused:?}");
    }
    assert!(server.seen().is_empty(), "nothing was sent");

    for policy in [
        GuardPolicy::local(),
        GuardPolicy::unrestricted(),
        GuardPolicy::public().allowing("127.0.0.0/8").unwrap(),
    ] {
        let url = format!("http://127.0.0.1:{}/", server.port);
        assert_eq!(get(policy, &url).await, Ok(200));
    }
    let named = GuardPolicy::public().allowing("localhost").unwrap();
    assert_eq!(get(named, &format!("http://localhost:{}/", server.port)).await, Ok(200));
}

#[tokio::test]
async fn redirects_are_answers_not_orders() {
    let target = Server::start(vec![http(200, &[], "")]).await;
    let location = format!("http://127.0.0.1:{}/", target.port);
    let server = Server::start(vec![http(307, &[("location", &location)], "")]).await;
    let url = format!("http://127.0.0.1:{}/", server.port);
    assert_eq!(get(GuardPolicy::local(), &url).await, Ok(307));
    assert!(target.seen().is_empty());
}

#[tokio::test]
async fn urls_with_passwords_or_other_schemes_are_refused() {
    for url in ["file:///etc/passwd", "ftp://h/", "data:text/plain,x", "http://u:p@127.0.0.1/"] {
        let outcome = get(GuardPolicy::unrestricted(), url).await;
        assert!(matches!(outcome, Err(HttpError::BadUrl(_))), "{url}: {outcome:?}");
    }
}

#[tokio::test]
async fn bodies_are_read_up_to_their_limit() {
    let server = Server::start(vec![http(200, &[], "12345")]).await;
    let client = Client::new(GuardPolicy::local()).unwrap();
    let url = Url::parse(&format!("http://127.0.0.1:{}/", server.port)).unwrap();
    for (limit, fits) in [(5, true), (4, false)] {
        let request = client.request(Method::GET, &url).unwrap();
        let body = read_capped(client.send(request).await.unwrap(), limit).await;
        assert_eq!(body.is_ok(), fits, "{limit}");
    }
}
