// networks.cpp - networks, their rollouts and minibatches, and the Muon optimizer, for arrays from Python. arrays.h
// describes the checks of arrays.
#include <algorithm>
#include <array>
#include <mutex>

#include "bindings/arrays.h"
#include "kernels/muon.h"
#include "networks/mlp.h"
#include "networks/one_hot.h"
#include "networks/recurrent.h"
#include "networks/scan.h"
#include "training/minibatch.h"

namespace pufferc {
namespace {

// ---- parameters ------------------------------------------------------------------------------------------

// The parameters of a network's layers, or their gradients.
struct Layers {
  std::vector<float*> weights, biases;
};

// Borrows one matrix and one vector for each layer. `shapes` are those of the matrices, [outputs, inputs].
Layers borrow_layers(Arrays& arrays, const char* matrix, const std::vector<py::object>& matrices, const char* vector,
                     const std::vector<py::object>& vectors, const std::vector<Shape>& shapes, bool writable) {
  if (matrices.size() != shapes.size() || vectors.size() != shapes.size())
    raise(PyExc_ValueError, std::string(matrix) + " and " + vector + " must have one array for each of the " +
                                std::to_string(shapes.size()) + " layers, got " + std::to_string(matrices.size()) +
                                " and " + std::to_string(vectors.size()));
  Layers layers;
  const auto read = writable ? &Arrays::floats_out : &Arrays::floats;
  for (size_t i = 0; i < shapes.size(); ++i) {
    layers.weights.push_back((arrays.*read)(matrix, matrices[i], shapes[i], false));
    layers.biases.push_back((arrays.*read)(vector, vectors[i], {shapes[i][0]}, false));
  }
  return layers;
}

// ---- sets of entities ------------------------------------------------------------------------------------

// Each set as (first, count, each, width), see sets.h.
using Sets = std::vector<std::array<int32_t, 4>>;

// The shape of the sets of observations of `inputs` values. It refers to `all`, which gets the sets.
PfcSetsShape sets_shape(const Sets& sets, int32_t inputs, std::vector<PfcSet>& all) {
  for (const auto& set : sets) all.push_back({set[0], set[1], set[2], set[3]});
  return {inputs, static_cast<int32_t>(all.size()), all.data()};
}

// ---- multi-layer perceptrons -----------------------------------------------------------------------------

// A network of mlp.h. Calls from several threads take turns.
class Mlp {
 public:
  Mlp(const std::vector<int32_t>& widths, bool bfloat16, int32_t inputs, const Sets& sets)
      : bfloat16_(bfloat16) {
    std::vector<PfcSet> all;
    const PfcSetsShape shape = sets_shape(sets, inputs, all);
    check_status(pfc_mlp_create(pfc_matmul_kernels(bfloat16, 0), sets.empty() ? nullptr : &shape, widths.data(),
                                static_cast<int32_t>(widths.size()) - 1, &mlp_));
    inputs_ = sets.empty() ? widths.front() : inputs, outputs_ = widths.back();
    for (int32_t i = 0; i < pfc_mlp_layers(mlp_); ++i) {
      int32_t outputs, layer_inputs;
      pfc_mlp_layer_shape(mlp_, i, &outputs, &layer_inputs);
      shapes_.push_back({outputs, layer_inputs});
    }
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
    const void* from = arrays.elements("x", x, {rows, inputs_}, bfloat16_);
    float* to = arrays.floats_out("outputs", outputs, {rows, outputs_});
    arrays.check_apart();
    turns_.run(rows * inputs_,
               [&](PfcWorkers* workers) { return pfc_mlp_forward(mlp_, from, rows, keep, to, workers); });
  }

