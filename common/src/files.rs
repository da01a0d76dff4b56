//! Where the bytes of files lie: a folder of this machine, or a bucket of an S3 server.

mod kinds;
mod names;

use std::path::Path as Folder;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use anyhow::Context;
use bytes::{Bytes, BytesMut};
use futures::stream::BoxStream;
use futures::{Stream, StreamExt, TryStreamExt};
use object_store::aws::AmazonS3Builder;
use object_store::buffered::BufWriter;
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::{ClientOptions, ObjectStore, ObjectStoreExt, RetryConfig};
use secrecy::ExposeSecret;
use sha2::{Digest, Sha256};
use tokio::io::AsyncWriteExt;
use uuid::Uuid;

use crate::config::{BucketConfig, FilesConfig};
use crate::ids::TenantId;

pub use self::kinds::{HEAD_BYTES, content_type, is_image};
pub use self::names::clean_name;

/// The largest file that is kept.
pub const FILE_LIMIT_BYTES: u64 = 30 * 1024 * 1024;

/// What is smaller is written at once, what is larger piece by piece.
const PIECE_BYTES: usize = 5 * 1024 * 1024;
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);
const RETRIES: usize = 2;

/// The store; cheap to clone.
#[derive(Clone, Debug)]
pub struct FileStore(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    config: FilesConfig,
    /// Opened with the first use, so that a store that is away stops no start.
    opened: OnceLock<Arc<dyn ObjectStore>>,
}

/// What was stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredContent {
    pub size_bytes: u64,
    /// In hexadecimal.
    pub sha256: String,
    /// By the bytes, whatever anybody said.
    pub content_type: &'static str,
}

/// Bytes that are read piece by piece.
pub struct FileContent {
    pub size_bytes: u64,
    pub chunks: BoxStream<'static, Result<Bytes, StoreError>>,
}

/// The store does not do its work.
#[derive(Debug, thiserror::Error)]
#[error("file store: {0}")]
pub struct StoreError(String);

/// Why nothing was stored.
#[derive(Debug, thiserror::Error)]
pub enum PutError<E> {
    #[error("the file is larger than {limit_bytes} bytes")]
    TooLarge { limit_bytes: u64 },
    #[error("the file is empty")]
    Empty,
    /// The bytes stopped coming.
    #[error("{0}")]
    Source(E),
    #[error(transparent)]
    Store(StoreError),
}

impl FileStore {
    /// The store of this configuration; nothing is contacted yet.
    pub fn new(config: &FilesConfig) -> Self {
        Self(Arc::new(Inner {
            config: config.clone(),
            opened: OnceLock::new(),
        }))
    }

    /// A place for a new file, which nobody can guess.
    pub fn new_key(tenant: TenantId) -> String {
        format!("{tenant}/{}", Uuid::new_v4().simple())
    }

    /// Stores what comes, counting it; after a failure there is nothing under the key.
    pub async fn put<S, E>(
        &self,
        key: &str,
        chunks: S,
        limit_bytes: u64,
    ) -> Result<StoredContent, PutError<E>>
    where
        S: Stream<Item = Result<Bytes, E>> + Send,
    {
        let (store, path) = self.place(key).map_err(PutError::Store)?;
        let mut writer = BufWriter::with_capacity(store, path, PIECE_BYTES);
        let written = write(&mut writer, chunks, limit_bytes).await;
        if written.is_err() {
            // What it leaves behind has no name; the store removes it in time.
            if let Err(problem) = writer.abort().await {
                tracing::debug!(%problem, "an unfinished file was not removed");
            }
            return written;
        }
        let finished = writer.shutdown().await;
        finished.map_err(|problem| PutError::Store(StoreError(problem.to_string())))?;
        written
    }

    /// The bytes of a file; none if there are none.
    pub async fn get(&self, key: &str) -> Result<Option<FileContent>, StoreError> {
        let (store, path) = self.place(key)?;
        match store.get(&path).await {
            Ok(found) => Ok(Some(FileContent {
                size_bytes: found.meta.size,
                chunks: found.into_stream().map_err(StoreError::from).boxed(),
            })),
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(problem) => Err(problem.into()),
        }
    }

