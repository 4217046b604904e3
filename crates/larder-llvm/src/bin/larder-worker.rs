//! The program that holds LLVM: serves one request on its standard streams, and ends.
//!
//! The problem: LLVM may crash, loop, or end the process on an error of its own, and it must not take an application with it. So
//! it lives here, one process per module. The client is the `worker` module of crate `larder`, the frames are those of
//! `larder_format::wire`, and what is said in them is said by [`larder_llvm::serve`].
//!
//! What this program does about its own end:
//!
//! * Dies with its client (`PR_SET_PDEATHSIG`), leaves no core file, writes no file at all.
//! * Obeys the memory limit of the request, and says so when it was too low, without needing memory to say it.
//! * Keeps standard output for frames: what LLVM prints there by itself goes to standard error.
//! * Leaves it to its client what an interrupt from the keyboard means, which a terminal sends to both.

use std::alloc::{GlobalAlloc, Layout};
use std::fs::File;
use std::io::{self, Write};
use std::process::ExitCode;
use std::sync::{Mutex, OnceLock, PoisonError};

use anyhow::{Context, Result};
use larder_format::wire::{Failed, FailureKind, Reply, VERSION, WorkerVersion};
use larder_llvm::{Host, Toolchain, start};
use mimalloc::MiMalloc;
use rustix::process::{Resource, Rlimit, Signal};

const HELP: &str = "\
larder-worker compiles LLVM IR for larder, which starts it. It isn't meant for people: it reads a request in frames from
standard input and answers in frames on standard output. Use `larder build` or `larder run` instead.

    larder-worker --version-json    print the toolchain and the libLLVM file, as JSON
    larder-worker --help            print this
";

fn main() -> ExitCode {
    let arguments: Vec<_> = std::env::args_os().skip(1).collect();
    let result = match arguments.as_slice() {
        [] => serve(),
        [option] if option == "--version-json" => print_version(),
        [option] if option == "--help" || option == "-h" => print(HELP),
        _ => Err(anyhow::anyhow!("unknown arguments; see larder-worker --help")),
    };
    let Err(error) = result else { return ExitCode::SUCCESS };
    // Standard error may be gone with the client.
    let _ = writeln!(io::stderr(), "larder-worker: {error:#}");
    ExitCode::from(2)
}

fn print(text: &str) -> Result<()> {
    Ok(io::stdout().write_all(text.as_bytes())?)
}

fn print_version() -> Result<()> {
    let toolchain = Toolchain::current()?;
    let libllvm = toolchain.libllvm.into_os_string().into_string();
    let libllvm = libllvm.map_err(|path| anyhow::anyhow!("{} is no UTF-8", path.display()))?;
    let version = WorkerVersion { wire_version: VERSION, toolchain: toolchain.name, libllvm };
    print(&format!("{}\n", serde_json::to_string(&version)?))
}

fn serve() -> Result<()> {
    let output = Output::take()?;
    end_with_client()?;
    start(on_fatal);
    larder_llvm::serve(io::stdin(), output)?;
    // Nothing is left to save, and taking LLVM down would only cost time.
    std::process::exit(0)
}

fn end_with_client() -> Result<()> {
    rustix::process::set_parent_process_death_signal(Some(Signal::KILL))?;
    // SAFETY: to ignore a signal runs no code.
    unsafe { libc::signal(libc::SIGINT, libc::SIG_IGN) };
    rustix::process::setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) })?;
    Ok(())
}

/// What was standard output, and the frame to send when there is no memory to make one.
struct Output {
    pipe: Mutex<File>,
    out_of_memory: Vec<u8>,
}

static OUTPUT: OnceLock<Output> = OnceLock::new();

impl Output {
    /// Takes standard output away from everything else in this process; once.
    fn take() -> Result<&'static Output> {
        let pipe = rustix::io::fcntl_dupfd_cloexec(rustix::stdio::stdout(), 3).context("standard output")?;
        rustix::stdio::dup2_stdout(rustix::stdio::stderr()).context("standard error")?;
        let message = "out of memory".to_owned();
        let out_of_memory = Reply::Failed(Failed { kind: FailureKind::Memory, message }).encode();
        Ok(OUTPUT.get_or_init(|| Output { pipe: Mutex::new(pipe.into()), out_of_memory }))
    }

    /// Writes a whole frame. A client that is gone has no use for the rest.
    fn write(&self, frame: &[u8]) {
        let mut pipe = self.pipe.lock().unwrap_or_else(PoisonError::into_inner);
        if pipe.write_all(frame).is_err() {
            end(1);
        }
    }
}

impl Host for Output {
    fn send(&self, reply: &Reply) {
        self.write(&reply.encode());
    }

    /// A worker that nobody waits for is killed.
    fn is_awaited(&self) -> bool {
        true
    }

    fn limit_memory(&self, max: u64) -> io::Result<()> {
        // A limit of the system that is lower already stays.
        let maximum = rustix::process::getrlimit(Resource::As).maximum;
        let limit = Some(maximum.map_or(max, |maximum| maximum.min(max)));
        Ok(rustix::process::setrlimit(Resource::As, Rlimit { current: limit, maximum })?)
    }

    fn ends(&self) -> bool {
        true
    }
}

/// Ends at once: no destructor of LLVM runs while other threads are inside it.
fn end(code: i32) -> ! {
    // SAFETY: ends the process and touches nothing.
    unsafe { libc::_exit(code) }
}

/// The reader of bitcode and of text verifies before it touches debug information, and gives up with these words.
const BROKEN: &[u8] = b"Broken module found";

fn on_fatal(out_of_memory: bool, message: &[u8]) -> ! {
    if out_of_memory {
        on_memory_exhausted();
    }
    let kind = if message.starts_with(BROKEN) { FailureKind::Malformed } else { FailureKind::Fatal };
    if let Some(output) = OUTPUT.get() {
        output.send(&Reply::Failed(Failed { kind, message: String::from_utf8_lossy(message).into_owned() }));
    }
    end(3)
}

fn on_memory_exhausted() -> ! {
    if let Some(output) = OUTPUT.get() {
        output.write(&output.out_of_memory);
    }
    end(3)
}

/// mimalloc, except that its end is told to the client as LLVM's is. It also takes the place of `malloc` for libLLVM, whose work
/// is to a good part allocation.
struct Reporting;

#[global_allocator]
static ALLOCATOR: Reporting = Reporting;

fn reported(pointer: *mut u8) -> *mut u8 {
    if pointer.is_null() {
        on_memory_exhausted();
    }
    pointer
}

// SAFETY: everything is mimalloc's, and null is never returned.
unsafe impl GlobalAlloc for Reporting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's promises are those that mimalloc asks for.
        reported(unsafe { MiMalloc.alloc(layout) })
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: as above.
        reported(unsafe { MiMalloc.alloc_zeroed(layout) })
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        // SAFETY: as above.
        reported(unsafe { MiMalloc.realloc(pointer, layout, new_size) })
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: as above.
        unsafe { MiMalloc.dealloc(pointer, layout) }
    }
}
