//! From a URL to a store.

use std::path::Path;
use std::sync::Arc;

use object_store::aws::{AmazonS3Builder, Checksum};
use object_store::azure::MicrosoftAzureBuilder;
use object_store::gcp::GoogleCloudStorageBuilder;
use object_store::local::LocalFileSystem;
use object_store::path as store;
use object_store::{ObjectStore, ObjectStoreScheme};
use url::Url;

use super::Registry;
use crate::Error;

const ALLOWED: &str = "allowed are a folder, file://FOLDER, s3://BUCKET/PREFIX, \
                       gs://BUCKET/PREFIX and az://CONTAINER/PREFIX";

pub(super) fn open(url: &str) -> Result<Registry, Error> {
    if url.is_empty() {
        return Err(bad(url, format!("it is empty; {ALLOWED}")));
    }
    if !url.contains("://") {
        return in_folder(url, Path::new(url));
    }
    let parsed = Url::parse(url).map_err(|e| bad(url, format!("{e}; {ALLOWED}")))?;
    let scheme = ObjectStoreScheme::parse(&parsed);
    let (scheme, root) = scheme.map_err(|e| bad(url, format!("{e}; {ALLOWED}")))?;
    if scheme == ObjectStoreScheme::Local {
        let folder = parsed.to_file_path();
        let folder = folder.map_err(|()| bad(url, ALLOWED.to_owned()))?;
        return in_folder(url, &folder);
    }
    Ok(Registry {
        url: url.to_owned(),
        store: cloud(url, &scheme)?,
        root,
        folder: None,
    })
}

fn in_folder(url: &str, folder: &Path) -> Result<Registry, Error> {
    let folder = std::path::absolute(folder).map_err(Error::io("resolve", folder))?;
    let root = store::Path::from_absolute_path(&folder).map_err(|e| bad(url, e.to_string()))?;
    Ok(Registry {
        url: url.to_owned(),
        // What is published or activated is still so after a power cut.
        store: Arc::new(LocalFileSystem::new().with_fsync(true)),
        root,
        folder: Some(folder),
    })
}

/// A client of a cloud, with its settings from the environment.
fn cloud(url: &str, scheme: &ObjectStoreScheme) -> Result<Arc<dyn ObjectStore>, Error> {
    // Another part of the process may have set it before, to the same.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let failed = |error: object_store::Error| bad(url, error.to_string());
    if *scheme == ObjectStoreScheme::AmazonS3 {
        let builder = AmazonS3Builder::from_env()
            .with_url(url)
            // The store checks what arrives against what was sent.
            .with_checksum_algorithm(Checksum::SHA256);
        return Ok(Arc::new(builder.build().map_err(failed)?));
    }
    if *scheme == ObjectStoreScheme::GoogleCloudStorage {
        let builder = GoogleCloudStorageBuilder::from_env().with_url(url);
        return Ok(Arc::new(builder.build().map_err(failed)?));
    }
    if *scheme == ObjectStoreScheme::MicrosoftAzure {
        let builder = MicrosoftAzureBuilder::from_env().with_url(url);
        return Ok(Arc::new(builder.build().map_err(failed)?));
    }
    Err(bad(url, ALLOWED.to_owned()))
}

fn bad(url: &str, detail: String) -> Error {
    Error::Url {
        url: url.to_owned(),
        detail,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scheme_that_is_none_of_ours_is_refused_with_those_that_are() {
        for url in [
            "",
            "ftp://x/y",
            "https://example.com/x",
            "memory:///",
            "s3://",
        ] {
            let error = open(url).unwrap_err().to_string();
            assert!(error.contains("s3://BUCKET/PREFIX"), "{url}: {error}");
        }
    }

    #[test]
    fn a_folder_is_a_registry_however_it_is_written() {
        let plain = open("/tmp/a b/c%d").unwrap();
        let url = open("file:///tmp/a%20b/c%25d").unwrap();
        assert_eq!(plain.root, url.root);
        assert_eq!(plain.folder, url.folder);
    }
}