    /// The bytes of a file in one piece; none if there are none.
    pub async fn read(&self, key: &str) -> Result<Option<Bytes>, StoreError> {
        let Some(mut content) = self.get(key).await? else {
            return Ok(None);
        };
        let mut whole = BytesMut::new();
        while let Some(chunk) = content.chunks.next().await {
            whole.extend_from_slice(&chunk?);
        }
        Ok(Some(whole.freeze()))
    }

    /// Removes a file, if it is there.
    pub async fn delete(&self, key: &str) -> Result<(), StoreError> {
        let (store, path) = self.place(key)?;
        match store.delete(&path).await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(problem) => Err(problem.into()),
        }
    }

    fn place(&self, key: &str) -> Result<(Arc<dyn ObjectStore>, Path), StoreError> {
        let path = Path::parse(key).map_err(|problem| StoreError(problem.to_string()))?;
        if let Some(store) = self.0.opened.get() {
            return Ok((Arc::clone(store), path));
        }
        let store = match &self.0.config.bucket {
            Some(bucket) => open_bucket(bucket),
            None => open_folder(&self.0.config.folder),
        };
        let store = store.map_err(|problem| StoreError(format!("{problem:#}")))?;
        Ok((Arc::clone(self.0.opened.get_or_init(|| store)), path))
    }
}

async fn write<S, E>(
    writer: &mut BufWriter,
    chunks: S,
    limit_bytes: u64,
) -> Result<StoredContent, PutError<E>>
where
    S: Stream<Item = Result<Bytes, E>> + Send,
{
    let mut chunks = std::pin::pin!(chunks);
    let (mut size_bytes, mut hash, mut head) = (0, Sha256::new(), Vec::new());
    while let Some(chunk) = chunks.next().await {
        let chunk = chunk.map_err(PutError::Source)?;
        size_bytes += chunk.len() as u64;
        if size_bytes > limit_bytes {
            return Err(PutError::TooLarge { limit_bytes });
        }
        hash.update(&chunk);
        let wanted = HEAD_BYTES.saturating_sub(head.len()).min(chunk.len());
        head.extend_from_slice(&chunk[..wanted]);
        let put = writer.put(chunk).await;
        put.map_err(|problem| PutError::Store(problem.into()))?;
    }
    if size_bytes == 0 {
        return Err(PutError::Empty);
    }
    Ok(StoredContent {
        size_bytes,
        sha256: hash
            .finalize()
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect(),
        content_type: content_type(&head),
    })
}

fn open_folder(folder: &Folder) -> anyhow::Result<Arc<dyn ObjectStore>> {
    let about = || format!("FILES_DIR {}", folder.display());
    std::fs::create_dir_all(folder).with_context(about)?;
    let store = LocalFileSystem::new_with_prefix(folder).with_context(about)?;
    Ok(Arc::new(store.with_fsync(true)))
}

fn open_bucket(bucket: &BucketConfig) -> anyhow::Result<Arc<dyn ObjectStore>> {
    let is_plain = bucket.endpoint.starts_with("http://");
    let client = ClientOptions::new()
        .with_allow_http(is_plain)
        .with_connect_timeout(CONNECT_TIMEOUT)
        .with_timeout(REQUEST_TIMEOUT);
    let retries = RetryConfig {
        max_retries: RETRIES,
        retry_timeout: REQUEST_TIMEOUT,
        ..RetryConfig::default()
    };
    let store = AmazonS3Builder::new()
        .with_endpoint(&bucket.endpoint)
        .with_bucket_name(&bucket.name)
        // MinIO has one region, and this is its name.
        .with_region("us-east-1")
        .with_access_key_id(&bucket.access_key)
        .with_secret_access_key(bucket.secret_key.expose_secret())
        .with_client_options(client)
        .with_retry(retries)
        .build()
        .context("MINIO_ENDPOINT")?;
    Ok(Arc::new(store))
}

impl From<object_store::Error> for StoreError {
    fn from(problem: object_store::Error) -> Self {
        Self(problem.to_string())
    }
}
