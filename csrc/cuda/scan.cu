// scan.cu - the scan of minimal gated recurrent units on a CUDA device: one thread per row and unit walks through all
// steps, by the recurrence of scan_step.h.
//
// Arrays are those of scan.h in device memory and belong to the caller (scan_cuda.h). The threads of a warp have
// neighbouring units, so every access is coalesced. Compiled without fused multiply-add, like scan.c.
#include "networks/scan_step.h"
#include "scan_cuda.h"

namespace {

// Small, so that a few thousand units already spread over all multiprocessors.
constexpr int kBlockThreads = 64;

// Where one unit of one row lies.
struct Unit {
  int64_t row, unit;
  bool valid;
};

__device__ Unit unit_of_thread(const PfcScanArgs& args) {
  const int64_t index = static_cast<int64_t>(blockIdx.x) * kBlockThreads + threadIdx.x;
  return {index / args.units, index % args.units, index < args.rows * args.units};
}

__device__ bool begins(const PfcScanArgs& args, int64_t t, int64_t row) {
  return args.starts && args.starts[t * args.rows + row];
}

__global__ void __launch_bounds__(kBlockThreads) scan_kernel(PfcScanArgs args) {
  const Unit at = unit_of_thread(args);
  if (!at.valid) return;
  float state = args.initial[at.row * args.units + at.unit];
  for (int64_t t = 0; t < args.steps; ++t) {
    const int64_t row = t * args.rows + at.row;
    const float* pre = args.pre + row * 2 * args.units + at.unit;
    state = pfc_scan_state(pre[0], pre[args.units], begins(args, t, at.row) ? 0.0f : state);
    args.states[row * args.units + at.unit] = state;
  }
}

__global__ void __launch_bounds__(kBlockThreads) scan_backward_kernel(PfcScanArgs args) {
  const Unit at = unit_of_thread(args);
  if (!at.valid) return;
  const int64_t first = at.row * args.units + at.unit;
  float later = 0.0f;
  for (int64_t t = args.steps - 1; t >= 0; --t) {
    const bool start = begins(args, t, at.row);
    const int64_t row = t * args.rows + at.row, state = row * args.units + at.unit, pre = state + row * args.units;
    const float before = t ? args.states[state - args.rows * args.units] : args.initial[first];
    const PfcScanGradient grad =
        pfc_scan_gradient(args.pre[pre], args.states[state], start ? 0.0f : before, args.grad_states[state] + later);
    args.grad_pre[pre] = grad.u;
    args.grad_pre[pre + args.units] = grad.candidate;
    later = start ? 0.0f : grad.previous;
  }
  args.grad_initial[first] = later;
}

}  // namespace

cudaError_t pfc_scan_cuda(const PfcScanArgs& args, bool backward, cudaStream_t stream) {
  const int64_t blocks = (args.rows * args.units + kBlockThreads - 1) / kBlockThreads;
  if (blocks == 0) return cudaSuccess;
  if (blocks > INT32_MAX) return cudaErrorInvalidConfiguration;
  PfcScanArgs copy = args;
  void* parameters[] = {&copy};
  const void* kernel =
      backward ? reinterpret_cast<const void*>(scan_backward_kernel) : reinterpret_cast<const void*>(scan_kernel);
  return cudaLaunchKernel(kernel, dim3(static_cast<unsigned>(blocks)), dim3(kBlockThreads), parameters, 0, stream);
}
