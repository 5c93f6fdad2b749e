//! Labels in, training rows out.

#![allow(
    clippy::unwrap_used,
    clippy::wildcard_enum_match_arm,
    reason = "a test fails by panicking, in its helpers too"
)]

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow_array::cast::AsArray as _;
use arrow_array::types::{Float64Type, Int8Type, Int64Type};
use arrow_array::{
    Array as _, ArrayRef, DictionaryArray, Float64Array, Int64Array, RecordBatch, StringArray,
    TimestampMicrosecondArray, TimestampNanosecondArray, TimestampSecondArray,
};
use feature_store::{Event, EventKind, MacKey, Millis, PointInTime, Registry, Tombstone, Value};
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::basic::Compression;
use parquet::file::properties::WriterProperties;
use tempfile::TempDir;
use trainer::People;
use trainer::export::{ExportError, ExportReport, Labels, Statuses, Wanted, export, file_log};

const START: i64 = 1_700_000_000_000;

fn event(id: usize, shopper: &str, kind: EventKind, item: &str, offset: i64) -> Event {
    Event {
        event_id: id.to_string(),
        shopper_id: shopper.to_owned(),
        kind,
        item_id: item.to_owned(),
        price_minor: 500,
        currency: "EUR".to_owned(),
        occurred_at: Millis(START + offset),
        category: "home.bath".to_owned(),
        ..Event::default()
    }
}

/// Views every 7 minutes, every fourth time an addition to the cart, for two weeks.
fn events() -> Vec<Event> {
    let one = |n: usize| {
        let kind = [
            EventKind::View,
            EventKind::View,
            EventKind::View,
            EventKind::AddToCart,
        ][n % 4];
        let (shopper, item) = (["ann", "bob", "cleo"][n % 3], ["i1", "i2"][n % 2]);
        let at = i64::try_from(n).unwrap() * 7 * Millis::MINUTE;
        event(n, shopper, kind, item, at)
    };
    (0..2_880).map(one).collect()
}

struct Bench {
    folder: TempDir,
}

impl Bench {
    fn new() -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn parquet(&self, columns: Vec<(&str, ArrayRef)>) -> PathBuf {
        self.parquet_as(columns, Compression::SNAPPY)
    }

    fn parquet_as(&self, columns: Vec<(&str, ArrayRef)>, compression: Compression) -> PathBuf {
        let path = self.path("labels.parquet");
        let batch = RecordBatch::try_from_iter(columns).unwrap();
        let properties = WriterProperties::builder()
            .set_compression(compression)
            .build();
        let file = File::create(&path).unwrap();
        let mut writer = ArrowWriter::try_new(file, batch.schema(), Some(properties)).unwrap();
        writer.write(&batch).unwrap();
        writer.close().unwrap();
        path
    }

    fn csv(&self, text: &str) -> PathBuf {
        let path = self.path("labels.csv");
        std::fs::write(&path, text).unwrap();
        path
    }

    fn export(
        &self,
        labels: &Path,
        features: &[&str],
        statuses: Statuses,
    ) -> Result<(ExportReport, RecordBatch), ExportError> {
        let labels = Labels::open(labels)?;
        let wanted = Wanted {
            plan: Registry::standard().plan(features).unwrap(),
            statuses,
            items: Vec::new(),
        };
        let out = self.path("out.parquet");
        let report = export(&labels, file_log(events()), wanted, &out, &mut |_| {})?;
        Ok((report, read(&out)))
    }

    fn problem(&self, labels: &Path) -> String {
        let features = ["shopper.view_count_24h"];
        let error = self.export(labels, &features, Statuses::None).unwrap_err();
        assert!(
            !self.path("out.parquet").exists(),
            "nothing half-made is left"
        );
        error.to_string()
    }
}

fn read(path: &Path) -> RecordBatch {
    let builder = ParquetRecordBatchReaderBuilder::try_new(File::open(path).unwrap()).unwrap();
    let batches: Vec<_> = builder.build().unwrap().map(Result::unwrap).collect();
    assert_eq!(batches.len(), 1, "a small table is one batch");
    batches[0].clone()
}

fn texts(values: &[&str]) -> ArrayRef {
    Arc::new(StringArray::from_iter_values(values))
}

