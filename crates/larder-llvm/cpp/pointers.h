// Addresses of the client's process that stand in a module as integers.

#ifndef LARDER_POINTERS_H
#define LARDER_POINTERS_H

#include "module.h"

namespace larder {

// Makes objects of such addresses, as the request wants it, and notes in the module what was found. Before anything else is concluded
// from the module; needs its data layout.
LarderStatus rescue_pointers(LarderModule &self, const LarderWanted &wanted);

} // namespace larder

#endif
