//! Thread-local variables of others: the process's, and those of other images.
//!
//! A resolver answers with the address of the calling thread's variable, which is what `dlsym` knows. Code of an image needs to know how to
//! find it in any thread: so the address is looked for in the calling thread's blocks.

use super::{block_at, x86_64};
use crate::os;

/// How a variable is found in any thread.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Variable {
    /// Module number: of an image, or of the C library.
    pub(crate) module: u64,
    /// Offset in the module's block.
    pub(crate) offset: u64,
    /// Signed distance from the thread pointer, if it is the same in every thread.
    pub(crate) distance: Option<i64>,
}

impl Variable {
    /// What a weak variable is that nobody defines: null in every thread.
    pub(crate) const NULL: Variable = Variable { module: 0, offset: 0, distance: None };

    /// What lies so many bytes behind it.
    pub(crate) fn at_offset(&self, offset: u64) -> Variable {
        let distance = self.distance.map(|distance| distance.wrapping_add_unsigned(offset));
        Variable { offset: self.offset.wrapping_add(offset), distance, ..*self }
    }

    /// The variable whose address this is in the calling thread; `None` if no thread-local block is there.
    pub(crate) fn at(address: usize) -> Option<Variable> {
        let thread_pointer = x86_64::thread_pointer();
        let distance = |fixed: bool| fixed.then(|| (address as i64).wrapping_sub(thread_pointer as i64));
        if let Some(block) = block_at(address) {
            let offset = (address - block.address) as u64;
            return Some(Variable { module: block.module, offset, distance: distance(block.is_static) });
        }
        let modules = os::thread_local_modules();
        let module = modules.iter().find(|module| module.block.contains(&address))?;
        let fixed = module.is_program || os::is_static(address, thread_pointer);
        let offset = (address - module.block.start) as u64;
        Some(Variable { module: module.number, offset, distance: distance(fixed) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;

    thread_local! {
        static MINE: Cell<u32> = const { Cell::new(7) };
    }

    #[test]
    fn a_variable_of_the_program_is_found_in_other_threads() {
        let mine = MINE.with(|mine| mine.as_ptr() as usize);
        let variable = Variable::at(mine).expect("it is thread-local");
        let distance = variable.distance.expect("the program's variables have a fixed place");
        assert_eq!(x86_64::thread_pointer().wrapping_add_signed(distance as isize), mine);
        let other = std::thread::spawn(move || {
            let mine = MINE.with(|mine| mine.as_ptr() as usize);
            assert_eq!(x86_64::thread_pointer().wrapping_add_signed(distance as isize), mine);
            // SAFETY: module number and offset are those of the variable.
            assert_eq!(unsafe { os::thread_local_address(variable.module, variable.offset) } as usize, mine);
            mine
        });
        assert_ne!(other.join().expect("the thread is well"), mine);
    }

    #[test]
    fn other_memory_is_no_variable() {
        static ORDINARY: u32 = 7;
        assert_eq!(Variable::at(&raw const ORDINARY as usize), None);
        assert_eq!(Variable::at(0), None);
    }
}
