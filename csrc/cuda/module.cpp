// module.cpp - the Python module pufferc._cuda: kernels for arrays in the memory of a CUDA device.
//
// Arrays are objects with __cuda_array_interface__ (torch, CuPy, Numba), never bare addresses, and are borrowed: the
// caller keeps them alive until its stream has finished the call. Nothing here allocates on a device, waits for one or
// prints. The work is enqueued on the caller's stream, after earlier work. The CUDA runtime is linked statically and
// needs a driver only when a function is called, so the module can be imported anywhere; devices() reports whether it
// can be used.
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <cstdint>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "advantage_cuda.h"
#include "bindings/arrays.h"
#include "device_pool_module.h"
#include "scan_cuda.h"

namespace py = pybind11;

namespace {

using Shape = std::vector<int64_t>;

[[noreturn]] void raise_cuda(const std::string& what, cudaError_t error) {
  (void)cudaGetLastError();  // clears the error, so that the next call does not report it again
  throw std::runtime_error(what + ": " + cudaGetErrorName(error) + ": " + cudaGetErrorString(error));
}

// Makes a device current and restores the previous one.
class DeviceGuard {
 public:
  explicit DeviceGuard(int device) {
    cudaError_t error = cudaGetDevice(&previous_);
    if (error == cudaSuccess && previous_ != device) {
      error = cudaSetDevice(device);
      changed_ = error == cudaSuccess;
    }
    if (error != cudaSuccess) raise_cuda("cannot select CUDA device " + std::to_string(device), error);
  }
  ~DeviceGuard() {
    if (changed_) (void)cudaSetDevice(previous_);
  }
  DeviceGuard(const DeviceGuard&) = delete;
  DeviceGuard& operator=(const DeviceGuard&) = delete;

