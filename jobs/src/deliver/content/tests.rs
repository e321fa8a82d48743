use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::time::interval;

use super::*;

/// A source that answers with these bytes, byte by byte if it drips, and then stays silent if it hangs.
#[derive(Clone, Copy)]
enum Manner {
    Ends,
    Hangs,
    Drips,
}

struct Source {
    url: String,
    asked: Arc<Mutex<Vec<String>>>,
    count: Arc<AtomicUsize>,
}

async fn source(answer: Vec<u8>, manner: Manner) -> Source {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!(
        "http://127.0.0.1:{}/content",
        listener.local_addr().unwrap().port()
    );
    let (asked, count) = (
        Arc::<Mutex<Vec<String>>>::default(),
        Arc::<AtomicUsize>::default(),
    );
    let (seen, counted) = (Arc::clone(&asked), Arc::clone(&count));
    tokio::spawn(async move {
        let mut open = Vec::new();
        while let Ok((mut stream, _)) = listener.accept().await {
            counted.fetch_add(1, Ordering::SeqCst);
            let mut request = vec![0; 64 * 1_024];
            let mut length = 0;
            loop {
                let read = stream.read(&mut request[length..]).await.unwrap_or(0);
                length += read;
                let text = String::from_utf8_lossy(&request[..length]).into_owned();
                let body = text.split_once("\r\n\r\n").map(|(_, body)| body.to_owned());
                if let Some(body) = body.filter(|body| serde_json::from_str::<Value>(body).is_ok()) {
                    seen.lock().unwrap().push(body);
                    break;
                }
                if read == 0 {
                    break;
                }
            }
            match manner {
                Manner::Ends => drop(stream.write_all(&answer).await),
                Manner::Hangs => {
                    drop(stream.write_all(&answer).await);
                    open.push(stream);
                }
                Manner::Drips => {
                    let mut beat = interval(Duration::from_millis(20));
                    for byte in &answer {
                        beat.tick().await;
                        if stream.write_all(&[*byte]).await.is_err() {
                            break;
                        }
                    }
                }
            }
        }
    });
    Source { url, asked, count }
}