  void backward(py::handle x, py::handle grad_outputs, const std::vector<py::object>& grad_weights,
                const std::vector<py::object>& grad_biases) {
    const py::ssize_t rows = shape_with("x", x, 2)[0];
    Arrays arrays;
    const void* from = arrays.elements("x", x, {rows, inputs_}, bfloat16_);
    const float* grad = arrays.floats("grad_outputs", grad_outputs, {rows, outputs_});
    const Layers grads = borrow_layers(arrays, "grad_weights", grad_weights, "grad_biases", grad_biases, shapes_, true);
    arrays.check_apart();
    turns_.run(rows * inputs_, [&](PfcWorkers* workers) {
      return pfc_mlp_backward(mlp_, from, rows, grad, grads.weights.data(), grads.biases.data(), workers);
    });
  }

  // Learns from one minibatch (training/minibatch.h). Returns the fields of PpoStats.
  py::tuple learn(py::handle x, const Minibatch& minibatch, const PpoSettings& settings, py::handle outputs,
                  py::handle grad_outputs, const std::vector<py::object>& grad_weights,
                  const std::vector<py::object>& grad_biases) {
    const py::ssize_t rows = minibatch.batch().rows, columns = outputs_;
    Arrays arrays;
    arrays.include(minibatch.arrays());
    PfcLearn args = {};
    args.batch = minibatch.batch();
    args.x = arrays.elements("x", x, {rows, inputs_}, bfloat16_);
    args.outputs = arrays.floats_out("outputs", outputs, {rows, columns});
    args.grad_outputs = arrays.floats_out("grad_outputs", grad_outputs, {rows, columns});
    const Layers grads = borrow_layers(arrays, "grad_weights", grad_weights, "grad_biases", grad_biases, shapes_, true);
    args.grad_weights = grads.weights.data(), args.grad_biases = grads.biases.data();
    arrays.check_apart();
    PfcPpoLossStats stats = {};
    turns_.run(rows * inputs_, [&](PfcWorkers* workers) {
      const PfcStatus status = settings.complete(args.batch, &args.settings);
      return status ? status : pfc_learn(mlp_, &args, workers, &stats);
    });
    return stats_tuple(stats);
  }

  // Fills a rollout. Returns (rows without a valid distribution, seconds in the policy, the games and the rest).
  py::tuple rollout(py::handle pool, const Rollout& rollout, uint64_t seed, uint64_t first_step, uint64_t first_row) {
    const PoolOwner games = pool_owner("pool", pool);
    const PfcBuffers& buffers = *pfc_pool_buffers(games.get());
    rollout.check_fits(buffers, inputs_, bfloat16_);
    PfcRollout args = rollout.arrays();
    args.seed = seed, args.first_step = first_step, args.first_row = first_row;
    PfcRolloutReport report = {};
    turns_.run(args.steps * buffers.rows * inputs_,
               [&](PfcWorkers* workers) { return pfc_rollout(games.get(), mlp_, &args, workers, &report); });
    return py::make_tuple(report.bad_rows, report.policy_s, report.env_s, report.copy_s);
  }

 private:
  int32_t inputs_ = 0, outputs_ = 0;
  std::vector<Shape> shapes_;
  bool bfloat16_;
  PfcMlp* mlp_ = nullptr;
  Turns turns_;
};

// ---- recurrent networks ----------------------------------------------------------------------------------

// A network of recurrent.h. Calls from several threads take turns.
class Recurrent {
 public:
  Recurrent(PfcRecurrentKind kind, const std::vector<int32_t>& widths, bool bfloat16, int32_t inputs, const Sets& sets)
      : widths_(widths), bfloat16_(bfloat16), sets_(!sets.empty()) {
    std::vector<PfcSet> all;
    const PfcSetsShape set_shape = sets_shape(sets, inputs, all);
    const PfcRecurrentShape shape = {kind, static_cast<int32_t>(widths.size()) - 2, widths.data(),
                                     sets.empty() ? nullptr : &set_shape};
    check_status(pfc_recurrent_create(pfc_matmul_kernels(bfloat16, 0), &shape, &net_));
    inputs_ = sets_ ? inputs : widths.front();
    states_ = static_cast<size_t>(pfc_recurrent_states(net_));
    for (int32_t i = 0; i < pfc_recurrent_layers(net_); ++i) {
      int32_t outputs, layer_inputs;
      pfc_recurrent_layer_shape(net_, i, &outputs, &layer_inputs);
      shapes_.push_back({outputs, layer_inputs});
    }
  }
  ~Recurrent() { pfc_recurrent_destroy(net_); }
  Recurrent(const Recurrent&) = delete;
  Recurrent& operator=(const Recurrent&) = delete;

