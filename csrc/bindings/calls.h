// calls.h - what the bindings of all kernels share: the worker threads, and the checked arrays of one call.
//
// Arrays are NumPy arrays or torch CPU tensors, borrowed for the call and never copied; outputs are the caller's too.
// All calls of a process share one set of worker threads; a call that finds it in use runs on its own thread alone.
#ifndef PUFFERC_BINDINGS_CALLS_H
#define PUFFERC_BINDINGS_CALLS_H

#include <memory>
#include <mutex>

extern "C" {
#include "core/workers.h"
}

#include "bindings/arrays.h"
#include "bindings/unlocked.h"

namespace pufferc {

void set_num_threads(int32_t threads);
int32_t get_num_threads();

// The workers for one call of a kernel, or nullptr: work alone. `work` is in elements.
class Lease {
 public:
  explicit Lease(int64_t work);
  PfcWorkers* workers() const { return workers_; }

 private:
  std::unique_lock<std::mutex> lock_;
  PfcWorkers* workers_ = nullptr;
};

// Runs a kernel without the GIL and raises what it reports; kernel(workers) gives a status. `work` as for Lease. Waits for
// its turn where there is one.
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

// Calls of one object from several threads take turns.
class Turns {
 public:
  // To be asked for with the GIL held. New in a forked child, where the thread that had the old one may be missing.
  std::mutex& mutex();
  // run_kernel in a turn of its own.
  template <typename Kernel>
  void run(int64_t work, const Kernel& kernel) {
    run_kernel(work, kernel, &mutex());
  }

 private:
  std::unique_ptr<std::mutex> mutex_;
  uint64_t generation_ = 0;
};

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

  // Takes in the arrays of an object that lives longer than the call, for check_apart.
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

}  // namespace pufferc

#endif  // PUFFERC_BINDINGS_CALLS_H