fn times(offsets: &[i64]) -> ArrayRef {
    Arc::new(Int64Array::from_iter_values(
        offsets.iter().map(|at| START + at),
    ))
}

fn ints(batch: &RecordBatch, column: &str) -> Vec<Option<i64>> {
    let array = batch.column_by_name(column).unwrap();
    array.as_primitive::<Int64Type>().iter().collect()
}

#[test]
fn rows_keep_the_order_and_the_columns_of_the_labels() {
    let bench = Bench::new();
    let scores: ArrayRef = Arc::new(Float64Array::from(vec![Some(0.1), None, Some(-0.0)]));
    let day = Millis::DAY;
    let labels = bench.parquet(vec![
        ("weight", scores),
        ("at", times(&[9 * day, day, 5 * day])),
        ("shopper_id", texts(&["ann", "nobody", "bob"])),
        ("label", texts(&["x", "y", "z"])),
    ]);
    let features = ["shopper.view_count_24h", "shopper.visit_count"];
    let (report, rows) = bench.export(&labels, &features, Statuses::None).unwrap();
    let schema = rows.schema();
    let names: Vec<_> = schema
        .fields()
        .iter()
        .map(|field| field.name().as_str())
        .collect();
    assert_eq!(
        names,
        [&["weight", "at", "shopper_id", "label"][..], &features].concat()
    );
    assert_eq!(rows.columns()[..4], read(&labels).columns()[..]);
    let views = ints(&rows, "shopper.view_count_24h");
    assert_eq!(views[1], None, "nobody knows nobody");
    assert!(
        views[0].unwrap() > 40 && views[2].unwrap() > 40,
        "{views:?}"
    );
    assert_eq!((report.rows, report.features[0].not_found), (3, 1));
    assert_eq!(report.features[0].present, 2);
    assert!(report.events.after_last_label > 0 && report.events.duplicate == 0);
}

#[test]
fn rows_of_erased_shoppers_are_left_out_and_all_others_are_as_they_were() {
    let bench = Bench::new();
    let day = Millis::DAY;
    let labels = bench.parquet(vec![
        ("shopper_id", texts(&["ann", "bob", "ann", "cleo"])),
        ("at", times(&[day, 2 * day, 9 * day, 5 * day])),
        ("label", texts(&["w", "x", "y", "z"])),
    ]);
    let features = ["shopper.view_count_24h"];
    let (_, all) = bench.export(&labels, &features, Statuses::None).unwrap();
    let key = MacKey::from_bytes([7; 32]);
    let erased = Tombstone {
        shopper: key.of("ann"),
        erased_at: Millis(START + 8 * day),
    };
    let people = People::new(key, Some(&[erased]));
    let mut labels = Labels::open(&labels).unwrap();
    assert_eq!(labels.leave_out(&people), 1);
    let log = file_log(people.leave_out(&events()).0.into_owned());
    let wanted = Wanted {
        plan: Registry::standard().plan(&features).unwrap(),
        statuses: Statuses::None,
        items: Vec::new(),
    };
    let out = bench.path("left.parquet");
    let report = export(&labels, log, wanted, &out, &mut |_| {}).unwrap();
    assert_eq!((report.rows, report.erased_rows), (3, 1));
    let left = read(&out);
    let labels = left
        .column_by_name("label")
        .unwrap()
        .as_string::<i32>()
        .clone();
    let labels: Vec<_> = labels.iter().flatten().collect();
    assert_eq!(labels, ["x", "y", "z"]);
    let (before, after) = (ints(&all, features[0]), ints(&left, features[0]));
    assert_eq!((after[0], after[2]), (before[1], before[3]), "bob and cleo");
    // Under the same id somebody began anew: of them one day is known.
    assert!(after[1].is_some() && after[1] <= before[2], "{after:?}");
}

