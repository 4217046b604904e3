/* A small SQLite shell: `sqlite DATABASE [SQL | -f FILE]…`, or the statements on standard input.
 *
 * Rows are printed as the real shell's list mode prints them (columns joined by `|`, NULL as nothing), so that its
 * output can be compared with any other run of the same statements. The first error ends the run with exit code 1.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sqlite3.h"

static int print_row(void *unused, int count, char **values, char **names) {
  (void)unused;
  (void)names;
  for (int i = 0; i < count; i++) {
    if (i > 0)
      putchar('|');
    if (values[i] != NULL)
      fputs(values[i], stdout);
  }
  putchar('\n');
  return 0;
}

static int execute(sqlite3 *db, const char *sql) {
  char *message = NULL;
  int failed = sqlite3_exec(db, sql, print_row, NULL, &message) != SQLITE_OK;
  if (failed) {
    fflush(stdout);
    fprintf(stderr, "sqlite: %s\n", message ? message : sqlite3_errmsg(db));
  }
  sqlite3_free(message);
  return failed;
}

/* The whole of `in` as a string, or NULL when memory is short. */
static char *read_all(FILE *in) {
  size_t length = 0, capacity = 1 << 16, got;
  char *text = malloc(capacity);
  while (text != NULL && (got = fread(text + length, 1, capacity - length - 1, in)) > 0) {
    length += got;
    if (length + 1 == capacity) {
      char *larger = realloc(text, capacity *= 2);
      if (larger == NULL)
        free(text);
      text = larger;
    }
  }
  if (text != NULL)
    text[length] = '\0';
  return text;
}

static int execute_stream(sqlite3 *db, FILE *in, const char *name) {
  char *sql = in != NULL ? read_all(in) : NULL;
  if (sql == NULL) {
    fprintf(stderr, "sqlite: cannot read %s\n", name);
    return 1;
  }
  int failed = execute(db, sql);
  free(sql);
  return failed;
}

static int execute_file(sqlite3 *db, const char *path) {
  FILE *in = fopen(path, "r");
  int failed = execute_stream(db, in, path);
  if (in != NULL)
    fclose(in);
  return failed;
}

int main(int argc, char **argv) {
  sqlite3 *db = NULL;
  int failed = 0;
  if (sqlite3_open(argc > 1 ? argv[1] : ":memory:", &db) != SQLITE_OK) {
    fprintf(stderr, "sqlite: %s\n", sqlite3_errmsg(db));
    return 1;
  }
  if (argc <= 2)
    failed = execute_stream(db, stdin, "standard input");
  for (int i = 2; i < argc && !failed; i++) {
    if (strcmp(argv[i], "-f") == 0 && i + 1 < argc)
      failed = execute_file(db, argv[++i]);
    else
      failed = execute(db, argv[i]);
  }
  sqlite3_close(db);
  return failed;
}
