//! Files as they come: every format, plain and compressed, and what is wrong with them.

#![allow(
    clippy::unwrap_used,
    reason = "a test fails by panicking, in its helpers too"
)]

use std::path::PathBuf;

use feature_store::{EventKind, Millis};
use trainer::readers::{BadLine, Format, Parsed, ReadError, open, scan};

struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn file(&self, bytes: impl AsRef<[u8]>) -> PathBuf {
        let path = self.0.path().join("events");
        std::fs::write(&path, bytes).unwrap();
        path
    }
}

fn read(bytes: impl AsRef<[u8]>, format: Format) -> Vec<Result<Parsed, BadLine>> {
    open(&Folder::new().file(bytes), format).unwrap().collect()
}

fn good(lines: Vec<Result<Parsed, BadLine>>) -> Vec<Parsed> {
    lines.into_iter().map(Result::unwrap).collect()
}

const REES46: &str = "\
event_time,event_type,product_id,category_id,category_code,brand,price,user_id,user_session
2019-10-01 00:00:00 UTC,view,44600062,21,,shiseido,35.79,541312140,s1
2019-10-01 00:00:01 UTC,cart,1004856,20,electronics.smart_phone,samsung,130.76,541312140,s1
2019-10-01 00:00:02 UTC,click,1,1,,,1.00,5,s2
2019-10-01 00:00:03 UTC,remove_from_cart,7,1,,,,5,s2
2019-10-01 00:00:04 UTC,purchase,7,1,,,0.29,5,s2
";

#[test]
fn rees46_rows_become_events_with_prices_sessions_and_names() {
    let lines = read(REES46, Format::Rees46);
    let cart = lines[1].as_ref().unwrap();
    assert_eq!(cart.line, 3);
    assert_eq!(cart.event.kind, EventKind::AddToCart);
    assert_eq!(cart.event.price_minor, 13_076);
    assert_eq!(cart.event.currency, "USD");
    assert_eq!(cart.event.session_id, "s1");
    assert_eq!(cart.event.category, "electronics.smart_phone");
    assert_eq!(cart.event.occurred_at, Millis(1_569_888_001_000));
    assert_eq!(
        cart.item.as_ref().unwrap().name,
        "samsung smart phone 1004856"
    );
    let bad = lines[2].as_ref().unwrap_err();
    assert_eq!(bad.line, 4);
    assert!(
        bad.reason.starts_with("event_type is \"click\""),
        "{}",
        bad.reason
    );
    assert_eq!(bad.raw, "2019-10-01 00:00:02 UTC,click,1,1,,,1.00,5,s2");
    let removed = lines[3].as_ref().unwrap();
    assert_eq!(
        (removed.event.price_minor, removed.event.currency.as_str()),
        (0, "")
    );
    assert_eq!(removed.item.as_ref().unwrap().name, "item 7");
    assert_eq!(lines[4].as_ref().unwrap().event.price_minor, 29);
}

#[test]
fn a_row_that_occurs_twice_is_the_same_event_and_any_other_is_not() {
    let row = "2019-10-01 00:00:00 UTC,view,1,2,,b,35.79,5,s1\n";
    let header = REES46.lines().next().unwrap();
    let other = row.replace("s1", "s2");
    let lines = good(read(format!("{header}\n{row}{row}{other}"), Format::Rees46));
    assert_eq!(lines[0].event.event_id, lines[1].event.event_id);
    assert_ne!(lines[0].event.event_id, lines[2].event.event_id);
    assert_eq!(lines[0].event.event_id.len(), 32);
}

#[test]
fn a_compressed_file_reads_as_a_plain_one() {
    let plain = read(REES46, Format::Rees46);
    let packed = zstd::encode_all(REES46.as_bytes(), 3).unwrap();
    assert_eq!(read(packed, Format::Rees46), plain);
}

#[test]
fn a_damaged_compressed_file_says_that_it_broke_off() {
    let rows: String = (0..20_000)
        .map(|n| format!("{},{}\n", n * 7_919 % 10_007, n * 31))
        .collect();
    let mut packed = zstd::encode_all(rows.as_bytes(), 3).unwrap();
    packed.truncate(packed.len() * 3 / 4);
    let folder = Folder::new();
    let mut reader = open(&folder.file(packed), Format::Interactions);
    match &mut reader {
        Ok(reader) => {
            assert!(reader.by_ref().count() < 20_000);
            assert!(matches!(reader.failure(), Some(ReadError::Broken { .. })));
        }
        Err(problem) => assert!(matches!(problem, ReadError::Open { .. }), "{problem}"),
    }
}