#[test]
fn every_value_is_the_one_that_is_computed_for_that_moment() {
    let bench = Bench::new();
    // More labels than one batch holds, in no order of time, some of one moment.
    let count = 9_000_usize;
    let offsets: Vec<i64> = (0..9_000)
        .map(|n| n * 7_919 % 1_999 * 10 * Millis::MINUTE)
        .collect();
    let shoppers: Vec<&str> = (0..count)
        .map(|n| ["ann", "bob", "cleo", "dan"][n % 4])
        .collect();
    let items: Vec<Option<&str>> = (0..count)
        .map(|n| [Some("i1"), None, Some("i9")][n % 3])
        .collect();
    let labels = bench.parquet(vec![
        ("shopper_id", texts(&shoppers)),
        ("item_id", Arc::new(StringArray::from(items.clone()))),
        ("at", times(&offsets)),
    ]);
    let features = [
        "shopper.cart_value_minor",
        "shopper.has_purchased",
        "shopper.top_category_share",
        "shopper.last_item",
        "shopper.cart_items",
        "shopper.top_category_shares",
        "item.view_count_24h",
        "item.cart_to_view_30d",
    ];
    let plan = Registry::standard().plan(&features).unwrap();
    let wanted = Wanted {
        plan: plan.clone(),
        statuses: Statuses::Compact,
        items: Vec::new(),
    };
    let out = bench.path("out.parquet");
    let opened = Labels::open(&labels).unwrap();
    export(&opened, file_log(events()), wanted, &out, &mut |_| {}).unwrap();
    let reader = ParquetRecordBatchReaderBuilder::try_new(File::open(&out).unwrap()).unwrap();
    let mut expected: Vec<_> = offsets.iter().enumerate().collect();
    expected.sort_by_key(|(_, at)| **at);
    let mut past = PointInTime::new(plan, [], file_log(events()));
    let mut answers = vec![Vec::new(); offsets.len()];
    for (row, at) in expected {
        answers[row] = past.answer(shoppers[row], items[row], Millis(START + at));
    }
    let mut row = 0;
    for batch in reader.build().unwrap() {
        let batch = batch.unwrap();
        for place in 0..batch.num_rows() {
            for (name, answer) in features.iter().zip(&answers[row]) {
                let found = cell(batch.column_by_name(name).unwrap(), place);
                assert_eq!(found, answer.value, "{name} of row {row}");
            }
            let statuses = batch.column_by_name("statuses").unwrap().as_string::<i32>();
            assert_eq!(statuses.value(place).len(), features.len());
            row += 1;
        }
    }
    assert_eq!(row, offsets.len());
}

fn cell(array: &ArrayRef, row: usize) -> Option<Value> {
    use arrow_schema::DataType;
    if array.is_null(row) {
        return None;
    }
    Some(match array.data_type() {
        DataType::Boolean => Value::Bool(array.as_boolean().value(row)),
        DataType::Int64 => Value::Int(array.as_primitive::<Int64Type>().value(row)),
        DataType::Float64 => Value::Double(array.as_primitive::<Float64Type>().value(row)),
        DataType::Utf8 => Value::Text(array.as_string::<i32>().value(row).into()),
        DataType::List(of) if *of.data_type() == DataType::Utf8 => {
            let list = array.as_list::<i32>().value(row);
            let texts = list
                .as_string::<i32>()
                .iter()
                .map(|text| text.unwrap().into());
            Value::Texts(texts.collect())
        }
        _ => {
            let list = array.as_list::<i32>().value(row);
            Value::Doubles(list.as_primitive::<Float64Type>().values().to_vec())
        }
    })
}

#[test]
fn an_event_counts_from_its_own_millisecond_on() {
    let bench = Bench::new();
    let at = 12 * 7 * Millis::MINUTE;
    let labels = bench.parquet(vec![
        ("shopper_id", texts(&["ann", "ann", "ann"])),
        ("at", times(&[at - 1, at, -1])),
    ]);
    let (report, rows) = bench
        .export(&labels, &["shopper.view_count_24h"], Statuses::None)
        .unwrap();
    assert_eq!(
        ints(&rows, "shopper.view_count_24h"),
        [Some(3), Some(4), None]
    );
    assert_eq!((report.before_log, report.after_log), (1, 0));
}

