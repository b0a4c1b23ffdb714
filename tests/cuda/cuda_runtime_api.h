// cuda_runtime_api.h - stands in for CUDA's header of this name, so that a C++ compiler and its sanitizers see the
// kernels and the pool of csrc/cuda. A launch runs every thread of every block, one after another, before it returns;
// memory of the device is memory of the host, and streams have nothing to wait for. Threads cannot talk to each other
// here: there is no shared memory, and a kernel that needs __syncthreads does not compile.
//
// Tests read and set the variable `cuda`: what the device has, and how often the runtime was used. Tests in C see only
// this and the type of a stream.
#ifndef PUFFERC_TESTS_CUDA_RUNTIME_API_H
#define PUFFERC_TESTS_CUDA_RUNTIME_API_H

#include <stdbool.h>
#include <stddef.h>

typedef struct CUstream_st* cudaStream_t;

typedef struct HostDevice {
  bool reversed;       // launches run the last thread of the last block first
  size_t free_bytes;   // of device memory, as reported; 0 = much
  size_t stack_bytes;  // of one thread, for every kernel
  int launches, allocations, waits;
  int live;            // allocations that were not freed
} HostDevice;

#ifdef __cplusplus
extern "C" HostDevice cuda;
#else
extern HostDevice cuda;
#endif

#ifdef __cplusplus

#include <cstdlib>
#include <cstring>

#define __global__
#define __device__
#define __host__
#define __grid_constant__
#define __noinline__ __attribute__((noinline))
#define __launch_bounds__(...)

struct dim3 {
  unsigned x, y, z;
  constexpr dim3(unsigned x = 1, unsigned y = 1, unsigned z = 1) : x(x), y(y), z(z) {}
};

inline thread_local dim3 threadIdx(0, 0, 0), blockIdx(0, 0, 0), blockDim, gridDim;
inline void __syncwarp(unsigned = ~0u) {}

inline unsigned atomicMin(unsigned* at, unsigned value) {
  const unsigned old = *at;
  if (value < old) *at = value;
  return old;
}

enum cudaError_t { cudaSuccess, cudaErrorMemoryAllocation, cudaErrorInvalidConfiguration };
enum cudaMemcpyKind { cudaMemcpyHostToDevice = 1, cudaMemcpyDeviceToHost = 2, cudaMemcpyDeviceToDevice = 3 };
enum cudaDeviceAttr { cudaDevAttrMultiProcessorCount, cudaDevAttrMaxThreadsPerMultiProcessor };

struct cudaFuncAttributes {
  std::size_t localSizeBytes;
};

inline const char* cudaGetErrorName(cudaError_t error) { return error ? "cudaErrorOfTheHost" : "cudaSuccess"; }
inline const char* cudaGetErrorString(cudaError_t error) { return error ? "refused by the host" : "no error"; }
inline cudaError_t cudaGetLastError() { return cudaSuccess; }

inline cudaError_t cudaGetDevice(int* device) { return *device = 0, cudaSuccess; }

inline cudaError_t cudaDeviceGetAttribute(int* value, cudaDeviceAttr attribute, int) {
  *value = attribute == cudaDevAttrMultiProcessorCount ? 100 : 2000;
  return cudaSuccess;
}

inline cudaError_t cudaFuncGetAttributes(cudaFuncAttributes* attributes, const void*) {
  attributes->localSizeBytes = cuda.stack_bytes;
  return cudaSuccess;
}

inline cudaError_t cudaMemGetInfo(std::size_t* free, std::size_t* total) {
  *free = *total = cuda.free_bytes ? cuda.free_bytes : std::size_t{1} << 40;
  return cudaSuccess;
}

// Device memory holds anything at first.
inline cudaError_t cudaMalloc(void** memory, std::size_t bytes) {
  *memory = std::aligned_alloc(256, (bytes + 255) / 256 * 256);
  if (!*memory) return cudaErrorMemoryAllocation;
  std::memset(*memory, 0xa5, bytes);
  ++cuda.allocations, ++cuda.live;
  return cudaSuccess;
}

inline cudaError_t cudaFree(void* memory) {
  cuda.live -= memory != nullptr;
  std::free(memory);
  return cudaSuccess;
}

inline cudaError_t cudaMemcpyAsync(void* to, const void* from, std::size_t bytes, cudaMemcpyKind, cudaStream_t) {
  std::memcpy(to, from, bytes);
  return cudaSuccess;
}

inline cudaError_t cudaMemsetAsync(void* at, int value, std::size_t bytes, cudaStream_t) {
  std::memset(at, value, bytes);
  return cudaSuccess;
}

inline cudaError_t cudaStreamSynchronize(cudaStream_t) {
  ++cuda.waits;
  return cudaSuccess;
}

// One dimension of blocks and threads, as all kernels here have.
template <typename Args>
cudaError_t cudaLaunchKernel(void (*kernel)(Args), dim3 grid, dim3 block, void** arguments, std::size_t, cudaStream_t) {
  if (grid.x == 0 || grid.x >> 31 || block.x == 0 || block.x > 1024) return cudaErrorInvalidConfiguration;
  if (grid.y != 1 || grid.z != 1 || block.y != 1 || block.z != 1) return cudaErrorInvalidConfiguration;
  ++cuda.launches;
  gridDim = grid, blockDim = block;
  for (unsigned i = 0; i < grid.x; ++i)
    for (unsigned j = 0; j < block.x; ++j) {
      blockIdx.x = cuda.reversed ? grid.x - 1 - i : i, threadIdx.x = cuda.reversed ? block.x - 1 - j : j;
      kernel(*static_cast<Args*>(arguments[0]));
    }
  return cudaSuccess;
}

#endif  // __cplusplus
#endif  // PUFFERC_TESTS_CUDA_RUNTIME_API_H
