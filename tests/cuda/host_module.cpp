// host_module.cpp - the Python module _cuda of the host stand-in: "device" memory is memory of the host, so that the tests
// of the Python side use torch CPU tensors. tests/python/test_device_env.py compiles it.
#include "cuda/device_pool_module.h"

PYBIND11_MODULE(_cuda, m) {
  pfc_bind_device_pool(m);
  m.attr("memory") = "cpu";
  m.attr("runtime_version") = 0;
  m.def("devices", [] { return pybind11::make_tuple(1, ""); });
}
