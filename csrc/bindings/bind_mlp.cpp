// bind_mlp.cpp - multi-layer perceptrons whose passes, rollouts and minibatches are kernels, over arrays from Python.
// See calls.h for what holds of all arrays.
#include <mutex>

#include "bindings/layers.h"
#include "bindings/losses.h"
#include "bindings/pools.h"
#include "kernels/gaussian.h"
#include "kernels/learn.h"
#include "kernels/rollout.h"
#include "networks/mlp.h"

namespace pufferc {
namespace {

// A network of mlp.h. Calls from several threads take turns.
class Mlp {
 public:
  Mlp(const std::vector<int32_t>& widths, bool bfloat16) : widths_(widths), bfloat16_(bfloat16) {
    const PfcMatmulKernels* kernels = pfc_matmul_kernels(bfloat16, 0);
    check_status(pfc_mlp_create(kernels, widths.data(), static_cast<int32_t>(widths.size()) - 1, &mlp_));
    for (size_t i = 0; i + 1 < widths.size(); ++i) shapes_.push_back({widths[i + 1], widths[i]});
  }
  ~Mlp() { pfc_mlp_destroy(mlp_); }
  Mlp(const Mlp&) = delete;
  Mlp& operator=(const Mlp&) = delete;

  void set_layers(const std::vector<py::object>& weights, const std::vector<py::object>& biases) {
    Arrays arrays;
    const Layers layers = borrow_layers(arrays, "weights", weights, "biases", biases, shapes_, false);
    const std::lock_guard<std::mutex> lock(turns_.mutex());
    for (size_t i = 0; i < shapes_.size(); ++i)
      pfc_mlp_set_layer(mlp_, static_cast<int32_t>(i), layers.weights[i], layers.biases[i]);
  }

  void forward(py::handle x, bool keep, py::handle outputs) {
    const py::ssize_t rows = shape_with("x", x, 2)[0];
    Arrays arrays;
    const void* from = arrays.elements("x", x, {rows, widths_.front()}, bfloat16_);
    float* to = arrays.floats_out("outputs", outputs, {rows, widths_.back()});
    arrays.check_apart();
    turns_.run(rows * widths_.front(),
               [&](PfcWorkers* workers) { return pfc_mlp_forward(mlp_, from, rows, keep, to, workers); });
  }

  void backward(py::handle x, py::handle grad_outputs, const std::vector<py::object>& grad_weights,
                const std::vector<py::object>& grad_biases) {
    const py::ssize_t rows = shape_with("x", x, 2)[0];
    Arrays arrays;
    const void* from = arrays.elements("x", x, {rows, widths_.front()}, bfloat16_);
    const float* grad = arrays.floats("grad_outputs", grad_outputs, {rows, widths_.back()});
    const Layers grads = borrow_layers(arrays, "grad_weights", grad_weights, "grad_biases", grad_biases, shapes_, true);
    arrays.check_apart();
    turns_.run(rows * widths_.front(), [&](PfcWorkers* workers) {
      return pfc_mlp_backward(mlp_, from, rows, grad, grads.weights.data(), grads.biases.data(), workers);
    });
  }

  // A minibatch of learn.h; `controls` and `counts` as for the loss alone. The fields of PpoStats.
  py::tuple learn(py::handle x, py::handle outputs, py::handle grad_outputs, py::handle actions,
                  py::handle old_logprobs, py::handle advantages, py::handle returns,
                  const std::vector<int32_t>& counts, int32_t controls, float clip, float value_coef,
                  float entropy_coef, float value_clip, bool normalize, py::handle old_values, py::handle alive,
                  const std::vector<py::object>& grad_weights, const std::vector<py::object>& grad_biases) {
    const py::ssize_t rows = shape_with("x", x, 2)[0], columns = widths_.back();
    check_outputs(counts, controls);
    Arrays arrays;
    PfcLearn args = {};
    args.x = arrays.elements("x", x, {rows, widths_.front()}, bfloat16_);
    args.outputs = arrays.floats_out("outputs", outputs, {rows, columns});
    float* grad = arrays.floats_out("grad_outputs", grad_outputs, {rows, columns});
    args.grad_outputs = grad;
    const PpoColumns read = {old_logprobs, advantages, returns,   clip,       value_coef,
                             entropy_coef, value_clip, normalize, old_values, alive};
    PfcPpoBatch batch = read_columns(arrays, rows, read);
    batch.values = args.outputs + columns - 1, batch.values_stride = columns;
    batch.grad_values = grad + columns - 1, batch.grad_values_stride = columns;
    const Layers grads = borrow_layers(arrays, "grad_weights", grad_weights, "grad_biases", grad_biases, shapes_, true);
    args.grad_weights = grads.weights.data(), args.grad_biases = grads.biases.data();
    if (controls > 0) {
      PfcGaussianLossArgs loss = {batch, controls, args.outputs, columns, nullptr, grad, columns};
      loss.actions = arrays.floats("actions", actions, {rows, controls});
      return run_learn(arrays, args, loss, normalize, &pfc_gaussian_ppo_kernel);
    }
    PfcPpoLossArgs loss = {
        batch, static_cast<int32_t>(counts.size()), counts.data(), args.outputs, columns, nullptr, grad, columns};
    loss.actions = arrays.ints("actions", actions, action_shape(rows, counts.size()));
    return run_learn(arrays, args, loss, normalize, &pfc_ppo_kernel);
  }