#[test]
fn a_time_may_have_any_unit_and_a_finer_one_does_not_see_ahead() {
    let bench = Bench::new();
    let at = START + 12 * 7 * Millis::MINUTE;
    let second = at / 1_000;
    let columns: Vec<(ArrayRef, i64)> = vec![
        (Arc::new(Int64Array::from(vec![at])), 4),
        (
            Arc::new(TimestampSecondArray::from(vec![second]).with_timezone("UTC")),
            4,
        ),
        (
            Arc::new(TimestampMicrosecondArray::from(vec![at * 1_000])),
            4,
        ),
        (
            Arc::new(TimestampMicrosecondArray::from(vec![at * 1_000 - 1])),
            3,
        ),
        (
            Arc::new(TimestampNanosecondArray::from(vec![at * 1_000_000]).with_timezone("+02:00")),
            4,
        ),
        (
            Arc::new(TimestampNanosecondArray::from(vec![at * 1_000_000 - 1])),
            3,
        ),
    ];
    for (column, expected) in columns {
        let of = column.data_type().to_string();
        let labels = bench.parquet(vec![("shopper_id", texts(&["ann"])), ("at", column)]);
        let (_, rows) = bench
            .export(&labels, &["shopper.view_count_24h"], Statuses::None)
            .unwrap();
        assert_eq!(
            ints(&rows, "shopper.view_count_24h"),
            [Some(expected)],
            "{of}"
        );
    }
}

#[test]
fn takes_labels_from_csv_with_times_as_people_write_them() {
    let bench = Bench::new();
    let labels = bench.csv(
        "shopper_id,at,label,weight,item_id\n\
         007,1700005040000,1,0.5,i1\n\
         ann,2023-11-14 23:37:20,0,1,\n\
         ann,2023-11-14T23:37:20Z,1,2.5,i1\n\
         ann,2023-11-15 01:37:20.000+02:00,1,2.5,i1\n",
    );
    let features = ["shopper.view_count_24h", "item.view_count_24h"];
    let (_, rows) = bench.export(&labels, &features, Statuses::None).unwrap();
    let views = ints(&rows, "shopper.view_count_24h");
    assert_eq!(views, [None, Some(4), Some(4), Some(4)]);
    assert_eq!(ints(&rows, "item.view_count_24h")[1], None);
    assert_eq!(ints(&rows, "label"), [Some(1), Some(0), Some(1), Some(1)]);
    let ids = rows
        .column_by_name("shopper_id")
        .unwrap()
        .as_string::<i32>();
    assert_eq!(ids.value(0), "007", "an id stays a text");
}

#[test]
fn takes_categories_of_pandas_as_texts() {
    let bench = Bench::new();
    let ids: DictionaryArray<Int8Type> = ["ann", "bob", "ann"].into_iter().collect();
    let labels = bench.parquet_as(
        vec![
            ("shopper_id", Arc::new(ids)),
            ("at", times(&[0, 0, Millis::HOUR])),
        ],
        Compression::ZSTD(parquet::basic::ZstdLevel::default()),
    );
    let features = ["shopper.view_count_24h"];
    let (_, rows) = bench.export(&labels, &features, Statuses::None).unwrap();
    let views = ints(&rows, "shopper.view_count_24h");
    assert_eq!(views, [Some(1), None, Some(2)]);
}

#[test]
fn says_what_each_value_is_worth() {
    let bench = Bench::new();
    let labels = bench.parquet(vec![
        ("shopper_id", texts(&["ann", "nobody", "ann"])),
        ("at", times(&[0, 0, 400 * Millis::DAY])),
    ]);
    let features = ["shopper.last_item", "shopper.days_since_purchase"];
    let (report, rows) = bench.export(&labels, &features, Statuses::Columns).unwrap();
    let status = rows.column_by_name("shopper.last_item.status").unwrap();
    let status = status.as_dictionary::<Int8Type>();
    let words: Vec<_> = status
        .downcast_dict::<StringArray>()
        .unwrap()
        .into_iter()
        .collect();
    assert_eq!(
        words,
        [Some("present"), Some("not_found"), Some("outside_max_age")]
    );
    let (_, rows) = bench.export(&labels, &features, Statuses::Compact).unwrap();
    let letters = rows.column_by_name("statuses").unwrap().as_string::<i32>();
    assert_eq!(
        letters.iter().flatten().collect::<Vec<_>>(),
        ["pn", "xx", "on"]
    );
    let last = rows
        .column_by_name("shopper.last_item")
        .unwrap()
        .as_string::<i32>();
    assert!(last.is_valid(2), "a value too old comes along all the same");
    assert_eq!(report.after_log, 1);
    assert_eq!(report.features[0].outside_max_age, 1);
}

