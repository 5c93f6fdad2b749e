//! A network that was built, and running it.

use std::collections::BTreeMap;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use tract_onnx::prelude::{
    Datum as _, DatumExt as _, Framework as _, InferenceModelExt as _, IntoRunnable as _,
    IntoTValue as _, Symbol, SymbolValues, TDim, TValue, TVec, Tensor, ToDim as _, TractResult,
    TypedFact, TypedModel, TypedRunnableModel, tvec,
};

use crate::error::{Error, shape};
use crate::proto::{self, Inputs, Read, read};

/// Rows that go through a network together, so that what it takes of memory has a bound.
const MOST_ROWS: usize = 256;
/// Values that a node may put out for so many rows: 256 MiB of single precision.
const MOST_VALUES: i64 = 1 << 26;

/// A network of one output row for each input row.
#[derive(Clone)]
pub struct Network {
    plan: Arc<TypedRunnableModel>,
    inputs: Inputs,
    features: Vec<String>,
    /// The output that is read, and its values a row.
    output: usize,
    output_name: String,
    width: usize,
    nodes: usize,
    producer: String,
    metadata: BTreeMap<String, String>,
}

impl Network {
    /// Reads a file and builds the network.
    ///
    /// # Errors
    /// A damaged file; an operator that is not supported, by name; inputs or outputs of other
    /// shapes than rows of numbers.
    pub fn parse(bytes: &[u8]) -> Result<Self, Error> {
        guarded(|| Self::build(bytes), |detail| Error::Build { detail })
    }

    fn build(bytes: &[u8]) -> Result<Self, Error> {
        let onnx = tract_onnx::onnx();
        let read = read(&onnx, bytes)?;
        let failed = |error: tract_onnx::prelude::TractError| Error::Build {
            detail: format!("{error:#}"),
        };
        let (model, rows) = typed(&onnx, &read).map_err(failed)?;
        check_sizes(&model, &rows)?;
        let (output, width) = output(&model, &rows)?;
        let outlet = model.output_outlets().map_err(failed)?[output];
        let output_name = model.outlet_label(outlet).unwrap_or_default().to_owned();
        Ok(Self {
            plan: model
                .into_optimized()
                .and_then(|model| model.into_runnable())
                .map_err(failed)?,
            inputs: read.inputs,
            features: read.features,
            output,
            output_name,
            width,
            nodes: read.nodes,
            producer: read.producer,
            metadata: read.metadata,
        })
    }

    /// The same file with other [`Self::features`].
    #[must_use]
    pub fn with_features(bytes: &[u8], names: &[String]) -> Vec<u8> {
        proto::with_features(bytes, names)
    }

    /// What the file says under a name in its metadata.
    pub fn metadata(&self, name: &str) -> Option<&str> {
        self.metadata.get(name).map(String::as_str)
    }

    /// Names of the values of a row: of the metadata `feature_names`, of the inputs when each takes
    /// one value, else x0, x1, …
    pub fn features(&self) -> &[String] {
        &self.features
    }

    /// Values of an output row.
    pub fn width(&self) -> usize {
        self.width
    }

    /// The output that is read: the first of single precision.
    pub fn output(&self) -> &str {
        &self.output_name
    }

    /// Operators of the graph.
    pub fn nodes(&self) -> usize {
        self.nodes
    }

    /// The program that wrote the file, with its version.
    pub fn producer(&self) -> &str {
        &self.producer
    }

    /// Runs whole rows, row-major; as many rows of [`Self::width`] values come out.
    ///
    /// # Errors
    /// Rows of another length, or a failure inside the network.
    pub fn run(&self, rows: &[f32]) -> Result<Vec<f32>, Error> {
        let columns = self.features.len();
        if !rows.len().is_multiple_of(columns) {
            let allowed = format!("a multiple of {columns} is");
            return Err(shape(
                "the number of values",
                rows.len().to_string(),
                &allowed,
            ));
        }
        let mut out = Vec::with_capacity(rows.len() / columns * self.width);
        for block in rows.chunks(MOST_ROWS * columns) {
            out.extend(self.run_block(block, block.len() / columns)?);
        }
        Ok(out)
    }

    fn run_block(&self, rows: &[f32], count: usize) -> Result<Vec<f32>, Error> {
        let values = guarded(
            || {
                self.try_run(rows, count).map_err(|error| Error::Run {
                    detail: format!("{error:#}"),
                })
            },
            |detail| Error::Run { detail },
        )?;
        if values.len() == count * self.width {
            return Ok(values);
        }
        let found = format!("{} values for {count} rows", values.len());
        let allowed = format!("{} a row are", self.width);
        Err(shape(
            format!("the output {}", self.output_name),
            found,
            &allowed,
        ))
    }

