use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::*;

/// A server on this machine that answers each connection with these bytes, goes on as long as it is told to, and counts connections.
struct Server {
    port: u16,
    connections: Arc<AtomicUsize>,
}

async fn server(answer: &'static [u8], stays: bool) -> Server {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let connections = Arc::<AtomicUsize>::default();
    let count = Arc::clone(&connections);
    tokio::spawn(async move {
        let mut open = Vec::new();
        while let Ok((mut stream, _)) = listener.accept().await {
            count.fetch_add(1, Ordering::SeqCst);
            let mut request = [0; 4_096];
            drop(stream.read(&mut request).await);
            drop(stream.write_all(answer).await);
            if stays {
                open.push(stream);
            }
        }
    });
    Server { port, connections }
}

/// A way out for which a name means these addresses, one list after the other; the last one remains.
fn egress(allow_inside: bool, meanings: &[&[&str]]) -> Egress {
    let mut meanings: Vec<Vec<IpAddr>> = meanings
        .iter()
        .map(|list| list.iter().map(|text| text.parse().unwrap()).collect())
        .collect();
    meanings.reverse();
    let meanings = Mutex::new(meanings);
    let lookup: Lookup = Arc::new(move |_| {
        let mut meanings = meanings.lock().unwrap();
        let now = if meanings.len() > 1 {
            meanings.pop().unwrap()
        } else {
            meanings[0].clone()
        };
        async move { Ok(now) }.boxed()
    });
    Egress::with_lookup(allow_inside, lookup)
}

async fn post(egress: &Egress, url: &str, deadline: Duration) -> Result<Answer, CallError> {
    let headers = [("webhook-id", "fde_1".to_owned())];
    egress.post(url, &headers, "{}".to_owned(), deadline).await
}

const SOON: Duration = Duration::from_millis(300);
const LATER: Duration = Duration::from_secs(10);
const FINE: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";

#[tokio::test]
async fn a_name_that_means_an_address_inside_reaches_nothing() {
    let server = server(FINE, false).await;
    let url = format!("https://partner.example:{}/", server.port);
    for inside in [
        "127.0.0.1",
        "::1",
        "10.0.0.1",
        "169.254.169.254",
        "::ffff:127.0.0.1",
        "0.0.0.0",
        "64:ff9b::7f00:1",
    ] {
        let egress = egress(false, &[&[inside]]);
        assert_eq!(egress.check(&url), Ok(()));
        assert_eq!(
            post(&egress, &url, LATER).await,
            Err(CallError::Refused),
            "{inside}"
        );
    }
    assert_eq!(server.connections.load(Ordering::SeqCst), 0);
    // Where that is allowed, it does reach it: so it would have.
    let open = egress(true, &[&["127.0.0.1"]]);
    let url = format!("http://partner.example:{}/", server.port);
    assert_eq!(post(&open, &url, LATER).await.unwrap().body, b"ok");
    assert_eq!(server.connections.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn a_name_that_changes_its_address_between_two_looks_reaches_nothing_inside() {
    let server = server(FINE, false).await;
    let url = format!("https://partner.example:{}/", server.port);
    // Public at first, as whoever checks would see it, and inside from then on; 192.88.98.1 is nobody's, and does not answer.
    let changing = egress(false, &[&["192.88.98.1"], &["127.0.0.1"]]);
    drop(post(&changing, &url, SOON).await);
    for _ in 0..3 {
        assert_eq!(post(&changing, &url, LATER).await, Err(CallError::Refused));
    }
    // Both at once: what is inside is left out.
    let both = egress(false, &[&["127.0.0.1", "192.88.98.1"]]);
    assert!(post(&both, &url, SOON).await.is_err());
    assert_eq!(server.connections.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn an_answer_has_its_status_its_wait_and_its_beginning() {
    let egress = egress(true, &[&["127.0.0.1"]]);
    let busy = b"HTTP/1.1 503 Busy\r\nretry-after: 7\r\ncontent-length: 4\r\n\r\nbusy";
    let url = format!("http://127.0.0.1:{}/", server(busy, false).await.port);
    let answer = post(&egress, &url, LATER).await.unwrap();
    let wanted = (503, Some("7"), b"busy".as_slice());
    assert_eq!(
        (
            answer.status,
            answer.retry_after.as_deref(),
            answer.body.as_slice()
        ),
        wanted
    );
}

#[tokio::test]
async fn an_answer_that_never_ends_is_cut_off() {
    let egress = egress(true, &[&["127.0.0.1"]]);
    let mut endless = b"HTTP/1.1 200 OK\r\n\r\n".to_vec();
    endless.extend(vec![b'a'; 1_000_000]);
    let url = format!("http://127.0.0.1:{}/", server(endless.leak(), true).await.port);
    let answer = post(&egress, &url, LATER).await.unwrap();
    assert_eq!((answer.status, answer.body.len()), (200, ANSWER_MAX));
}

#[tokio::test]
async fn what_does_not_answer_in_time_or_not_at_all_has_failed() {
    let egress = egress(true, &[&["127.0.0.1"]]);
    let hanging = format!("http://127.0.0.1:{}/", server(b"", true).await.port);
    assert_eq!(post(&egress, &hanging, SOON).await, Err(CallError::Timeout(None)));
    let slow = server(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\na", true).await;
    let slow = format!("http://127.0.0.1:{}/", slow.port);
    assert_eq!(
        post(&egress, &slow, SOON).await,
        Err(CallError::Timeout(Some(200)))
    );
    let short = server(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\na", false).await;
    let short = format!("http://127.0.0.1:{}/", short.port);
    assert_eq!(
        post(&egress, &short, LATER).await,
        Err(CallError::Broken(Some(200)))
    );
    let nonsense = format!("http://127.0.0.1:{}/", server(b"SSH-2.0-x\r\n", false).await.port);
    assert_eq!(
        post(&egress, &nonsense, LATER).await,
        Err(CallError::Broken(None))
    );
    let nobody = TcpListener::bind("127.0.0.1:0")
        .await
        .unwrap()
        .local_addr()
        .unwrap();
    let nobody = format!("http://{nobody}/");
    assert_eq!(post(&egress, &nobody, LATER).await, Err(CallError::Connection));
    for bad in ["ftp://127.0.0.1/", "nothing", "http://a@127.0.0.1/"] {
        assert_eq!(post(&egress, bad, LATER).await, Err(CallError::Refused));
    }
}
