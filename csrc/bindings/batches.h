// batches.h - rollouts and minibatches as Python objects: the structs of training/rollout.h and kernels/minibatch.h over arrays that
// were checked once. They hold references to the arrays, so the memory lives as long as they do.
#ifndef PUFFERC_BINDINGS_BATCHES_H
#define PUFFERC_BINDINGS_BATCHES_H

#include "bindings/calls.h"
#include "kernels/ppo_loss.h"
#include "training/rollout.h"

namespace pufferc {

// What the actions of a row are, as Python describes them: choices of each dimension, or a number of continuous ones.
struct ActionKind {
  std::vector<int32_t> counts;
  int32_t continuous_dims;

  int32_t dims() const { return continuous_dims > 0 ? continuous_dims : static_cast<int32_t>(counts.size()); }
  // K, numbers that describe a row's distribution.
  py::ssize_t numbers() const;
};

// B rows of a rollout.
class Minibatch {
 public:
  Minibatch(py::handle actions, py::handle old_logprobs, py::handle advantages, py::handle returns,
            std::vector<int32_t> action_counts, int32_t continuous_dims, py::handle old_values, py::handle alive,
            py::handle mask);
  Minibatch(const Minibatch&) = delete;
  Minibatch& operator=(const Minibatch&) = delete;

  const PfcMinibatch& batch() const { return batch_; }
  const Arrays& arrays() const { return arrays_; }
  py::ssize_t numbers() const { return kind_.numbers(); }

 private:
  ActionKind kind_;
  Arrays arrays_;
  PfcMinibatch batch_ = {};
};

// Coefficients of the loss.
struct PpoSettings {
  PfcPpoSettings settings;
  bool normalize;

  // The same with the mean and deviation by which advantages are normalised, if they are.
  PfcStatus settle(const PfcMinibatch& batch, PfcPpoSettings* settled) const;
};

// T steps of N rows. Row 0 of the observations and of alive is given, the rest is written by calls.
class Rollout {
 public:
  Rollout(py::handle observations, py::handle actions, py::handle logprobs, py::handle values, py::handle rewards,
          py::handle terminated, py::handle truncated, py::handle final_values, py::handle alive, py::handle mask);
  Rollout(const Rollout&) = delete;
  Rollout& operator=(const Rollout&) = delete;

  // ValueError or TypeError unless the arrays fit a network with these inputs, and the pool.
  void check_fits(const PfcBuffers& buffers, py::ssize_t inputs, bool bfloat16) const;
  const PfcRollout& arrays() const { return rollout_; }

 private:
  Arrays arrays_;
  PfcRollout rollout_ = {};
  py::ssize_t rows_ = 0, inputs_ = 0, action_dims_ = 1;
  bool bfloat16_ = false;
};

// The fields of pufferc.ops.PpoStats in order.
py::tuple stats_tuple(const PfcPpoLossStats& stats);

void bind_batches(py::module_& m);

}  // namespace pufferc

#endif  // PUFFERC_BINDINGS_BATCHES_H