 private:
  int previous_ = 0;
  bool changed_ = false;
};

std::string shape_text(const Shape& shape) {
  std::string text = "(";
  for (size_t i = 0; i < shape.size(); ++i) text += (i ? ", " : "") + std::to_string(shape[i]);
  return text + (shape.size() == 1 ? ",)" : ")");
}

// One array as its owner describes it.
struct DeviceArray {
  const char* name;
  uintptr_t address;
  int64_t bytes;
  Shape shape;
};

py::dict interface_of(const char* name, const py::object& object) {
  if (!py::hasattr(object, "__cuda_array_interface__"))
    throw py::type_error(std::string(name) + ": expected an array with __cuda_array_interface__ (such as a CUDA" +
                         " tensor that does not require grad), got " + Py_TYPE(object.ptr())->tp_name);
  const py::object interface = object.attr("__cuda_array_interface__");
  if (!py::isinstance<py::dict>(interface))
    throw py::type_error(std::string(name) + ": __cuda_array_interface__ is not a dict");
  return interface;
}

// One entry of the interface as a C++ type.
template <typename T>
T entry(const char* name, const py::dict& interface, const char* key) {
  try {
    if (interface.contains(key)) return interface[key].cast<T>();
  } catch (const py::cast_error&) {
  }
  throw py::type_error(std::string(name) + ": __cuda_array_interface__ has no valid '" + key + "'");
}

void check_type(const char* name, const std::string& type, int64_t item_bytes) {
  const bool fits = item_bytes == 4 ? type == "<f4" : type == "|b1" || type == "|u1";
  if (!fits)
    throw py::type_error(std::string(name) + ": expected " + (item_bytes == 4 ? "float32" : "bool or uint8") +
                         ", got type '" + type + "'");
}

// The size of the array, which must be contiguous in C order.
int64_t checked_bytes(const char* name, const py::dict& interface, const Shape& shape, int64_t item_bytes) {
  Shape strides;
  if (interface.contains("strides") && !interface["strides"].is_none())
    strides = entry<Shape>(name, interface, "strides");
  bool contiguous = strides.empty() || strides.size() == shape.size();
  int64_t bytes = item_bytes;
  for (size_t i = shape.size(); i-- > 0;) {
    if (contiguous && !strides.empty() && shape[i] != 1) contiguous = strides[i] == bytes;
    if (shape[i] < 1 || __builtin_mul_overflow(bytes, shape[i], &bytes))
      throw py::value_error(std::string(name) + ": invalid shape " + shape_text(shape));
  }
  if (!contiguous) throw py::value_error(std::string(name) + ": expected a contiguous array");
  return bytes;
}

// Checks one array of items of 4 bytes (float32) or 1 byte (bool, uint8). An empty `shape` accepts any matrix.
DeviceArray device_array(const char* name, const py::object& object, int64_t item_bytes, const Shape& shape,
                         bool writable) {
  const py::dict interface = interface_of(name, object);
  check_type(name, entry<std::string>(name, interface, "typestr"), item_bytes);
  DeviceArray array{name, 0, 0, entry<Shape>(name, interface, "shape")};
  if (shape.empty() ? array.shape.size() != 2 : array.shape != shape)
    throw py::value_error(std::string(name) + ": expected shape " + (shape.empty() ? "(T, N)" : shape_text(shape)) +
                          ", got " + shape_text(array.shape));
  array.bytes = checked_bytes(name, interface, array.shape, item_bytes);
  const auto data = entry<std::pair<uintptr_t, bool>>(name, interface, "data");
  if (writable && data.second)
    throw py::value_error(std::string(name) + ": expected a writable array, got a read-only one");
  if (data.first == 0 || data.first % static_cast<uintptr_t>(item_bytes) != 0)
    throw py::value_error(std::string(name) + ": missing or misaligned memory");
  array.address = data.first;
  return array;
}

bool overlap(const DeviceArray& a, const DeviceArray& b) {
  return a.address < b.address + static_cast<uintptr_t>(b.bytes) &&
         b.address < a.address + static_cast<uintptr_t>(a.bytes);
}

template <typename T>
T* pointer(const DeviceArray& array) {
  return reinterpret_cast<T*>(array.address);
}

void check_overlaps(const std::vector<DeviceArray>& arrays, const DeviceArray& out) {
  for (const DeviceArray& array : arrays)
    if (array.name != out.name && overlap(array, out))
      throw py::value_error(std::string(out.name) + ": shares memory with " + array.name);
}

int device_of(const DeviceArray& array) {
  cudaPointerAttributes attributes;
  const cudaError_t error = cudaPointerGetAttributes(&attributes, pointer<const void>(array));
  if (error != cudaSuccess) raise_cuda(std::string(array.name) + ": cannot find the device of the array", error);
  if (attributes.type != cudaMemoryTypeDevice && attributes.type != cudaMemoryTypeManaged)
    throw py::value_error(std::string(array.name) + ": expected memory of a CUDA device, got other memory");
  return attributes.device;
}

// The device that all arrays of a call share.
int common_device(const std::vector<DeviceArray>& arrays) {
  const int device = device_of(arrays[0]);
  for (const DeviceArray& array : arrays)
    if (const int other = device_of(array); other != device)
      throw py::value_error(std::string(array.name) + ": expected memory of CUDA device " + std::to_string(device) +
                            " like " + arrays[0].name + ", got device " + std::to_string(other));
  return device;
}

void advantage(const py::object& rewards, const py::object& values, const py::object& terminated,
               const py::object& truncated, const py::object& final_values, const py::object& ratio,
               const py::object& out, float gamma, float gae_lambda, float rho_clip, float c_clip, uintptr_t stream) {
  std::vector<DeviceArray> arrays;
  const auto take = [&arrays](const char* name, const py::object& object, int64_t item_bytes, const Shape& shape,
                             bool writable) {
    arrays.push_back(device_array(name, object, item_bytes, shape, writable));
    return arrays.back();
  };
  PfcAdvantageArgs args{};
  const DeviceArray first = take("rewards", rewards, 4, {}, false);
  const Shape shape = first.shape;
  args.steps = shape[0];
  args.rows = shape[1];
  args.rewards = pointer<const float>(first);
  args.values = pointer<const float>(take("values", values, 4, {shape[0] + 1, shape[1]}, false));
  args.terminated = pointer<const uint8_t>(take("terminated", terminated, 1, shape, false));
  args.truncated = pointer<const uint8_t>(take("truncated", truncated, 1, shape, false));
  if (!final_values.is_none())
    args.final_values = pointer<const float>(take("final_values", final_values, 4, shape, false));
  if (!ratio.is_none()) args.ratio = pointer<const float>(take("ratio", ratio, 4, shape, false));
  const DeviceArray result = take("out", out, 4, shape, true);
  args.advantages = pointer<float>(result);
  args.gamma = gamma;
  args.gae_lambda = gae_lambda;
  args.rho_clip = rho_clip;
  args.c_clip = c_clip;
  check_overlaps(arrays, result);
  if (pfc_advantage_check(&args)) throw py::value_error(pfc_last_error());

  const DeviceGuard guard(common_device(arrays));
  cudaError_t error;
  {
    const pufferc::Unlocked unlocked;  // the launch waits if the queue is full
    error = pfc_advantage_cuda(args, reinterpret_cast<cudaStream_t>(stream));
  }
  if (error != cudaSuccess) raise_cuda("advantage: the kernel was not launched", error);
}

void scan(const py::object& pre, const py::object& initial, const py::object& starts, const py::object& states,
          const py::object& grad_states, const py::object& grad_pre, const py::object& grad_initial, const Shape& shape,
          uintptr_t stream) {
  if (shape.size() != 3) throw py::value_error("shape: expected (T, M, H), got " + shape_text(shape));
  const bool backward = !grad_states.is_none();
  const Shape rows = {shape[1], shape[2]}, pre_shape = {shape[0], shape[1], 2 * shape[2]};
  std::vector<DeviceArray> arrays, results;
  const auto take = [&arrays](const char* name, const py::object& object, int64_t item_bytes, const Shape& expected) {
    arrays.push_back(device_array(name, object, item_bytes, expected, false));
    return arrays.back();
  };
  const auto result = [&arrays, &results](const char* name, const py::object& object, const Shape& expected) {
    results.push_back(device_array(name, object, 4, expected, true));
    arrays.push_back(results.back());
    return results.back();
  };
  PfcScanArgs args{};
  args.steps = shape[0];
  args.rows = shape[1];
  args.units = shape[2];
  args.pre = pointer<const float>(take("pre", pre, 4, pre_shape));
  args.initial = pointer<const float>(take("h0", initial, 4, rows));
  if (!starts.is_none()) args.starts = pointer<const uint8_t>(take("starts", starts, 1, {shape[0], shape[1]}));
  args.states = pointer<float>(backward ? take("states", states, 4, shape) : result("states", states, shape));
  if (backward) {
    args.grad_states = pointer<const float>(take("grad_states", grad_states, 4, shape));
    args.grad_pre = pointer<float>(result("grad_pre", grad_pre, pre_shape));
    args.grad_initial = pointer<float>(result("grad_initial", grad_initial, rows));
  }
  for (const DeviceArray& out : results) check_overlaps(arrays, out);
  if (pfc_scan_check(&args)) throw py::value_error(pfc_last_error());

  const DeviceGuard guard(common_device(arrays));
  cudaError_t error;
  {
    const pufferc::Unlocked unlocked;  // the launch waits if the queue is full
    error = pfc_scan_cuda(args, backward, reinterpret_cast<cudaStream_t>(stream));
  }
  if (error != cudaSuccess) raise_cuda("scan: the kernel was not launched", error);
}

py::tuple devices() {
  int count = 0;
  const cudaError_t error = cudaGetDeviceCount(&count);
  if (error == cudaSuccess) return py::make_tuple(count, "");
  (void)cudaGetLastError();
  return py::make_tuple(0, cudaGetErrorString(error));
}

}  // namespace

