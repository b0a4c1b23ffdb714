// bind_ops.cpp - the kernels of training over arrays from Python: advantages, sampling, the PPO loss, perceptrons.
//
// Shapes: T steps, N rows of a rollout, B rows of a minibatch, D action dimensions, K logits. Arrays are NumPy arrays
// or torch CPU tensors, borrowed for the call and never copied; outputs are the caller's too. The GIL is dropped while
// a kernel runs.
// All calls of a process share one team of threads; a call that finds it in use runs on its own thread alone.
#include <atomic>
#include <mutex>

extern "C" {
#include "threads.h"
}

#include "advantage.h"
#include "bindings/arrays.h"
#include "mlp.h"
#include "ppo_loss.h"
#include "sample.h"

namespace pufferc {
namespace {

// ---- the team ----------------------------------------------------------------------------------------

constexpr int64_t kSmallWork = 16384;  // elements under which waking a thread costs more than it saves

struct SharedTeam {
  std::mutex mutex;
  PfcTeam* team = nullptr;
  uint64_t generation = 0;  // of the process that started the team's threads
};

// Never destroyed: a thread may still be in a kernel while the process ends.
SharedTeam& shared_team() {
  static auto* shared = new SharedTeam;
  return *shared;
}
std::atomic<int32_t> wanted_threads{1};

// The team for one call of a kernel, or nullptr: work alone.
class Lease {
 public:
  explicit Lease(int64_t work) : lock_(shared_team().mutex, std::defer_lock) {
    const int32_t threads = wanted_threads.load();
    if (threads == 1 || work < kSmallWork || !lock_.try_lock()) return;
    SharedTeam& shared = shared_team();
    const uint64_t generation = pfc_process_generation();
    if (shared.team && (shared.generation != generation || pfc_team_threads(shared.team) != threads)) {
      pfc_team_destroy(shared.team);
      shared.team = nullptr;
    }
    if (!shared.team) shared.team = pfc_team_create(threads, 1);
    shared.generation = generation;
    team_ = shared.team;
  }
  PfcTeam* team() const { return team_; }

 private:
  std::unique_lock<std::mutex> lock_;
  PfcTeam* team_ = nullptr;
};

void set_num_threads(int32_t threads) {
  if (threads < 1 || threads > PFC_MAX_THREADS)
    raise(PyExc_ValueError, "num_threads must be in [1, " + std::to_string(PFC_MAX_THREADS) + "], got " +
                                std::to_string(threads));
  wanted_threads = threads;
}

// ---- arrays ------------------------------------------------------------------------------------------

// Memory of one array of a call, first byte to last.
struct Extent {
  const char* name;
  const void* data;
  uint64_t bytes;
};

// Checks the arrays of one call and remembers them: their owners, and where they lie.
class Arrays {
 public:
  float* floats(const char* name, py::handle object, const Shape& shape, bool optional = false) {
    return note(name, float_data(name, object, shape, keep_, optional), inputs_);
  }
  const uint8_t* flags(const char* name, py::handle object, const Shape& shape, bool optional = false) {
    return note(name, flag_data(name, object, shape, keep_, optional), inputs_);
  }
  const int32_t* ints(const char* name, py::handle object, const Shape& shape) {
    return note(name, static_cast<int32_t*>(exact(name, object, py::dtype::of<int32_t>(), shape, false)), inputs_);
  }
  float* floats_out(const char* name, py::handle object, const Shape& shape, bool optional = false) {
    return note(name, float_data(name, object, shape, keep_, optional, true), outputs_);
  }
  // float32, or bfloat16 given as int16.
  const void* elements(const char* name, py::handle object, const Shape& shape, bool bfloat16) {
    if (!bfloat16) return floats(name, object, shape);
    return note(name, static_cast<int16_t*>(exact(name, object, py::dtype::of<int16_t>(), shape, false)), inputs_);
  }
  int32_t* ints_out(const char* name, py::handle object, const Shape& shape) {
    return note(name, static_cast<int32_t*>(exact(name, object, py::dtype::of<int32_t>(), shape, true)), outputs_);
  }
  // float32 [rows] or [rows, columns] whose rows lie *stride elements apart.
  float* strided(const char* name, py::handle object, const Shape& shape, int64_t* stride, bool writable);

