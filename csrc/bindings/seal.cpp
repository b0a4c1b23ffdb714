// seal.cpp - see seal.h.
#include "bindings/seal.h"

#include "bindings/arrays.h"

namespace pufferc {
namespace {

// An instance without its C++ object; nullptr with an exception set. What pybind11 throws here would pass through C.
PyObject* make_instance(PyTypeObject* type) noexcept {
  try {
    if (!py::detail::all_type_info(type).empty()) return py::detail::make_new_instance(type);
  } catch (...) {
    return PyErr_NoMemory();
  }
  return PyErr_Format(PyExc_TypeError, "cannot create '%s' instances", type->tp_name);
}

// Two functions, since __new__ of one class refuses another class whose instances are made by another function.
PyObject* new_of_sealed(PyTypeObject* type, PyObject*, PyObject*) { return make_instance(type); }
PyObject* new_of_base(PyTypeObject* type, PyObject*, PyObject*) { return make_instance(type); }
PyObject* new_of_record(PyTypeObject* type, PyObject*, PyObject*) {
  return PyErr_Format(PyExc_TypeError, "cannot create '%s' instances", type->tp_name);
}

void fix(PyTypeObject* type) {
  type->tp_flags |= Py_TPFLAGS_IMMUTABLETYPE;
  PyType_Modified(type);
}

void seal_class(py::handle type) {
  // The oldest way to pickle would say that it cannot create an instance of pybind11's base class.
  type.attr("__reduce_ex__") = py::cpp_function(
      [](py::handle self, py::handle) { raise(PyExc_TypeError, "cannot pickle or copy a " + type_name(self)); },
      py::is_method(type), py::name("__reduce_ex__"));
  auto* object = reinterpret_cast<PyTypeObject*>(type.ptr());
  object->tp_new = new_of_sealed;
  object->tp_flags &= ~Py_TPFLAGS_BASETYPE;
  fix(object);
}

// The class that all classes of pybind11 have as their base, and its metaclass: shared by all modules that were built
// with this version of pybind11. None of them changes these once they are made.
void seal_base() {
  auto* base = reinterpret_cast<PyTypeObject*>(py::detail::get_internals().instance_base);
  base->tp_new = new_of_base;
  fix(base);
  fix(py::detail::get_internals().default_metaclass);
}

// The class of `function.__self__`, of this module alone. Its slots for making objects end the process.
void seal_record() {
  PyTypeObject* record = py::detail::get_function_record_PyTypeObject();
  record->tp_new = new_of_record;
  record->tp_init = PyBaseObject_Type.tp_init;
  if (PyDict_DelItemString(record->tp_dict, "__init__") != 0) PyErr_Clear();  // it would call the old one
  fix(record);
}

}  // namespace

void seal(const py::module_& m) {
  for (auto [name, value] : m.attr("__dict__").cast<py::dict>())
    if (py::isinstance<py::type>(value)) seal_class(value);
  seal_base();
  seal_record();
}

}  // namespace pufferc
