//! Everything that a store holds, byte by byte.

use std::path::Path;

use crate::support::Fixture;

/// All keys and values. Nobody may have the store open.
pub(crate) async fn everything(fixture: &Fixture) -> Vec<Vec<u8>> {
    match &fixture.server {
        Some(server) => of_redis(&server.url()).await,
        None => of_folder(&fixture.path()),
    }
}

fn of_folder(path: &Path) -> Vec<Vec<u8>> {
    let database = fjall::Database::builder(path).open().expect("opens");
    let mut all = Vec::new();
    for name in ["values", "logs", "deadlines", "groups", "meta"] {
        let create = fjall::KeyspaceCreateOptions::default;
        let keyspace = database.keyspace(name, create).expect("is one");
        for entry in keyspace.iter() {
            let (key, value) = entry.into_inner().expect("is readable");
            all.push([&key[..], &value[..]].concat());
        }
    }
    all
}

async fn of_redis(url: &str) -> Vec<Vec<u8>> {
    let client = redis::Client::open(url).expect("is a URL");
    let connection = client.get_multiplexed_async_connection().await;
    let mut connection = connection.expect("connects");
    let keys: Vec<Vec<u8>> = ask(&mut connection, redis::cmd("KEYS").arg("*")).await;
    let mut all = Vec::new();
    for key in keys {
        let kind: String = ask(&mut connection, redis::cmd("TYPE").arg(&key)).await;
        let mut command = redis::cmd(match kind.as_str() {
            "string" => "GET",
            "stream" => "XRANGE",
            "zset" => "ZRANGE",
            "hash" => "HGETALL",
            "set" => "SMEMBERS",
            other => panic!("{other}"),
        });
        command.arg(&key);
        match kind.as_str() {
            "stream" => command.arg("-").arg("+"),
            "zset" => command.arg(0).arg(-1),
            _ => &mut command,
        };
        let value: redis::Value = ask(&mut connection, &command).await;
        all.push(key);
        flatten(value, &mut all);
    }
    all
}

async fn ask<T: redis::FromRedisValue>(
    connection: &mut redis::aio::MultiplexedConnection,
    command: &redis::Cmd,
) -> T {
    command.query_async(connection).await.expect("answers")
}

fn flatten(value: redis::Value, all: &mut Vec<Vec<u8>>) {
    match value {
        redis::Value::BulkString(bytes) => all.push(bytes),
        redis::Value::SimpleString(text) => all.push(text.into_bytes()),
        redis::Value::Array(values) | redis::Value::Set(values) => {
            values.into_iter().for_each(|value| flatten(value, all));
        }
        redis::Value::Map(pairs) => {
            for (key, value) in pairs {
                flatten(key, all);
                flatten(value, all);
            }
        }
        other => all.push(format!("{other:?}").into_bytes()),
    }
}

/// Whether any of it holds the text.
pub(crate) fn holds(all: &[Vec<u8>], text: &str) -> bool {
    let text = text.as_bytes();
    all.iter()
        .any(|one| one.windows(text.len()).any(|window| window == text))
}
