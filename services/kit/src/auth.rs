//! Bearer tokens with scopes, checked before a request reaches its service.

use std::sync::Arc;
use std::task::{Context, Poll};

use futures::future::Either;
use http::{Request, Response};
use serde::{Deserialize, Serialize};
use std::future::{Ready, ready};
use tonic::Status;
use tonic::body::Body;
use tower::{Layer, Service};

use crate::config::Secret;

/// What a token may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Scope {
    /// Ask.
    Read,
    /// Push events, change profiles and items, commit decisions.
    Write,
    /// Publish and activate snapshots.
    Publish,
    /// Export all about a shopper, and erase it.
    Erase,
}

/// A token and what it may do.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Token {
    /// The bearer token. Never printed.
    pub token: Secret,
    /// What it may do; one does not imply another.
    pub scopes: Vec<Scope>,
}

/// Names the scope that a method (`/package.Service/Method`) needs.
pub type ScopeOf = fn(&str) -> Scope;

const HEALTH: &str = "/grpc.health.v1.Health/";
const REFLECTION: &str = "/grpc.reflection.";

/// Refuses calls without a token that has the method's scope. Health is open to everyone, since
/// probes carry no secrets; reflection needs `read`. Without configured tokens all is open.
#[derive(Clone, Debug)]
pub struct AuthLayer {
    tokens: Arc<[Token]>,
    scope_of: ScopeOf,
}

impl AuthLayer {
    /// Checks calls against `tokens`.
    #[must_use]
    pub fn new(tokens: &[Token], scope_of: ScopeOf) -> Self {
        Self {
            tokens: tokens.into(),
            scope_of,
        }
    }

    fn admit<B>(&self, request: &Request<B>) -> Result<(), Status> {
        let path = request.uri().path();
        if self.tokens.is_empty() || path.starts_with(HEALTH) {
            return Ok(());
        }
        let needed = if path.starts_with(REFLECTION) {
            Scope::Read
        } else {
            (self.scope_of)(path)
        };
        let given = request
            .headers()
            .get(http::header::AUTHORIZATION)
            .and_then(|value| value.to_str().ok())
            .and_then(|value| value.strip_prefix("Bearer "))
            .ok_or_else(|| Status::unauthenticated("a bearer token is needed"))?;
        let token = self
            .tokens
            .iter()
            .find(|token| same(token.token.expose(), given))
            .ok_or_else(|| Status::unauthenticated("the bearer token is not known"))?;
        if token.scopes.contains(&needed) {
            Ok(())
        } else {
            let scope = format!("{needed:?}").to_lowercase();
            Err(Status::permission_denied(format!(
                "the token lacks the scope `{scope}`"
            )))
        }
    }
}

/// Compares in a time that does not depend on where two tokens differ.
fn same(a: &str, b: &str) -> bool {
    a.len() == b.len()
        && a.bytes()
            .zip(b.bytes())
            .fold(0, |all, (a, b)| all | (a ^ b))
            == 0
}

impl<S> Layer<S> for AuthLayer {
    type Service = Auth<S>;

    fn layer(&self, inner: S) -> Auth<S> {
        Auth {
            inner,
            layer: self.clone(),
        }
    }
}

/// A service behind [`AuthLayer`].
#[derive(Clone, Debug)]
pub struct Auth<S> {
    inner: S,
    layer: AuthLayer,
}

impl<S, B> Service<Request<B>> for Auth<S>
where
    S: Service<Request<B>, Response = Response<Body>>,
{
    type Response = Response<Body>;
    type Error = S::Error;
    type Future = Either<S::Future, Ready<Result<Response<Body>, S::Error>>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        match self.layer.admit(&request) {
            Ok(()) => Either::Left(self.inner.call(request)),
            Err(status) => Either::Right(ready(Ok(status.into_http()))),
        }
    }
}

#[cfg(test)]
mod tests {
    use tonic::Code;

    use super::*;

    fn layer() -> AuthLayer {
        let reader = Token {
            token: Secret::new("r3ader"),
            scopes: vec![Scope::Read],
        };
        let writer = Token {
            token: Secret::new("wr1ter"),
            scopes: vec![Scope::Write],
        };
        AuthLayer::new(&[reader, writer], |path| {
            if path.ends_with("/Get") {
                Scope::Read
            } else {
                Scope::Write
            }
        })
    }

    fn code(path: &str, authorization: Option<&str>) -> Code {
        let mut request = Request::builder().uri(path);
        if let Some(value) = authorization {
            request = request.header("authorization", value);
        }
        match layer().admit(&request.body(()).unwrap()) {
            Ok(()) => Code::Ok,
            Err(status) => status.code(),
        }
    }

    #[test]
    fn a_call_needs_a_known_token_with_the_methods_scope() {
        assert_eq!(code("/s.S/Get", None), Code::Unauthenticated);
        assert_eq!(code("/s.S/Get", Some("r3ader")), Code::Unauthenticated);
        assert_eq!(
            code("/s.S/Get", Some("Bearer r3adeR")),
            Code::Unauthenticated
        );
        assert_eq!(code("/s.S/Get", Some("Bearer r3ader")), Code::Ok);
        assert_eq!(
            code("/s.S/Put", Some("Bearer r3ader")),
            Code::PermissionDenied
        );
        assert_eq!(code("/s.S/Put", Some("Bearer wr1ter")), Code::Ok);
    }

    #[test]
    fn probes_need_no_token_and_reflection_reads() {
        assert_eq!(code("/grpc.health.v1.Health/Check", None), Code::Ok);
        let list = "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo";
        assert_eq!(code(list, None), Code::Unauthenticated);
        assert_eq!(code(list, Some("Bearer r3ader")), Code::Ok);
    }

    #[test]
    fn a_token_never_prints() {
        assert!(!format!("{:?}", layer()).contains("r3ader"));
    }
}