#[test]
fn canonical_jsonl_reads_every_field_and_goes_on_after_a_bad_line() {
    let text = r#"{"event_id":"e1","shopper_id":"s","device_id":"d","type":"purchase","item_id":"i","quantity":2,"price_minor":1999,"currency":"EUR","occurred_at":"2026-01-02T03:04:05Z","session_id":"x","order_id":"o","category":"a.b","brand":"c"}
{"event_id":"e2","shopper_id":"s","type":"dance","occurred_at":1}

{"event_id":"e3","shopper_id":7,"type":"ADD_TO_CART","item_id":9,"occurred_at":1767323045000}
{"event_id":"e4","shopper":"s","type":"view","occurred_at":1}
not json
"#;
    let lines = read(text, Format::Jsonl);
    let first = &lines[0].as_ref().unwrap().event;
    assert_eq!(
        (first.quantity, first.price_minor, first.currency.as_str()),
        (2, 1999, "EUR")
    );
    assert_eq!(
        (first.order_id.as_str(), first.device_id.as_str()),
        ("o", "d")
    );
    assert_eq!(first.occurred_at, Millis(1_767_323_045_000));
    let second = lines[1].as_ref().unwrap_err();
    assert!(
        second
            .reason
            .starts_with("type is \"dance\", view, add_to_cart"),
        "{}",
        second.reason
    );
    let third = lines[2].as_ref().unwrap();
    assert_eq!(third.line, 4);
    assert_eq!(third.event.occurred_at, first.occurred_at);
    assert_eq!(
        (
            third.event.shopper_id.as_str(),
            third.event.item_id.as_str()
        ),
        ("7", "9")
    );
    assert_eq!(third.event.kind, EventKind::AddToCart);
    assert!(
        lines[3]
            .as_ref()
            .unwrap_err()
            .reason
            .contains("unknown field `shopper`")
    );
    assert_eq!(lines[4].as_ref().unwrap_err().raw, "not json");
    assert_eq!(lines.len(), 5);
}

#[test]
fn canonical_csv_reads_columns_in_any_order_and_quoted_lines() {
    let text = "occurred_at,type,shopper_id,event_id,item_id,brand\n\
        2026-01-02T03:04:05Z,view,s,e1,i,\"two\nlines, one field\"\n\
        2026-01-02T03:04:05Z,view,s,e2,i,b\n\
        soon,view,s,e3,i,b\n\
        1,view,s\n";
    let lines = read(text, Format::Csv);
    assert_eq!(
        lines[0].as_ref().unwrap().event.brand,
        "two\nlines, one field"
    );
    assert_eq!(lines[1].as_ref().unwrap().line, 4);
    let time = lines[2].as_ref().unwrap_err();
    assert_eq!(
        time.reason,
        "occurred_at is \"soon\", RFC 3339 or milliseconds needed"
    );
    assert_eq!(
        lines[3].as_ref().unwrap_err().reason,
        "3 fields, 6 expected"
    );
}

#[test]
fn interactions_are_views_one_second_apart_with_or_without_a_header() {
    let bare = good(read("1,2\n1,3\n2,3\n1,2\n", Format::Interactions));
    let headed = good(read(
        "\u{feff}user_id,item_id\n1,2\n1,3\n2,3\n1,2\n",
        Format::Interactions,
    ));
    let events = |lines: &[Parsed]| {
        lines
            .iter()
            .map(|line| line.event.clone())
            .collect::<Vec<_>>()
    };
    assert_eq!(events(&bare), events(&headed));
    assert_eq!(bare[0].event.kind, EventKind::View);
    assert_eq!(
        bare[1].event.occurred_at.0 - bare[0].event.occurred_at.0,
        1_000
    );
    assert_eq!(bare[0].event.event_id, bare[3].event.event_id);
    assert_ne!(bare[0].event.event_id, bare[1].event.event_id);
}

#[test]
fn online_retail_keeps_sales_and_says_why_not_the_rest() {
    let text = "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country\n\
        536365,85123A,\"HOLDER, WHITE\",6,2010-12-01 08:26:00,2.55,17850.0,United Kingdom\n\
        C536379,D,Discount,-1,2010-12-01 09:41:00,27.50,14527.0,United Kingdom\n\
        536414,22139,,56,2010-12-01 11:52:00,0.0,,United Kingdom\n\
        536415,22139,X,-3,2010-12-01 11:52:00,1.0,1,United Kingdom\n\
        536416,22139,X,3,2010-12-01 11:52:00,0.0,1,United Kingdom\n\
        536417,PADS,X,1,2010-12-01 11:52:00,0.001,1,United Kingdom\n";
    let lines = read(text, Format::OnlineRetail);
    let sale = lines[0].as_ref().unwrap();
    assert_eq!((sale.event.quantity, sale.event.price_minor), (6, 255));
    assert_eq!(
        (sale.event.shopper_id.as_str(), sale.event.order_id.as_str()),
        ("17850", "536365")
    );
    assert_eq!(sale.event.kind, EventKind::Purchase);
    assert_eq!(sale.item.as_ref().unwrap().name, "HOLDER, WHITE");
    let reasons: Vec<_> = lines[1..5]
        .iter()
        .map(|line| line.as_ref().unwrap_err().reason.as_str())
        .collect();
    assert_eq!(
        reasons,
        [
            "InvoiceNo C536379 is a cancelled invoice",
            "CustomerID is missing",
            "Quantity is \"-3\", a whole number above 0 needed",
            "UnitPrice is \"0.0\", a decimal above 0 needed",
        ]
    );
    assert_eq!(lines[5].as_ref().unwrap().event.price_minor, 1);
}

