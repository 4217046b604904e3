// A program's own malloc is everybody's: the C library's strdup, getline and stdio take their memory from it and give it back.
// flags: -O0 | -O2 -fno-builtin
// skip-lli: the C library keeps its own malloc
// skip-dlopen: the C library keeps its own malloc
// stdout: strdup ours 1
// stdout: getline ours 1
// stdout: stdio ours 1, foreign 0
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static _Alignas(4096) char arena[1 << 22];
static size_t used;
static int foreign, taken;

static int is_ours(const void *block) { return (const char *)block >= arena && (const char *)block < arena + sizeof arena; }

void *memalign(size_t alignment, size_t size) {
  size_t start = (used + sizeof(size_t) + alignment - 1) / alignment * alignment;
  if (start + size > sizeof arena) {
    errno = ENOMEM;
    return NULL;
  }
  memcpy(arena + start - sizeof(size_t), &size, sizeof size);
  used = start + size;
  taken++;
  return arena + start;
}
void *aligned_alloc(size_t alignment, size_t size) { return memalign(alignment, size); }
int posix_memalign(void **block, size_t alignment, size_t size) { return (*block = memalign(alignment, size)) ? 0 : ENOMEM; }
void *malloc(size_t size) { return memalign(16, size); }
void *calloc(size_t count, size_t size) {
  void *block = malloc(count * size);
  return block ? memset(block, 0, count * size) : NULL;
}
void free(void *block) {
  if (block && !is_ours(block))
    foreign++;
}
void *realloc(void *block, size_t size) {
  size_t old = 0;
  if (block && !is_ours(block)) {
    foreign++;
    return NULL;
  }
  if (block)
    memcpy(&old, (char *)block - sizeof(size_t), sizeof old);
  void *larger = malloc(size);
  if (larger && block)
    memcpy(larger, block, old < size ? old : size);
  return larger;
}

int main(void) {
  char *copy = strdup("a copy");
  int ours = is_ours(copy);
  free(copy);
  char line[80];
  snprintf(line, sizeof line, "strdup ours %d\n", ours);
  write(1, line, strlen(line));
  FILE *file = tmpfile();
  if (!file)
    return 1;
  for (int i = 0; i < 1000; i++)
    fputs("a line of the file\n", file);
  rewind(file);
  char *text = NULL;
  size_t room = 0;
  ssize_t length = getline(&text, &room, file);
  snprintf(line, sizeof line, "getline ours %d\n", length == 19 && is_ours(text));
  write(1, line, strlen(line));
  free(text);
  int before = taken;
  FILE *other = fopen("/dev/null", "w");
  fprintf(other, "%s", "x");
  fclose(other);
  fclose(file);
  snprintf(line, sizeof line, "stdio ours %d, foreign %d\n", taken > before, foreign);
  write(1, line, strlen(line));
  return 0;
}
