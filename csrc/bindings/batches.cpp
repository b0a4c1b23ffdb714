// batches.cpp - see batches.h.
#include "bindings/batches.h"

#include <utility>

namespace pufferc {

py::ssize_t ActionKind::numbers() const {
  if (continuous_dims > 0) return 2 * static_cast<py::ssize_t>(continuous_dims);
  py::ssize_t total = 0;
  for (const int32_t count : counts) total += count;
  return total;
}

// ---- minibatches -----------------------------------------------------------------------------------------

Minibatch::Minibatch(py::handle actions, py::handle old_logprobs, py::handle advantages, py::handle returns,
                     std::vector<int32_t> action_counts, int32_t continuous_dims, py::handle old_values,
                     py::handle alive, py::handle mask)
    : kind_{std::move(action_counts), continuous_dims} {
  const py::ssize_t dims = kind_.dims();
  const Shape drawn = shape_of(borrow_array("actions", actions));
  const py::ssize_t rows = drawn.empty() ? 0 : drawn[0];
  batch_.rows = rows;
  batch_.action_dims = kind_.dims();
  if (continuous_dims > 0) {
    batch_.actions = arrays_.floats("actions", actions, {rows, dims});
    if (!mask.is_none()) raise(PyExc_ValueError, "mask: continuous actions have none, got an array");
  } else {
    batch_.action_counts = kind_.counts.data();
    batch_.actions = arrays_.ints("actions", actions, action_shape(rows, kind_.counts.size()));
    batch_.mask_words = static_cast<int32_t>((kind_.numbers() + 31) / 32);
    batch_.mask = arrays_.words("mask", mask, {rows, batch_.mask_words}, true);
  }
  batch_.old_logprobs = arrays_.floats("old_logprobs", old_logprobs, {rows});
  batch_.advantages = arrays_.floats("advantages", advantages, {rows});
  batch_.returns = arrays_.floats("returns", returns, {rows});
  batch_.old_values = arrays_.floats("old_values", old_values, {rows}, true);
  batch_.alive = arrays_.flags("alive", alive, {rows}, true);
}

PfcStatus PpoSettings::settle(const PfcMinibatch& batch, PfcPpoSettings* settled) const {
  *settled = settings;
  if (!normalize) return PFC_OK;
  double mean, std;
  const PfcStatus status = pfc_mean_std(batch.advantages, batch.alive, batch.rows, &mean, &std);
  if (status) return status;
  settled->advantage_mean = static_cast<float>(mean);
  settled->advantage_std = static_cast<float>(std);
  return PFC_OK;
}

py::tuple stats_tuple(const PfcPpoLossStats& stats) {
  return py::make_tuple(stats.loss, stats.policy_loss, stats.value_loss, stats.entropy, stats.approx_kl,
                        stats.old_approx_kl, stats.clip_fraction, stats.count);
}

// ---- rollouts ----------------------------------------------------------------------------------------------

Rollout::Rollout(py::handle observations, py::handle actions, py::handle logprobs, py::handle values,
                 py::handle rewards, py::handle terminated, py::handle truncated, py::handle final_values,
                 py::handle alive, py::handle mask) {
  const Shape steps = shape_with("rewards", rewards, 2);
  const Shape more{steps[0] + 1, steps[1]};
  const py::array seen = borrow_array("observations", observations);
  bfloat16_ = seen.dtype().is(py::dtype::of<int16_t>());
  rows_ = steps[1], inputs_ = shape_with("observations", observations, 3)[2];
  rollout_.steps = steps[0];
  rollout_.rewards = arrays_.floats_out("rewards", rewards, steps);
  rollout_.observations = arrays_.elements_out("observations", observations, {more[0], rows_, inputs_}, bfloat16_);
  Shape drawn = shape_of(borrow_array("actions", actions));
  if (drawn.size() == 3) action_dims_ = drawn[2];
  drawn = steps;
  if (action_dims_ > 1) drawn.push_back(action_dims_);
  rollout_.actions = arrays_.ints_out("actions", actions, drawn);
  rollout_.logprobs = arrays_.floats_out("logprobs", logprobs, steps);
  rollout_.values = arrays_.floats_out("values", values, more);
  rollout_.terminated = arrays_.flags_out("terminated", terminated, steps);
  rollout_.truncated = arrays_.flags_out("truncated", truncated, steps);
  rollout_.final_values = arrays_.floats_out("final_values", final_values, steps);
  rollout_.alive = arrays_.flags_out("alive", alive, more);
  if (mask.is_none()) return;
  const py::ssize_t words = shape_with("mask", mask, 3)[2];
  rollout_.mask = arrays_.words_out("mask", mask, {steps[0], rows_, words});
  rollout_.mask_words = static_cast<int32_t>(words);
}

void Rollout::check_fits(const PfcBuffers& buffers, py::ssize_t inputs, bool bfloat16) const {
  if (bfloat16_ != bfloat16)
    raise(PyExc_TypeError, std::string("observations must be ") + (bfloat16 ? "bfloat16" : "float32") +
                               " for this network, got " + (bfloat16_ ? "bfloat16" : "float32"));
  const auto refuse = [](const char* what, py::ssize_t expected, py::ssize_t got) {
    if (expected != got)
      raise(PyExc_ValueError,
            std::string("rollout must have ") + what + " " + std::to_string(expected) + ", got " + std::to_string(got));
  };
  refuse("as many rows as the pool,", buffers.rows, rows_);
  refuse("observations as the network takes them, of", inputs, inputs_);
  refuse("actions as the pool takes them, of dimensions", buffers.action_dims, action_dims_);
}

void bind_batches(py::module_& m) {
  using py::arg;
  py::class_<Minibatch>(m, "Minibatch")
      .def(py::init<py::handle, py::handle, py::handle, py::handle, std::vector<int32_t>, int32_t, py::handle,
                    py::handle, py::handle>(),
           py::kw_only(), arg("actions"), arg("old_logprobs"), arg("advantages"), arg("returns"), arg("action_counts"),
           arg("continuous_dims"), arg("old_values"), arg("alive"), arg("mask"));
  py::class_<PpoSettings>(m, "PpoSettings")
      .def(py::init([](float clip, float value_coef, float entropy_coef, float value_clip, bool normalize) {
             return PpoSettings{{clip, value_coef, entropy_coef, value_clip, 0.0f, 0.0f}, normalize};
           }),
           py::kw_only(), arg("clip"), arg("value_coef"), arg("entropy_coef"), arg("value_clip"), arg("normalize"));
  py::class_<Rollout>(m, "Rollout")
      .def(py::init<py::handle, py::handle, py::handle, py::handle, py::handle, py::handle, py::handle, py::handle,
                    py::handle, py::handle>(),
           py::kw_only(), arg("observations"), arg("actions"), arg("logprobs"), arg("values"), arg("rewards"),
           arg("terminated"), arg("truncated"), arg("final_values"), arg("alive"), arg("mask"));
}

}  // namespace pufferc
