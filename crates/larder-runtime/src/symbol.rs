//! Typed handles on an image's functions.

use std::fmt;
use std::marker::PhantomData;
use std::ops::Deref;

/// Pointers to functions of a C calling convention. Not for implementing elsewhere.
///
/// A reference among the arguments (`extern "C" fn(&mut T)`) makes a type for any lifetime, for which this can't be implemented: write a pointer
/// (`extern "C" fn(*mut T)`), which a caller may hand `&mut value` all the same.
pub trait FnPointer: Copy + sealed::Sealed {
    /// # Safety
    /// The address is that of a function of this type.
    #[doc(hidden)]
    unsafe fn from_address(address: *const ()) -> Self;
}

mod sealed {
    pub trait Sealed {}
}

macro_rules! fn_pointers {
    ($([$($argument:ident)*])*) => {$(
        fn_pointer!(extern "C" fn($($argument),*) -> R, $($argument)*);
        fn_pointer!(unsafe extern "C" fn($($argument),*) -> R, $($argument)*);
        fn_pointer!(extern "C-unwind" fn($($argument),*) -> R, $($argument)*);
        fn_pointer!(unsafe extern "C-unwind" fn($($argument),*) -> R, $($argument)*);
    )*};
}

macro_rules! fn_pointer {
    ($pointer:ty, $($argument:ident)*) => {
        impl<R, $($argument),*> sealed::Sealed for $pointer {}
        impl<R, $($argument),*> FnPointer for $pointer {
            unsafe fn from_address(address: *const ()) -> Self {
                // SAFETY: function pointers have the size of data pointers on every platform that images exist for; the type is the
                // caller's promise.
                unsafe { std::mem::transmute::<*const (), Self>(address) }
            }
        }
    };
}

fn_pointers! {
    [] [A] [A B] [A B C] [A B C D] [A B C D E] [A B C D E F] [A B C D E F G] [A B C D E F G H]
    [A B C D E F G H I] [A B C D E F G H I J] [A B C D E F G H I J K] [A B C D E F G H I J K L]
}

/// A function of a loaded image, usable while the image is borrowed.
#[derive(Clone, Copy)]
pub struct Function<'image, F> {
    pointer: F,
    image: PhantomData<&'image ()>,
}

impl<'image, F: FnPointer> Function<'image, F> {
    /// # Safety
    /// The address is that of a function of type `F`, in an image that stays loaded for `'image`.
    pub(crate) unsafe fn new(address: *const ()) -> Function<'image, F> {
        // SAFETY: passed on.
        Function { pointer: unsafe { F::from_address(address) }, image: PhantomData }
    }
}

impl<F> Deref for Function<'_, F> {
    type Target = F;
    fn deref(&self) -> &F {
        &self.pointer
    }
}

impl<F: fmt::Debug> fmt::Debug for Function<'_, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Function").field(&self.pointer).finish()
    }
}
