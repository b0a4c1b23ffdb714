// launch.h - launches of kernels that run one thread per column. For .cu files only; the tests compile them for the
// host with a stand-in for <cuda_runtime_api.h>.
#ifndef PUFFERC_LAUNCH_H
#define PUFFERC_LAUNCH_H

#include <cuda_runtime_api.h>

#include <cstdint>

namespace pufferc {

// Max threads of a block, which kernels declare by __launch_bounds__(kBlockThreads, 1). With one block at a time on a
// multiprocessor there are enough registers for the loads of a whole chunk.
constexpr int kBlockThreads = 64;

// Up to this many columns a block is one warp, so that few columns use twice as many multiprocessors. With more
// columns, blocks of two warps are enough for all multiprocessors of the largest GPUs (fewer than 256), and more warps
// fit on each.
constexpr int64_t kFewColumns = 256 * kBlockThreads;

// Steps of a column that are loaded before their arithmetic. A recurrence over time would otherwise wait for memory in
// every step.
constexpr int kChunkSteps = 8;

// Separates the loads of a chunk from its arithmetic. To save registers, compilers would move loads next to their use;
// they do not move loads past this. It does not wait for threads that have left the kernel.
__device__ inline void loads_end() { __syncwarp(); }

struct Blocks {
  int64_t count;
  int threads;  // of each block
};

inline Blocks blocks_of(int64_t columns) {
  const int threads = columns <= kFewColumns ? 32 : kBlockThreads;
  return {(columns + threads - 1) / threads, threads};
}

// The column of the calling thread. In the last block it may be beyond the last column.
__device__ inline int64_t column_of_thread() { return static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x; }

// Enqueues a kernel that takes `args` by value. Without blocks it does nothing. Returns the status of the launch.
template <typename Args>
cudaError_t launch(void (*kernel)(Args), const Args& args, Blocks blocks, cudaStream_t stream) {
  if (blocks.count == 0) return cudaSuccess;
  if (blocks.count > INT32_MAX) return cudaErrorInvalidConfiguration;
  Args copy = args;  // CUDA needs non-const pointers to arguments
  void* parameters[] = {&copy};
  return cudaLaunchKernel(kernel, dim3(static_cast<unsigned>(blocks.count)),
                          dim3(static_cast<unsigned>(blocks.threads)), parameters, 0, stream);
}

}  // namespace pufferc

#endif  // PUFFERC_LAUNCH_H
