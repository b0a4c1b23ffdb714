// host_device.cpp - the device of cuda_runtime_api.h.
#include "cuda_runtime_api.h"

HostDevice cuda;
