//! Writing files of lines.

use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::Path;

use anyhow::Context as _;

/// A file of lines, compressed where its name says so.
pub(crate) enum Out {
    Plain(BufWriter<File>),
    Zstd(BufWriter<zstd::Encoder<'static, File>>),
}

impl Out {
    pub(crate) fn create(path: &Path) -> anyhow::Result<Self> {
        let create = || format!("create {}", path.display());
        let file = File::create(path).with_context(create)?;
        if path.extension().is_some_and(|ending| ending == "zst") {
            let encoder = zstd::Encoder::new(file, 0).with_context(create)?;
            return Ok(Self::Zstd(BufWriter::new(encoder)));
        }
        Ok(Self::Plain(BufWriter::new(file)))
    }

    pub(crate) fn line(&mut self, line: &str) -> std::io::Result<()> {
        match self {
            Self::Plain(out) => writeln!(out, "{line}"),
            Self::Zstd(out) => writeln!(out, "{line}"),
        }
    }

    pub(crate) fn finish(self) -> std::io::Result<()> {
        match self {
            Self::Plain(mut out) => out.flush(),
            Self::Zstd(out) => out
                .into_inner()
                .map_err(std::io::IntoInnerError::into_error)?
                .finish()
                .map(drop),
        }
    }
}
