// bind_networks.cpp - networks whose passes are kernels, over arrays from Python. See calls.h for what holds of all arrays.
#include <mutex>

#include "bindings/calls.h"
#include "mlp.h"

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

}  // namespace

void bind_networks(py::module_& m) {
  py::class_<Mlp>(m, "Mlp")
      .def(py::init<const std::vector<int32_t>&, bool>())
      .def("set_layers", &Mlp::set_layers)
      .def("forward", &Mlp::forward)
      .def("backward", &Mlp::backward);
}

}  // namespace pufferc
