// bind_networks.cpp - networks whose passes are kernels, and their optimizer, over arrays from Python. See calls.h for what
// holds of all arrays.
#include <algorithm>
#include <mutex>

#include "bindings/calls.h"
#include "codes.h"
#include "mlp.h"
#include "muon.h"

namespace pufferc {
namespace {

// A network of mlp.h. Calls from several threads take turns.
class Mlp {
 public:
  Mlp(const std::vector<int32_t>& widths, bool bfloat16) : widths_(widths), bfloat16_(bfloat16) {
    const PfcMatmulKernels* kernels = pfc_matmul_kernels(bfloat16, 0);
    check_status(pfc_mlp_create(kernels, widths.data(), static_cast<int32_t>(widths.size()) - 1, &mlp_));
  }
  ~Mlp() { pfc_mlp_destroy(mlp_); }
  Mlp(const Mlp&) = delete;
  Mlp& operator=(const Mlp&) = delete;

  void set_layers(const std::vector<py::object>& weights, const std::vector<py::object>& biases) {
    Arrays arrays;
    std::vector<float*> w, b;
    layers(arrays, "weights", weights, "biases", biases, false, &w, &b);
    const std::lock_guard<std::mutex> lock(mutex_);
    for (size_t i = 0; i < w.size(); ++i) pfc_mlp_set_layer(mlp_, static_cast<int32_t>(i), w[i], b[i]);
  }

  void forward(py::handle x, bool keep, py::handle outputs) {
    const py::ssize_t rows = shape_with("x", x, 2)[0];
    Arrays arrays;
    const void* from = arrays.elements("x", x, {rows, widths_.front()}, bfloat16_);
    float* to = arrays.floats_out("outputs", outputs, {rows, widths_.back()});
    arrays.check_apart();
    PfcStatus status;
    {
      py::gil_scoped_release release;
      const std::lock_guard<std::mutex> lock(mutex_);
      const Lease lease(rows * widths_.front());
      status = pfc_mlp_forward(mlp_, from, rows, keep, to, lease.team());
    }
    check_status(status);
  }

  void backward(py::handle x, py::handle grad_outputs, const std::vector<py::object>& grad_weights,
                const std::vector<py::object>& grad_biases) {
    const py::ssize_t rows = shape_with("x", x, 2)[0];
    Arrays arrays;
    const void* from = arrays.elements("x", x, {rows, widths_.front()}, bfloat16_);
    const float* grad = arrays.floats("grad_outputs", grad_outputs, {rows, widths_.back()});
    std::vector<float*> w, b;
    layers(arrays, "grad_weights", grad_weights, "grad_biases", grad_biases, true, &w, &b);
    arrays.check_apart();
    PfcStatus status;
    {
      py::gil_scoped_release release;
      const std::lock_guard<std::mutex> lock(mutex_);
      const Lease lease(rows * widths_.front());
      status = pfc_mlp_backward(mlp_, from, rows, grad, w.data(), b.data(), lease.team());
    }
    check_status(status);
  }

 private:
  // One matrix and one vector for each layer, shaped as its parameters.
  void layers(Arrays& arrays, const char* matrix, const std::vector<py::object>& matrices, const char* vector,
              const std::vector<py::object>& vectors, bool writable, std::vector<float*>* w, std::vector<float*>* b) {
    const size_t count = widths_.size() - 1;
    if (matrices.size() != count || vectors.size() != count)
      raise(PyExc_ValueError, std::string(matrix) + " and " + vector + " must have one array for each of the " +
                                  std::to_string(count) + " layers, got " + std::to_string(matrices.size()) + " and " +
                                  std::to_string(vectors.size()));
    for (size_t i = 0; i < count; ++i) {
      const Shape shape = {widths_[i + 1], widths_[i]}, side = {widths_[i + 1]};
      const auto read = writable ? &Arrays::floats_out : &Arrays::floats;
      w->push_back((arrays.*read)(matrix, matrices[i], shape, false));
      b->push_back((arrays.*read)(vector, vectors[i], side, false));
    }
  }

  std::vector<int32_t> widths_;
  bool bfloat16_;
  PfcMlp* mlp_ = nullptr;
  std::mutex mutex_;
};

// The optimizer of muon.h. Calls from several threads take turns.
class Muon {
 public:
  explicit Muon(bool bfloat16) { check_status(pfc_muon_create(pfc_matmul_kernels(bfloat16, 0), &muon_)); }
  ~Muon() { pfc_muon_destroy(muon_); }
  Muon(const Muon&) = delete;
  Muon& operator=(const Muon&) = delete;

