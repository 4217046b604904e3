/* `zstd_main FILES…`: compresses and decompresses files with everything that the library offers, and prints what came out.
 *
 * Every round trip is checked: a difference is an exit code. Sizes and digests of the compressed bytes are printed, so that two
 * builds of the library can be told apart by a single bit.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ZSTD_STATIC_LINKING_ONLY
#include "zdict.h"
#include "zstd.h"

#define XXH_NAMESPACE ZSTD_
#include "common/xxhash.h"

enum { DICTIONARY_MAX = 16 * 1024, GENERATED = 600 * 1024 };

struct bytes {
  char *start;
  size_t length;
};

static void fail(const char *what, const char *why) {
  fprintf(stderr, "zstd_main: %s: %s\n", what, why);
  exit(1);
}

static size_t checked(const char *what, size_t result) {
  if (ZSTD_isError(result))
    fail(what, ZSTD_getErrorName(result));
  return result;
}

static struct bytes room(size_t length) {
  struct bytes bytes = {malloc(length ? length : 1), length};
  if (!bytes.start)
    fail("memory", "there is none left");
  return bytes;
}

static struct bytes read_file(const char *path) {
  FILE *file = fopen(path, "rb");
  if (!file || fseek(file, 0, SEEK_END))
    fail(path, "cannot be read");
  struct bytes bytes = room((size_t)ftell(file));
  rewind(file);
  if (fread(bytes.start, 1, bytes.length, file) != bytes.length)
    fail(path, "cannot be read");
  fclose(file);
  return bytes;
}

/* Words of a small vocabulary, then noise, then zeros: what each strategy of the compressor likes and dislikes. */
static struct bytes generate(void) {
  static const char *const words[] = {"larder ", "image ", "import ", "export ", "bind ", "seal\n", "miss ", "hit "};
  struct bytes bytes = room(GENERATED);
  unsigned long long state = 42;
  size_t at = 0;
  while (at < GENERATED / 2) {
    state = state * 6364136223846793005u + 1442695040888963407u;
    const char *word = words[state >> 61];
    size_t length = strlen(word);
    memcpy(bytes.start + at, word, length);
    at += length;
  }
  for (; at < GENERATED * 3 / 4; at++) {
    state = state * 6364136223846793005u + 1442695040888963407u;
    bytes.start[at] = (char)(state >> 56);
  }
  memset(bytes.start + at, 0, GENERATED - at);
  return bytes;
}

static void show(const char *how, struct bytes from, struct bytes packed, struct bytes back) {
  if (back.length != from.length || memcmp(back.start, from.start, from.length))
    fail(how, "what comes back is not what went in");
  printf("  %-14s %8zu -> %8zu  %016llx\n", how, from.length, packed.length,
         (unsigned long long)XXH64(packed.start, packed.length, 0));
  free(packed.start);
  free(back.start);
}

static void one_shot(struct bytes from, int level) {
  char how[32];
  struct bytes packed = room(ZSTD_compressBound(from.length)), back = room(from.length);
  packed.length = checked("compress", ZSTD_compress(packed.start, packed.length, from.start, from.length, level));
  back.length = checked("decompress", ZSTD_decompress(back.start, back.length, packed.start, packed.length));
  snprintf(how, sizeof how, "level %d", level);
  show(how, from, packed, back);
}