#[test]
fn session_clicks_take_tabs_or_commas() {
    let tabs = good(read(
        "SessionId\tItemId\tTime\n27\t5959\t1593536687.5\n",
        Format::SessionClicks,
    ));
    let commas = good(read(
        "SessionId,ItemId,Time\n27,5959,1593536687.5\n",
        Format::SessionClicks,
    ));
    assert_eq!(tabs, commas);
    assert_eq!(tabs[0].event.occurred_at, Millis(1_593_536_687_500));
    assert_eq!(
        (
            tabs[0].event.shopper_id.as_str(),
            tabs[0].event.session_id.as_str()
        ),
        ("27", "27")
    );
}

#[test]
fn a_field_that_is_not_utf8_is_a_bad_line() {
    let lines = read(
        b"user_id,item_id\n1,2\n\xff\xfe,3\n4,5\n",
        Format::Interactions,
    );
    let bad = lines[1].as_ref().unwrap_err();
    assert_eq!((bad.line, bad.reason.as_str()), (3, "field 1 is not UTF-8"));
    assert!(lines[2].is_ok());
}

#[test]
fn names_the_columns_that_are_missing() {
    let folder = Folder::new();
    let path = folder.file("event_time,product_id,price\n1,2,3\n");
    let problem = open(&path, Format::Rees46).unwrap_err().to_string();
    assert!(
        problem.contains(
            "has no column event_type, category_code, brand, user_id, user_session; \
             its header has event_time, product_id, price"
        ),
        "{problem}"
    );
}

#[test]
fn an_empty_file_and_an_absent_one_are_clear_errors() {
    let folder = Folder::new();
    let path = folder.file(" \n\n");
    assert!(matches!(
        open(&path, Format::Csv),
        Err(ReadError::Empty { .. })
    ));
    let absent = folder.0.path().join("absent");
    assert!(matches!(
        open(&absent, Format::Csv),
        Err(ReadError::Open { .. })
    ));
    let packed = zstd::encode_all(&b""[..], 3).unwrap();
    assert!(matches!(
        open(&folder.file(packed), Format::Csv),
        Err(ReadError::Empty { .. })
    ));
}

#[test]
fn a_scan_tells_progress_up_to_the_last_byte() {
    let folder = Folder::new();
    let path = folder.file(REES46);
    let mut told = Vec::new();
    let scanned = scan(&path, Format::Rees46, &mut |read, total| {
        told.push((read, total))
    })
    .unwrap();
    assert_eq!(
        (scanned.events.len(), scanned.bad.len(), scanned.items.len()),
        (4, 1, 3)
    );
    let size = u64::try_from(REES46.len()).unwrap();
    assert_eq!(told.last(), Some(&(size, size)));
}

#[test]
fn a_format_is_guessed_through_compression() {
    let folder = Folder::new();
    let packed = zstd::encode_all(REES46.as_bytes(), 3).unwrap();
    assert_eq!(Format::guess(&folder.file(packed)).unwrap(), Format::Rees46);
    assert!(matches!(
        Format::guess(&folder.file("a;b;c\n")),
        Err(ReadError::Unrecognised { .. })
    ));
}

proptest::proptest! {
    #[test]
    fn no_bytes_make_a_reader_panic(
        header in 0..Format::ALL.len(),
        body in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..400),
    ) {
        let headers = [
            "{\"event_id\":1,",
            "event_id,shopper_id,type,occurred_at\n",
            "user_id,item_id\n",
            "event_time,event_type,product_id,category_code,brand,price,user_id,user_session\n",
            "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID\n",
            "SessionId,ItemId,Time\n",
        ];
        let bytes = [headers[header].as_bytes(), &body].concat();
        let lines = read(bytes, Format::ALL[header]);
        proptest::prop_assert!(lines.len() <= 401);
    }
}
