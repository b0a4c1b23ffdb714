// arrays.h - shared by the binding files: errors, arrays from Python, calls without the GIL, and the games and pools
// behind Python objects.
//
// Arrays are NumPy arrays or torch CPU tensors. They are borrowed: a check returns a pointer into the caller's memory,
// which is valid as long as the caller's object. Nothing is converted silently. An argument that does not fit raises
// TypeError (wrong type) or ValueError (wrong size or memory layout) with its name, what was expected and what came.
#ifndef PUFFERC_BINDINGS_ARRAYS_H
#define PUFFERC_BINDINGS_ARRAYS_H

#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>
#include <unistd.h>

#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "core/workers.h"
#include "kernels/ppo_loss.h"
#include "pufferc/pufferc.h"
#include "training/rollout.h"

namespace pufferc {

namespace py = pybind11;

using Shape = std::vector<py::ssize_t>;

// Raises `type` with `message`, which may be cut off within a UTF-8 character.
[[noreturn]] void raise(PyObject* type, const std::string& message);

// Raises the exception for a failed status, with pfc_last_error() as its text.
void check_status(PfcStatus status);

py::dtype dtype_of(PfcDtype dtype);

// "(8, 121)", in NumPy's notation.
std::string shape_text(const Shape& shape);
Shape shape_of(const py::array& array);
// Memory layout of an array, in bytes: "<f4 with strides (24, 4) at address 94".
std::string memory_text(const py::array& array);
std::string type_name(py::handle object);

// True for arrays whose bytes can be read as plain C arrays: contiguous, aligned, native byte order.
inline bool is_plain(const py::array& array, const py::dtype& dtype) {
  constexpr int kContiguous = py::detail::npy_api::NPY_ARRAY_C_CONTIGUOUS_;
  constexpr int kAligned = py::detail::npy_api::NPY_ARRAY_ALIGNED_;
  const char order = dtype.byteorder();
  return (array.flags() & (kContiguous | kAligned)) == (kContiguous | kAligned) && (order == '=' || order == '|');
}

// The NumPy array of an array or a torch CPU tensor, without a copy and without importing torch. TypeError for other
// objects.
py::array borrow_array(const char* name, py::handle object);

void check_shape(const char* name, const py::array& array, const Shape& expected);

// Data of a contiguous, aligned, native-endian array of exactly this dtype and shape.
void* array_data(const char* name, const py::array& array, const py::dtype& dtype, const Shape& shape, bool writable);

// float32 or bool/uint8 data of an array or tensor. nullptr for None if `optional`.
float* float_data(const char* name, py::handle object, const Shape& shape, std::vector<py::object>& keep,
                  bool optional = false, bool writable = false);
const uint8_t* flag_data(const char* name, py::handle object, const Shape& shape, std::vector<py::object>& keep,
                         bool optional = false);
// Mask words: uint32, or the same bits as int32, because torch lacks uint32 arithmetic.
uint32_t* word_data(const char* name, py::handle object, const Shape& shape, std::vector<py::object>& keep,
                    bool optional = false, bool writable = false);

// True when [a, a + a_bytes) and [b, b + b_bytes) share a byte.
inline bool overlaps(const void* a, uint64_t a_bytes, const void* b, uint64_t b_bytes) {
  const auto first = reinterpret_cast<uintptr_t>(a), second = reinterpret_cast<uintptr_t>(b);
  return a && b && first < second + b_bytes && second < first + a_bytes;
}

// ---- calls ---------------------------------------------------------------------------------------------
//
// All calls of a process share one set of worker threads. While one call uses it, others run on their own thread only.

// Releases the GIL during its lifetime.
//
// A daemon thread may return from C while the interpreter shuts down. Up to Python 3.13, taking the GIL then unwinds
// the thread. An exception must not leave a destructor, and unwinding would release references without the GIL. So the
// thread sleeps here until the process ends, as it does in Python 3.14.
class Unlocked {
 public:
  Unlocked() : state_(PyEval_SaveThread()) {}
  ~Unlocked() {
    try {
      PyEval_RestoreThread(state_);
    } catch (...) {
      for (;;) (void)pause();
    }
  }
  Unlocked(const Unlocked&) = delete;
  Unlocked& operator=(const Unlocked&) = delete;

