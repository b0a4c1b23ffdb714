// advantage.cu - advantages of a rollout on a CUDA device: one thread per column, the recurrence of advantage_step.h.
//
// Arrays are [T, N] and [T + 1, N] in device memory and belong to the caller (advantage_cuda.h). The threads of a warp
// read neighbouring columns, so every access is coalesced. Compiled without fused multiply-add, the results have the
// same bits as those of advantage.c.
#include "kernels/advantage_step.h"
#include "advantage_cuda.h"

namespace {

// Small, so that a few thousand columns already spread over all multiprocessors.
constexpr int kBlockThreads = 64;

template <bool kHasFinal, bool kHasRatio>
__global__ void __launch_bounds__(kBlockThreads) advantage_kernel(PfcAdvantageArgs args) {
  const int64_t column = static_cast<int64_t>(blockIdx.x) * kBlockThreads + threadIdx.x;
  if (column < args.rows) pfc_advantage_column(&args, column, kHasFinal, kHasRatio);
}

using Kernel = void (*)(PfcAdvantageArgs);

Kernel choose_kernel(const PfcAdvantageArgs& args) {
  if (args.final_values) return args.ratio ? advantage_kernel<true, true> : advantage_kernel<true, false>;
  return args.ratio ? advantage_kernel<false, true> : advantage_kernel<false, false>;
}

}  // namespace

cudaError_t pfc_advantage_cuda(const PfcAdvantageArgs& args, cudaStream_t stream) {
  const int64_t blocks = (args.rows + kBlockThreads - 1) / kBlockThreads;
  PfcAdvantageArgs copy = args;
  void* parameters[] = {&copy};
  return cudaLaunchKernel(reinterpret_cast<const void*>(choose_kernel(args)), dim3(static_cast<unsigned>(blocks)),
                          dim3(kBlockThreads), parameters, 0, stream);
}
