//! The border to C++: what `cpp/larder_llvm.h` declares, as safe values.
//!
//! All of the crate's unsafe code about LLVM is here. Each wrapper owns one C++ object and lives no longer than what that object
//! borrows: the module's bytes, the settings, the sink.

use std::ffi::c_void;
use std::marker::PhantomData;
use std::num::NonZeroU64;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr::NonNull;
use std::slice;

use larder_format::image::STATIC_TLS_ALIGN;
use larder_format::wire::{
    Diagnostic, OptLevel, PointerFate, PointerUse, RawPointers, Region, SessionObject, Severity, SymbolKind,
    UnitRequest,
};

/// Borrowed bytes, as C++ sees them.
#[repr(C)]
#[derive(Clone, Copy)]
struct Bytes {
    data: *const u8,
    len: usize,
}

/// What became of a step; the numbers of `LarderStatus`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Status {
    Ok,
    Malformed,
    Unsupported,
    BadRequest,
    Failed,
}

#[repr(C)]
#[derive(Clone, Copy)]
struct RawSink {
    context: *mut c_void,
    diagnostic: extern "C" fn(*mut c_void, u32, Bytes, Bytes, u32, u32),
    progress: extern "C" fn(*mut c_void, u32, u32),
    part: extern "C" fn(*mut c_void, Bytes, u64),
    is_awaited: Option<extern "C" fn(*mut c_void) -> bool>,
}

#[repr(C)]
struct RawSettings {
    level: u32,
    pipeline: Bytes,
    features: Bytes,
    static_tls_len: u64,
    static_tls_align: u64,
}

#[repr(C)]
struct RawRegion {
    name: Bytes,
    start: u64,
    len: u64,
}

#[repr(C)]
struct RawWanted {
    raw_pointers: u32,
    regions: *const RawRegion,
    region_count: usize,
    is_unit: bool,
    names: Bytes,
    present: Bytes,
    loosened: Bytes,
}

#[repr(C)]
struct RawModule {
    _opaque: [u8; 0],
}

#[repr(C)]
struct RawPartitions {
    _opaque: [u8; 0],
}

type Receive = extern "C" fn(*mut c_void, Bytes);

unsafe extern "C" {
    fn larder_register();
    fn larder_start(fatal: extern "C" fn(bool, Bytes));
    fn larder_llvm_version() -> Bytes;
    fn larder_llvm_address() -> *const c_void;
    fn larder_read(
        input: Bytes,
        name: Bytes,
        repetition: u32,
        settings: *const RawSettings,
        sink: RawSink,
    ) -> *mut RawModule;
    fn larder_verify(module: *mut RawModule) -> u32;
    fn larder_module_free(module: *mut RawModule);
    fn larder_symbols(module: *const RawModule, context: *mut c_void, receive: extern "C" fn(*mut c_void, u32, Bytes));
    fn larder_link(module: *mut RawModule, input: Bytes, name: Bytes) -> u32;
    fn larder_internalise(module: *mut RawModule, keep: Bytes);
    fn larder_give_way(module: *mut RawModule, names: Bytes);
    fn larder_write(module: *const RawModule, context: *mut c_void, receive: Receive);
    fn larder_prepare(module: *mut RawModule, wanted: *const RawWanted) -> u32;
    fn larder_pointers(
        module: *const RawModule,
        context: *mut c_void,
        receive: extern "C" fn(*mut c_void, Bytes, bool, Bytes),
    );
    fn larder_session_objects(
        module: *const RawModule,
        context: *mut c_void,
        receive: extern "C" fn(*mut c_void, Bytes, u64),
    );
    fn larder_rescued(module: *const RawModule) -> Bytes;
    fn larder_optimise(module: *mut RawModule, part_size: u64) -> u32;
    fn larder_instruction_count(module: *const RawModule) -> u64;
    fn larder_size_left(module: *const RawModule) -> u64;
    fn larder_features(module: *const RawModule, context: *mut c_void, receive: extern "C" fn(*mut c_void, u32, Bytes));
    fn larder_can_split(module: *const RawModule) -> bool;
    fn larder_split(module: *mut RawModule, count: u32) -> *mut RawPartitions;
    fn larder_partition_count(partitions: *const RawPartitions) -> u32;
    fn larder_partition_size(partitions: *const RawPartitions, index: u32) -> u64;
    fn larder_partitions_free(partitions: *mut RawPartitions);
    fn larder_generate(module: *mut RawModule, context: *mut c_void, receive: Receive) -> u32;
    fn larder_can_group(module: *const RawModule) -> bool;
    fn larder_group(module: *mut RawModule);
    fn larder_generate_part(
        bitcode: Bytes,
        is_group: bool,
        settings: *const RawSettings,
        sink: RawSink,
        context: *mut c_void,
        receive: Receive,
    ) -> u32;
    fn larder_partition_bitcode(
        partitions: *const RawPartitions,
        index: u32,
        sink: RawSink,
        context: *mut c_void,
        receive: Receive,
    ) -> u32;
}

