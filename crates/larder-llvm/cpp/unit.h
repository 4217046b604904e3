// A few functions of a module, to take the place of those in an image of the whole.

#ifndef LARDER_UNIT_H
#define LARDER_UNIT_H

#include "module.h"

namespace larder {

// Keeps the functions of these names and what they need that isn't `present` in the image; all else becomes a declaration or
// goes. Both lists have a NUL behind each name. After `prepare_guards`, from which local names come.
LarderStatus keep_unit(LarderModule &self, llvm::StringRef names, llvm::StringRef present);

} // namespace larder

#endif
