// arrays.cpp - see arrays.h: errors, checks of arrays, and the worker threads of calls.
#include "bindings/arrays.h"

#include <atomic>

namespace pufferc {

void raise(PyObject* type, const std::string& message) {
  const auto text = py::reinterpret_steal<py::object>(
      PyUnicode_DecodeUTF8(message.data(), static_cast<Py_ssize_t>(message.size()), "replace"));
  if (text) PyErr_SetObject(type, text.ptr());
  throw py::error_already_set();
}

void check_status(PfcStatus status) {
  switch (status) {
    case PFC_OK: return;
    case PFC_INVALID: raise(PyExc_ValueError, pfc_last_error());
    case PFC_NO_MEMORY: raise(PyExc_MemoryError, pfc_last_error());
    case PFC_UNSUPPORTED: raise(PyExc_NotImplementedError, pfc_last_error());
    default: raise(PyExc_RuntimeError, pfc_last_error());  // busy, forked, closed, wrong state
  }
}

py::dtype dtype_of(PfcDtype dtype) {
  switch (dtype) {
    case PFC_FLOAT32: return py::dtype::of<float>();
    case PFC_INT32: return py::dtype::of<int32_t>();
    case PFC_UINT8: return py::dtype::of<uint8_t>();
    case PFC_INT8: return py::dtype::of<int8_t>();
    case PFC_INT64: return py::dtype::of<int64_t>();
    case PFC_UINT16: return py::dtype::of<uint16_t>();
    case PFC_INT16: return py::dtype::of<int16_t>();
    case PFC_UINT32: return py::dtype::of<uint32_t>();
    case PFC_UINT64: return py::dtype::of<uint64_t>();
    case PFC_FLOAT64: return py::dtype::of<double>();
  }
  raise(PyExc_RuntimeError, "unknown dtype " + std::to_string(static_cast<int>(dtype)));
}

std::string shape_text(const Shape& shape) {
  std::string text = "(";
  for (size_t i = 0; i < shape.size(); ++i) text += (i ? ", " : "") + std::to_string(shape[i]);
  return text + (shape.size() == 1 ? ",)" : ")");
}

Shape shape_of(const py::array& array) { return Shape(array.shape(), array.shape() + array.ndim()); }

std::string memory_text(const py::array& array) {
  return std::string(py::str(array.dtype().attr("str"))) + " with strides " +
         shape_text(Shape(array.strides(), array.strides() + array.ndim())) + " at address " +
         std::to_string(reinterpret_cast<uintptr_t>(array.data()));
}

std::string type_name(py::handle object) { return Py_TYPE(object.ptr())->tp_name; }

[[noreturn]] static void refuse_array(const char* name, const std::string& got) {
  raise(PyExc_TypeError, std::string(name) + " must be a NumPy array or a torch CPU tensor, got " + got);
}

// A tensor's numpy(). It raises TypeError or RuntimeError for sparse or quantised tensors, other devices and dtypes that
// NumPy lacks. Other exceptions are not about the tensor: a signal handler may have raised them.
static py::object read_tensor(const char* name, py::handle tensor) {
  try {
    return tensor.attr("detach")().attr("numpy")();
  } catch (const py::error_already_set& error) {
    if (!error.matches(PyExc_TypeError) && !error.matches(PyExc_RuntimeError)) throw;
    const auto text = [&](const char* property) {
      return std::string(py::str(py::getattr(tensor, property, py::str("unknown"))));
    };
    const std::string reason = py::str(error.value());
    refuse_array(name, "a tensor of dtype " + text("dtype") + ", layout " + text("layout") + " on " + text("device") +
                           ": " + reason.substr(0, reason.find('\n')));
  }
}

py::array borrow_array(const char* name, py::handle object) {
  if (py::isinstance<py::array>(object)) return py::reinterpret_borrow<py::array>(object);
  // A torch tensor, recognised by its methods.
  if (py::hasattr(object, "detach") && py::hasattr(object, "numpy")) {
    py::object array = read_tensor(name, object);
    if (py::isinstance<py::array>(array)) return py::reinterpret_borrow<py::array>(array);
  }
  refuse_array(name, type_name(object));
}

void check_shape(const char* name, const py::array& array, const Shape& expected) {
  const Shape shape = shape_of(array);
  if (shape != expected)
    raise(PyExc_ValueError,
          std::string(name) + " must have shape " + shape_text(expected) + ", got " + shape_text(shape));
}

void* array_data(const char* name, const py::array& array, const py::dtype& dtype, const Shape& shape,
                 bool writable) {
  const py::dtype actual = array.dtype();
  const std::string prefix(name);
  if (actual.num() != dtype.num())
    raise(PyExc_TypeError, prefix + " must be " + std::string(py::str(dtype)) + ", got " +
                               std::string(py::str(actual)));
  check_shape(name, array, shape);
  if (!is_plain(array, actual))
    raise(PyExc_ValueError, prefix + " must be contiguous (row-major), aligned and of native byte order, got " +
                                memory_text(array));
  if (writable && !array.writeable()) raise(PyExc_ValueError, prefix + " is written to, but the array is read-only");
  return const_cast<void*>(array.data());
}

float* float_data(const char* name, py::handle object, const Shape& shape, std::vector<py::object>& keep,
                  bool optional, bool writable) {
  if (optional && object.is_none()) return nullptr;
  py::array array = borrow_array(name, object);
  void* data = array_data(name, array, py::dtype::of<float>(), shape, writable);
  keep.push_back(std::move(array));
  return static_cast<float*>(data);
}

const uint8_t* flag_data(const char* name, py::handle object, const Shape& shape, std::vector<py::object>& keep,
                         bool optional) {
  if (optional && object.is_none()) return nullptr;
  py::array array = borrow_array(name, object);
  const py::dtype dtype = array.dtype();
  if (dtype.num() != py::dtype::of<bool>().num() && dtype.num() != py::dtype::of<uint8_t>().num())
    raise(PyExc_TypeError, std::string(name) + " must be bool or uint8, got " + std::string(py::str(dtype)));
  const void* data = array_data(name, array, dtype, shape, false);
  keep.push_back(std::move(array));
  return static_cast<const uint8_t*>(data);
}

uint32_t* word_data(const char* name, py::handle object, const Shape& shape, std::vector<py::object>& keep,
                    bool optional, bool writable) {
  if (optional && object.is_none()) return nullptr;
  py::array array = borrow_array(name, object);
  const py::dtype dtype = array.dtype();
  if (dtype.num() != py::dtype::of<uint32_t>().num() && dtype.num() != py::dtype::of<int32_t>().num())
    raise(PyExc_TypeError, std::string(name) + " must be uint32 or int32, got " + std::string(py::str(dtype)));
  void* data = array_data(name, array, dtype, shape, writable);
  keep.push_back(std::move(array));
  return static_cast<uint32_t*>(data);
}

// ---- the workers ----------------------------------------------------------------------------------------

namespace {

constexpr int64_t kSmallWork = 16384;  // elements; below this, waking threads costs more than it saves

struct SharedWorkers {
  std::mutex mutex;
  PfcWorkers* workers = nullptr;
  uint64_t generation = 0;  // of the process that started the threads
};

// Never destroyed: a thread may still be in a kernel while the process ends.
SharedWorkers& shared_workers() {
  static auto* shared = new SharedWorkers;
  return *shared;
}
std::atomic<int32_t> wanted_threads{1};

}  // namespace

Lease::Lease(int64_t work) : lock_(shared_workers().mutex, std::defer_lock) {
  const int32_t threads = wanted_threads.load();
  if (threads == 1 || work < kSmallWork || !lock_.try_lock()) return;
  SharedWorkers& shared = shared_workers();
  const uint64_t generation = pfc_process_generation();
  if (shared.workers && (shared.generation != generation || pfc_workers_count(shared.workers) != threads)) {
    pfc_workers_destroy(shared.workers);
    shared.workers = nullptr;
  }
  if (!shared.workers) shared.workers = pfc_workers_create(threads, 1);
  shared.generation = generation;
  workers_ = shared.workers;
}

void set_num_threads(int32_t threads) {
  if (threads < 1 || threads > PFC_MAX_THREADS)
    raise(PyExc_ValueError,
          "num_threads must be in [1, " + std::to_string(PFC_MAX_THREADS) + "], got " + std::to_string(threads));
  wanted_threads = threads;
}

int32_t get_num_threads() { return wanted_threads.load(); }

std::mutex& Turns::mutex() {
  const uint64_t generation = pfc_process_generation();
  if (!mutex_ || generation_ != generation) {
    (void)mutex_.release();  // not destroyed: it may be locked
    mutex_ = std::make_unique<std::mutex>();
    generation_ = generation;
  }
  return *mutex_;
}

// ---- arrays ------------------------------------------------------------------------------------------

void* Arrays::exact(const char* name, py::handle object, const py::dtype& dtype, const Shape& shape, bool writable) {
  py::array array = borrow_array(name, object);
  void* data = array_data(name, array, dtype, shape, writable);
  keep_.push_back(std::move(array));
  return data;
}

void Arrays::include(const Arrays& other) {
  inputs_.insert(inputs_.end(), other.inputs_.begin(), other.inputs_.end());
  outputs_.insert(outputs_.end(), other.outputs_.begin(), other.outputs_.end());
}

void Arrays::check_apart() const {
  for (const Extent& out : outputs_)
    for (const Extent& in : inputs_)
      if (overlaps(out.data, out.bytes, in.data, in.bytes))
        raise(PyExc_ValueError, std::string(out.name) + " is written to and must not overlap " + in.name);
}

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
  const bool plain = neighbours && step % 4 == 0 && step >= columns * 4;
  if (array.size() != 0 && (!plain || reinterpret_cast<uintptr_t>(array.data()) % 4 != 0))
    raise(PyExc_ValueError, prefix +
                                " must be aligned, with neighbouring columns and rows in ascending order of memory, "
                                "got " +
                                memory_text(array));
  if (writable && !array.writeable()) raise(PyExc_ValueError, prefix + " is written to, but the array is read-only");
  *stride = step / 4;
  keep_.push_back(array);
  const uint64_t bytes = rows ? static_cast<uint64_t>((rows - 1) * step + columns * 4) : 0;
  (writable ? outputs_ : inputs_).push_back({name, array.data(), bytes});
  return static_cast<float*>(const_cast<void*>(array.data()));
}

