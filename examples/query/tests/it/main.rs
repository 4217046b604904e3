//! Queries as people ask them: first and second start, tables that change; and random ones, against a plain interpretation.

mod random;

use larder::{Event, Larder, Observer, Settings, StorePlace};
use larder_programs::check_transcripts;
use query::{Column, Queries, Table, Tables, Value};
use std::error::Error;
use std::path::Path;
use std::sync::{Arc, Mutex};

const QUERIES: &str = "
    select city, sum(units) from sales group by city;
    select count(*) from sales where city = 'Rome' or city = 'Oslo';
    select avg(amount) from stock where amount > 10;
";

/// The store of a folder, and an observer.
fn larder(folder: &Path, observer: Observer) -> Arc<Larder> {
    let mut settings = Settings::default();
    settings.store = StorePlace::Dir(folder.to_owned());
    settings.observer = observer;
    Arc::new(Larder::open(settings))
}

fn tables(cities: &[&str]) -> Tables {
    let sales = [
        ("city".to_owned(), Column::of_texts(cities.iter().copied())),
        ("units".to_owned(), Column::Integers((1..=cities.len() as i64).collect())),
    ];
    let mut tables = Tables::default();
    tables.insert("sales", Table::new(sales));
    tables.insert("stock", Table::new([("amount".to_owned(), Column::Integers(vec![10, 20, 40]))]));
    tables
}

/// What came of one start.
#[derive(Debug, PartialEq)]
struct Start {
    answers: Vec<String>,
    /// Functions.
    dropped: Vec<String>,
    compiled: u64,
    hits: u64,
}

fn start(folder: &Path, tables: Tables) -> Result<Start, Box<dyn Error>> {
    let dropped = Arc::new(Mutex::new(Vec::new()));
    let noted = Arc::clone(&dropped);
    let observer = Observer::new(move |event| {
        if let Event::Dropped { dropped, .. } = event {
            noted.lock().expect("no panic").push(dropped.name.clone());
        }
    });
    let larder = larder(folder, observer);
    let queries = Queries::prepare(Arc::clone(&larder), Arc::new(tables), QUERIES)?;
    let answers = (0..3).map(|number| Ok(queries.ask(number)?.to_string())).collect::<Result<_, query::Error>>()?;
    let counts = larder.counts();
    let dropped = dropped.lock().expect("no panic").clone();
    Ok(Start { answers, dropped, compiled: counts.compiled, hits: counts.hits })
}

#[test]
fn the_readme_is_true() -> Result<(), Box<dyn Error>> {
    let dir = tempfile::tempdir()?;
    for file in std::fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("shop"))? {
        let file = file?;
        std::fs::copy(file.path(), dir.path().join(file.file_name()))?;
    }
    Ok(check_transcripts(include_str!("../../README.md"), dir.path(), Path::new(env!("CARGO_BIN_EXE_query")))?)
}

#[test]
fn only_what_a_table_makes_wrong_is_compiled_again() -> Result<(), Box<dyn Error>> {
    let dir = tempfile::tempdir()?;
    let check = |cities: &[&str], answers: [&str; 3], dropped: &[&str], compiled, hits| {
        let (answers, dropped) =
            (answers.map(str::to_owned).to_vec(), dropped.iter().map(|&name| name.into()).collect());
        assert_eq!(start(dir.path(), tables(cities))?, Start { answers, dropped, compiled, hits });
        Ok::<_, Box<dyn Error>>(())
    };
    check(&["Rome", "Paris", "Rome"], ["Rome | 4\nParis | 2\n", "2\n", "30\n"], &[], 1, 0)?;
    check(&["Rome", "Paris", "Rome"], ["Rome | 4\nParis | 2\n", "2\n", "30\n"], &[], 0, 1)?;
    // Nothing counts on the number of rows.
    check(&["Rome", "Paris", "Rome", "Paris"], ["Rome | 4\nParis | 6\n", "2\n", "30\n"], &[], 0, 1)?;
    // The first query has one sum for each city.
    let more = ["Rome | 1\nParis | 2\nBerlin | 3\n", "1\n", "30\n"];
    check(&["Rome", "Paris", "Berlin"], more, &["query 1"], 1, 1)?;
    // The second one has the places of two cities.
    check(&["Rome", "Oslo"], ["Rome | 1\nOslo | 2\n", "2\n", "30\n"], &["query 2"], 1, 1)?;
    // What was compiled again is taken from the store as well.
    check(&["Rome", "Oslo"], ["Rome | 1\nOslo | 2\n", "2\n", "30\n"], &["query 2"], 0, 2)
}

#[test]
fn a_query_that_does_not_fit_is_an_error_of_its_own() -> Result<(), Box<dyn Error>> {
    let dir = tempfile::tempdir()?;
    let ask = |text: &str, tables: Tables, number: usize| -> Result<Vec<Vec<Value>>, query::Error> {
        let queries = Queries::prepare(larder(dir.path(), Observer::default()), Arc::new(tables), text)?;
        Ok(queries.ask(number)?.rows().to_vec())
    };
    let all = tables(&["Rome"]);
    let cases = [
        ("select sum(price) from sales;", "query 1: sales has no column price"),
        ("select count(*) from sale;", "query 1: there is no table sale"),
        ("select city from sales;", "query 1: city is not what rows are grouped by"),
        ("select sum(city) from sales;", "query 1: only numbers can be added up"),
        ("select count(*) from stock group by amount;", "query 1: amount has no texts, by which rows could be grouped"),
        ("select count(*) from stock where amount;", "query 1: what follows `where` is no condition"),
        ("select count(*) from sales where city < 'a';", "query 1: numbers go with numbers, and columns of texts"),
        ("select count(*) from sales where city and units;", "query 1: `and` and `or` need conditions"),
    ];
    for (text, expected) in cases {
        let error = ask(text, tables(&["Rome"]), 0).expect_err(text).to_string();
        assert!(error.contains(expected), "{error}");
    }
    assert_eq!(ask(QUERIES, all, 2)?, [[Value::Average(30.0)]]);
    // A table that is gone takes its query with it, and no other.
    let mut without = Tables::default();
    without.insert("stock", Table::new([("amount".to_owned(), Column::of_texts(["many"]))]));
    let error = ask(QUERIES, without, 0).expect_err("its table is missing").to_string();
    assert!(error.contains("query 1 of queries can't be called: object sales is missing"), "{error}");
    let mut changed = tables(&["Rome"]);
    changed.insert("stock", Table::new([("amount".to_owned(), Column::of_texts(["many"]))]));
    let error = ask(QUERIES, changed, 2).expect_err("amounts are texts").to_string();
    assert!(error.contains("stock.amount has changed") && error.contains("numbers go with numbers"), "{error}");
    assert!(ask(QUERIES, tables(&["Rome"]), 3).is_err());
    Ok(())
}
