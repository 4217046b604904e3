//! Numbers that look random and are the same at every run.
//!
//! xorshift64* of Sebastiano Vigna, "An experimental exploration of Marsaglia's xorshift generators, scrambled" (2016).

/// A row of numbers, decided by its first state.
pub(crate) struct Random(u64);

impl Random {
    /// The row that starts at a state, which isn't zero.
    pub(crate) fn of_state(state: u64) -> Random {
        Random(state)
    }

    /// The row of a seed. Seeds that are close to each other give rows that aren't (the finaliser of SplitMix64).
    pub(crate) fn of_seed(seed: u64) -> Random {
        let mut state = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
        state = (state ^ state >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        state = (state ^ state >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        Random((state ^ state >> 31).max(1))
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    /// Less than `end`, which isn't zero.
    pub(crate) fn below(&mut self, end: u64) -> u64 {
        (self.next() >> 16) % end
    }

    /// True once in `count` times.
    pub(crate) fn one_in(&mut self, count: u64) -> bool {
        self.below(count) == 0
    }

    /// One of these, of which there is at least one.
    pub(crate) fn pick<'a, T: ?Sized>(&mut self, of: &[&'a T]) -> &'a T {
        of[self.below(of.len() as u64) as usize]
    }

    /// Odd, 56 bits wide: too wide for an immediate operand and never zero.
    pub(crate) fn constant(&mut self) -> u64 {
        self.next() >> 8 | 1 << 55 | 1
    }

    /// Between 0.5 and 1, of few digits.
    pub(crate) fn fraction(&mut self) -> f64 {
        0.5 + (self.next() % 4096) as f64 / 8192.0
    }
}
