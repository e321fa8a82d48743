//! `serve` and `work`.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

use crate::app::App;
use crate::config::{ServeArguments, Settings};
use crate::http;

/// How long requests that are under way may go on after the signal. An operation ends within 5 seconds by itself.
const DRAIN_WITHIN: Duration = Duration::from_secs(15);
/// How long workers, committers and sockets may then take. Together less than the 30 seconds after which orchestrators kill.
const STOP_WITHIN: Duration = Duration::from_secs(10);

/// Serves until the process is told to end.
pub async fn serve(settings: &Settings, arguments: &ServeArguments) -> anyhow::Result<()> {
    // The port first: another process on it is found out before anything is migrated.
    let listener = listen(arguments.listen).await?;
    let app = super::start(settings, arguments.dev).await?;
    watch(settings, &app).await?;
    say_where_mail_goes(settings, &app);
    if !arguments.no_workers {
        app.start_workers();
    }
    tracing::info!(address = %listener.local_addr()?, workers = !arguments.no_workers, dev = arguments.dev, "serving");
    run(app, listener, told_to_end()?).await
}

/// Evaluates until the process is told to end.
pub async fn work(settings: &Settings) -> anyhow::Result<()> {
    let ended = told_to_end()?;
    let app = super::start(settings, false).await?;
    watch(settings, &app).await?;
    say_where_mail_goes(settings, &app);
    app.start_workers();
    tracing::info!("working");
    ended.await;
    stop(app).await
}

/// Says where mail goes, and nothing of how it gets there.
fn say_where_mail_goes(settings: &Settings, app: &App) {
    let mailer = &app.jobs.mailer;
    if mailer.goes_nowhere() {
        tracing::info!("mail goes nowhere and waits: neither a server nor a folder is set");
    } else {
        tracing::info!(to = %mailer, "mail is sent");
    }
    if mailer.leaves_this_machine() && !settings.public_url.starts_with("https://") {
        tracing::warn!("mail programs end mail by one click only over https, and PLAUDIT_PUBLIC_URL is not");
    }
}

/// Serves `/metrics` where the settings say so, until the process ends.
async fn watch(settings: &Settings, app: &Arc<App>) -> anyhow::Result<()> {
    let Some(address) = settings.metrics_addr else {
        return Ok(());
    };
    let listener = listen(address).await?;
    tracing::info!(address = %listener.local_addr()?, "serving metrics");
    let router = http::metrics::router(app);
    tokio::spawn(async move { axum::serve(listener, router).await });
    Ok(())
}

/// Takes the address.
pub async fn listen(address: std::net::SocketAddr) -> anyhow::Result<TcpListener> {
    TcpListener::bind(address)
        .await
        .with_context(|| format!("cannot listen on {address}"))
}

/// Serves on `listener` until `ended`, then lets everything finish that is under way.
pub async fn run(
    app: Arc<App>,
    listener: TcpListener,
    ended: impl Future<Output = ()> + Send + 'static,
) -> anyhow::Result<()> {
    let router = http::router(&app);
    let shutdown = app.shutdown.clone();
    let draining = shutdown.clone();
    tokio::spawn(async move {
        ended.await;
        tracing::info!("told to end; finishing what is under way");
        shutdown.cancel();
    });
    let serving = axum::serve(
        listener,
        router.into_make_service_with_connect_info::<SocketAddr>(),
    )
    .with_graceful_shutdown({
        let draining = draining.clone();
        async move { draining.cancelled().await }
    });
    let late = async {
        draining.cancelled().await;
        tokio::time::timeout(DRAIN_WITHIN, std::future::pending::<()>()).await
    };
    tokio::select! {
        outcome = serving.into_future() => outcome.context("serving failed")?,
        _ = late => tracing::warn!("requests were still under way and are cut off"),
    }
    stop(app).await
}

async fn stop(app: Arc<App>) -> anyhow::Result<()> {
    if tokio::time::timeout(STOP_WITHIN, app.stop()).await.is_err() {
        tracing::warn!("not everything had finished; what was under way is taken up at the next start");
    }
    tracing::info!("ended");
    Ok(())
}

/// Ends with SIGTERM or SIGINT.
pub fn told_to_end() -> anyhow::Result<impl Future<Output = ()> + Send + 'static> {
    let mut terminate = signal(SignalKind::terminate()).context("signals cannot be heard")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("signals cannot be heard")?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}