const void* Arrays::step_elements(const char* name, py::handle object, const Shape& shape, bool bfloat16,
                                  int64_t* stride) {
  const py::array array = borrow_array(name, object);
  const py::dtype expected = bfloat16 ? py::dtype::of<int16_t>() : py::dtype::of<float>();
  const std::string prefix(name);
  if (!array.dtype().is(expected))
    raise(PyExc_TypeError, prefix + " must be " + std::string(py::str(expected)) + ", got " +
                               std::string(py::str(array.dtype())));
  check_shape(name, array, shape);
  const py::ssize_t item = expected.itemsize(), row = shape[2] * item, whole = shape[1] * row;
  const py::ssize_t step = shape[0] > 1 ? array.strides(0) : whole;
  const bool empty = array.size() == 0;
  const bool neighbours = (shape[2] == 1 || array.strides(2) == item) && (shape[1] == 1 || array.strides(1) == row);
  if (!empty && (!neighbours || step % item != 0 || step < whole || reinterpret_cast<uintptr_t>(array.data()) % 4 != 0))
    raise(PyExc_ValueError, prefix + " must be aligned, with neighbouring rows and steps in ascending order of memory, "
                                     "got " + memory_text(array));
  *stride = step / item;
  keep_.push_back(array);
  inputs_.push_back({name, array.data(), empty ? 0 : static_cast<uint64_t>((shape[0] - 1) * step + whole)});
  return array.data();
}

Shape shape_with(const char* name, py::handle object, py::ssize_t dims) {
  const Shape shape = shape_of(borrow_array(name, object));
  if (static_cast<py::ssize_t>(shape.size()) != dims)
    raise(PyExc_ValueError,
          std::string(name) + " must have " + std::to_string(dims) + " dimensions, got shape " + shape_text(shape));
  return shape;
}

}  // namespace pufferc