  // Arrays of a rollout, as rollout.h has them: (rows without a distribution, seconds of policy, games and the rest).
  py::tuple rollout(py::handle pool, py::handle observations, py::handle actions, py::handle logprobs,
                    py::handle values, py::handle rewards, py::handle terminated, py::handle truncated,
                    py::handle final_values, py::handle alive, uint64_t seed, uint64_t first_step, uint64_t first_row) {
    const PoolOwner games = pool_owner("pool", pool);
    const PfcBuffers& buffers = *pfc_pool_buffers(games.get());
    const py::ssize_t steps = shape_with("rewards", rewards, 2)[0], rows = buffers.rows;
    Shape action_shape{steps, rows};
    if (buffers.action_dims > 1) action_shape.push_back(buffers.action_dims);
    Arrays arrays;
    PfcRollout args = {};
    args.steps = steps;
    args.rewards = arrays.floats_out("rewards", rewards, {steps, rows});  // first: the others are held against it
    args.observations =
        arrays.elements_out("observations", observations, {steps + 1, rows, widths_.front()}, bfloat16_);
    args.actions = arrays.ints_out("actions", actions, action_shape);
    args.logprobs = arrays.floats_out("logprobs", logprobs, {steps, rows});
    args.values = arrays.floats_out("values", values, {steps + 1, rows});
    args.terminated = arrays.flags_out("terminated", terminated, {steps, rows});
    args.truncated = arrays.flags_out("truncated", truncated, {steps, rows});
    args.final_values = arrays.floats_out("final_values", final_values, {steps, rows});
    args.alive = arrays.flags_out("alive", alive, {steps + 1, rows});
    args.seed = seed, args.first_step = first_step, args.first_row = first_row;
    PfcRolloutReport report = {};
    turns_.run(steps * rows * widths_.front(),
               [&](PfcWorkers* workers) { return pfc_rollout(games.get(), mlp_, &args, workers, &report); });
    return py::make_tuple(report.bad_rows, report.policy_s, report.env_s, report.copy_s);
  }

 private:
  void check_outputs(const std::vector<int32_t>& counts, int32_t controls) const {
    int64_t choices = 2 * static_cast<int64_t>(controls);
    if (controls == 0)
      for (const int32_t count : counts) choices += count;
    if (choices + 1 != widths_.back())
      raise(PyExc_ValueError, "action_counts and controls take " + std::to_string(choices + 1) +
                                  " outputs with the value, this network has " + std::to_string(widths_.back()));
  }

  template <typename Args>
  py::tuple run_learn(const Arrays& arrays, const PfcLearn& args, Args& loss, bool normalize,
                      PfcStatus (*make)(const Args*, PfcPpoKernel*)) {
    arrays.check_apart();
    PfcPpoLossStats stats = {};
    turns_.run(loss.batch.rows * widths_.front(), [&](PfcWorkers* workers) {
      PfcPpoKernel kernel;
      PfcStatus status = normalize ? normalise_advantages(&loss.batch) : PFC_OK;
      if (!status) status = make(&loss, &kernel);
      return status ? status : pfc_learn(mlp_, &args, &kernel, workers, &stats);
    });
    return stats_tuple(stats);
  }

  std::vector<int32_t> widths_;
  std::vector<Shape> shapes_;
  bool bfloat16_;
  PfcMlp* mlp_ = nullptr;
  Turns turns_;
};

}  // namespace

void bind_mlp(py::module_& m) {
  py::class_<Mlp>(m, "Mlp")
      .def(py::init<const std::vector<int32_t>&, bool>())
      .def("set_layers", &Mlp::set_layers)
      .def("forward", &Mlp::forward)
      .def("backward", &Mlp::backward)
      .def("learn", &Mlp::learn)
      .def("rollout", &Mlp::rollout);
}

}  // namespace pufferc
