//! What the tests share: databases, processes, clients, and waiting.

pub mod database;
pub mod events;
pub mod feed;
pub mod graphql;
pub mod plaudit;
pub mod setting;
pub mod socket;
pub mod until;

/// Turns `async fn name(database: Database)` into two tests, `name::sqlite` and `name::postgres`.
macro_rules! on_both {
    ($($name:ident),+ $(,)?) => {$(
        mod $name {
            use $crate::support::database::Database;

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn sqlite() {
                super::$name(Database::sqlite()).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn postgres() {
                super::$name(Database::postgres().await).await;
            }
        }
    )+};
}
