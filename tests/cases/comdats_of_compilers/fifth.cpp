#include "inline.h"
Seen look_from_fifth() { return look(); }
