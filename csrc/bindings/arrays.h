// arrays.h - what every bind_*.cpp shares: C statuses as Python exceptions, and checks of arrays that come from Python.
//
// Arrays are borrowed: a check returns a pointer into the caller's memory, valid while the caller's object lives.
// No function here converts silently; what does not fit raises TypeError (wrong kind of thing) or ValueError (wrong
// size or place), naming the argument, what was expected and what came.
#ifndef PUFFERC_BINDINGS_ARRAYS_H
#define PUFFERC_BINDINGS_ARRAYS_H

#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <cstdint>
#include <string>
#include <vector>

#include "pufferc/pufferc.h"

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

void bind_batches(py::module_& m);
void bind_check(py::module_& m);
void bind_draw(py::module_& m);
void bind_module(py::module_& m);
void bind_registry(py::module_& m);
void bind_pool(py::module_& m);
void bind_ops(py::module_& m);
void bind_mlp(py::module_& m);
void bind_networks(py::module_& m);

}  // namespace pufferc

#endif  // PUFFERC_BINDINGS_ARRAYS_H