impl Bytes {
    fn of(bytes: &[u8]) -> Self {
        Bytes { data: bytes.as_ptr(), len: bytes.len() }
    }

    /// # Safety
    /// The bytes are live and unchanged for `'a`.
    unsafe fn get<'a>(self) -> &'a [u8] {
        if self.len == 0 {
            return &[];
        }
        // SAFETY: as the caller promises; a length above 0 has a pointer.
        unsafe { slice::from_raw_parts(self.data, self.len) }
    }

    /// # Safety
    /// The bytes are live and unchanged for the call.
    unsafe fn to_text(self) -> String {
        // SAFETY: as the caller promises.
        let bytes = unsafe { self.get() };
        String::from_utf8_lossy(bytes).into_owned()
    }
}

impl Status {
    fn of(number: u32) -> Self {
        match number {
            0 => Status::Ok,
            1 => Status::Malformed,
            2 => Status::Unsupported,
            3 => Status::BadRequest,
            _ => Status::Failed,
        }
    }
}

/// Who is told what LLVM says. Called from any thread.
pub(crate) trait Sink: Sync {
    fn diagnostic(&self, diagnostic: Diagnostic);
    fn progress(&self, done: u32, total: u32);
    /// A part to be optimised further and generated, as bitcode, and its length in instructions.
    fn part(&self, bitcode: &[u8], size: u64);
    /// Whether passes are to be left out once nobody waits any more.
    fn can_be_given_up(&self) -> bool;
    /// Whether somebody still waits.
    fn is_awaited(&self) -> bool;
}

/// A callback must not unwind into C++; a panic there is a bug of ours, and ends the process as any other bug does.
fn guard(callback: impl FnOnce()) {
    if catch_unwind(AssertUnwindSafe(callback)).is_err() {
        std::process::abort();
    }
}

extern "C" fn on_diagnostic<S: Sink>(
    context: *mut c_void,
    severity: u32,
    message: Bytes,
    file: Bytes,
    line: u32,
    column: u32,
) {
    let severity = match severity {
        0 => Severity::Error,
        1 => Severity::Warning,
        2 => Severity::Remark,
        _ => Severity::Note,
    };
    // SAFETY: C++ lends the text for this call.
    let message = unsafe { message.to_text() };
    // SAFETY: as above.
    let file = unsafe { file.to_text() };
    // SAFETY: the context is the sink that was given with this callback, which outlives the call that led here.
    let sink = unsafe { &*context.cast::<S>() };
    guard(|| sink.diagnostic(Diagnostic { severity, message, file, line, column }));
}

extern "C" fn on_progress<S: Sink>(context: *mut c_void, done: u32, total: u32) {
    // SAFETY: as in `on_diagnostic`.
    let sink = unsafe { &*context.cast::<S>() };
    guard(|| sink.progress(done, total));
}

extern "C" fn on_part<S: Sink>(context: *mut c_void, bitcode: Bytes, size: u64) {
    // SAFETY: C++ lends the bytes for this call.
    let bitcode = unsafe { bitcode.get() };
    // SAFETY: as in `on_diagnostic`.
    let sink = unsafe { &*context.cast::<S>() };
    guard(|| sink.part(bitcode, size));
}

