// layers.h - the parameters of networks as arguments from Python.
#ifndef PUFFERC_BINDINGS_LAYERS_H
#define PUFFERC_BINDINGS_LAYERS_H

#include "bindings/calls.h"

namespace pufferc {

// The parameters of a network's layers, or their gradients.
struct Layers {
  std::vector<float*> weights, biases;
};

// One matrix and one vector for each layer. shapes: [outputs, inputs] of the matrices.
inline Layers borrow_layers(Arrays& arrays, const char* matrix, const std::vector<py::object>& matrices, const char* vector,
                     const std::vector<py::object>& vectors, const std::vector<Shape>& shapes, bool writable) {
  if (matrices.size() != shapes.size() || vectors.size() != shapes.size())
    raise(PyExc_ValueError, std::string(matrix) + " and " + vector + " must have one array for each of the " +
                                std::to_string(shapes.size()) + " layers, got " + std::to_string(matrices.size()) +
                                " and " + std::to_string(vectors.size()));
  Layers layers;
  const auto read = writable ? &Arrays::floats_out : &Arrays::floats;
  for (size_t i = 0; i < shapes.size(); ++i) {
    layers.weights.push_back((arrays.*read)(matrix, matrices[i], shapes[i], false));
    layers.biases.push_back((arrays.*read)(vector, vectors[i], {shapes[i][0]}, false));
  }
  return layers;
}

}  // namespace pufferc

#endif  // PUFFERC_BINDINGS_LAYERS_H
