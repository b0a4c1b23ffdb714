// seal.h - closing what pybind11 leaves open: ways to an object whose constructor never ran, which end the process.
#ifndef PUFFERC_BINDINGS_SEAL_H
#define PUFFERC_BINDINGS_SEAL_H

#include <pybind11/pybind11.h>

namespace pufferc {

// Seals every class of a module whose classes have all their methods, and the classes of pybind11 behind them.
//
// Calling a sealed class, which runs its constructor, is the only way to an instance; it has no subclasses, its
// instances cannot be pickled or copied, and Python cannot change it or their class.
void seal(const pybind11::module_& m);

}  // namespace pufferc

#endif  // PUFFERC_BINDINGS_SEAL_H