extern "C" fn on_is_awaited<S: Sink>(context: *mut c_void) -> bool {
    // SAFETY: as in `on_diagnostic`.
    let sink = unsafe { &*context.cast::<S>() };
    let mut is_awaited = false;
    guard(|| is_awaited = sink.is_awaited());
    is_awaited
}

impl RawSink {
    fn of<S: Sink>(sink: &S) -> Self {
        RawSink {
            context: std::ptr::from_ref(sink).cast_mut().cast(),
            diagnostic: on_diagnostic::<S>,
            progress: on_progress::<S>,
            part: on_part::<S>,
            is_awaited: sink.can_be_given_up().then_some(on_is_awaited::<S>),
        }
    }
}

/// The part of a request that reaches generated code.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    pub(crate) level: OptLevel,
    /// LLVM's textual pipeline; empty for the level's own.
    pub(crate) pipeline: String,
    /// LLVM's feature string.
    pub(crate) features: String,
    /// Bytes of thread-local variables that can have a fixed distance from the thread pointer.
    pub(crate) static_tls_len: u64,
}

impl Settings {
    fn raw(&self) -> RawSettings {
        RawSettings {
            level: self.level as u32,
            pipeline: Bytes::of(self.pipeline.as_bytes()),
            features: Bytes::of(self.features.as_bytes()),
            static_tls_len: self.static_tls_len,
            static_tls_align: STATIC_TLS_ALIGN,
        }
    }
}

/// The part of a request that is about the module itself.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Wanted<'a> {
    pub(crate) raw_pointers: RawPointers,
    pub(crate) regions: &'a [Region],
    pub(crate) unit: Option<&'a UnitRequest>,
}

/// Whether a list of features names what all functions have, what some have, or what was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FeatureKind {
    Every,
    Some,
    Requested,
}

/// A module in a context of its own.
pub(crate) struct Module<'a, S> {
    raw: NonNull<RawModule>,
    /// Bytes, settings and sink are borrowed by the C++ side.
    _borrowed: PhantomData<(&'a [u8], &'a S)>,
}

impl<'a, S: Sink> Module<'a, S> {
    /// Reads bitcode or text; `None` when the sink was told why not. `repetition` tells modules of a program with the same bytes apart.
    pub(crate) fn read(
        input: &'a [u8],
        name: &str,
        repetition: u32,
        settings: &'a Settings,
        sink: &'a S,
    ) -> Option<Self> {
        let (settings, name) = (settings.raw(), Bytes::of(name.as_bytes()));
        // SAFETY: input, the texts behind the settings and the sink live for 'a, which the module doesn't outlive. The settings
        // themselves are copied.
        let raw = unsafe { larder_read(Bytes::of(input), name, repetition, &raw const settings, RawSink::of(sink)) };
        NonNull::new(raw).map(|raw| Module { raw, _borrowed: PhantomData })
    }

    pub(crate) fn verify(&mut self) -> Status {
        // SAFETY: the module is live and not shared.
        Status::of(unsafe { larder_verify(self.raw.as_ptr()) })
    }

    /// What linkers see of the module.
    pub(crate) fn symbols(&self) -> Vec<(String, SymbolKind)> {
        extern "C" fn receive(context: *mut c_void, kind: u32, name: Bytes) {
            let kind = match kind {
                0 => SymbolKind::WeaklyUndefined,
                1 => SymbolKind::Undefined,
                2 => SymbolKind::Common,
                3 => SymbolKind::Weak,
                _ => SymbolKind::Strong,
            };
            // SAFETY: the context is the vector below, which nothing else touches during the call.
            let found = unsafe { &mut *context.cast::<Vec<(String, SymbolKind)>>() };
            // SAFETY: C++ lends the name for this call.
            found.push((unsafe { name.to_text() }, kind));
        }
        let mut found = Vec::new();
        // SAFETY: the module is live; the vector outlives the call.
        unsafe { larder_symbols(self.raw.as_ptr(), (&raw mut found).cast(), receive) };
        found
    }

    /// Links another module into this one.
    pub(crate) fn link(&mut self, input: &[u8], name: &str) -> Status {
        // SAFETY: the module is live and not shared; the bytes outlive the call, which keeps nothing of them.
        Status::of(unsafe { larder_link(self.raw.as_ptr(), Bytes::of(input), Bytes::of(name.as_bytes())) })
    }