PYBIND11_MODULE(_cuda, m) {
  m.doc() = "CUDA kernels of pufferc; use pufferc.ops, which loads this module when a CUDA tensor arrives.";
  m.attr("runtime_version") = CUDART_VERSION;
  m.attr("memory") = "cuda";
  pfc_bind_device_pool(m);
  m.def("devices", &devices, "(number of CUDA devices, '') or (0, why there are none). Never raises.");
  m.def("advantage", &advantage, py::kw_only(), py::arg("rewards"), py::arg("values"), py::arg("terminated"),
        py::arg("truncated"), py::arg("final_values"), py::arg("ratio"), py::arg("out"), py::arg("gamma"),
        py::arg("gae_lambda"), py::arg("rho_clip"), py::arg("c_clip"), py::arg("stream"),
        R"(Enqueues the advantages of a rollout on a CUDA stream and returns at once.

rewards, final_values, ratio, out: float32 (T, N); values: float32 (T + 1, N); terminated, truncated: bool or uint8
(T, N). final_values and ratio may be None. All are contiguous arrays with __cuda_array_interface__ on one device; out
shares memory with none. stream: the handle of a stream of that device as an int (torch's Stream.cuda_stream), on which
the inputs are ready. To avoid a context on another device, make that device current first.
TypeError, ValueError: an argument does not fit. RuntimeError: CUDA refused the launch.)");
  m.def("scan", &scan, py::kw_only(), py::arg("pre"), py::arg("initial"), py::arg("starts"), py::arg("states"),
        py::arg("grad_states"), py::arg("grad_pre"), py::arg("grad_initial"), py::arg("shape"), py::arg("stream"),
        R"(Enqueues the scan of minimal gated recurrent units, or its gradient if grad_states is not None.

shape: (T, M, H), none of them 0. pre, grad_pre: float32 (T, M, 2 H), gates and then candidates; states, grad_states:
float32 (T, M, H); initial, grad_initial: float32 (M, H); starts: bool or uint8 (T, M) or None. Arrays, stream and
errors as for advantage. Forward writes states; backward reads them and writes grad_pre and grad_initial.)");
}
