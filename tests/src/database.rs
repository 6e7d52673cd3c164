//! One database for each test, cloned from a migrated template.

use std::str::FromStr as _;

use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{AssertSqlSafe, Connection as _};
use url::Url;

use crate::environment;

/// Key of the advisory lock under which the template is made.
const TEMPLATE_LOCK: i64 = 0x686f_726e;

/// A database of a test's own; dropped with the whole test server.
pub struct TestDatabase {
    /// Its URL.
    pub url: String,
}

impl TestDatabase {
    /// Clones the migrated template, making that first when it is not there.
    pub async fn create() -> Self {
        let admin = environment::database_url();
        let template = template_name();
        let mut connection = connect(&admin).await;
        execute(&mut connection, &format!("SELECT pg_advisory_lock({TEMPLATE_LOCK})")).await;
        let there: bool =
            sqlx::query_scalar("SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1)")
                .bind(&template)
                .fetch_one(&mut connection)
                .await
                .expect("looking for the template database");
        if !there {
            make_template(&mut connection, &admin, &template).await;
        }
        let name = format!("hb_{}", uuid::Uuid::new_v4().simple());
        execute(&mut connection, &format!("CREATE DATABASE {name} TEMPLATE {template}")).await;
        execute(&mut connection, &format!("SELECT pg_advisory_unlock({TEMPLATE_LOCK})")).await;
        Self { url: with_database(&admin, &name) }
    }

    /// A connection for looking at what the service stored.
    pub async fn connect(&self) -> PgConnection {
        connect(&self.url).await
    }
}

/// The template belongs to one build of the binary: a newer build migrates anew.
fn template_name() -> String {
    let built = std::fs::metadata(environment::binary())
        .and_then(|metadata| metadata.modified())
        .expect("looking at the binary");
    let since = built.duration_since(std::time::UNIX_EPOCH).expect("the binary's time").as_micros();
    format!("hb_template_{since}")
}

async fn make_template(connection: &mut PgConnection, admin: &str, template: &str) {
    let making = format!("{template}_making");
    execute(connection, &format!("DROP DATABASE IF EXISTS {making}")).await;
    execute(connection, &format!("CREATE DATABASE {making}")).await;
    let migrated = tokio::process::Command::new(environment::binary())
        .arg("migrate")
        .env("DATABASE_URL", with_database(admin, &making))
        .output()
        .await
        .expect("running hornbook migrate");
    assert!(migrated.status.success(), "{}", String::from_utf8_lossy(&migrated.stderr));
    execute(connection, &format!("ALTER DATABASE {making} RENAME TO {template}")).await;
}

async fn connect(url: &str) -> PgConnection {
    let options = PgConnectOptions::from_str(url).expect("a database URL");
    PgConnection::connect_with(&options).await.expect("connecting to the test database")
}

async fn execute(connection: &mut PgConnection, sql: &str) {
    sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).execute(connection).await.expect(sql);
}

fn with_database(url: &str, name: &str) -> String {
    let mut url = Url::parse(url).expect("a database URL");
    url.set_path(name);
    url.into()
}
