//! Networks in the ONNX format, as models of one score a row.

use onnx::Network;

use super::{Model, check_rows};
use crate::error::Error;

/// A network, and which value of its output rows is the score.
#[derive(Debug)]
pub(super) struct NetworkModel {
    network: Network,
    column: usize,
}

impl NetworkModel {
    /// An output row is one value; of a classifier's two chances the second counts.
    pub(super) fn parse(bytes: &[u8]) -> Result<Self, Error> {
        let network = Network::parse(bytes)?;
        crate::forest::check_features(network.features())?;
        let is_chances = network.output().to_lowercase().contains("probabilit");
        let column = match network.width() {
            1 => 0,
            2 if is_chances => 1,
            width => {
                return Err(Error::field(
                    &format!("the output {}", network.output()),
                    &format!("{width} values a row"),
                    "one, or two chances named probabilities, are",
                ));
            }
        };
        Ok(Self { network, column })
    }
}

/// The file of a network with other names of its features, in their order.
#[must_use]
pub fn network_with_features(bytes: &[u8], names: &[String]) -> Vec<u8> {
    Network::with_features(bytes, names)
}

impl Model for NetworkModel {
    fn features(&self) -> &[String] {
        self.network.features()
    }

    fn score(&self, rows: &[f32], out: &mut [f64]) -> Result<(), Error> {
        check_rows(self.features().len(), rows, out)?;
        let scores = self.network.run(rows)?;
        let scores = scores
            .iter()
            .skip(self.column)
            .step_by(self.network.width());
        for (score, found) in out.iter_mut().zip(scores) {
            *score = f64::from(*found);
        }
        Ok(())
    }

    fn describe(&self) -> Vec<(&'static str, String)> {
        vec![
            ("format", "onnx".to_owned()),
            ("written by", self.network.producer().to_owned()),
            ("nodes", self.network.nodes().to_string()),
            ("score", format!("the output {}", self.network.output())),
        ]
    }
}
