// pools.h - the pool behind a pufferc._core.Pool, for the other bindings.
#ifndef PUFFERC_BINDINGS_POOLS_H
#define PUFFERC_BINDINGS_POOLS_H

#include <memory>

#include "bindings/arrays.h"

namespace pufferc {

// Shared: by a Pool, by the capsule that is the base of its views, and by who draws its games.
using PoolOwner = std::shared_ptr<PfcPool>;

// TypeError naming `name` for anything but a Pool.
PoolOwner pool_owner(const char* name, py::handle object);

}  // namespace pufferc

#endif  // PUFFERC_BINDINGS_POOLS_H
