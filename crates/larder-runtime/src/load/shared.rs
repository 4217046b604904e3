//! What all who keep an image in memory have in common.

use super::Parts;
use crate::availability::Availability;
use crate::debugger::Described;
use crate::error::LoadError;
use crate::guards;
use crate::os;
use crate::rebind::{self, Move};
use crate::resolve::Address;
use crate::tls;
use crate::unavailable::{Dropped, Unavailable, UnitId, Waiting};
use crate::unwind;
use larder_format::image::{Image, PAGE, WORD, export_flags};
use std::collections::{BTreeMap, HashMap};
use std::mem::ManuallyDrop;
use std::sync::{Arc, Mutex, OnceLock, PoisonError, Weak};

/// What keeps an image loaded: handles of it, and destructors that threads still have to run.
/// The order of the fields is the order of the undoing.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(super) known: OnceLock<unwind::Known>,
    pub(super) _described: Option<Described>,
    pub(super) tls: Option<tls::Module>,
    pub(super) owner: usize,
    pub(super) availability: Option<Box<Availability>>,
    pub(super) parts: Parts,
    /// Held by who changes rights in the region.
    pub(super) rebinding: Mutex<()>,
}

impl Shared {
    /// One more of those who keep the image; `None` if it is going already.
    ///
    /// # Safety
    /// The address is that of a `Weak` which exists during the call.
    pub(crate) unsafe fn another(address: usize) -> Option<Arc<Shared>> {
        // SAFETY: the caller's promise; `ManuallyDrop` leaves that `Weak` its count.
        let weak = ManuallyDrop::new(unsafe { Weak::from_raw(address as *const Shared) });
        weak.upgrade()
    }