    fn try_run(&self, rows: &[f32], count: usize) -> TractResult<Vec<f32>> {
        let columns = self.features.len();
        let inputs: TVec<TValue> = match &self.inputs {
            Inputs::Rows => tvec!(Tensor::from_shape(&[count, columns], rows)?.into_tvalue()),
            Inputs::Columns(ranks) => {
                let column = |(at, rank): (usize, &usize)| {
                    let values: Vec<f32> = rows.iter().skip(at).step_by(columns).copied().collect();
                    let shape = [count, 1];
                    Ok(Tensor::from_shape(&shape[..*rank], &values)?.into_tvalue())
                };
                let inputs = ranks.iter().enumerate().map(column);
                inputs.collect::<TractResult<TVec<TValue>>>()?
            }
        };
        let outputs = self.plan.run(inputs)?;
        let output = outputs.get(self.output);
        let values = output.map(|output| {
            output
                .try_as_plain_ram()?
                .as_slice::<f32>()
                .map(<[f32]>::to_vec)
        });
        values.unwrap_or_else(|| Ok(Vec::new()))
    }
}

impl fmt::Debug for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Network")
            .field("features", &self.features)
            .field("output", &self.output_name)
            .field("width", &self.width)
            .finish_non_exhaustive()
    }
}

/// Shapes are known but for the number of rows, a symbol.
fn typed(onnx: &tract_onnx::Onnx, read: &Read) -> TractResult<(TypedModel, Symbol)> {
    let mut model = onnx.model_for_proto_model(&read.proto)?;
    let rows = model.symbols.sym("rows");
    let (every, one) = (rows.to_dim(), 1.to_dim());
    match &read.inputs {
        Inputs::Rows => {
            let shape: TVec<TDim> = tvec!(every, read.features.len().to_dim());
            model.set_input_fact(0, f32::fact(shape).into())?;
        }
        Inputs::Columns(ranks) => {
            for (at, rank) in ranks.iter().enumerate() {
                let shape = [every.clone(), one.clone()];
                let shape: TVec<TDim> = shape[..*rank].iter().cloned().collect();
                model.set_input_fact(at, f32::fact(shape).into())?;
            }
        }
    }
    Ok((model.into_typed()?, rows))
}

/// A small file can ask for much: a row against a column is a table.
fn check_sizes(model: &TypedModel, rows: &Symbol) -> Result<(), Error> {
    let most = i64::try_from(MOST_ROWS).unwrap_or(i64::MAX);
    let rows = SymbolValues::default().with(rows, most);
    for node in model.nodes() {
        for output in &node.outputs {
            let values = output.fact.shape.volume().eval(&rows).to_i64();
            if values.as_ref().is_ok_and(|values| *values <= MOST_VALUES) {
                continue;
            }
            let found = values.map_or("as many as its input says".to_owned(), |x| x.to_string());
            let allowed = format!("a number known from the file, at most {MOST_VALUES}, is");
            let place = format!("the number of values of node {} for {most} rows", node.name);
            return Err(shape(place, found, &allowed));
        }
    }
    Ok(())
}

/// The first output of single precision and of a row for each row.
fn output(model: &TypedModel, rows: &Symbol) -> Result<(usize, usize), Error> {
    let failed = |error: tract_onnx::prelude::TractError| Error::Build {
        detail: format!("{error:#}"),
    };
    let count = model.output_outlets().map_err(failed)?.len();
    let mut seen = Vec::new();
    for at in 0..count {
        let fact = model.output_fact(at).map_err(failed)?;
        match width(fact, rows) {
            Some(width) => return Ok((at, width)),
            None => seen.push(format!("{fact:?}")),
        }
    }
    let allowed = "an output of single precision with one row for each row is";
    Err(shape("the outputs", seen.join(" and "), allowed))
}

fn width(fact: &TypedFact, rows: &Symbol) -> Option<usize> {
    let is_rows = |dimension: &TDim| *dimension == rows.to_dim();
    if fact.datum_type != f32::datum_type() {
        return None;
    }
    match fact.shape.dims() {
        [first] if is_rows(first) => Some(1),
        [first, second] if is_rows(first) => second.to_i64().ok().and_then(|width| {
            let width = usize::try_from(width).ok()?;
            (width > 0).then_some(width)
        }),
        _ => None,
    }
}

/// A file can be wrong in ways that its reader did not think of; a server goes on.
fn guarded<T>(
    work: impl FnOnce() -> Result<T, Error>,
    failed: impl FnOnce(String) -> Error,
) -> Result<T, Error> {
    match catch_unwind(AssertUnwindSafe(work)) {
        Ok(result) => result,
        Err(panic) => {
            let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
            let text = text.or_else(|| panic.downcast_ref::<String>().cloned());
            Err(failed(
                text.unwrap_or_else(|| "for a reason unknown".to_owned()),
            ))
        }
    }
}
