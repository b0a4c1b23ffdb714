// bind_ops.cpp - advantages, drawing actions and the PPO loss over arrays from Python.
//
// Shapes: T steps, N rows of a rollout, B rows of a minibatch, D action dimensions, K logits; in Python the parameters
// of continuous distributions are called logits as well. See calls.h for what holds of all arrays. The GIL is dropped
// while a kernel runs.
#include "bindings/batches.h"
#include "kernels/advantage.h"
#include "kernels/gaussian.h"
#include "kernels/ppo_loss.h"
#include "kernels/sample.h"

namespace pufferc {
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
  // A normal number takes as long as several choices.
  run_kernel(rows * 8 * dims, [&](PfcWorkers* workers) { return pfc_gaussian_sample(&args, workers, &bad_rows); });
  return bad_rows;
}

// ---- the PPO loss ------------------------------------------------------------------------------------

// The logits, values and gradients are columns of the caller's.
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
    const PfcStatus status = settings.settle(args.batch, &args.settings);
    return status ? status : pfc_ppo_loss(&args, workers, &stats);
  });
  return stats_tuple(stats);
}

}  // namespace

void bind_ops(py::module_& m) {
  m.def("advantage", &advantage);
  m.def("sample", &sample);
  m.def("gaussian_sample", &gaussian_sample);
  m.def("ppo_loss", &ppo_loss);
  m.def("set_num_threads", &set_num_threads);
  m.def("get_num_threads", &get_num_threads);
}

}  // namespace pufferc