 private:
  PyThreadState* state_;
};

void set_num_threads(int32_t threads);
int32_t get_num_threads();

// The shared workers for one kernel call, or nullptr for the calling thread only. `work` is the size of the call in
// elements.
class Lease {
 public:
  explicit Lease(int64_t work);
  PfcWorkers* workers() const { return workers_; }

 private:
  std::unique_lock<std::mutex> lock_;
  PfcWorkers* workers_ = nullptr;
};

// Runs a kernel without the GIL and raises an exception if it fails; kernel(workers) returns a status. `work` as for
// Lease. Locks `turn`, if given, during the call.
template <typename Kernel>
void run_kernel(int64_t work, const Kernel& kernel, std::mutex* turn = nullptr) {
  PfcStatus status;
  {
    const Unlocked unlocked;
    const auto lock = turn ? std::unique_lock<std::mutex>(*turn) : std::unique_lock<std::mutex>();
    const Lease lease(work);
    status = kernel(lease.workers());
  }
  check_status(status);
}

// Serialises the calls of one object from several threads.
class Turns {
 public:
  // Call with the GIL held. A forked child gets a new mutex, since the thread that locked the old one may not exist.
  std::mutex& mutex();
  // run_kernel, serialised.
  template <typename Kernel>
  void run(int64_t work, const Kernel& kernel) {
    run_kernel(work, kernel, &mutex());
  }

 private:
  std::unique_ptr<std::mutex> mutex_;
  uint64_t generation_ = 0;
};

// ---- the arrays of one call ------------------------------------------------------------------------------

// The bytes of one array of a call.
struct Extent {
  const char* name;
  const void* data;
  uint64_t bytes;
};

// Checks the arrays of one call. Records their owners and their memory.
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
  const uint32_t* words(const char* name, py::handle object, const Shape& shape, bool optional) {
    return note(name, word_data(name, object, shape, keep_, optional), inputs_);
  }
  uint32_t* words_out(const char* name, py::handle object, const Shape& shape) {
    return note(name, word_data(name, object, shape, keep_, false, true), outputs_);
  }
  float* floats_out(const char* name, py::handle object, const Shape& shape, bool optional = false) {
    return note(name, float_data(name, object, shape, keep_, optional, true), outputs_);
  }
  // float32, or bfloat16 given as int16.
  const void* elements(const char* name, py::handle object, const Shape& shape, bool bfloat16) {
    if (!bfloat16) return floats(name, object, shape);
    return note(name, static_cast<int16_t*>(exact(name, object, py::dtype::of<int16_t>(), shape, false)), inputs_);
  }
  uint8_t* flags_out(const char* name, py::handle object, const Shape& shape) {
    return note(name, static_cast<uint8_t*>(exact(name, object, py::dtype::of<bool>(), shape, true)), outputs_);
  }
  void* elements_out(const char* name, py::handle object, const Shape& shape, bool bfloat16) {
    if (!bfloat16) return floats_out(name, object, shape);
    return note(name, static_cast<int16_t*>(exact(name, object, py::dtype::of<int16_t>(), shape, true)), outputs_);
  }
  int32_t* ints_out(const char* name, py::handle object, const Shape& shape) {
    return note(name, static_cast<int32_t*>(exact(name, object, py::dtype::of<int32_t>(), shape, true)), outputs_);
  }
  // float32 [rows] or [rows, columns]. Rows are *stride elements apart.
  float* strided(const char* name, py::handle object, const Shape& shape, int64_t* stride, bool writable);

  // Elements [steps, rows, size]. Steps are *stride elements apart; each step is contiguous.
  const void* step_elements(const char* name, py::handle object, const Shape& shape, bool bfloat16, int64_t* stride);

  // Adds the arrays of an object that outlives the call, for check_apart.
  void include(const Arrays& other);

  // Raises if an output overlaps an input.
  void check_apart() const;

 private:
  void* exact(const char* name, py::handle object, const py::dtype& dtype, const Shape& shape, bool writable);
  template <typename T>
  T* note(const char* name, T* data, std::vector<Extent>& list) {
    if (data) list.push_back({name, data, static_cast<uint64_t>(keep_.back().cast<py::array>().nbytes())});
    return data;
  }

