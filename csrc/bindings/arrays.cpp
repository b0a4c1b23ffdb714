// arrays.cpp - C statuses as Python exceptions, and checks of arrays that come from Python.
#include "bindings/arrays.h"

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
    default: raise(PyExc_RuntimeError, pfc_last_error());  // busy, forked, closed, not now
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

// What a tensor's numpy() gives. It refuses what is sparse, quantised, on another device or of a dtype NumPy lacks.
static py::object read_tensor(const char* name, py::handle tensor) {
  try {
    return tensor.attr("detach")().attr("numpy")();
  } catch (const py::error_already_set& error) {
    if (!error.matches(PyExc_Exception)) throw;
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
  // A torch tensor, recognised by what it can do; numpy() itself refuses one that is not in the CPU's memory.
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

}  // namespace pufferc
