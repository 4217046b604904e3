// Functions whose code shows the level: loops to vectorise and unroll, a switch, calls to inline.

void saxpy(float *restrict y, const float *restrict x, float a, int n) {
  for (int i = 0; i < n; ++i)
    y[i] += a * x[i];
}

static unsigned mix(unsigned hash, unsigned char byte) { return (hash ^ byte) * 16777619u; }

unsigned checksum(const unsigned char *bytes, unsigned long length) {
  unsigned hash = 2166136261u;
  for (unsigned long i = 0; i < length; ++i)
    hash = mix(hash, bytes[i]);
  return hash;
}

int count_words(const char *text) {
  int count = 0, inside = 0;
  for (; *text; ++text) {
    int space = *text == ' ' || *text == '\n' || *text == '\t';
    count += !space && !inside;
    inside = !space;
  }
  return count;
}

int classify(int c) {
  switch (c) {
  case 'a': return 3;
  case 'e': return 14;
  case 'i': return 15;
  case 'o': return 92;
  case 'u': return 65;
  case 'y': return 35;
  default: return c < 0 ? -1 : 0;
  }
}
