// pools.h - pools from Python for the other bindings.
#ifndef PUFFERC_BINDINGS_POOLS_H
#define PUFFERC_BINDINGS_POOLS_H

#include "bindings/arrays.h"

namespace pufferc {

// The pool of a pufferc._core.Pool, valid while that object lives; TypeError naming `name` for anything else.
PfcPool* borrow_pool(const char* name, py::handle object);

}  // namespace pufferc

#endif  // PUFFERC_BINDINGS_POOLS_H
