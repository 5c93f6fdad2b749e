//! The header of a safetensors file.

use std::io::Read;

use safetensors::tensor::Metadata;

/// Headers beyond this are no headers.
const LONGEST: u64 = 100 << 20;

/// Reads the header of a file of `length` bytes, and tells where the numbers begin. They are those of
/// all tensors, without a gap, up to the end.
pub(crate) fn read(from: &mut impl Read, length: u64) -> Result<(Metadata, u64), String> {
    let mut size = [0; 8];
    let read = from.read_exact(&mut size);
    read.map_err(|_| format!("{length} bytes are no header"))?;
    let size = u64::from_le_bytes(size);
    let rest = length
        .checked_sub(8)
        .and_then(|left| left.checked_sub(size));
    let rest = rest.filter(|_| size <= LONGEST);
    let rest = rest.ok_or_else(|| format!("a header of {size} bytes in a file of {length}"))?;
    let mut header = Vec::new();
    let read = from.take(size).read_to_end(&mut header);
    read.map_err(|e| e.to_string())?;
    let header: Metadata = serde_json::from_slice(&header).map_err(|e| e.to_string())?;
    let end = end_of_numbers(&header)?;
    if end as u64 != rest {
        return Err(format!("{rest} bytes of numbers, the tensors take {end}"));
    }
    Ok((header, 8 + size))
}

/// Where the last tensor ends, if each begins where the one before it ended.
fn end_of_numbers(header: &Metadata) -> Result<usize, String> {
    let mut end = 0;
    for name in header.offset_keys() {
        let Some(info) = header.info(&name) else {
            continue;
        };
        let bits = info
            .shape
            .iter()
            .try_fold(info.dtype.bitsize(), |bits, n| bits.checked_mul(*n));
        let bytes = bits
            .filter(|bits| bits.is_multiple_of(8))
            .map(|bits| bits / 8);
        let until = bytes.and_then(|bytes| bytes.checked_add(end));
        if until.is_none_or(|until| info.data_offsets != (end, until)) {
            return Err(format!("tensor {name} is not where its shape puts it"));
        }
        end = info.data_offsets.1;
    }
    Ok(end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refuses_a_header_that_does_not_tell_where_the_numbers_are() {
        let file = |header: &str, numbers: usize| {
            let length = (header.len() as u64).to_le_bytes();
            let bytes = [&length[..], header.as_bytes(), &vec![0; numbers]].concat();
            read(&mut bytes.as_slice(), bytes.len() as u64).map(|(_, data)| data)
        };
        let tensor = |shape: &str, from: u64, to: u64| {
            format!(r#"{{"a":{{"dtype":"F32","shape":{shape},"data_offsets":[{from},{to}]}}}}"#)
        };
        let header = tensor("[2]", 0, 8);
        assert_eq!(file(&header, 8), Ok(8 + header.len() as u64));
        for (header, numbers) in [
            (tensor("[2]", 0, 8), 7),
            (tensor("[2]", 0, 8), 9),
            (tensor("[2]", 4, 12), 12),
            (tensor("[3]", 0, 8), 8),
            (tensor("[4294967296, 4294967296]", 0, 8), 8),
            (tensor("[2]", 8, 0), 8),
            ("{".to_owned(), 0),
        ] {
            assert!(file(&header, numbers).is_err(), "{header} {numbers}");
        }
        let far = u64::MAX.to_le_bytes();
        assert!(read(&mut far.as_slice(), 8).is_err());
    }
}