  void set_layers(const std::vector<py::object>& weights, const std::vector<py::object>& biases) {
    Arrays arrays;
    const Layers layers = borrow_layers(arrays, "weights", weights, "biases", biases, shapes_, false);
    const std::vector<PfcRecurrentLayer> parameters = joined(layers);
    const std::lock_guard<std::mutex> lock(turns_.mutex());
    pfc_recurrent_set_layers(net_, parameters.data());
  }

  void forward(py::handle x, const std::vector<py::object>& state, py::handle starts, bool keep, py::handle outputs,
               const std::vector<py::object>& next_state) {
    Arrays arrays;
    const PfcRecurrentBatch batch = borrow_batch(arrays, x, state, starts);
    float* to = arrays.floats_out("outputs", outputs, {batch.steps, batch.rows, widths_.back()});
    check_states("next_state", next_state);
    float* next[PFC_RECURRENT_MAX_STATES] = {};
    for (size_t i = 0; i < states_; ++i)
      next[i] = arrays.floats_out("next_state", next_state[i], {batch.rows, units()});
    arrays.check_apart();
    turns_.run(work(batch),
               [&](PfcWorkers* workers) { return pfc_recurrent_forward(net_, &batch, keep, to, next, workers); });
  }

  void backward(py::handle x, const std::vector<py::object>& state, py::handle starts, py::handle grad_outputs,
                const std::vector<py::object>& grad_weights, const std::vector<py::object>& grad_biases,
                py::handle grad_x) {
    Arrays arrays;
    const PfcRecurrentBatch batch = borrow_batch(arrays, x, state, starts);
    const float* grad = arrays.floats("grad_outputs", grad_outputs, {batch.steps, batch.rows, widths_.back()});
    const Layers grads = borrow_layers(arrays, "grad_weights", grad_weights, "grad_biases", grad_biases, shapes_, true);
    const std::vector<PfcRecurrentLayer> gradients = joined(grads);
    if (sets_ && !grad_x.is_none()) raise(PyExc_ValueError, "grad_x must be None for a network with sets");
    float* inputs = arrays.floats_out("grad_x", grad_x, {batch.steps, batch.rows, inputs_}, true);
    arrays.check_apart();
    turns_.run(work(batch), [&](PfcWorkers* workers) {
      return pfc_recurrent_backward(net_, &batch, grad, gradients.data(), inputs, workers);
    });
  }

 private:
  int32_t units() const { return widths_[widths_.size() - 2]; }

  static std::vector<PfcRecurrentLayer> joined(const Layers& layers) {
    std::vector<PfcRecurrentLayer> all;
    for (size_t i = 0; i < layers.weights.size(); ++i) all.push_back({layers.weights[i], layers.biases[i]});
    return all;
  }

  void check_states(const char* name, const std::vector<py::object>& state) const {
    if (state.size() != states_)
      raise(PyExc_ValueError, std::string(name) + " must have " + std::to_string(states_) +
                                  (states_ == 1 ? " array" : " arrays") + ", got " + std::to_string(state.size()));
  }

