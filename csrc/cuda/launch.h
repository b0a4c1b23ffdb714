// launch.h - launches of kernels that run one thread per column. For .cu files alone; the tests compile them for the
// host with a stand-in for <cuda_runtime_api.h>.
#ifndef PUFFERC_LAUNCH_H
#define PUFFERC_LAUNCH_H

#include <cuda_runtime_api.h>

#include <cstdint>

namespace pufferc {

// Threads of a block at most. Kernels say so by __launch_bounds__(kBlockThreads, 1): with one block at a time on a
// multiprocessor there are registers for the loads of a whole chunk.
constexpr int kBlockThreads = 64;

// Up to this many columns a block is one warp, so that few columns spread over twice as many multiprocessors. With more
// columns, blocks of two warps reach every multiprocessor of the largest GPUs too (they have fewer than 256), and more
// warps fit on each.
constexpr int64_t kFewColumns = 256 * kBlockThreads;

// Steps of a column that are loaded before any of their arithmetic. A recurrence over time would otherwise wait for
// memory once per step.
constexpr int kChunkSteps = 8;

// Stands between the loads of a chunk and its arithmetic. To save registers, or where a value is seldom used, compilers
// would load next to the use; they move no load past this. Threads that have left the kernel are not waited for.
__device__ inline void loads_end() { __syncwarp(); }

struct Blocks {
  int64_t count;
  int threads;  // of each block
};

inline Blocks blocks_of(int64_t columns) {
  const int threads = columns <= kFewColumns ? 32 : kBlockThreads;
  return {(columns + threads - 1) / threads, threads};
}

// The caller's column; the threads of the last block may lie beyond the last one.
__device__ inline int64_t column_of_thread() { return static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x; }

// Enqueues a kernel that takes `args` by value. No blocks: nothing is enqueued. cudaSuccess, or why CUDA refused it.
template <typename Args>
cudaError_t launch(void (*kernel)(Args), const Args& args, Blocks blocks, cudaStream_t stream) {
  if (blocks.count == 0) return cudaSuccess;
  if (blocks.count > INT32_MAX) return cudaErrorInvalidConfiguration;
  Args copy = args;  // CUDA takes pointers to arguments that are not const
  void* parameters[] = {&copy};
  return cudaLaunchKernel(kernel, dim3(static_cast<unsigned>(blocks.count)),
                          dim3(static_cast<unsigned>(blocks.threads)), parameters, 0, stream);
}

}  // namespace pufferc

#endif  // PUFFERC_LAUNCH_H
