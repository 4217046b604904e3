#include "inline.h"
Seen look_from_second() { return look(); }