  PfcRecurrentBatch borrow_batch(Arrays& arrays, py::handle x, const std::vector<py::object>& state,
                                 py::handle starts) const {
    const Shape shape = shape_with("x", x, 3);
    check_states("state", state);
    PfcRecurrentBatch batch = {};
    batch.steps = shape[0];
    batch.rows = shape[1];
    batch.x = arrays.step_elements("x", x, {shape[0], shape[1], inputs_}, bfloat16_, &batch.x_step);
    for (size_t i = 0; i < states_; ++i) batch.state[i] = arrays.floats("state", state[i], {shape[1], units()});
    batch.starts = arrays.flags("starts", starts, {shape[0], shape[1]}, true);
    return batch;
  }

  int64_t work(const PfcRecurrentBatch& batch) const { return batch.steps * batch.rows * units(); }

  int32_t inputs_ = 0;
  std::vector<int32_t> widths_;
  std::vector<Shape> shapes_;
  bool bfloat16_, sets_;
  size_t states_ = 0;
  PfcRecurrent* net_ = nullptr;
  Turns turns_;
};

class MinGru : public Recurrent {
 public:
  MinGru(const std::vector<int32_t>& widths, bool bfloat16, int32_t inputs, const Sets& sets)
      : Recurrent(PFC_RECURRENT_MINGRU, widths, bfloat16, inputs, sets) {}
};

class Lstm : public Recurrent {
 public:
  Lstm(const std::vector<int32_t>& widths, bool bfloat16, int32_t inputs, const Sets& sets)
      : Recurrent(PFC_RECURRENT_LSTM, widths, bfloat16, inputs, sets) {}
};

// The scan of scan.h, or its backward pass if grad_states is given.
void scan(py::handle pre, py::handle initial, py::handle starts, py::handle states, py::handle grad_states,
          py::handle grad_pre, py::handle grad_initial) {
  const Shape shape = shape_with("states", states, 3), row = {shape[1], shape[2]};
  const Shape pre_shape = {shape[0], shape[1], 2 * shape[2]};
  const bool backward = !grad_states.is_none();
  Arrays arrays;
  PfcScanArgs args = {};
  args.steps = shape[0];
  args.rows = shape[1];
  args.units = shape[2];
  args.pre = arrays.floats("pre", pre, pre_shape);
  args.initial = arrays.floats("h0", initial, row);
  args.starts = arrays.flags("starts", starts, {shape[0], shape[1]}, true);
  args.states = backward ? arrays.floats("states", states, shape) : arrays.floats_out("states", states, shape);
  args.grad_states = arrays.floats("grad_states", grad_states, shape, true);
  args.grad_pre = arrays.floats_out("grad_pre", grad_pre, pre_shape, !backward);
  args.grad_initial = arrays.floats_out("grad_initial", grad_initial, row, !backward);
  arrays.check_apart();
  check_status(pfc_scan_check(&args));
  const Unlocked unlocked;
  const Lease lease(args.steps * args.rows * args.units);
  (backward ? pfc_scan_backward : pfc_scan)(&args, lease.workers());
}

// ---- Muon ------------------------------------------------------------------------------------------------

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
    std::mutex& mutex = turns_.mutex();
    const Unlocked unlocked;
    const std::lock_guard<std::mutex> lock(mutex);
    for (const PfcMuonStep& step : steps) {
      const Lease lease(step.rows * step.columns * std::min(step.rows, step.columns));
      if (const PfcStatus status = pfc_muon_step(muon_, &step, lease.workers())) return status;
    }
    return PFC_OK;
  }

  PfcMuon* muon_ = nullptr;
  Turns turns_;
};

// ---- one_hot.h -----------------------------------------------------------------------------------------

// ValueError unless the offsets of the cells' entries fit the kernel.
void check_offsets(const int32_t* offsets, py::ssize_t cells) {
  constexpr int32_t kMaxEntries = 1 << 24;
  if (offsets[0] != 0) raise(PyExc_ValueError, "offsets must start at 0, got " + std::to_string(offsets[0]));
  for (py::ssize_t cell = 0; cell < cells; ++cell) {
    const int64_t entries = static_cast<int64_t>(offsets[cell + 1]) - offsets[cell];
    if (entries < 1 || entries > 255)
      raise(PyExc_ValueError, "offsets must give each cell 1 to 255 entries, got " + std::to_string(entries) +
                                  " in cell " + std::to_string(cell));
  }
  if (offsets[cells] < 1 || offsets[cells] > kMaxEntries)
    raise(PyExc_ValueError, "offsets must give 1 to 2^24 entries, got " + std::to_string(offsets[cells]));
}

