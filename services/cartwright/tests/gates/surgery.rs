//! Takes a good snapshot apart and puts it together again with one thing wrong.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::{Value, json};
use snapshot::{Builder, Manifest, Snapshot, TensorData, Tensors, write_tensors};

/// The content of a snapshot.
pub(crate) struct Parts {
    pub(crate) files: BTreeMap<String, Vec<u8>>,
    pub(crate) manifest: Manifest,
}

impl Parts {
    pub(crate) fn of(snapshot: &Snapshot) -> Self {
        let names = snapshot.manifest().files.keys();
        Self {
            files: names
                .map(|name| (name.clone(), snapshot.read(name).unwrap()))
                .collect(),
            manifest: snapshot.manifest().clone(),
        }
    }

    /// With checksums that are right: what is wrong is wrong inside.
    pub(crate) fn build(self, out: &Path) -> Snapshot {
        let mut builder = Builder::new(out).unwrap();
        for (name, bytes) in &self.files {
            builder.write(name, bytes).unwrap();
        }
        builder.finish(self.manifest).unwrap()
    }

    /// Changes the lines of a text file.
    pub(crate) fn lines(&mut self, file: &str, change: impl FnOnce(&mut Vec<String>)) {
        let text = String::from_utf8(self.files[file].clone()).unwrap();
        let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
        change(&mut lines);
        self.files
            .insert(file.to_owned(), (lines.join("\n") + "\n").into_bytes());
    }

    /// Changes the JSON of one line (from 0).
    pub(crate) fn line(&mut self, file: &str, at: usize, change: impl FnOnce(&mut Value)) {
        self.lines(file, |lines| {
            let mut value: Value = serde_json::from_str(&lines[at]).unwrap();
            change(&mut value);
            lines[at] = value.to_string();
        });
    }

    /// Changes one tensor: its shape and its numbers.
    pub(crate) fn tensor(
        &mut self,
        file: &str,
        name: &str,
        change: impl FnOnce(&mut Vec<usize>, &mut TensorData),
    ) {
        let tensors = Tensors::parse(file, &self.files[file]).unwrap();
        let mut change = Some(change);
        let names: Vec<String> = tensors.names().map(str::to_owned).collect();
        let mut all = Vec::new();
        for one in &names {
            let mut shape = tensors.shape(one).unwrap().to_vec();
            let mut data = numbers(&tensors, one);
            if let Some(change) = change.take_if(|_| one == name) {
                change(&mut shape, &mut data);
            }
            all.push((one.as_str(), shape, data));
        }
        assert!(
            change.is_none(),
            "{file} has no tensor {name}, it has {names:?}"
        );
        self.files
            .insert(file.to_owned(), write_tensors(&all).unwrap());
    }

    /// Gives the space a tower of run 7 that answers as if there was none, for vectors of a run.
    pub(crate) fn tower(&mut self, space: &str, run: &str) {
        let mut spaces = self.manifest.spaces.iter_mut();
        let found = spaces.find(|one| one.name == space).unwrap();
        found.tower = Some(run.to_owned());
        let width = usize::try_from(found.dimension).unwrap();
        let features: Vec<String> = (0..width).map(|at| format!("mean.{at}")).collect();
        let inputs = json!({"version": 1, "tower_id": "run-7", "features": features});
        let (file, network) = (format!("tower/{space}.json"), format!("tower/{space}.onnx"));
        self.files.insert(file, inputs.to_string().into_bytes());
        self.files.insert(network, identity(width));
    }

    pub(crate) fn floats(&mut self, file: &str, name: &str, change: impl FnOnce(&mut [f32])) {
        self.tensor(file, name, |_, data| match data {
            TensorData::F32(values) => change(values),
            TensorData::U32(_) | TensorData::U64(_) => panic!("{file}: {name} is not f32"),
        });
    }

    pub(crate) fn ordinals(&mut self, file: &str, name: &str, change: impl FnOnce(&mut [u32])) {
        self.tensor(file, name, |_, data| match data {
            TensorData::U32(values) => change(values),
            TensorData::F32(_) | TensorData::U64(_) => panic!("{file}: {name} is not u32"),
        });
    }
}

/// Appends zeros to each row of a matrix: what is near stays near, and takes longer to find.
pub(crate) fn wider(shape: &mut [usize], data: &mut TensorData, width: usize) {
    let before = shape[1];
    let TensorData::F32(values) = data else {
        panic!("not f32");
    };
    shape[1] = width;
    *values = values
        .chunks(before)
        .flat_map(|row| {
            let zeros = std::iter::repeat_n(0.0, width - before);
            row.iter().copied().chain(zeros)
        })
        .collect();
}

/// A network that answers with the first values of its input, as ONNX: one node, `Identity`.
pub(crate) fn identity(width: usize) -> Vec<u8> {
    let field = |number: u8, value: &[u8]| {
        let length = u8::try_from(value.len()).unwrap();
        assert!(length < 0x80, "one byte of length is enough");
        [&[number << 3 | 2, length][..], value].concat()
    };
    let number = |field: u8, value: usize| {
        let value = u16::try_from(value).unwrap();
        assert!(value < 1 << 14, "two bytes are enough");
        let low = u8::try_from(value & 0x7f).unwrap();
        vec![field << 3, low | 0x80, u8::try_from(value >> 7).unwrap()]
    };
    let node = [field(1, b"x"), field(2, b"y"), field(4, b"Identity")].concat();
    let rows = field(1, &field(2, b"rows"));
    let columns = field(1, &number(1, width));
    let tensor = [number(1, 1), field(2, &[rows, columns].concat())].concat();
    let input = [field(1, b"x"), field(2, &field(1, &tensor))].concat();
    let output = field(1, b"y");
    let graph = [field(1, &node), field(11, &input), field(12, &output)].concat();
    let operators = [field(1, b""), number(2, 15)].concat();
    [vec![8, 8], field(7, &graph), field(8, &operators)].concat()
}

fn numbers(tensors: &Tensors, name: &str) -> TensorData {
    if let Ok(values) = tensors.f32(name) {
        return TensorData::F32(values.to_vec());
    }
    if let Ok(values) = tensors.u32(name) {
        return TensorData::U32(values.to_vec());
    }
    TensorData::U64(tensors.u64(name).unwrap().to_vec())
}

/// Drops the last row, or the last column, of a matrix.
pub(crate) fn narrower(shape: &mut [usize], data: &mut TensorData, axis: usize) {
    let width = shape[1];
    let TensorData::F32(values) = data else {
        panic!("not f32");
    };
    shape[axis] -= 1;
    *values = if axis == 0 {
        values[..shape[0] * width].to_vec()
    } else {
        values
            .chunks(width)
            .flat_map(|row| &row[..width - 1])
            .copied()
            .collect()
    };
}
