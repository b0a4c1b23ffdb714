// actions.h - actions from Python as the C API takes them: borrowed where their memory can be used as it is, else converted.
#ifndef PUFFERC_BINDINGS_ACTIONS_H
#define PUFFERC_BINDINGS_ACTIONS_H

#include "bindings/arrays.h"

namespace pufferc {

// Actions as the C API takes them: `data` points into the caller's array or into `converted`.
struct Actions {
  const void* data = nullptr;
  PfcDtype dtype = PFC_INT32;
  py::object keep;
  std::vector<float> converted;
};

// Actions of `rows` rows of a pool: an array or a torch CPU tensor of integers [rows] or [rows, dims] for a discrete game,
// of floats [rows, dims] for a continuous one, or whatever else NumPy makes such an array of.
Actions read_actions(py::handle object, py::ssize_t rows, const PfcBuffers& buffers);

}  // namespace pufferc

#endif  // PUFFERC_BINDINGS_ACTIONS_H
