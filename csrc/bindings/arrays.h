// arrays.h - what the binding files share: errors, arrays that come from Python, calls without the GIL, and the games
// and pools behind Python objects.
//
// Arrays are NumPy arrays or torch CPU tensors. They are borrowed: a check returns a pointer into the caller's memory,
// valid while the caller's object lives. No function here converts silently; what does not fit raises TypeError (wrong
// kind of thing) or ValueError (wrong size or place), naming the argument, what was expected and what came.
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

// Raises `type` with `message`, of which the end of a long name may have been cut off within a letter.
[[noreturn]] void raise(PyObject* type, const std::string& message);

// Raises the exception that fits a failed status, with pfc_last_error() as its text.
void check_status(PfcStatus status);

py::dtype dtype_of(PfcDtype dtype);

// "(8, 121)", as NumPy writes it.
std::string shape_text(const Shape& shape);
Shape shape_of(const py::array& array);
// How an array lies in memory: "<f4 with strides (24, 4) at address 94", in bytes.
std::string memory_text(const py::array& array);
std::string type_name(py::handle object);

// True for arrays whose bytes can be read as plain C arrays: contiguous, aligned, native byte order.
inline bool is_plain(const py::array& array, const py::dtype& dtype) {
  constexpr int kContiguous = py::detail::npy_api::NPY_ARRAY_C_CONTIGUOUS_;
  constexpr int kAligned = py::detail::npy_api::NPY_ARRAY_ALIGNED_;
  const char order = dtype.byteorder();
  return (array.flags() & (kContiguous | kAligned)) == (kContiguous | kAligned) && (order == '=' || order == '|');
}

// The NumPy array behind an array or a torch CPU tensor (no copy), without importing torch.
// Anything else: TypeError naming `name`.
py::array borrow_array(const char* name, py::handle object);

void check_shape(const char* name, const py::array& array, const Shape& expected);

// Data of a contiguous, aligned, native-endian array of exactly this dtype and shape.
void* array_data(const char* name, const py::array& array, const py::dtype& dtype, const Shape& shape, bool writable);

// float32 or bool/uint8 data of an array or tensor; None gives nullptr where `optional`.
float* float_data(const char* name, py::handle object, const Shape& shape, std::vector<py::object>& keep,
                  bool optional = false, bool writable = false);
const uint8_t* flag_data(const char* name, py::handle object, const Shape& shape, std::vector<py::object>& keep,
                         bool optional = false);
// Words of a mask: uint32, or the same bits as int32, which is what torch computes with.
uint32_t* word_data(const char* name, py::handle object, const Shape& shape, std::vector<py::object>& keep,
                    bool optional = false, bool writable = false);

// True when [a, a + a_bytes) and [b, b + b_bytes) share a byte.
inline bool overlaps(const void* a, uint64_t a_bytes, const void* b, uint64_t b_bytes) {
  const auto first = reinterpret_cast<uintptr_t>(a), second = reinterpret_cast<uintptr_t>(b);
  return a && b && first < second + b_bytes && second < first + a_bytes;
}

// ---- calls ---------------------------------------------------------------------------------------------
//
// All calls of a process share one set of worker threads; a call that finds it in use runs on its own thread alone.

// Releases Python's lock (the GIL) during its lifetime.
//
// A daemon thread may return from C while the interpreter shuts down. Up to Python 3.13 taking the lock then unwinds
// the thread, which must not leave a destructor and would release references without the lock. So the thread sleeps
// here until the process ends, as Python 3.14 does.
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

// The shared workers for one kernel call; nullptr = the calling thread alone. `work`: its size in elements.
class Lease {
 public:
  explicit Lease(int64_t work);
  PfcWorkers* workers() const { return workers_; }

 private:
  std::unique_lock<std::mutex> lock_;
  PfcWorkers* workers_ = nullptr;
};

// Runs a kernel without the GIL and raises what it reports; kernel(workers) gives a status. `work` as for Lease. Waits
// for its turn where there is one.
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
  // Call with the GIL held. A forked child gets a new one, since the thread that held the old one may not exist there.
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
  // float32 [rows] or [rows, columns] whose rows lie *stride elements apart.
  float* strided(const char* name, py::handle object, const Shape& shape, int64_t* stride, bool writable);

  // Elements [steps, rows, size] whose steps lie *stride elements apart, and whose rows and numbers are neighbours.
  const void* step_elements(const char* name, py::handle object, const Shape& shape, bool bfloat16, int64_t* stride);

  // Adds the arrays of an object that outlives the call, for check_apart.
  void include(const Arrays& other);

  // Refuses calls that write to what they read.
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

// Shape of an array with this number of dimensions whose other checks follow.
Shape shape_with(const char* name, py::handle object, py::ssize_t dims);

// Actions of D dimensions: [rows] where D is 1, as environments take them, else [rows, D].
inline Shape action_shape(py::ssize_t rows, size_t dims) {
  return dims == 1 ? Shape{rows} : Shape{rows, static_cast<py::ssize_t>(dims)};
}

// ---- rollouts and minibatches ----------------------------------------------------------------------------
//
// The structs of training/rollout.h and kernels/ppo_loss.h over arrays that were checked once. They hold references to
// the arrays, so the memory lives as long as they do.

// The actions of a row as Python describes them: choices per dimension, or the number of continuous dimensions.
struct ActionKind {
  std::vector<int32_t> counts;
  int32_t continuous_dims;

  int32_t dims() const { return continuous_dims > 0 ? continuous_dims : static_cast<int32_t>(counts.size()); }
  // K, numbers that describe a row's distribution.
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

  // *completed <- the settings, with mean and deviation of the advantages where they are to be normalised.
  PfcStatus complete(const PfcMinibatch& batch, PfcPpoSettings* completed) const;
};

// T steps of N rows. Row 0 of the observations and of alive is given, the rest is written by calls.
class Rollout {
 public:
  Rollout(py::handle observations, py::handle actions, py::handle logprobs, py::handle values, py::handle rewards,
          py::handle terminated, py::handle truncated, py::handle final_values, py::handle alive, py::handle mask);
  Rollout(const Rollout&) = delete;
  Rollout& operator=(const Rollout&) = delete;

  // ValueError or TypeError unless the arrays fit a network with these inputs, and the pool.
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

// A game, and what keeps its code in memory (null for built-in games).
struct Game {
  const PfcEnvSpec* spec;
  std::shared_ptr<void> module;
};

// The game that a str (a built-in game's name) or a Module names. ValueError or TypeError for anything else.
Game find_game(py::handle name_or_module);

// Parameters as the C API takes them. Points into `dict`, which must outlive it.
std::vector<PfcParamValue> param_values(const py::dict& dict);

// Shared by a Pool, by the capsule that is the base of its views, and by frames that draw its games.
using PoolOwner = std::shared_ptr<PfcPool>;

// TypeError naming `name` for anything but a Pool.
PoolOwner pool_owner(const char* name, py::handle object);

// ---- what module.cpp puts together -----------------------------------------------------------------------

void bind_games(py::module_& m);
void bind_pool(py::module_& m);
void bind_draw(py::module_& m);
void bind_kernels(py::module_& m);
void bind_networks(py::module_& m);

}  // namespace pufferc

#endif  // PUFFERC_BINDINGS_ARRAYS_H