  // Refuses calls that write to what they read.
  void check_apart() const {
    for (const Extent& out : outputs_)
      for (const Extent& in : inputs_)
        if (overlaps(out.data, out.bytes, in.data, in.bytes))
          raise(PyExc_ValueError, std::string(out.name) + " is written to and must not overlap " + in.name);
  }

 private:
  void* exact(const char* name, py::handle object, const py::dtype& dtype, const Shape& shape, bool writable) {
    py::array array = borrow_array(name, object);
    void* data = array_data(name, array, dtype, shape, writable);
    keep_.push_back(std::move(array));
    return data;
  }
  template <typename T>
  T* note(const char* name, T* data, std::vector<Extent>& list) {
    if (data) list.push_back({name, data, static_cast<uint64_t>(keep_.back().cast<py::array>().nbytes())});
    return data;
  }

  std::vector<py::object> keep_;
  std::vector<Extent> inputs_, outputs_;
};

float* Arrays::strided(const char* name, py::handle object, const Shape& shape, int64_t* stride, bool writable) {
  const py::array array = borrow_array(name, object);
  const py::dtype dtype = array.dtype();
  const std::string prefix(name);
  if (dtype.num() != py::detail::npy_api::NPY_FLOAT_ || dtype.byteorder() == '>')
    raise(PyExc_TypeError, prefix + " must be float32, got " + std::string(py::str(dtype)));
  check_shape(name, array, shape);
  const py::ssize_t columns = shape.size() == 2 ? shape[1] : 1, rows = shape[0];
  const py::ssize_t step = rows > 1 ? array.strides(0) : columns * 4;
  const bool neighbours = shape.size() == 1 || columns == 1 || array.strides(1) == 4;
  if (!neighbours || step % 4 != 0 || step < columns * 4 || reinterpret_cast<uintptr_t>(array.data()) % 4 != 0)
    raise(PyExc_ValueError, prefix + " must have neighbouring columns and rows in ascending order of memory");
  if (writable && !array.writeable()) raise(PyExc_ValueError, prefix + " is written to, but the array is read-only");
  *stride = step / 4;
  keep_.push_back(array);
  const uint64_t bytes = rows ? static_cast<uint64_t>((rows - 1) * step + columns * 4) : 0;
  (writable ? outputs_ : inputs_).push_back({name, array.data(), bytes});
  return static_cast<float*>(const_cast<void*>(array.data()));
}

// Length of the first dimension, or the shape of a matrix, of an array whose other checks follow.
Shape shape_with(const char* name, py::handle object, py::ssize_t dims) {
  const Shape shape = shape_of(borrow_array(name, object));
  if (static_cast<py::ssize_t>(shape.size()) != dims)
    raise(PyExc_ValueError, std::string(name) + " must have " + std::to_string(dims) + " dimensions, got shape " +
                                shape_text(shape));
  return shape;
}

// Actions of D dimensions: [rows] where D is 1, as environments take them, else [rows, D].
Shape action_shape(py::ssize_t rows, size_t dims) {
  return dims == 1 ? Shape{rows} : Shape{rows, static_cast<py::ssize_t>(dims)};
}

py::ssize_t sum(const std::vector<int32_t>& counts) {
  py::ssize_t total = 0;
  for (const int32_t count : counts) total += count;
  return total;
}

// ---- kernels -----------------------------------------------------------------------------------------

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

void bind_ops(py::module_& m) {
  py::class_<Mlp>(m, "Mlp")
      .def(py::init<const std::vector<int32_t>&, bool>())
      .def("set_layers", &Mlp::set_layers)
      .def("forward", &Mlp::forward)
      .def("backward", &Mlp::backward);
  m.def("advantage", &advantage);
  m.def("sample", &sample);
  m.def("ppo_loss", &ppo_loss);
  m.def("set_num_threads", &set_num_threads);
  m.def("get_num_threads", [] { return wanted_threads.load(); });
}

}  // namespace pufferc