#[test]
fn two_exports_are_the_same_bytes() {
    let bench = Bench::new();
    let labels = bench.parquet(vec![
        ("shopper_id", texts(&["ann", "bob"])),
        ("at", times(&[5 * Millis::DAY, Millis::DAY])),
    ]);
    let mut made = Vec::new();
    for _ in 0..2 {
        bench
            .export(&labels, &["shopper.cart_items"], Statuses::Columns)
            .unwrap();
        made.push(std::fs::read(bench.path("out.parquet")).unwrap());
    }
    assert!(made[0] == made[1]);
}

#[test]
fn a_mistake_names_the_column_what_it_is_and_what_is_allowed() {
    let bench = Bench::new();
    let problem =
        bench.problem(&bench.parquet(vec![("shopper", texts(&["ann"])), ("at", times(&[0]))]));
    assert!(
        problem.ends_with("has no column shopper_id; it has shopper, at"),
        "{problem}"
    );
    let problem = bench.problem(&bench.parquet(vec![("shopper_id", texts(&["ann"]))]));
    assert!(
        problem.ends_with("has no column at; it has shopper_id"),
        "{problem}"
    );
    let problem =
        bench.problem(&bench.parquet(vec![("shopper_id", times(&[0])), ("at", times(&[0]))]));
    assert!(problem.starts_with("column shopper_id of "), "{problem}");
    assert!(
        problem.ends_with("is of type Int64; string is allowed"),
        "{problem}"
    );
    let problem = bench.problem(&bench.parquet(vec![
        ("shopper_id", texts(&["ann"])),
        ("at", texts(&["2023-11-14"])),
    ]));
    assert!(
        problem.contains("is of type Utf8; timestamp of any unit"),
        "{problem}"
    );
    let null: ArrayRef = Arc::new(StringArray::from(vec![Some("ann"), None]));
    let problem = bench.problem(&bench.parquet(vec![("shopper_id", null), ("at", times(&[0, 0]))]));
    assert!(
        problem.starts_with("shopper_id is null in row 2 of "),
        "{problem}"
    );
    assert!(
        problem.ends_with("a text of 1 to 128 bytes is allowed"),
        "{problem}"
    );
    let problem = bench.problem(&bench.csv("shopper_id,at\nann,0\nann,\n"));
    assert!(problem.starts_with("at is null in row 2 of "), "{problem}");
    let problem = bench.problem(&bench.csv("shopper_id,at\nann,soon\n"));
    assert!(
        problem.starts_with("at is \"soon\" in row 1 of "),
        "{problem}"
    );
    let problem = bench.problem(&bench.csv("shopper_id,at\n,0\n"));
    assert!(
        problem.starts_with("shopper_id is null in row 1 of "),
        "{problem}"
    );
    let problem = bench.problem(&bench.parquet(vec![
        ("shopper_id", texts(&["ann"])),
        ("at", times(&[0])),
        ("shopper.view_count_24h", times(&[0])),
    ]));
    assert!(
        problem.contains("a column shopper.view_count_24h, which the output needs"),
        "{problem}"
    );
}

#[test]
fn a_file_that_is_no_table_is_refused_with_what_is_allowed() {
    let bench = Bench::new();
    let problem = bench.problem(&bench.path("absent.parquet"));
    assert!(problem.starts_with("cannot open "), "{problem}");
    let text = bench.path("labels.parquet");
    std::fs::write(&text, "shopper_id,at\n").unwrap();
    let problem = bench.problem(&text);
    assert!(
        problem.contains("it begins with \"shop\"; parquet, which begins with \"PAR1\""),
        "{problem}"
    );
    std::fs::write(&text, "PAR1 and no more").unwrap();
    let problem = bench.problem(&text);
    assert!(problem.ends_with("cannot be read as parquet"), "{problem}");
}

#[test]
fn a_feature_is_named_once() {
    let bench = Bench::new();
    let labels = bench.parquet(vec![("shopper_id", texts(&["ann"])), ("at", times(&[0]))]);
    let twice = ["shopper.idle_s", "shopper.idle_s"];
    let problem = bench
        .export(&labels, &twice, Statuses::None)
        .unwrap_err()
        .to_string();
    assert_eq!(
        problem,
        "feature shopper.idle_s is named twice, once is allowed"
    );
}
