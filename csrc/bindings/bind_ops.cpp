// bind_ops.cpp - advantages, and drawing actions and the PPO loss of discrete policies, over arrays from Python.
//
// Shapes: T steps, N rows of a rollout, B rows of a minibatch, D action dimensions, K logits. See calls.h for what holds
// of all arrays. The GIL is dropped while a kernel runs.
#include "advantage.h"
#include "bindings/calls.h"
#include "ppo_loss.h"
#include "sample.h"

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
  PfcStatus status;
  {
    py::gil_scoped_release release;
    const Lease lease(args.steps * args.rows);
    status = pfc_advantage(&args, lease.team());
  }
  check_status(status);
}

int64_t sample(py::handle logits, const std::vector<int32_t>& counts, uint64_t seed, uint64_t step, uint64_t first_row,
               bool greedy, py::handle actions, py::handle logprobs, py::handle entropy) {
  const py::ssize_t rows = shape_with("logits", logits, 2)[0];
  Arrays arrays;
  PfcSampleArgs args = {};
  args.rows = rows;
  args.dims = static_cast<int32_t>(counts.size());
  args.action_counts = counts.data();
  args.logits = arrays.strided("logits", logits, {rows, sum(counts)}, &args.logits_stride, false);
  args.seed = seed;
  args.step = step;
  args.first_row = first_row;
  args.greedy = greedy;
  args.actions = arrays.ints_out("actions", actions, action_shape(rows, counts.size()));
  args.logprobs = arrays.floats_out("logprobs", logprobs, {rows}, true);
  args.entropy = arrays.floats_out("entropy", entropy, {rows}, true);
  arrays.check_apart();
  int64_t bad_rows = 0;
  PfcStatus status;
  {
    py::gil_scoped_release release;
    const Lease lease(rows * sum(counts));
    status = pfc_sample(&args, lease.team(), &bad_rows);
  }
  check_status(status);
  return bad_rows;
}

PfcStatus run_ppo_loss(PfcPpoLossArgs& args, bool normalize, PfcPpoLossStats* stats) {
  if (normalize) {
    double mean, std;
    const PfcStatus status = pfc_mean_std(args.advantages, args.alive, args.rows, &mean, &std);
    if (status) return status;
    args.advantage_mean = static_cast<float>(mean);
    args.advantage_std = static_cast<float>(std);
  }
  const Lease lease(args.rows * args.logits_stride);
  return pfc_ppo_loss(&args, lease.team(), stats);
}

py::tuple ppo_loss(py::handle logits, py::handle values, py::handle actions, py::handle old_logprobs,
                   py::handle advantages, py::handle returns, const std::vector<int32_t>& counts, float clip,
                   float value_coef, float entropy_coef, float value_clip, bool normalize, py::handle old_values,
                   py::handle alive, py::handle grad_logits, py::handle grad_values, py::handle ratio) {
  const py::ssize_t rows = shape_with("logits", logits, 2)[0], choices = sum(counts);
  Arrays arrays;
  PfcPpoLossArgs args = {};
  args.rows = rows;
  args.dims = static_cast<int32_t>(counts.size());
  args.action_counts = counts.data();
  args.logits = arrays.strided("logits", logits, {rows, choices}, &args.logits_stride, false);
  args.values = arrays.strided("values", values, {rows}, &args.values_stride, false);
  args.actions = arrays.ints("actions", actions, action_shape(rows, counts.size()));
  args.old_logprobs = arrays.floats("old_logprobs", old_logprobs, {rows});
  args.advantages = arrays.floats("advantages", advantages, {rows});
  args.returns = arrays.floats("returns", returns, {rows});
  args.old_values = arrays.floats("old_values", old_values, {rows}, true);
  args.alive = arrays.flags("alive", alive, {rows}, true);
  args.clip = clip;
  args.value_coef = value_coef;
  args.entropy_coef = entropy_coef;
  args.value_clip = value_clip;
  args.grad_logits = arrays.strided("grad_logits", grad_logits, {rows, choices}, &args.grad_logits_stride, true);
  args.grad_values = arrays.strided("grad_values", grad_values, {rows}, &args.grad_values_stride, true);
  args.ratio = arrays.floats_out("ratio", ratio, {rows}, true);
  arrays.check_apart();
  PfcPpoLossStats stats = {};
  PfcStatus status;
  {
    py::gil_scoped_release release;
    status = run_ppo_loss(args, normalize, &stats);
  }
  check_status(status);
  return py::make_tuple(stats.loss, stats.policy_loss, stats.value_loss, stats.entropy, stats.approx_kl,
                        stats.old_approx_kl, stats.clip_fraction, stats.count);
}

}  // namespace

void bind_ops(py::module_& m) {
  m.def("advantage", &advantage);
  m.def("sample", &sample);
  m.def("ppo_loss", &ppo_loss);
  m.def("set_num_threads", &set_num_threads);
  m.def("get_num_threads", &get_num_threads);
}

}  // namespace pufferc
