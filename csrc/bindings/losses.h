// losses.h - what the bindings of the PPO loss share, by itself and within a network's pass.
#ifndef PUFFERC_BINDINGS_LOSSES_H
#define PUFFERC_BINDINGS_LOSSES_H

#include "bindings/calls.h"
#include "kernels/ppo_loss.h"

namespace pufferc {

// The part of a minibatch of B rows that depends neither on the kind of action nor on where outputs lie, as it comes
// from Python.
struct PpoColumns {
  py::handle old_logprobs, advantages, returns;  // float32 [B]
  float clip, value_coef, entropy_coef, value_clip;
  bool normalize;
  py::handle old_values, alive;  // [B] or None
};

PfcPpoBatch read_columns(Arrays& arrays, py::ssize_t rows, const PpoColumns& from);

// Sets the mean and deviation by which the batch's advantages are normalised.
PfcStatus normalise_advantages(PfcPpoBatch* batch);

// The fields of pufferc.ops.PpoStats in order.
py::tuple stats_tuple(const PfcPpoLossStats& stats);

}  // namespace pufferc

#endif  // PUFFERC_BINDINGS_LOSSES_H