PfcOneHot one_hot_batch(Arrays& arrays, py::handle codes, py::handle offsets, py::ssize_t width) {
  const Shape shape = shape_with("codes", codes, 2);
  constexpr py::ssize_t kMaxWidth = 1 << 24;
  if (width < 1 || width > kMaxWidth)
    raise(PyExc_ValueError, "table must have 1 to 2^24 columns, got " + std::to_string(width));
  const int32_t* places = arrays.ints("offsets", offsets, {shape[1] + 1});
  check_offsets(places, shape[1]);
  return {arrays.flags("codes", codes, shape), places, shape[0], static_cast<int32_t>(shape[1]),
          static_cast<int32_t>(width)};
}

void one_hot_forward(py::handle codes, py::handle offsets, py::handle table, py::handle bias, bool relu, py::handle y) {
  Arrays arrays;
  const py::ssize_t width = shape_with("table", table, 2)[1];
  const PfcOneHot batch = one_hot_batch(arrays, codes, offsets, width);
  const float* entries = arrays.floats("table", table, {batch.offsets[batch.cells], width});
  const float* start = arrays.floats("bias", bias, {width});
  float* to = arrays.floats_out("y", y, {static_cast<py::ssize_t>(batch.rows), width});
  arrays.check_apart();
  run_kernel(batch.rows * width,
             [&](PfcWorkers* workers) { return pfc_one_hot_forward(&batch, entries, start, relu, to, workers); });
}

void one_hot_backward(py::handle codes, py::handle offsets, py::handle grad_y, py::handle grad_table,
                      py::handle grad_bias) {
  Arrays arrays;
  const py::ssize_t width = shape_with("grad_y", grad_y, 2)[1];
  const PfcOneHot batch = one_hot_batch(arrays, codes, offsets, width);
  const float* grad = arrays.floats("grad_y", grad_y, {static_cast<py::ssize_t>(batch.rows), width});
  float* entries = arrays.floats_out("grad_table", grad_table, {batch.offsets[batch.cells], width});
  float* start = arrays.floats_out("grad_bias", grad_bias, {width});
  arrays.check_apart();
  run_kernel(batch.rows * width,
             [&](PfcWorkers* workers) { return pfc_one_hot_backward(&batch, grad, entries, start, workers); });
}

}  // namespace

void bind_networks(py::module_& m) {
  py::class_<Mlp>(m, "Mlp")
      .def(py::init<const std::vector<int32_t>&, bool, int32_t, const Sets&>())
      .def("set_layers", &Mlp::set_layers)
      .def("forward", &Mlp::forward)
      .def("backward", &Mlp::backward)
      .def("learn", &Mlp::learn)
      .def("rollout", &Mlp::rollout);
  m.def("one_hot_forward", &one_hot_forward);
  m.def("one_hot_backward", &one_hot_backward);
  py::class_<Recurrent>(m, "Recurrent")
      .def("set_layers", &Recurrent::set_layers)
      .def("forward", &Recurrent::forward)
      .def("backward", &Recurrent::backward);
  py::class_<MinGru, Recurrent>(m, "MinGru").def(py::init<const std::vector<int32_t>&, bool, int32_t, const Sets&>());
  py::class_<Lstm, Recurrent>(m, "Lstm").def(py::init<const std::vector<int32_t>&, bool, int32_t, const Sets&>());
  m.def("scan", &scan);
  py::class_<Muon>(m, "Muon").def(py::init<bool>()).def("step", &Muon::step);
}

}  // namespace pufferc