    /// The image's index.
    pub(crate) fn image(&self) -> &Image<'_> {
        &self.parts.image
    }

    /// Address of its first byte.
    pub(crate) fn base(&self) -> usize {
        self.parts.region.base()
    }

    /// Address of an export.
    pub(crate) fn symbol(&self, name: &[u8]) -> Option<Address> {
        let export = self.image().exports().find(name)?;
        if export.flags & export_flags::TLS != 0 {
            let module = self.tls.as_ref().filter(|_| export.offset < self.image().header().tls_mem_len)?;
            return Some(module.address(export.offset).cast_const().cast());
        }
        self.at(export.offset)
    }

    /// Address of an image offset; `None` behind the image's end.
    pub(super) fn at(&self, offset: u64) -> Option<Address> {
        (offset < self.image().header().mem_len).then(|| self.address(offset))
    }

    /// The image's ELF program headers and where it is mapped, as `dl_iterate_phdr` tells them.
    pub(crate) fn describe_segments(&self, info: &mut libc::dl_phdr_info) {
        // SAFETY: R is mapped as long as `self` and never written.
        let r = unsafe { self.parts.region.bytes(0..self.image().header().r_len()) };
        let headers = Segments::of_elf(r);
        info.dlpi_addr = self.base() as libc::Elf64_Addr;
        info.dlpi_phdr = self.address(headers.offset).cast();
        info.dlpi_phnum = headers.count;
        info.dlpi_tls_modid = 0;
        info.dlpi_tls_data = std::ptr::null_mut();
    }

    pub(super) fn set_unavailable(&self, handler: Arc<dyn Unavailable>) {
        if let Some(availability) = &self.availability {
            availability.set_handler(handler);
        }
    }

    pub(super) fn dropped(&self) -> &[Dropped] {
        self.availability.as_ref().map_or(&[], |availability| availability.dropped())
    }

    pub(super) fn waiting(&self) -> Vec<Waiting> {
        self.availability.as_ref().map_or_else(Vec::new, |availability| availability.waiting())
    }

    fn os_error(&self, operation: &'static str) -> impl FnOnce(std::io::Error) -> LoadError {
        let path = self.parts.path.clone();
        move |source| LoadError::Os { path, operation, source }
    }

    /// # Safety
    /// As for [`Loaded::define`](super::Loaded::define).
    pub(super) unsafe fn define(&self, definitions: &HashMap<&str, Address>) -> Result<Vec<UnitId>, LoadError> {
        let Some(availability) = &self.availability else { return Ok(Vec::new()) };
        let _rebinding = self.rebinding.lock().unwrap_or_else(PoisonError::into_inner);
        let found = availability.deferred(|name| definitions.get(name).map(|address| *address as usize));
        let moves = found.iter().copied().collect();
        // SAFETY: the image is bound, and the lock is held.
        unsafe { rebind::rebind(&self.parts.region, &self.parts.image, &moves) }
            .map_err(self.os_error("bind names of"))?;
        let defined = moves.into_iter().map(|(import, moved)| (import, moved.to)).collect();
        // SAFETY: the caller's promise.
        unsafe { availability.arm(&self.parts.region, &defined) }.map_err(self.os_error("restore code of"))
    }

    /// # Safety
    /// As for [`Loaded::rebind`](super::Loaded::rebind).
    pub(super) unsafe fn rebind(&self, objects: &HashMap<&[u8], Address>) -> Result<(), LoadError> {
        let Parts { image, region, .. } = &self.parts;
        let _rebinding = self.rebinding.lock().unwrap_or_else(PoisonError::into_inner);
        let moves = guards::objects(image).filter_map(|(name, import)| {
            let to = *objects.get(name)? as usize;
            // SAFETY: the image is bound, and the lock is held.
            let from = unsafe { rebind::bound_to(region, image, import as u32) };
            (from != 0).then_some((import as u32, Move { from, to }))
        });
        let moves: BTreeMap<u32, Move> = moves.collect();
        // SAFETY: as above.
        unsafe { rebind::rebind(region, image, &moves) }.map_err(self.os_error("bind objects of"))
    }

    pub(super) fn address(&self, offset: u64) -> *const () {
        self.parts.region.at(offset).cast_const().cast()
    }

    /// Has the resolvers of indirect functions answer what these become. Their slots are writable meanwhile.
    ///
    /// # Safety
    /// The image's code may run, and has not run before.
    pub(super) unsafe fn choose_functions(&self) -> std::io::Result<()> {
        type Resolver = unsafe extern "C-unwind" fn() -> usize;
        let rows = self.parts.image.indirect_functions();
        let slots = || rows.iter().map(|row| row.slot);
        let (Some(first), Some(last)) = (slots().min(), slots().max()) else { return Ok(()) };
        let pages = first - first % PAGE..(last + WORD).next_multiple_of(PAGE);
        self.parts.region.make_data(pages.clone())?;
        for row in rows.iter() {
            // SAFETY: `check_calls` has checked that it lies in RX; that code is there is the caller's promise.
            let resolver = unsafe { std::mem::transmute::<*const (), Resolver>(self.address(row.resolver)) };
            // SAFETY: the caller's promise.
            let address = unsafe { resolver() };
            // SAFETY: `check_calls` has checked that the word lies in relro, and its page is writable now.
            unsafe { self.parts.region.at(row.slot).cast::<usize>().write_volatile(address) };
        }
        self.parts.region.make_read_only(pages)
    }
}

/// Where an ELF file's program headers stand (gABI, "ELF Header": `e_phoff`, `e_phnum`).
struct Segments {
    offset: u64,
    count: u16,
}

impl Segments {
    const SIZE: usize = 56;

    /// None, if they lie outside of the bytes.
    fn of_elf(bytes: &[u8]) -> Segments {
        let offset = bytes[32..].first_chunk().map_or(0, |word| u64::from_le_bytes(*word));
        let count = bytes[56..].first_chunk().map_or(0, |half| u16::from_le_bytes(*half));
        let end = usize::try_from(offset).ok().and_then(|offset| offset.checked_add(usize::from(count) * Self::SIZE));
        let inside = end.is_some_and(|end| end <= bytes.len());
        if inside { Segments { offset, count } } else { Segments { offset: 0, count: 0 } }
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        // SAFETY: only code of the image, and `initialise`, put handlers there; its contract allows them to run when the image is dropped.
        unsafe { os::finalise(self.owner) };
    }
}