  void step(const std::vector<py::object>& parameters, const std::vector<py::object>& averages,
            const std::vector<py::object>& grads, float learning_rate, float momentum, float weight_decay,
            int32_t iterations) {
    if (averages.size() != parameters.size() || grads.size() != parameters.size())
      raise(PyExc_ValueError, "averages and grads must have one array for each of the " +
                                  std::to_string(parameters.size()) + " parameters, got " +
                                  std::to_string(averages.size()) + " and " + std::to_string(grads.size()));
    Arrays arrays;
    std::vector<PfcMuonStep> steps;
    for (size_t i = 0; i < parameters.size(); ++i) {
      const Shape shape = shape_of(borrow_array("parameters", parameters[i]));
      if (shape.empty() || shape.size() > 2)
        raise(PyExc_ValueError, "parameters must be vectors or matrices, got shape " + shape_text(shape));
      PfcMuonStep step = {};
      step.rows = shape[0];
      step.columns = shape.size() == 2 ? shape[1] : 0;
      step.parameter = arrays.floats_out("parameters", parameters[i], shape);
      step.average = arrays.floats_out("averages", averages[i], shape);
      step.grad = arrays.floats("grads", grads[i], shape);
      step.learning_rate = learning_rate;
      step.momentum = momentum;
      step.weight_decay = weight_decay;
      step.iterations = iterations;
      if (shape.size() == 1 || (shape[0] && shape[1])) steps.push_back(step);
    }
    arrays.check_apart();
    check_status(run(steps));
  }

 private:
  PfcStatus run(const std::vector<PfcMuonStep>& steps) {
    const py::gil_scoped_release release;
    const std::lock_guard<std::mutex> lock(mutex_);
    for (const PfcMuonStep& step : steps) {
      const Lease lease(step.rows * step.columns * std::min(step.rows, step.columns));
      if (const PfcStatus status = pfc_muon_step(muon_, &step, lease.team())) return status;
    }
    return PFC_OK;
  }

  PfcMuon* muon_ = nullptr;
  std::mutex mutex_;
};

// ---- codes.h -------------------------------------------------------------------------------------------

PfcCodes codes_batch(Arrays& arrays, py::handle codes, int32_t choices, py::ssize_t width) {
  if (choices < 1 || choices > 255)
    raise(PyExc_ValueError, "most must be in [1, 255], got " + std::to_string(choices));
  const Shape shape = shape_with("codes", codes, 2);
  constexpr py::ssize_t kMost = 1 << 24;
  if (shape[1] < 1 || shape[1] * choices > kMost || width < 1 || width > kMost)
    raise(PyExc_ValueError, "codes and table: expected 1 to 2^24 entries and columns, got " +
                                std::to_string(shape[1] * choices) + " and " + std::to_string(width));
  return {arrays.flags("codes", codes, shape), shape[0], static_cast<int32_t>(shape[1]), choices,
          static_cast<int32_t>(width)};
}

void codes_forward(py::handle codes, int32_t choices, py::handle table, py::handle bias, bool relu, py::handle y) {
  Arrays arrays;
  const py::ssize_t width = shape_with("table", table, 2)[1];
  const PfcCodes batch = codes_batch(arrays, codes, choices, width);
  const float* entries = arrays.floats("table", table, {batch.cells * choices, width});
  const float* start = arrays.floats("bias", bias, {width});
  float* to = arrays.floats_out("y", y, {static_cast<py::ssize_t>(batch.rows), width});
  arrays.check_apart();
  PfcStatus status;
  {
    py::gil_scoped_release release;
    const Lease lease(batch.rows * width);
    status = pfc_codes_forward(&batch, entries, start, relu, to, lease.team());
  }
  check_status(status);
}

void codes_backward(py::handle codes, int32_t choices, py::handle grad_y, py::handle grad_table, py::handle grad_bias) {
  Arrays arrays;
  const py::ssize_t width = shape_with("grad_y", grad_y, 2)[1];
  const PfcCodes batch = codes_batch(arrays, codes, choices, width);
  const float* grad = arrays.floats("grad_y", grad_y, {static_cast<py::ssize_t>(batch.rows), width});
  float* entries = arrays.floats_out("grad_table", grad_table, {batch.cells * choices, width});
  float* start = arrays.floats_out("grad_bias", grad_bias, {width});
  arrays.check_apart();
  PfcStatus status;
  {
    py::gil_scoped_release release;
    const Lease lease(batch.rows * width);
    status = pfc_codes_backward(&batch, grad, entries, start, lease.team());
  }
  check_status(status);
}

}  // namespace

void bind_networks(py::module_& m) {
  py::class_<Mlp>(m, "Mlp")
      .def(py::init<const std::vector<int32_t>&, bool>())
      .def("set_layers", &Mlp::set_layers)
      .def("forward", &Mlp::forward)
      .def("backward", &Mlp::backward);
  m.def("codes_forward", &codes_forward);
  m.def("codes_backward", &codes_backward);
  py::class_<Muon>(m, "Muon").def(py::init<bool>()).def("step", &Muon::step);
}

}  // namespace pufferc
