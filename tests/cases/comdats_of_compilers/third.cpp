#include "inline.h"
Seen look_from_third() { return look(); }
