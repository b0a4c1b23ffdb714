// kernels.cpp - advantages, sampling and the PPO loss over arrays from Python; minibatches and rollouts.
//
// Shapes: T steps, N rows of a rollout, B rows of a minibatch, D action dimensions, K logits. In Python the parameters
// of continuous distributions are called logits too. arrays.h describes the checks of arrays. Kernels run without the
// GIL.
#include <utility>

#include "bindings/arrays.h"
#include "kernels/advantage.h"
#include "kernels/gaussian.h"
#include "kernels/ppo_loss.h"
#include "kernels/sample.h"

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
    if (!mask.is_none()) raise(PyExc_ValueError, "mask: expected None for continuous actions, got an array");
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

PfcStatus PpoSettings::complete(const PfcMinibatch& batch, PfcPpoSettings* completed) const {
  *completed = settings;
  if (!normalize) return PFC_OK;
  double mean, std;
  const PfcStatus status = pfc_mean_std(batch.advantages, batch.alive, batch.rows, &mean, &std);
  if (status) return status;
  completed->advantage_mean = static_cast<float>(mean);
  completed->advantage_std = static_cast<float>(std);
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
  const auto check = [](const char* what, py::ssize_t expected, py::ssize_t got) {
    if (expected != got)
      raise(PyExc_ValueError, std::string("rollout: expected ") + std::to_string(expected) + " " + what + ", got " +
                                  std::to_string(got));
  };
  check("rows, as in the pool", buffers.rows, rows_);
  check("values per observation, as in the network", inputs, inputs_);
  check("action dimensions, as in the pool", buffers.action_dims, action_dims_);
}

namespace {

py::ssize_t sum(const std::vector<int32_t>& counts) {
  py::ssize_t total = 0;
  for (const int32_t count : counts) total += count;
  return total;
}

void advantage(py::handle rewards, py::handle values, py::handle terminated, py::handle truncated,
               py::handle final_values, float gamma, float gae_lambda, py::handle ratio, float rho_clip, float c_clip,
               py::handle out) {
  const Shape shape = shape_with("rewards", rewards, 2);
  Arrays arrays;
  PfcAdvantageArgs args = {};
  args.steps = shape[0];
  args.rows = shape[1];
  args.rewards = arrays.floats("rewards", rewards, shape);
  args.values = arrays.floats("values", values, {shape[0] + 1, shape[1]});
  args.terminated = arrays.flags("terminated", terminated, shape);
  args.truncated = arrays.flags("truncated", truncated, shape);
  args.final_values = arrays.floats("final_values", final_values, shape, true);
  args.ratio = arrays.floats("ratio", ratio, shape, true);
  args.advantages = arrays.floats_out("out", out, shape);
  args.gamma = gamma;
  args.gae_lambda = gae_lambda;
  args.rho_clip = rho_clip;
  args.c_clip = c_clip;
  arrays.check_apart();
  run_kernel(args.steps * args.rows, [&](PfcWorkers* workers) { return pfc_advantage(&args, workers); });
}

int64_t sample(py::handle logits, const std::vector<int32_t>& counts, py::handle mask, uint64_t seed, uint64_t step,
               uint64_t first_row, bool greedy, py::handle actions, py::handle logprobs, py::handle entropy) {
  const py::ssize_t rows = shape_with("logits", logits, 2)[0];
  Arrays arrays;
  PfcSampleArgs args = {};
  args.rows = rows;
  args.dims = static_cast<int32_t>(counts.size());
  args.action_counts = counts.data();
  args.logits = arrays.strided("logits", logits, {rows, sum(counts)}, &args.logits_stride, false);
  args.mask_words = static_cast<int32_t>((sum(counts) + 31) / 32);
  args.mask = arrays.words("mask", mask, {rows, args.mask_words}, true);
  args.seed = seed;
  args.step = step;
  args.first_row = first_row;
  args.greedy = greedy;
  args.actions = arrays.ints_out("actions", actions, action_shape(rows, counts.size()));
  args.logprobs = arrays.floats_out("logprobs", logprobs, {rows}, true);
  args.entropy = arrays.floats_out("entropy", entropy, {rows}, true);
  arrays.check_apart();
  int64_t bad_rows = 0;
  run_kernel(rows * sum(counts), [&](PfcWorkers* workers) { return pfc_sample(&args, workers, &bad_rows); });
  return bad_rows;
}

// Continuous actions: outputs [N, 2 D], actions float32 [N, D].
int64_t gaussian_sample(py::handle outputs, int32_t dims, uint64_t seed, uint64_t step, uint64_t first_row, bool greedy,
                        py::handle actions, py::handle logprobs, py::handle entropy) {
  const py::ssize_t rows = shape_with("logits", outputs, 2)[0];
  Arrays arrays;
  PfcGaussianSampleArgs args = {};
  args.rows = rows;
  args.dims = dims;
  args.outputs = arrays.strided("logits", outputs, {rows, 2 * dims}, &args.outputs_stride, false);
  args.seed = seed;
  args.step = step;
  args.first_row = first_row;
  args.greedy = greedy;
  args.actions = arrays.floats_out("actions", actions, {rows, dims});
  args.logprobs = arrays.floats_out("logprobs", logprobs, {rows}, true);
  args.entropy = arrays.floats_out("entropy", entropy, {rows}, true);
  arrays.check_apart();
  int64_t bad_rows = 0;
  // A normally distributed number takes as long as several choices.
  run_kernel(rows * 8 * dims, [&](PfcWorkers* workers) { return pfc_gaussian_sample(&args, workers, &bad_rows); });
  return bad_rows;
}

// ---- the PPO loss ------------------------------------------------------------------------------------

// logits, values and the gradients may be columns of wider matrices.
py::tuple ppo_loss(const Minibatch& minibatch, const PpoSettings& settings, py::handle logits, py::handle values,
                   py::handle grad_logits, py::handle grad_values, py::handle ratio) {
  const py::ssize_t rows = minibatch.batch().rows, numbers = minibatch.numbers();
  Arrays arrays;
  arrays.include(minibatch.arrays());
  PfcPpoLossArgs args = {};
  args.batch = minibatch.batch();
  PfcPpoOutputs& out = args.outputs;
  out.logits = arrays.strided("logits", logits, {rows, numbers}, &out.logits_stride, false);
  out.values = arrays.strided("values", values, {rows}, &out.values_stride, false);
  out.grad_logits = arrays.strided("grad_logits", grad_logits, {rows, numbers}, &out.grad_logits_stride, true);
  out.grad_values = arrays.strided("grad_values", grad_values, {rows}, &out.grad_values_stride, true);
  out.ratio = arrays.floats_out("ratio", ratio, {rows}, true);
  arrays.check_apart();
  PfcPpoLossStats stats = {};
  run_kernel(rows * numbers, [&](PfcWorkers* workers) {
    const PfcStatus status = settings.complete(args.batch, &args.settings);
    return status ? status : pfc_ppo_loss(&args, workers, &stats);
  });
  return stats_tuple(stats);
}

}  // namespace

void bind_kernels(py::module_& m) {
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
  m.def("advantage", &advantage);
  m.def("sample", &sample);
  m.def("gaussian_sample", &gaussian_sample);
  m.def("ppo_loss", &ppo_loss);
  m.def("set_num_threads", &set_num_threads);
  m.def("get_num_threads", &get_num_threads);
}

}  // namespace pufferc
