// cuda_runtime_api.h - stands in for CUDA's header of this name, so that a C++ compiler and its sanitizers see the
// kernels of csrc/cuda. A launch runs every thread of every block, one after another, before it returns; memory of the
// device is memory of the host. Threads cannot talk to each other here: there is no shared memory, and a kernel that
// needs __syncthreads does not compile.
#ifndef PUFFERC_TESTS_CUDA_RUNTIME_API_H
#define PUFFERC_TESTS_CUDA_RUNTIME_API_H

#include <cstddef>

#define __global__
#define __device__
#define __host__
#define __launch_bounds__(...)

struct dim3 {
  unsigned x, y, z;
  constexpr dim3(unsigned x = 1, unsigned y = 1, unsigned z = 1) : x(x), y(y), z(z) {}
};

inline thread_local dim3 threadIdx(0, 0, 0), blockIdx(0, 0, 0), blockDim, gridDim;
inline void __syncwarp(unsigned = ~0u) {}

enum cudaError_t { cudaSuccess, cudaErrorInvalidConfiguration };
using cudaStream_t = struct CUstream_st*;

inline thread_local bool cuda_reversed;  // whether launches run the last thread of the last block first

// One dimension of blocks and threads, as all kernels here have.
template <typename Args>
cudaError_t cudaLaunchKernel(void (*kernel)(Args), dim3 grid, dim3 block, void** arguments, std::size_t, cudaStream_t) {
  if (grid.x == 0 || grid.x >> 31 || block.x == 0 || block.x > 1024) return cudaErrorInvalidConfiguration;
  if (grid.y != 1 || grid.z != 1 || block.y != 1 || block.z != 1) return cudaErrorInvalidConfiguration;
  gridDim = grid, blockDim = block;
  for (unsigned i = 0; i < grid.x; ++i)
    for (unsigned j = 0; j < block.x; ++j) {
      blockIdx.x = cuda_reversed ? grid.x - 1 - i : i, threadIdx.x = cuda_reversed ? block.x - 1 - j : j;
      kernel(*static_cast<Args*>(arguments[0]));
    }
  return cudaSuccess;
}

#endif  // PUFFERC_TESTS_CUDA_RUNTIME_API_H
