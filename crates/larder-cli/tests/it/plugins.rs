//! Programs that load plug-ins which refer back to them, against the same programs linked with `-rdynamic`.

use crate::larder::Corner;
use crate::process::{self, Ending};
use crate::suite::tests;
use crate::tools;
use anyhow::{Result, ensure};

tests![plug_ins_refer_back, a_library_of_the_start_calls_back];

const HOST: &str = r#"#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
int registered;
const char *greeting = "hello from the program";
void *root[2] = {&registered, &greeting};
void register_plugin(const char *name, int (*run)(int)) { registered++; printf("%s: %d\n", name, run(registered)); }
__attribute__((weak)) int optional(int x) { return x + 100; }
int overridden(void) { return 1; }
int main(int argc, char **argv) {
  for (int i = 1; i < argc; i++) {
    void *plugin = dlopen(argv[i], i & 1 ? RTLD_NOW : RTLD_LAZY);
    if (!plugin) { puts(dlerror()); return 1; }
    int (*start)(void) = (int (*)(void))dlsym(plugin, "start");
    printf("start %d\n", start());
    Dl_info info;
    printf("%s in %s\n", dladdr((void *)start, &info) ? info.dli_sname : "?", argv[i] == info.dli_fname ? "?" : "it");
    dlclose(plugin);
  }
  FILE *file = fopen("/dev/null", "r");
  printf("registered %d, descriptor %d\n", registered, fileno(file));
  return registered;
}
"#;

const PLUG_IN: &str = r#"#include <stdio.h>
extern int registered;
extern const char *greeting;
extern void *root[];
void register_plugin(const char *, int (*)(int));
int optional(int);
int overridden(void) { return 2; }
int nowhere(void) __attribute__((weak));
static int run(int x) { return optional(x); }
static int *kept = &registered;
__attribute__((constructor)) static void begin(void) { printf("plug-in begins, %d so far\n", *kept); }
__attribute__((destructor)) static void end(void) { printf("plug-in ends, %d so far\n", registered); }
int start(void) {
  puts(greeting);
  register_plugin("plug-in", run);
  return overridden() * 10 + (root[0] == kept) * 2 + (nowhere == 0);
}
"#;

const BACK: &str = "int callback(int);\nint forward(int x) { return callback(x) + 1; }\n";
const CALLED_BACK: &str =
    "int forward(int);\nint callback(int x) { return x * 3; }\nint main(void) { return forward(4); }\n";

fn clang(corner: &Corner, args: &[&str]) -> Result<()> {
    process::run(corner.command(tools::llvm("clang")?).arg("-O1").args(args), b"")?.success("clang").map(drop)
}

fn plug_ins_refer_back() -> Result<()> {
    let corner = Corner::new()?;
    corner.write("host.c", HOST)?;
    corner.write("plugin.c", PLUG_IN)?;
    clang(&corner, &["-c", "-emit-llvm", "host.c", "-o", "host.bc"])?;
    clang(&corner, &["-rdynamic", "host.bc", "-o", "native"])?;
    for (name, flags) in [("./a.so", "-Wl,-z,now"), ("./b.so", "-Wl,-z,lazy")] {
        clang(&corner, &["-shared", "-fPIC", "-fsemantic-interposition", flags, "plugin.c", "-o", name])?;
    }
    let plug_ins = ["./a.so", "./b.so", "./a.so"];
    let native = process::run(corner.command(corner.work().join("native")).args(plug_ins), b"")?;
    ensure!(native.ending == Ending::Exit(3) && native.out().contains("start 13"), "{}{}", native.out(), native.err());
    for way in ["cold", "warm"] {
        let ran = process::run(corner.larder()?.args(["run", "host.bc"]).args(plug_ins), b"")?;
        ensure!(ran.ending == native.ending, "{way}: {} {}{}", ran.ending, ran.out(), ran.err());
        ensure!(ran.stdout == native.stdout, "{way}:\n{}natively\n{}", ran.out(), native.out());
    }
    Ok(())
}

fn a_library_of_the_start_calls_back() -> Result<()> {
    let corner = Corner::new()?;
    corner.write("back.c", BACK)?;
    corner.write("called.c", CALLED_BACK)?;
    clang(&corner, &["-c", "-emit-llvm", "called.c", "-o", "called.bc"])?;
    clang(&corner, &["-shared", "-fPIC", "-Wl,-z,lazy", "back.c", "-o", "libback.so"])?;
    for way in ["cold", "warm"] {
        let ran = process::run(corner.larder()?.args(["run", "-L.", "-lback", "called.bc"]), b"")?;
        ensure!(ran.ending == Ending::Exit(13), "{way}: {} {}", ran.ending, ran.err());
    }
    Ok(())
}
