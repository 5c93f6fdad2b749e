//! Our side of `make compare-forest`: loads a model and rows, then times calls when it is told to.
//!
//! `compare MODEL ROWS` with rows of single precision, little endian; on each line of standard
//! input, `time N` answers with the nanoseconds of each of N calls, `scores` with the scores.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a program of a comparison may fail loudly"
)]

use std::hint::black_box;
use std::io::Write as _;
use std::time::Instant;

use ranking::model::load;

fn main() {
    let mut arguments = std::env::args().skip(1);
    let model = std::fs::read(arguments.next().unwrap()).unwrap();
    let model = load(&model, None).unwrap();
    let bytes = std::fs::read(arguments.next().unwrap()).unwrap();
    let (values, _) = bytes.as_chunks::<4>();
    let rows: Vec<f32> = values
        .iter()
        .map(|bytes| f32::from_le_bytes(*bytes))
        .collect();
    let mut scores = vec![0.0; rows.len() / model.features().len()];
    println!("ready");
    for line in std::io::stdin().lines() {
        let line = line.unwrap();
        let answer: Vec<String> = match line.strip_prefix("time ") {
            Some(calls) => (0..calls.parse::<u32>().unwrap())
                .map(|_| {
                    let started = Instant::now();
                    model.score(black_box(&rows), &mut scores).unwrap();
                    black_box(&mut scores);
                    started.elapsed().as_nanos().to_string()
                })
                .collect(),
            None => scores.iter().map(f64::to_string).collect(),
        };
        println!("{}", answer.join(" "));
        std::io::stdout().flush().unwrap();
    }
}
