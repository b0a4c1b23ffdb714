// bind_mlp.cpp - multi-layer perceptrons whose passes, rollouts and minibatches are kernels, over arrays from Python.
// See calls.h for what holds of all arrays.
#include <mutex>

#include "bindings/batches.h"
#include "bindings/layers.h"
#include "bindings/pools.h"
#include "networks/mlp.h"
#include "training/minibatch.h"

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

  // A minibatch of training/minibatch.h. The fields of PpoStats.
  py::tuple learn(py::handle x, const Minibatch& minibatch, const PpoSettings& settings, py::handle outputs,
                  py::handle grad_outputs, const std::vector<py::object>& grad_weights,
                  const std::vector<py::object>& grad_biases) {
    const py::ssize_t rows = minibatch.batch().rows, columns = widths_.back();
    Arrays arrays;
    arrays.include(minibatch.arrays());
    PfcLearn args = {};
    args.batch = minibatch.batch();
    args.x = arrays.elements("x", x, {rows, widths_.front()}, bfloat16_);
    args.outputs = arrays.floats_out("outputs", outputs, {rows, columns});
    args.grad_outputs = arrays.floats_out("grad_outputs", grad_outputs, {rows, columns});
    const Layers grads = borrow_layers(arrays, "grad_weights", grad_weights, "grad_biases", grad_biases, shapes_, true);
    args.grad_weights = grads.weights.data(), args.grad_biases = grads.biases.data();
    arrays.check_apart();
    PfcPpoLossStats stats = {};
    turns_.run(rows * widths_.front(), [&](PfcWorkers* workers) {
      const PfcStatus status = settings.settle(args.batch, &args.settings);
      return status ? status : pfc_learn(mlp_, &args, workers, &stats);
    });
    return stats_tuple(stats);
  }

  // Fills a rollout: (rows without a distribution, seconds of policy, games and the rest).
  py::tuple rollout(py::handle pool, const Rollout& rollout, uint64_t seed, uint64_t first_step, uint64_t first_row) {
    const PoolOwner games = pool_owner("pool", pool);
    const PfcBuffers& buffers = *pfc_pool_buffers(games.get());
    rollout.check_fits(buffers, widths_.front(), bfloat16_);
    PfcRollout args = rollout.arrays();
    args.seed = seed, args.first_step = first_step, args.first_row = first_row;
    PfcRolloutReport report = {};
    turns_.run(args.steps * buffers.rows * widths_.front(),
               [&](PfcWorkers* workers) { return pfc_rollout(games.get(), mlp_, &args, workers, &report); });
    return py::make_tuple(report.bad_rows, report.policy_s, report.env_s, report.copy_s);
  }

 private:
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
