//! A footer behind an index's own bytes, FAISS's or ours: magic, length, xxh3.
//!
//! FAISS believes what a file says of its own lengths; a mapped file that was cut short is read
//! past its end. So no byte is used before the whole file has been checked, which also brings its
//! pages into memory. FAISS itself ignores what follows an index, so other tools can still read
//! those files.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::Path;

use xxhash_rust::xxh3::Xxh3Default;

const MAGIC: &[u8; 8] = b"CWANNIX1";
const FOOTER: u64 = 24;

/// Appends the footer to a finished index file.
pub(crate) fn seal(path: &Path) -> io::Result<()> {
    let len = std::fs::metadata(path)?.len();
    let footer = footer(len, hash_of(path, len)?);
    OpenOptions::new()
        .append(true)
        .open(path)?
        .write_all(&footer)
}

/// The length of what stands before the footer, or what is wrong with the file.
pub(crate) fn check(path: &Path) -> Result<u64, String> {
    let readable = |error: io::Error| error.to_string();
    let len = std::fs::metadata(path).map_err(readable)?.len();
    let Some(content) = len.checked_sub(FOOTER) else {
        return Err(format!("{len} bytes are too few for an index"));
    };
    let found = tail(path, content).map_err(readable)?;
    if &found[..8] != MAGIC {
        return Err("it does not end as an index does: cut short, or of another kind".to_owned());
    }
    if found == footer(content, hash_of(path, content).map_err(readable)?) {
        return Ok(content);
    }
    Err("its checksum does not fit its content".to_owned())
}

fn footer(len: u64, hash: u64) -> [u8; 24] {
    let mut footer = [0; 24];
    footer[..8].copy_from_slice(MAGIC);
    footer[8..16].copy_from_slice(&len.to_le_bytes());
    footer[16..].copy_from_slice(&hash.to_le_bytes());
    footer
}

fn tail(path: &Path, from: u64) -> io::Result<[u8; 24]> {
    use std::os::unix::fs::FileExt;
    let mut tail = [0; 24];
    File::open(path)?.read_exact_at(&mut tail, from)?;
    Ok(tail)
}

fn hash_of(path: &Path, len: u64) -> io::Result<u64> {
    let mut file = File::open(path)?.take(len);
    let mut hash = Xxh3Default::new();
    let mut buffer = vec![0; 1 << 18];
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(hash.digest()),
            read => hash.update(&buffer[..read]),
        }
    }
}
