#include "inline.h"
Seen look_from_fourth() { return look(); }
