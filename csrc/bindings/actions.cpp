// actions.cpp - see actions.h.
#include "bindings/actions.h"

#include <cmath>

namespace pufferc {
namespace {

// float64 to float32 without making an infinity of a large finite number.
std::vector<float> narrow(const py::array& wide) {
  const auto* from = static_cast<const double*>(wide.data());
  std::vector<float> to(static_cast<size_t>(wide.size()));
  for (size_t i = 0; i < to.size(); ++i) {
    const double value = from[i];
    to[i] = static_cast<float>(!std::isfinite(value) ? value : value < -1.0 ? -1.0 : value > 1.0 ? 1.0 : value);
  }
  return to;
}

void read_discrete(py::array array, const py::dtype& dtype, Actions& out) {
  const int kind = dtype.num();
  const bool narrow_int = kind == py::detail::npy_api::NPY_INT32_, wide_int = kind == py::detail::npy_api::NPY_INT64_;
  if ((narrow_int || wide_int) && is_plain(array, dtype)) {
    out.dtype = narrow_int ? PFC_INT32 : PFC_INT64;
  } else {
    if (dtype.kind() != 'i' && dtype.kind() != 'u')
      raise(PyExc_TypeError, "actions must be integers for this game, got " + std::string(py::str(dtype)));
    array = py::array_t<int64_t, py::array::c_style | py::array::forcecast>::ensure(array);
    if (!array) throw py::error_already_set();
    out.dtype = PFC_INT64;
  }
  out.data = array.data();
  out.keep = std::move(array);
}

void read_continuous(py::array array, const py::dtype& dtype, Actions& out) {
  out.dtype = PFC_FLOAT32;
  if (dtype.num() == py::detail::npy_api::NPY_FLOAT_ && is_plain(array, dtype)) {
    out.data = array.data();
    out.keep = std::move(array);
    return;
  }
  if (dtype.kind() != 'f')
    raise(PyExc_TypeError, "actions must be floats for this game, got " + std::string(py::str(dtype)));
  array = py::array_t<double, py::array::c_style | py::array::forcecast>::ensure(array);
  if (!array) throw py::error_already_set();
  out.converted = narrow(array);
  out.data = out.converted.data();
}

// Lists of numbers, and whatever else NumPy can read.
py::array as_array(py::handle object) {
  if (py::hasattr(object, "detach")) return borrow_array("actions", object);
  try {
    return py::module_::import("numpy").attr("asarray")(object);
  } catch (const py::error_already_set& error) {
    if (!error.matches(PyExc_Exception)) throw;
    raise(PyExc_ValueError, std::string("actions cannot be read as an array: ") + error.what());
  }
}

}  // namespace

Actions read_actions(py::handle object, py::ssize_t rows, const PfcBuffers& buffers) {
  py::array array = py::isinstance<py::array>(object) ? py::reinterpret_borrow<py::array>(object) : as_array(object);
  const bool flat = buffers.discrete && buffers.action_dims == 1;
  if (array.ndim() != (flat ? 1 : 2) || array.shape(0) != rows || (!flat && array.shape(1) != buffers.action_dims))
    check_shape("actions", array, flat ? Shape{rows} : Shape{rows, buffers.action_dims});
  Actions read;
  const py::dtype dtype = array.dtype();
  if (buffers.discrete)
    read_discrete(std::move(array), dtype, read);
  else
    read_continuous(std::move(array), dtype, read);
  return read;
}

}  // namespace pufferc
