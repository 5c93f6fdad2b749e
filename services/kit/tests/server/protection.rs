use std::path::Path;
use std::process::Command;
use std::time::Duration;

use kit::auth::{Scope, Token};
use kit::client::{PeerSettings, channel};
use kit::config::Secret;
use kit::security::Security;
use proto::v1 as pb;
use proto::v1::snapshot_service_client::SnapshotServiceClient;
use tonic::Code;

use super::toy::role;

fn tokens() -> Vec<Token> {
    let token = |token: &str, scopes: &[Scope]| Token {
        token: Secret::new(token),
        scopes: scopes.to_vec(),
    };
    vec![
        token("reader", &[Scope::Read]),
        token("eraser", &[Scope::Erase]),
    ]
}

/// Calls as a peer role would, and answers the code.
async fn call(url: &str, settings: PeerSettings) -> Code {
    let mut client = SnapshotServiceClient::new(channel(url, &settings).unwrap());
    match client.get_status(pb::GetStatusRequest {}).await {
        Ok(_) => Code::Ok,
        Err(status) => status.code(),
    }
}

#[tokio::test]
async fn a_peer_shows_its_token_and_needs_the_scope() {
    let security = Security {
        tokens: tokens(),
        ..Security::default()
    };
    let role = role(security, Duration::from_secs(1)).await;
    let url = format!("http://{}", role.running.addr);
    let with = |token: &str| PeerSettings {
        token: Some(Secret::new(token)),
        ca: None,
    };
    assert_eq!(
        call(&url, PeerSettings::default()).await,
        Code::Unauthenticated
    );
    assert_eq!(call(&url, with("stranger")).await, Code::Unauthenticated);
    assert_eq!(call(&url, with("eraser")).await, Code::PermissionDenied);
    assert_eq!(call(&url, with("reader")).await, Code::Ok);
}

/// A fresh certificate for 127.0.0.1 that is its own authority; false where openssl is absent.
fn certify(folder: &Path) -> bool {
    Command::new("openssl")
        .args([
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:prime256v1",
        ])
        .args([
            "-nodes",
            "-days",
            "2",
            "-subj",
            "/CN=shop",
            "-addext",
            "subjectAltName=IP:127.0.0.1",
        ])
        .args(["-addext", "basicConstraints=critical,CA:FALSE"])
        .arg("-keyout")
        .arg(folder.join("key.pem"))
        .arg("-out")
        .arg(folder.join("cert.pem"))
        .output()
        .is_ok_and(|done| done.status.success())
}

#[tokio::test]
async fn with_tls_only_who_knows_the_authority_gets_through() {
    let folder = tempfile::tempdir().unwrap();
    if !certify(folder.path()) {
        println!("skipped: no openssl on this machine to make a certificate with");
        return;
    }
    let cert = folder.path().join("cert.pem");
    let security = Security {
        tls_cert: Some(cert.clone()),
        tls_key: Some(folder.path().join("key.pem")),
        tokens: tokens(),
        ..Security::default()
    };
    let role = role(security, Duration::from_secs(1)).await;
    let token = Some(Secret::new("reader"));
    let knows = PeerSettings {
        ca: Some(cert),
        token: token.clone(),
    };
    let stranger = PeerSettings { ca: None, token };
    let (secure, plain) = (
        format!("https://{}", role.running.addr),
        format!("http://{}", role.running.addr),
    );
    assert_eq!(call(&secure, knows.clone()).await, Code::Ok);
    assert_eq!(call(&secure, stranger.clone()).await, Code::Unavailable);
    assert_ne!(call(&plain, stranger).await, Code::Ok);
    assert_eq!(call(&secure, knows).await, Code::Ok, "and the server lives");
}