    /// Makes declarations of the definitions of these names.
    pub(crate) fn give_way(&mut self, names: &[String]) {
        let names = with_nuls(names);
        // SAFETY: the module is live and not shared; the names outlive the call.
        unsafe { larder_give_way(self.raw.as_ptr(), Bytes::of(&names)) }
    }

    /// Makes internal what is not among these names.
    pub(crate) fn internalise(&mut self, keep: &[String]) {
        let names = with_nuls(keep);
        // SAFETY: the module is live and not shared; the names outlive the call.
        unsafe { larder_internalise(self.raw.as_ptr(), Bytes::of(&names)) }
    }

    /// The module as bitcode.
    pub(crate) fn write(&self) -> Vec<u8> {
        let mut bitcode: Vec<u8> = Vec::new();
        // SAFETY: the module is live; the vector outlives the call.
        unsafe { larder_write(self.raw.as_ptr(), (&raw mut bitcode).cast(), append) };
        bitcode
    }

    pub(crate) fn prepare(&mut self, wanted: &Wanted<'_>) -> Status {
        let Wanted { raw_pointers, regions, unit } = *wanted;
        let name = |region: &Region| Bytes::of(region.name.as_deref().unwrap_or_default().as_bytes());
        let raw_region = |region| RawRegion { name: name(region), start: region.start, len: region.len };
        let mut regions: Vec<_> = regions.iter().map(raw_region).collect();
        regions.sort_by_key(|region| region.start);
        let lists =
            unit.map(|UnitRequest { names, present, loosened }| [names, present, loosened].map(|list| with_nuls(list)));
        let [names, present, loosened] = lists.unwrap_or_default();
        let raw = RawWanted {
            raw_pointers: raw_pointers as u32,
            regions: regions.as_ptr(),
            region_count: regions.len(),
            is_unit: unit.is_some(),
            names: Bytes::of(&names),
            present: Bytes::of(&present),
            loosened: Bytes::of(&loosened),
        };
        // SAFETY: the module is live and not shared; all that is wanted outlives the call, which keeps nothing of it.
        Status::of(unsafe { larder_prepare(self.raw.as_ptr(), &raw const raw) })
    }

    /// Where addresses of the client's process were found. After [`prepare`](Self::prepare).
    pub(crate) fn pointers(&self) -> Vec<PointerUse> {
        extern "C" fn receive(context: *mut c_void, name: Bytes, session_only: bool, why: Bytes) {
            let fate = if session_only { PointerFate::SessionOnly } else { PointerFate::Rescued };
            // SAFETY: the context is the vector below, which nothing else touches during the call.
            let found = unsafe { &mut *context.cast::<Vec<PointerUse>>() };
            // SAFETY: C++ lends the name for this call.
            let function = unsafe { name.to_text() };
            // SAFETY: as above.
            found.push(PointerUse { function, fate, why: unsafe { why.to_text() } });
        }
        let mut found = Vec::new();
        // SAFETY: the module is live; the vector outlives the call.
        unsafe { larder_pointers(self.raw.as_ptr(), (&raw mut found).cast(), receive) };
        found
    }

    /// Objects that only the client's process has. After [`prepare`](Self::prepare).
    pub(crate) fn session_objects(&self) -> Vec<SessionObject> {
        extern "C" fn receive(context: *mut c_void, name: Bytes, address: u64) {
            // SAFETY: the context is the vector below, which nothing else touches during the call.
            let found = unsafe { &mut *context.cast::<Vec<SessionObject>>() };
            // SAFETY: C++ lends the name for this call.
            found.push(SessionObject { name: unsafe { name.to_text() }, address });
        }
        let mut found = Vec::new();
        // SAFETY: the module is live; the vector outlives the call.
        unsafe { larder_session_objects(self.raw.as_ptr(), (&raw mut found).cast(), receive) };
        found
    }

