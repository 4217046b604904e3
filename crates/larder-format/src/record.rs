//! Fixed-size little-endian records that are read in place.
//!
//! The loader must use an image's tables without parsing them, and this crate may neither cast bytes to structs (that is
//! unsafe) nor trust them. So a table is a slice of bytes, and each row is decoded when it is asked for: a handful of
//! `from_le_bytes`, which the compiler turns into plain loads.
//!
//! `record!` declares a row once; its size, its codec and the field list that `docs/format.md` is compared with all
//! come from that declaration. Rows have no padding: fields stand one behind the other.

/// A value with one encoding of one size.
pub trait Record: Sized {
    /// Encoded size in bytes.
    const SIZE: usize;
    /// Decodes from exactly [`Self::SIZE`] bytes; shorter input gives `None`.
    fn decode(bytes: &[u8]) -> Option<Self>;
    /// Appends exactly [`Self::SIZE`] bytes.
    fn encode(&self, out: &mut Vec<u8>);
}

/// One field of a record, for the documentation test.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FieldInfo {
    /// Name as declared.
    pub name: &'static str,
    /// Offset in the record, in bytes.
    pub offset: usize,
    /// Size in bytes.
    pub size: usize,
}

macro_rules! integer_record {
    ($($int:ty),*) => {$(
        impl Record for $int {
            const SIZE: usize = size_of::<$int>();
            fn decode(bytes: &[u8]) -> Option<Self> {
                Some(<$int>::from_le_bytes(bytes.get(..Self::SIZE)?.try_into().ok()?))
            }
            fn encode(&self, out: &mut Vec<u8>) {
                out.extend_from_slice(&self.to_le_bytes());
            }
        }
    )*};
}
integer_record!(u32, u64, i64);

impl<const N: usize> Record for [u8; N] {
    const SIZE: usize = N;
    fn decode(bytes: &[u8]) -> Option<Self> {
        bytes.get(..N)?.try_into().ok()
    }
    fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self);
    }
}

/// Declares a struct whose fields are encoded in the order they are written.
macro_rules! record {
    ($(#[$meta:meta])* pub struct $name:ident { $($(#[$field_meta:meta])* pub $field:ident: $ty:ty,)+ }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
        pub struct $name { $($(#[$field_meta])* pub $field: $ty,)+ }

        impl $name {
            /// Every field with its place, in order.
            pub const FIELDS: &'static [$crate::record::FieldInfo] = &{
                let mut end = 0;
                [$({
                    let size = <$ty as $crate::record::Record>::SIZE;
                    let offset = end;
                    end += size;
                    let _ = end;
                    $crate::record::FieldInfo { name: stringify!($field), offset, size }
                },)+]
            };
        }

        impl $crate::record::Record for $name {
            const SIZE: usize = 0 $(+ <$ty as $crate::record::Record>::SIZE)+;
            fn decode(bytes: &[u8]) -> Option<Self> {
                let mut rest = bytes.get(..Self::SIZE)?;
                $(
                    let (head, tail) = rest.split_at(<$ty as $crate::record::Record>::SIZE);
                    let $field = <$ty as $crate::record::Record>::decode(head)?;
                    rest = tail;
                )+
                let _ = rest;
                Some(Self { $($field,)+ })
            }
            fn encode(&self, out: &mut Vec<u8>) {
                $($crate::record::Record::encode(&self.$field, out);)+
            }
        }
    };
}
pub(crate) use record;

/// Rows of one kind, one behind the other in an image's index.
#[derive(Debug)]
pub struct Rows<'a, R> {
    bytes: &'a [u8],
    row: std::marker::PhantomData<R>,
}

impl<R> Clone for Rows<'_, R> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<R> Copy for Rows<'_, R> {}

impl<'a, R: Record> Rows<'a, R> {
    /// Takes all whole rows of `bytes`.
    pub fn new(bytes: &'a [u8]) -> Self {
        Rows { bytes, row: std::marker::PhantomData }
    }

    /// Number of rows.
    pub fn len(&self) -> usize {
        self.bytes.len() / R::SIZE
    }

    /// Whether there is no row.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Row `index`, or `None` past the end.
    #[inline]
    pub fn get(&self, index: usize) -> Option<R> {
        let start = index.checked_mul(R::SIZE)?;
        R::decode(self.bytes.get(start..)?)
    }

    /// Number of rows in front that `is_in_front` holds for. They stand in front of all others.
    pub fn partition_point(&self, is_in_front: impl Fn(&R) -> bool) -> usize {
        let (mut start, mut end) = (0, self.len());
        while start < end {
            let middle = start + (end - start) / 2;
            if self.get(middle).is_some_and(|row| is_in_front(&row)) {
                start = middle + 1;
            } else {
                end = middle;
            }
        }
        start
    }

    /// All rows in order.
    #[inline]
    pub fn iter(self) -> impl ExactSizeIterator<Item = R> + 'a
    where
        R: 'a,
    {
        self.bytes.chunks_exact(R::SIZE).map(|row| match R::decode(row) {
            Some(row) => row,
            None => unreachable!("a chunk has the size of a row"),
        })
    }
}

#[cfg(test)]
#[expect(unreachable_pub, reason = "the macro makes public records")]
mod tests {
    use super::*;

    record! {
        /// A row with every kind of field.
        pub struct Sample {
            /// a
            pub a: u32,
            /// b
            pub b: u64,
            /// c
            pub c: i64,
            /// d
            pub d: [u8; 3],
        }
    }

    #[test]
    fn what_is_encoded_is_decoded_and_every_truncation_is_none() {
        let sample = Sample { a: 1, b: 2, c: -3, d: [4, 5, 6] };
        let mut bytes = Vec::new();
        sample.encode(&mut bytes);
        assert_eq!(bytes.len(), Sample::SIZE);
        assert_eq!(Sample::decode(&bytes), Some(sample));
        for len in 0..bytes.len() {
            assert_eq!(Sample::decode(&bytes[..len]), None, "{len} bytes");
        }
    }

    #[test]
    fn fields_know_their_places() {
        let places: Vec<_> = Sample::FIELDS.iter().map(|f| (f.name, f.offset, f.size)).collect();
        assert_eq!(places, [("a", 0, 4), ("b", 4, 8), ("c", 12, 8), ("d", 20, 3)]);
    }

    #[test]
    fn rows_end_where_the_bytes_end() {
        let rows = Rows::<u32>::new(&[1, 0, 0, 0, 2, 0, 0, 0, 9]);
        assert_eq!(rows.iter().collect::<Vec<_>>(), [1, 2]);
        assert_eq!(rows.get(1), Some(2));
        assert_eq!(rows.get(2), None);
        assert_eq!(rows.get(usize::MAX), None);
    }
}
