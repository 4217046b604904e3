/* A small DuckDB shell: `duckdb DATABASE [SQL | -f FILE]…`.
 *
 * Each argument is handed to DuckDB as a whole; a file is handed over in pieces, which blank lines separate, so that a
 * syntax error costs only its own piece. Rows are printed with their columns joined by `|`. An error is printed among the
 * rows, since errors are part of what is compared, and the next piece runs. The exit code is 1 if there was any.
 *
 * Only scalar columns can be printed: the C API gives no text of lists, structs and maps. Cast them to VARCHAR.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "duckdb.h"

static int print_error(const char *message) {
  printf("error: %s\n", message != NULL ? message : "(no message)");
  return 1;
}

static void print_row(duckdb_result *result, idx_t row) {
  idx_t columns = duckdb_column_count(result);
  for (idx_t column = 0; column < columns; column++) {
    char *text = duckdb_value_varchar(result, column, row);
    if (column > 0)
      putchar('|');
    fputs(text != NULL ? text : "NULL", stdout);
    duckdb_free(text);
  }
  putchar('\n');
}

static int execute_statement(duckdb_connection connection, duckdb_extracted_statements statements, idx_t index) {
  duckdb_prepared_statement statement = NULL;
  duckdb_result result;
  int failed;
  if (duckdb_prepare_extracted_statement(connection, statements, index, &statement) != DuckDBSuccess) {
    failed = print_error(duckdb_prepare_error(statement));
    duckdb_destroy_prepare(&statement);
    return failed;
  }
  failed = duckdb_execute_prepared(statement, &result) != DuckDBSuccess;
  if (failed)
    print_error(duckdb_result_error(&result));
  else if (duckdb_result_return_type(result) == DUCKDB_RESULT_TYPE_QUERY_RESULT)
    for (idx_t row = 0, rows = duckdb_row_count(&result); row < rows; row++)
      print_row(&result, row);
  duckdb_destroy_result(&result);
  duckdb_destroy_prepare(&statement);
  return failed;
}

/* The statements of one piece; the first error ends it. */
static int execute(duckdb_connection connection, const char *sql) {
  duckdb_extracted_statements statements = NULL;
  idx_t count = duckdb_extract_statements(connection, sql, &statements);
  const char *error = duckdb_extract_statements_error(statements);
  int failed = 0;
  if (count == 0 && error != NULL)
    failed = print_error(error);
  for (idx_t index = 0; index < count && !failed; index++)
    failed = execute_statement(connection, statements, index);
  duckdb_destroy_extracted(&statements);
  return failed;
}

static int execute_file(duckdb_connection connection, const char *path) {
  static char line[4096], piece[1 << 16];
  FILE *in = fopen(path, "r");
  size_t length = 0;
  int failed = 0;
  if (in == NULL)
    return print_error("cannot open the file");
  while (fgets(line, sizeof line, in) != NULL) {
    size_t more = strlen(line);
    if (length > 0 && line[0] == '\n') {
      failed |= execute(connection, piece);
      length = 0;
    } else if (length + more < sizeof piece) {
      memcpy(piece + length, line, more + 1);
      length += more;
    } else {
      failed |= print_error("a piece is too long");
      length = 0;
    }
  }
  if (length > 0)
    failed |= execute(connection, piece);
  fclose(in);
  return failed;
}

int main(int argc, char **argv) {
  duckdb_database database = NULL;
  duckdb_connection connection = NULL;
  char *error = NULL;
  int failed = 0;
  if (argc < 2) {
    fprintf(stderr, "usage: duckdb DATABASE [SQL | -f FILE]...\n");
    return 2;
  }
  if (duckdb_open_ext(argv[1], &database, NULL, &error) != DuckDBSuccess) {
    failed = print_error(error);
    duckdb_free(error);
    return failed;
  }
  if (duckdb_connect(database, &connection) != DuckDBSuccess)
    return print_error("cannot connect");
  for (int i = 2; i < argc; i++)
    if (strcmp(argv[i], "-f") == 0 && i + 1 < argc)
      failed |= execute_file(connection, argv[++i]);
    else
      failed |= execute(connection, argv[i]);
  duckdb_disconnect(&connection);
  duckdb_close(&database);
  return failed;
}