    /// The module without addresses of the client's process, as bitcode; `None` if there were none. After
    /// [`prepare`](Self::prepare).
    pub(crate) fn rescued(&self) -> Option<&[u8]> {
        // SAFETY: the module is live.
        let bitcode = unsafe { larder_rescued(self.raw.as_ptr()) };
        // SAFETY: the bytes live as long as the module, and nothing changes them.
        let bitcode = unsafe { bitcode.get() };
        Some(bitcode).filter(|bitcode| !bitcode.is_empty())
    }

    /// The whole pipeline; with a `part_size`, its first half, during which the sink may be given parts. After
    /// [`prepare`](Self::prepare).
    pub(crate) fn optimise(&mut self, part_size: Option<NonZeroU64>) -> Status {
        let part_size = part_size.map_or(0, NonZeroU64::get);
        // SAFETY: the module is live, not shared, and has its target.
        Status::of(unsafe { larder_optimise(self.raw.as_ptr(), part_size) })
    }

    pub(crate) fn instruction_count(&self) -> u64 {
        // SAFETY: the module is live.
        unsafe { larder_instruction_count(self.raw.as_ptr()) }
    }

    /// Instructions that weren't handed out.
    pub(crate) fn size_left(&self) -> u64 {
        // SAFETY: the module is live.
        unsafe { larder_size_left(self.raw.as_ptr()) }
    }

    pub(crate) fn can_split(&self) -> bool {
        // SAFETY: the module is live.
        unsafe { larder_can_split(self.raw.as_ptr()) }
    }

    pub(crate) fn can_group(&self) -> bool {
        // SAFETY: the module is live.
        unsafe { larder_can_group(self.raw.as_ptr()) }
    }

    /// Takes the module apart; the sink is given the groups. After [`prepare`](Self::prepare), if it [can be](Self::can_group).
    pub(crate) fn group(&mut self) {
        // SAFETY: the module is live, not shared, and can be taken apart, which the callee relies on.
        unsafe { larder_group(self.raw.as_ptr()) }
    }

    /// After [`prepare`](Self::prepare).
    pub(crate) fn features(&self) -> Vec<(FeatureKind, String)> {
        extern "C" fn receive(context: *mut c_void, kind: u32, name: Bytes) {
            let kind = match kind {
                0 => FeatureKind::Every,
                1 => FeatureKind::Some,
                _ => FeatureKind::Requested,
            };
            // SAFETY: the context is the vector below, which nothing else touches during the call.
            let found = unsafe { &mut *context.cast::<Vec<(FeatureKind, String)>>() };
            // SAFETY: C++ lends the name for this call.
            found.push((kind, unsafe { name.to_text() }));
        }
        let mut found = Vec::new();
        // SAFETY: the module is live and has its target; the vector outlives the call.
        unsafe { larder_features(self.raw.as_ptr(), (&raw mut found).cast(), receive) };
        found
    }

    /// Splits into at most `count` parts.
    pub(crate) fn split(&mut self, count: u32) -> Partitions {
        // SAFETY: the module is live and not shared.
        let raw = unsafe { larder_split(self.raw.as_ptr(), count) };
        Partitions { raw: NonNull::new(raw).expect("splitting has no way to fail") }
    }

    /// The module's object.
    pub(crate) fn generate(&mut self) -> Result<Vec<u8>, Status> {
        let mut object = Vec::new();
        // SAFETY: the module is live, not shared, and has its target; the vector outlives the call.
        let status = unsafe { larder_generate(self.raw.as_ptr(), (&raw mut object).cast(), append) };
        bytes_or(Status::of(status), object)
    }

    /// Leaves the module's memory to the end of the process: taking a large module down bit by bit takes a while.
    pub(crate) fn leak(self) {
        std::mem::forget(self);
    }
}

impl<S> Drop for Module<'_, S> {
    fn drop(&mut self) {
        // SAFETY: nobody else has the pointer.
        unsafe { larder_module_free(self.raw.as_ptr()) }
    }
}

fn with_nuls(names: &[String]) -> Vec<u8> {
    names.iter().flat_map(|name| name.bytes().chain([0])).collect()
}

extern "C" fn append(context: *mut c_void, bytes: Bytes) {
    // SAFETY: the context is the caller's vector, which nothing else touches during the call.
    let object = unsafe { &mut *context.cast::<Vec<u8>>() };
    // SAFETY: C++ lends the bytes for this call.
    object.extend_from_slice(unsafe { bytes.get() });
}

