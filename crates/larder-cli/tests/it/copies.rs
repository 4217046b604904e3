//! Objects for executables that have variables of their libraries in themselves, against the same programs linked by gcc.

use crate::larder::Corner;
use crate::process::{self, Ending};
use crate::suite::tests;
use anyhow::{Result, ensure};

tests![variables_of_libraries_move_before_anything_runs, what_can_t_move_is_refused_by_name];

const LIBRARY: &str = r#"#include <stdlib.h>
struct node { int *variable; struct node *next; } *nodes;
int counter = 5;
int zeros[100];
const int table[] = {1, 2, 3};
static int inner = 9;
int *pointers[] = {&inner, &counter};
const char *const words[] = {"one", "two"};
extern char **environ;
__attribute__((constructor)) static void begin(void) {
  struct node *node = malloc(sizeof *node);
  node->variable = &counter, node->next = nodes, nodes = node;
  counter += 10;
  zeros[3] = 7;
}
int sum(void) { return *nodes->variable * 1000 + counter * 10 + *pointers[1] + (nodes->variable == &counter); }
int is_here(int *other, const int *other_table, char ***other_environ) {
  return other == &counter && other_table == table && other_environ == &environ;
}
void set(int value) { counter = value; }
"#;

const PROGRAM: &str = r#"#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
extern int counter, zeros[], *pointers[];
extern const int table[];
extern const char *const words[];
extern char **environ;
int sum(void), is_here(int *, const int *, char ***);
void set(int);
int main(void) {
  printf("%d %d %d\n", counter, sum(), zeros[3]);
  counter++;
  printf("%d %d\n", sum(), is_here(&counter, table, &environ));
  set(3);
  printf("%d %d %d %d %s\n", counter, *pointers[0], *pointers[1], table[2], words[1]);
  setenv("LARDER_PLUGIN", "seen", 1);
  void *plugin = dlopen("./plugin.so", RTLD_NOW);
  int (*ask)(int *, char ***) = plugin ? (int (*)(int *, char ***))dlsym(plugin, "ask") : 0;
  if (!ask) return puts(dlerror()), 1;
  printf("%d %d\n", ask(&counter, &environ), dlsym(RTLD_DEFAULT, "counter") == (void *)&counter);
  return environ[0] == 0;
}
"#;

const PLUGIN: &str = r#"#include <stdlib.h>
#include <string.h>
extern int counter;
extern char **environ;
static int seen;
__attribute__((constructor)) static void begin(void) {
  for (char **entry = environ; *entry; entry++) seen += !strcmp(*entry, "LARDER_PLUGIN=seen");
}
int ask(int *other, char ***other_environ) { return seen * 100 + (other == &counter) * 10 + (other_environ == &environ); }
"#;

fn gcc(corner: &Corner, line: &str) -> Result<()> {
    let mut command = corner.command("gcc");
    process::run(command.arg("-O2").args(line.split(' ')), b"")?.success("gcc").map(drop)
}

fn variables_of_libraries_move_before_anything_runs() -> Result<()> {
    let corner = Corner::new()?;
    corner.write("library.c", LIBRARY)?;
    corner.write("program.c", PROGRAM)?;
    corner.write("plugin.c", PLUGIN)?;
    gcc(&corner, "-shared -fPIC library.c -o libvariables.so")?;
    gcc(&corner, "-shared -fPIC plugin.c -o plugin.so")?;
    gcc(&corner, "-c -fPIE program.c")?;
    gcc(&corner, "-pie program.o -L. -lvariables -Wl,-rpath,. -o native")?;
    let native = process::run(&mut corner.command(corner.work().join("native")), b"")?;
    ensure!(native.out().starts_with("15 15166 7\n") && native.ending == Ending::Exit(0), "{}", native.out());
    for way in ["cold", "warm"] {
        let ran = process::run(corner.larder()?.args(["run", "-L.", "-lvariables", "program.o"]), b"")?;
        ensure!(ran.out() == native.out() && ran.ending == native.ending, "{way}: {} {}", ran.out(), ran.err());
    }
    Ok(())
}

fn what_can_t_move_is_refused_by_name() -> Result<()> {
    let rows = [
        ("__attribute__((visibility(\"protected\"))) int it = 1;", "", "libit.so keeps it for itself"),
        ("int it[20000] = {1};", "", "in libit.so it has 80000 bytes, and there is room for 65536"),
        ("int it(void) { return 1; }", "", "it is no variable in libit.so"),
        (
            "int other; extern int it __attribute__((alias(\"other\")));",
            "other",
            "the code uses it by another name, too",
        ),
        ("int unused;", "", "unresolved: it"),
    ];
    for (library, more, words) in rows {
        let corner = Corner::new()?;
        corner.write("library.c", library)?;
        let other = if more == "other" { "extern int other;" } else { "static int other;" };
        corner.write("program.c", format!("{other} extern int it; int main(void) {{ return it + other; }}"))?;
        gcc(&corner, "-shared -fPIC -Wl,-soname,libit.so library.c -o libit.so")?;
        gcc(&corner, "-c -fPIE program.c")?;
        for way in ["cold", "warm"] {
            let ran = process::run(corner.larder()?.args(["run", "-L.", "-lit", "program.o"]), b"")?;
            let refused = ran.ending == Ending::Exit(125) && ran.err().contains(words);
            ensure!(refused, "{library}, {way}: {} {}", ran.ending, ran.err());
            ensure!(words.starts_with("unresolved") || ran.err().contains("compile with -fPIC"), "{}", ran.err());
        }
    }
    Ok(())
}