/* Bit by bit through small buffers, with a checksum, by so many threads. */
static void streamed(struct bytes from, int threads) {
  char how[32];
  ZSTD_CCtx *packer = ZSTD_createCCtx();
  ZSTD_DCtx *unpacker = ZSTD_createDCtx();
  struct bytes packed = room(ZSTD_compressBound(from.length)), back = room(from.length);
  ZSTD_inBuffer in = {from.start, 0, 0};
  ZSTD_outBuffer out = {packed.start, packed.length, 0};
  checked("workers", ZSTD_CCtx_setParameter(packer, ZSTD_c_nbWorkers, threads));
  checked("checksum", ZSTD_CCtx_setParameter(packer, ZSTD_c_checksumFlag, 1));
  checked("long", ZSTD_CCtx_setParameter(packer, ZSTD_c_enableLongDistanceMatching, 1));
  while (in.size < from.length) {
    in.size = in.size + 10007 < from.length ? in.size + 10007 : from.length;
    checked("stream", ZSTD_compressStream2(packer, &out, &in, ZSTD_e_continue));
  }
  while (checked("end", ZSTD_compressStream2(packer, &out, &in, ZSTD_e_end)))
    ;
  packed.length = out.pos;
  ZSTD_inBuffer packed_in = {packed.start, 0, 0};
  ZSTD_outBuffer back_out = {back.start, back.length, 0};
  while (packed_in.size < packed.length) {
    packed_in.size = packed_in.size + 997 < packed.length ? packed_in.size + 997 : packed.length;
    checked("unpack", ZSTD_decompressStream(unpacker, &back_out, &packed_in));
  }
  back.length = back_out.pos;
  ZSTD_freeCCtx(packer);
  ZSTD_freeDCtx(unpacker);
  snprintf(how, sizeof how, "%d threads", threads);
  show(how, from, packed, back);
}

static struct bytes train(const struct bytes *files, int count) {
  struct bytes samples = room(0), dictionary = room(DICTIONARY_MAX);
  size_t sizes[4096], sample_count = 0;
  for (int i = 0; i < count; i++) {
    samples.start = realloc(samples.start, samples.length + files[i].length);
    memcpy(samples.start + samples.length, files[i].start, files[i].length);
    samples.length += files[i].length;
    for (size_t left = files[i].length; left && sample_count < 4096; sample_count++) {
      sizes[sample_count] = left < 256 ? left : 256;
      left -= sizes[sample_count];
    }
  }
  dictionary.length = checked("train", ZDICT_trainFromBuffer(dictionary.start, DICTIONARY_MAX, samples.start, sizes,
                                                             (unsigned)sample_count));
  free(samples.start);
  return dictionary;
}

static void with_dictionary(struct bytes from, struct bytes dictionary) {
  ZSTD_CCtx *packer = ZSTD_createCCtx();
  ZSTD_DCtx *unpacker = ZSTD_createDCtx();
  struct bytes packed = room(ZSTD_compressBound(from.length)), back = room(from.length);
  packed.length = checked("compress", ZSTD_compress_usingDict(packer, packed.start, packed.length, from.start,
                                                              from.length, dictionary.start, dictionary.length, 7));
  back.length = checked("decompress", ZSTD_decompress_usingDict(unpacker, back.start, back.length, packed.start,
                                                                packed.length, dictionary.start, dictionary.length));
  ZSTD_freeCCtx(packer);
  ZSTD_freeDCtx(unpacker);
  show("dictionary", from, packed, back);
}

int main(int argc, char **argv) {
  static const int levels[] = {-5, 1, 3, 6, 9, 13, 17, 19, 22};
  int count = argc > 1 ? argc - 1 : 0;
  struct bytes *files = calloc((size_t)count + 1, sizeof *files);
  for (int i = 0; i < count; i++)
    files[i] = read_file(argv[i + 1]);
  files[count] = generate();
  printf("zstd %s\n", ZSTD_versionString());
  struct bytes dictionary = train(files, count + 1);
  printf("dictionary %zu %u\n", dictionary.length, ZDICT_getDictID(dictionary.start, dictionary.length));
  for (int i = 0; i <= count; i++) {
    printf("file %d\n", i);
    for (size_t level = 0; level < sizeof levels / sizeof *levels; level++)
      one_shot(files[i], levels[level]);
    for (int threads = 0; threads < 3; threads++)
      streamed(files[i], threads);
    with_dictionary(files[i], dictionary);
  }
  /* Damage is noticed, not followed. */
  char damaged[64] = "\x28\xb5\x2f\xfd", room_for_it[64];
  memset(damaged + 4, 0x5a, sizeof damaged - 4);
  size_t result = ZSTD_decompress(room_for_it, sizeof room_for_it, damaged, sizeof damaged);
  printf("damaged: %s\n", ZSTD_getErrorName(result));
  return 0;
}