fn bytes_or(status: Status, bytes: Vec<u8>) -> Result<Vec<u8>, Status> {
    if status == Status::Ok { Ok(bytes) } else { Err(status) }
}

/// The parts of a module. Immutable, so that any number of threads can generate from it.
pub(crate) struct Partitions {
    raw: NonNull<RawPartitions>,
}

// SAFETY: C++ only reads it, and no thread's storage is part of it.
unsafe impl Send for Partitions {}

// SAFETY: as above.
unsafe impl Sync for Partitions {}

impl Partitions {
    pub(crate) fn count(&self) -> u32 {
        // SAFETY: the partitions are live.
        unsafe { larder_partition_count(self.raw.as_ptr()) }
    }

    /// Instructions of one part.
    pub(crate) fn size(&self, index: u32) -> u64 {
        assert!(index < self.count());
        // SAFETY: the partitions are live, the index is one of theirs.
        unsafe { larder_partition_size(self.raw.as_ptr(), index) }
    }

    /// One part as a module of its own.
    pub(crate) fn bitcode<S: Sink>(&self, index: u32, sink: &S) -> Result<Vec<u8>, Status> {
        assert!(index < self.count());
        let mut bitcode = Vec::new();
        // SAFETY: the partitions are live and the index is one of theirs; all else outlives the call.
        let status = unsafe {
            larder_partition_bitcode(self.raw.as_ptr(), index, RawSink::of(sink), (&raw mut bitcode).cast(), append)
        };
        bytes_or(Status::of(status), bitcode)
    }
}

impl Drop for Partitions {
    fn drop(&mut self) {
        // SAFETY: nobody else has the pointer.
        unsafe { larder_partitions_free(self.raw.as_ptr()) }
    }
}

/// The object of a part: a group goes through the whole pipeline, another part through what is left of it.
pub(crate) fn generate_part<S: Sink>(
    bitcode: &[u8],
    is_group: bool,
    settings: &Settings,
    sink: &S,
) -> Result<Vec<u8>, Status> {
    let settings = settings.raw();
    let mut object = Vec::new();
    // SAFETY: all of it outlives the call.
    let status = unsafe {
        larder_generate_part(
            Bytes::of(bitcode),
            is_group,
            &raw const settings,
            RawSink::of(sink),
            (&raw mut object).cast(),
            append,
        )
    };
    bytes_or(Status::of(status), object)
}

/// "22.1.8".
pub(crate) fn llvm_version() -> String {
    // SAFETY: needs no set-up.
    let version = unsafe { larder_llvm_version() };
    // SAFETY: the text has a static life.
    unsafe { version.to_text() }
}

/// An address inside libLLVM.
pub(crate) fn llvm_address() -> *const c_void {
    // SAFETY: needs no set-up.
    unsafe { larder_llvm_address() }
}

/// Told that LLVM gives up: whether for lack of memory, and LLVM's words. Must end the process; for lack of memory, without
/// allocating.
pub type OnFatal = fn(out_of_memory: bool, message: &[u8]) -> !;

static ON_FATAL: std::sync::OnceLock<OnFatal> = std::sync::OnceLock::new();

/// Makes the target known to LLVM, in a process that has uses of its own for LLVM: nothing else of it is touched. Once or more, before anything
/// else of this crate.
pub fn register() {
    static ONCE: std::sync::Once = std::sync::Once::new();
    // SAFETY: called once.
    ONCE.call_once(|| unsafe { larder_register() });
}

/// Sets LLVM up for a process that is this crate's alone; once, before anything else of this crate.
pub fn start(on_fatal: OnFatal) {
    extern "C" fn forward(out_of_memory: bool, message: Bytes) {
        // SAFETY: C++ lends the text for this call.
        let message = unsafe { message.get() };
        match ON_FATAL.get() {
            Some(handler) => handler(out_of_memory, message),
            None => std::process::abort(),
        }
    }
    register();
    if ON_FATAL.set(on_fatal).is_ok() {
        // SAFETY: called once, as the cell shows.
        unsafe { larder_start(forward) };
    }
}
