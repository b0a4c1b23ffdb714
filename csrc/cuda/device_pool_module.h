// device_pool_module.h - the Python class DevicePool of pufferc._cuda.
#ifndef PUFFERC_DEVICE_POOL_MODULE_H
#define PUFFERC_DEVICE_POOL_MODULE_H

#include <pybind11/pybind11.h>

// Adds the class to a module.
void pfc_bind_device_pool(pybind11::module_& m);

#endif  // PUFFERC_DEVICE_POOL_MODULE_H