  std::vector<py::object> keep_;
  std::vector<Extent> inputs_, outputs_;
};

// Shape of an array that must have this number of dimensions. Its other checks follow later.
Shape shape_with(const char* name, py::handle object, py::ssize_t dims);

// Shape of actions with D dimensions: [rows] if D is 1, as environments expect, else [rows, D].
inline Shape action_shape(py::ssize_t rows, size_t dims) {
  return dims == 1 ? Shape{rows} : Shape{rows, static_cast<py::ssize_t>(dims)};
}

// ---- rollouts and minibatches ----------------------------------------------------------------------------
//
// The structs of training/rollout.h and kernels/ppo_loss.h over arrays that were checked once. They hold references to
// the arrays, so the memory is valid as long as they exist.

// The actions of a row as Python describes them: choices per dimension, or the number of continuous dimensions.
struct ActionKind {
  std::vector<int32_t> counts;
  int32_t continuous_dims;

  int32_t dims() const { return continuous_dims > 0 ? continuous_dims : static_cast<int32_t>(counts.size()); }
  // K, the parameters of a row's distribution.
  py::ssize_t numbers() const;
};

// B rows of a rollout.
class Minibatch {
 public:
  Minibatch(py::handle actions, py::handle old_logprobs, py::handle advantages, py::handle returns,
            std::vector<int32_t> action_counts, int32_t continuous_dims, py::handle old_values, py::handle alive,
            py::handle mask);
  Minibatch(const Minibatch&) = delete;
  Minibatch& operator=(const Minibatch&) = delete;

  const PfcMinibatch& batch() const { return batch_; }
  const Arrays& arrays() const { return arrays_; }
  py::ssize_t numbers() const { return kind_.numbers(); }

 private:
  ActionKind kind_;
  Arrays arrays_;
  PfcMinibatch batch_ = {};
};

// Coefficients of the loss.
struct PpoSettings {
  PfcPpoSettings settings;
  bool normalize;

  // Copies the settings to *completed, with mean and deviation of the advantages if they are normalised.
  PfcStatus complete(const PfcMinibatch& batch, PfcPpoSettings* completed) const;
};

// T steps of N rows. Row 0 of observations and alive is an input; calls write the rest.
class Rollout {
 public:
  Rollout(py::handle observations, py::handle actions, py::handle logprobs, py::handle values, py::handle rewards,
          py::handle terminated, py::handle truncated, py::handle final_values, py::handle alive, py::handle mask);
  Rollout(const Rollout&) = delete;
  Rollout& operator=(const Rollout&) = delete;

  // Raises ValueError or TypeError unless the arrays fit the pool and a network with these inputs.
  void check_fits(const PfcBuffers& buffers, py::ssize_t inputs, bool bfloat16) const;
  const PfcRollout& arrays() const { return rollout_; }

 private:
  Arrays arrays_;
  PfcRollout rollout_ = {};
  py::ssize_t rows_ = 0, inputs_ = 0, action_dims_ = 1;
  bool bfloat16_ = false;
};

// The fields of pufferc.ops.PpoStats in order.
py::tuple stats_tuple(const PfcPpoLossStats& stats);

// ---- games and pools -------------------------------------------------------------------------------------

// A game, and the owner of its code (null for built-in games).
struct Game {
  const PfcEnvSpec* spec;
  std::shared_ptr<void> module;
};

// The game of a Module or of a str, the name of a built-in game. Raises ValueError or TypeError otherwise.
Game find_game(py::handle name_or_module);

// Parameters for the C API. They point into `dict`, which must outlive them.
std::vector<PfcParamValue> param_values(const py::dict& dict);

// Shared by a Pool, by the capsule that is the base of its views, and by frames that draw its games.
using PoolOwner = std::shared_ptr<PfcPool>;

// Raises TypeError if the object is not a Pool.
PoolOwner pool_owner(const char* name, py::handle object);

// ---- one function per file, called by module.cpp ---------------------------------------------------------

void bind_games(py::module_& m);
void bind_pool(py::module_& m);
void bind_draw(py::module_& m);
void bind_kernels(py::module_& m);
void bind_networks(py::module_& m);
void bind_policy(py::module_& m);

}  // namespace pufferc

#endif  // PUFFERC_BINDINGS_ARRAYS_H
