//! Tables in memory, by columns. Texts are numbers there: places in a list, the *dictionary*, that has each text once.
//!
//! Code has pointers to what lies here, and counts on some of it. [`Tables::object`] and [`Tables::code`] tell it where things are now, and
//! whether they still are what they were.

use crate::error::Error;
use larder::runtime::{Address, ObjectAnswer};
use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::Path;
use std::ptr;

/// What code is told as the place of a text that a dictionary doesn't have.
const ABSENT: u64 = u32::MAX as u64;

/// All that can be asked. They don't change while code uses them.
#[derive(Debug, Default)]
pub struct Tables(HashMap<String, Table>);

/// Columns of equal length.
#[derive(Debug, Default)]
pub struct Table {
    row_count: u64,
    columns: HashMap<String, Column>,
}

/// What the rows have under one name.
#[derive(Debug, Hash)]
pub enum Column {
    /// Numbers.
    Integers(Vec<i64>),
    /// Texts.
    Texts {
        /// For each row, a place in the dictionary.
        codes: Vec<u32>,
        /// The dictionary, in the order in which texts came up.
        dictionary: Vec<String>,
    },
}

impl Column {
    /// A column of texts.
    pub fn of_texts<'a>(texts: impl IntoIterator<Item = &'a str>) -> Column {
        let mut places = HashMap::new();
        let mut dictionary = Vec::new();
        let mut code = |text: &'a str| {
            *places.entry(text).or_insert_with(|| {
                dictionary.push(text.to_owned());
                dictionary.len() as u32 - 1
            })
        };
        let codes = texts.into_iter().map(&mut code).collect();
        Column::Texts { codes, dictionary }
    }

    /// Numbers if all of the texts are, texts otherwise.
    fn of_cells(cells: &[&str]) -> Column {
        let integers: Result<Vec<_>, _> = cells.iter().map(|cell| cell.parse()).collect();
        integers.map_or_else(|_| Column::of_texts(cells.iter().copied()), Column::Integers)
    }

    fn len(&self) -> usize {
        match self {
            Column::Integers(integers) => integers.len(),
            Column::Texts { codes, .. } => codes.len(),
        }
    }

    /// Code that was made for the one kind can't read the other.
    pub(crate) fn kind(&self) -> u64 {
        match self {
            Column::Integers(_) => 1,
            Column::Texts { .. } => 2,
        }
    }
}

impl Table {
    /// A table of these columns.
    ///
    /// # Panics
    /// They differ in length.
    pub fn new(columns: impl IntoIterator<Item = (String, Column)>) -> Table {
        let columns: HashMap<_, _> = columns.into_iter().collect();
        let row_count = columns.values().next().map_or(0, Column::len);
        assert!(columns.values().all(|column| column.len() == row_count), "columns of one table differ in length");
        Table { row_count: row_count as u64, columns }
    }

    /// Reads comma-separated values with a heading. There are no quotes: a cell has no comma.
    fn from_csv(text: &str) -> Result<Table, String> {
        let mut lines = text.lines().map(|line| line.split(',').map(str::trim).collect::<Vec<_>>());
        let names = lines.next().ok_or("there is no heading")?;
        let rows: Vec<_> = lines.collect();
        if let Some(short) = rows.iter().position(|row| row.len() != names.len()) {
            return Err(format!("line {} has {} cells, not {}", short + 2, rows[short].len(), names.len()));
        }
        let column = |number: usize| Column::of_cells(&rows.iter().map(|row| row[number]).collect::<Vec<_>>());
        Ok(Table::new(names.iter().enumerate().map(|(number, name)| (name.to_ascii_lowercase(), column(number)))))
    }

    /// The column of that name.
    pub fn column(&self, name: &str) -> Option<&Column> {
        self.columns.get(name)
    }

    /// How many rows it has.
    pub fn row_count(&self) -> usize {
        self.row_count as usize
    }

    /// Equal for tables for which equal code is made.
    pub(crate) fn shape(&self) -> u64 {
        let mut columns: Vec<_> = self.columns.iter().collect();
        columns.sort_by_key(|(name, _)| *name);
        let mut hasher = DefaultHasher::new();
        for (name, column) in columns {
            (name, column.kind()).hash(&mut hasher);
            if let Column::Texts { dictionary, .. } = column {
                dictionary.hash(&mut hasher);
            }
        }
        hasher.finish()
    }
}

impl Tables {
    /// Reads files of comma-separated values; a table is called what its file is, without the extension.
    ///
    /// # Errors
    /// A file that can't be read.
    pub fn read<P: AsRef<Path>>(files: impl IntoIterator<Item = P>) -> Result<Tables, Error> {
        let mut tables = Tables::default();
        for path in files {
            let path = path.as_ref();
            let failed = |message: String| Error::Table { path: path.display().to_string(), message };
            let text = std::fs::read_to_string(path).map_err(|error| failed(error.to_string()))?;
            let name = path.file_stem().unwrap_or_default().to_string_lossy();
            tables.insert(&name, Table::from_csv(&text).map_err(failed)?);
        }
        Ok(tables)
    }

    /// Adds a table.
    pub fn insert(&mut self, name: &str, table: Table) {
        self.0.insert(name.to_ascii_lowercase(), table);
    }

    /// The table of that name.
    pub fn get(&self, name: &str) -> Option<&Table> {
        self.0.get(name)
    }

    /// What code has a pointer to: the number of rows of `table`, the values of `table.column`, and the dictionary of `table.column texts`.
    pub(crate) fn object(&self, name: &str) -> Option<ObjectAnswer> {
        let Some((table, column)) = name.split_once('.') else {
            return Some(ObjectAnswer { address: address(&self.get(name)?.row_count), fingerprint: 0 });
        };
        let (column, of_dictionary) = column.strip_suffix(" texts").map_or((column, false), |column| (column, true));
        let column = self.get(table)?.column(column)?;
        Some(match column {
            Column::Texts { dictionary, .. } if of_dictionary => {
                ObjectAnswer { address: address(dictionary), fingerprint: dictionary.len() as u64 }
            }
            Column::Texts { codes, .. } => ObjectAnswer { address: codes.as_ptr().cast(), fingerprint: column.kind() },
            Column::Integers(_) if of_dictionary => return None,
            Column::Integers(integers) => {
                ObjectAnswer { address: integers.as_ptr().cast(), fingerprint: column.kind() }
            }
        })
    }

    /// What code was told as the place of a text, for `table.column = text`.
    pub(crate) fn code(&self, question: &str) -> Option<u64> {
        let (column, text) = question.split_once(" = ")?;
        let (table, column) = column.split_once('.')?;
        match self.get(table)?.column(column)? {
            Column::Texts { dictionary, .. } => {
                Some(dictionary.iter().position(|other| other == text).map_or(ABSENT, |place| place as u64))
            }
            Column::Integers(_) => None,
        }
    }
}

fn address<T>(object: &T) -> Address {
    ptr::from_ref(object).cast()
}