fn answer(status: &str, body: &str) -> Vec<u8> {
    format!(
        "HTTP/1.1 {status}\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

const SOON: Duration = Duration::from_millis(300);
const LATER: Duration = Duration::from_secs(9);

struct Asker {
    contents: Contents,
    egress: Egress,
    metrics: Metrics,
    attributes: Map<String, Value>,
}

impl Asker {
    fn new(allow_inside: bool) -> Self {
        let attributes = json!({"name": "Maria"});
        Self {
            contents: Contents::default(),
            egress: Egress::new(allow_inside),
            metrics: Metrics::default(),
            attributes: attributes.as_object().unwrap().clone(),
        }
    }

    async fn ask_for(
        &self,
        url: &str,
        deadline: Duration,
        member: &str,
        version: i64,
    ) -> Result<Arc<Content>, Failure> {
        let member = Member {
            reference: member,
            locale: Some("de"),
            attributes: &self.attributes,
        };
        let event = Some(Event {
            event_type: "order.completed",
            properties: &self.attributes,
        });
        let question = Question {
            campaign_id: "cam_1",
            version,
            url,
            deadline,
            body: Body {
                campaign: "welcome",
                member,
                event,
            },
        };
        self.contents.ask(&self.egress, &self.metrics, &question).await
    }

    async fn ask(&self, url: &str, deadline: Duration) -> Result<Arc<Content>, Failure> {
        self.ask_for(url, deadline, "maria", 1).await
    }

    fn counted(&self, outcome: &str) -> bool {
        let line = format!("plaudit_content_sources_total{{outcome=\"{outcome}\"}}");
        self.metrics.text().contains(&line)
    }
}

#[tokio::test]
async fn a_source_is_told_of_whom_and_what_and_its_words_are_used_clean() {
    let body = r#"{"subject": "For\r\nyou", "html": "<p>x</p>", "text": null, "more": 1}"#;
    let source = source(answer("200 OK", body), Manner::Ends).await;
    let asker = Asker::new(true);
    let content = asker.ask(&source.url, LATER).await.unwrap();
    assert_eq!(content.subject.as_deref(), Some("For you"));
    assert_eq!(
        (content.text.as_deref(), content.html.as_deref()),
        (None, Some("<p>x</p>"))
    );
    let told: Value = serde_json::from_str(&source.asked.lock().unwrap()[0]).unwrap();
    let expected = json!({
        "campaign": "welcome",
        "member": {"ref": "maria", "locale": "de", "attributes": {"name": "Maria"}},
        "event": {"type": "order.completed", "properties": {"name": "Maria"}},
    });
    assert_eq!(told, expected);
    assert!(asker.counted("answered"));
}

#[tokio::test]
async fn every_failure_has_its_code_and_is_counted() {
    let asker = Asker::new(true);
    let large = format!(r#"{{"text": "{}"}}"#, "a".repeat(64 * 1_024));
    let fits = format!(r#"{{"text": "{}"}}"#, "a".repeat(64 * 1_024 - 12));
    for (bytes, manner, expected) in [
        (answer("200 OK", &large), Manner::Hangs, Err(Failure::TooLarge)),
        (answer("200 OK", &fits), Manner::Ends, Ok(())),
        (answer("500 No", "{}"), Manner::Ends, Err(Failure::Status)),
        (answer("204 None", ""), Manner::Ends, Err(Failure::Status)),
        (
            b"HTTP/1.1 302 There\r\nlocation: /other\r\ncontent-length: 0\r\n\r\n".to_vec(),
            Manner::Ends,
            Err(Failure::Status),
        ),
        (answer("200 OK", "nonsense"), Manner::Ends, Err(Failure::NotJson)),
        (answer("200 OK", "[1]"), Manner::Ends, Err(Failure::NotJson)),
        (answer("200 OK", "null"), Manner::Ends, Err(Failure::NotJson)),
        (
            answer("200 OK", r#"["a", "b", "c"]"#),
            Manner::Ends,
            Err(Failure::NotJson),
        ),
        (
            answer("200 OK", r#"{"subject": 7}"#),
            Manner::Ends,
            Err(Failure::NotJson),
        ),
        (
            answer("200 OK", r#"{"text": "a""#),
            Manner::Ends,
            Err(Failure::NotJson),
        ),
        (b"SSH-2.0-x\r\n".to_vec(), Manner::Ends, Err(Failure::Connection)),
        (
            b"HTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\n{".to_vec(),
            Manner::Ends,
            Err(Failure::Connection),
        ),
        (Vec::new(), Manner::Ends, Err(Failure::Connection)),
    ] {
        let source = source(bytes.clone(), manner).await;
        let found = asker.ask(&source.url, LATER).await.map(|_| ());
        assert_eq!(
            found,
            expected,
            "{}",
            String::from_utf8_lossy(&bytes[..bytes.len().min(80)])
        );
    }
    for failure in [
        Failure::TooLarge,
        Failure::Status,
        Failure::NotJson,
        Failure::Connection,
    ] {
        assert!(asker.counted(failure.code()), "{failure}");
    }
}

#[tokio::test]
async fn the_deadline_is_one_for_all_of_it_however_it_drips() {
    let asker = Asker::new(true);
    let silent = source(Vec::new(), Manner::Hangs).await;
    let half = source(
        b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n{".to_vec(),
        Manner::Hangs,
    )
    .await;
    let dripping = source(
        answer("200 OK", &format!(r#"{{"text": "{}"}}"#, "a".repeat(5_000))),
        Manner::Drips,
    )
    .await;
    for source in [silent, half, dripping] {
        let began = Instant::now();
        assert_eq!(asker.ask(&source.url, SOON).await, Err(Failure::Timeout));
        assert!(began.elapsed() < LATER);
    }
    assert!(asker.counted("TIMEOUT"));
}

#[tokio::test]
async fn a_source_inside_is_not_called() {
    let source = source(answer("200 OK", "{}"), Manner::Ends).await;
    let asker = Asker::new(false);
    for url in [
        source.url.as_str(),
        "https://10.0.0.1/",
        "https://localhost/",
        "ftp://acme.example/",
        "nothing",
    ] {
        assert_eq!(asker.ask(url, LATER).await, Err(Failure::RefusedAddress), "{url}");
    }
    assert_eq!(source.count.load(Ordering::SeqCst), 0);
    assert!(asker.counted("REFUSED_ADDRESS"));
}

#[tokio::test]
async fn an_answer_is_remembered_for_a_minute_and_for_one_member_alone() {
    let source = source(answer("200 OK", r#"{"text": "a"}"#), Manner::Ends).await;
    let asker = Asker::new(true);
    let count = || source.count.load(Ordering::SeqCst);
    for _ in 0..3 {
        asker.ask(&source.url, LATER).await.unwrap();
    }
    assert_eq!(count(), 1);
    assert!(asker.counted("remembered"));
    asker.ask_for(&source.url, LATER, "anna", 1).await.unwrap();
    assert_eq!(count(), 2, "another member");
    asker.ask_for(&source.url, LATER, "maria", 2).await.unwrap();
    assert_eq!(count(), 3, "another version of the campaign");
    tokio::time::pause();
    tokio::time::advance(REMEMBERED).await;
    tokio::time::resume();
    asker.ask(&source.url, LATER).await.unwrap();
    assert_eq!(count(), 4, "a minute later");
}

#[tokio::test]
async fn a_failure_is_not_remembered() {
    let source = source(answer("503 Busy", ""), Manner::Ends).await;
    let asker = Asker::new(true);
    for _ in 0..2 {
        assert_eq!(asker.ask(&source.url, LATER).await, Err(Failure::Status));
    }
    assert_eq!(source.count.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn no_more_is_remembered_than_there_is_room_for() {
    let mut known = Known::default();
    let key = |number: u16| {
        let mut key = [0; 32];
        key[..2].copy_from_slice(&number.to_be_bytes());
        key
    };
    for number in 0..2_000 {
        known.put(key(number), Arc::default());
        known.put(key(number), Arc::default());
    }
    assert_eq!((known.answers.len(), known.order.len()), (ANSWERS, ANSWERS));
    assert!(known.get(&key(0)).is_none() && known.get(&key(1_999)).is_some());
}

#[test]
fn what_a_source_has_written_is_not_shown_by_accident() {
    let content = Content {
        subject: Some("canary".to_owned()),
        ..Content::default()
    };
    assert!(!format!("{content:?}").contains("canary"));
}
