// scan.cu - the scan of minimal gated recurrent units on a CUDA device: one thread per row and unit computes all
// steps with the recurrence of scan_step.h.
//
// Arrays are those of scan.h in device memory and belong to the caller (scan_cuda.h). The threads of a warp have
// neighbouring units, so every access is coalesced. Compiled without fused multiply-add, like scan.c.
#include "launch.h"
#include "networks/scan_step.h"
#include "scan_cuda.h"

namespace {

// Offsets of one unit of one row at one step.
struct Place {
  int64_t row;    // in [T, M]
  int64_t state;  // in [T, M, H]
  int64_t pre;    // in [T, M, 2 H], of the gate; the candidate is H elements later
};

__device__ Place place_of(const PfcScanArgs& args, int64_t column, int64_t t) {
  const int64_t row = t * args.rows + column / args.units, state = t * args.rows * args.units + column;
  return {row, state, state + row * args.units};
}

// Steps [first, first + kSteps) of a column, and the state after them.
template <bool kHasStarts, int kSteps>
__device__ float scan_chunk(const PfcScanArgs& args, int64_t first, int64_t column, float state) {
  float update[kSteps], candidate[kSteps];
  bool starts[kSteps];
  for (int i = 0; i < kSteps; ++i) {
    const Place at = place_of(args, column, first + i);
    starts[i] = kHasStarts && args.starts[at.row];
    update[i] = args.pre[at.pre];
    candidate[i] = args.pre[at.pre + args.units];
  }
  pufferc::loads_end();
  for (int i = 0; i < kSteps; ++i) {
    state = pfc_scan_state(update[i], candidate[i], starts[i] ? 0.0f : state);
    args.states[place_of(args, column, first + i).state] = state;
  }
  return state;
}

template <bool kHasStarts>
__global__ void __launch_bounds__(pufferc::kBlockThreads, 1) scan_kernel(PfcScanArgs args) {
  constexpr int kSteps = pufferc::kChunkSteps;
  const int64_t column = pufferc::column_of_thread();
  if (column >= args.rows * args.units) return;
  float state = args.initial[column];
  int64_t t = 0;
  for (; t + kSteps <= args.steps; t += kSteps) state = scan_chunk<kHasStarts, kSteps>(args, t, column, state);
  for (; t < args.steps; ++t) state = scan_chunk<kHasStarts, 1>(args, t, column, state);
}

// Gradients of steps [first, first + kSteps) of a column, last to first. `later` is the gradient of the state after
// them. Returns the gradient of the state before them.
template <bool kHasStarts, int kSteps>
__device__ float scan_chunk_backward(const PfcScanArgs& args, int64_t first, int64_t column, float later) {
  float update[kSteps], states[kSteps + 1], grad_states[kSteps];  // states[i] is the state before step first + i
  bool starts[kSteps];
  states[0] = first ? args.states[place_of(args, column, first - 1).state] : args.initial[column];
  for (int i = 0; i < kSteps; ++i) {
    const Place at = place_of(args, column, first + i);
    starts[i] = kHasStarts && args.starts[at.row];
    update[i] = args.pre[at.pre];
    states[i + 1] = args.states[at.state];
    grad_states[i] = args.grad_states[at.state];
  }
  pufferc::loads_end();
  for (int i = kSteps - 1; i >= 0; --i) {
    const int64_t pre = place_of(args, column, first + i).pre;
    const PfcScanGradient grad =
        pfc_scan_gradient(update[i], states[i + 1], starts[i] ? 0.0f : states[i], grad_states[i] + later);
    args.grad_pre[pre] = grad.u;
    args.grad_pre[pre + args.units] = grad.candidate;
    later = starts[i] ? 0.0f : grad.previous;
  }
  return later;
}

template <bool kHasStarts>
__global__ void __launch_bounds__(pufferc::kBlockThreads, 1) scan_backward_kernel(PfcScanArgs args) {
  constexpr int kSteps = pufferc::kChunkSteps;
  const int64_t column = pufferc::column_of_thread();
  if (column >= args.rows * args.units) return;
  float later = 0.0f;
  int64_t t = args.steps;
  for (; t % kSteps != 0; --t) later = scan_chunk_backward<kHasStarts, 1>(args, t - 1, column, later);
  for (; t > 0; t -= kSteps) later = scan_chunk_backward<kHasStarts, kSteps>(args, t - kSteps, column, later);
  args.grad_initial[column] = later;
}

using Kernel = void (*)(PfcScanArgs);

Kernel choose_kernel(const PfcScanArgs& args, bool backward) {
  if (backward) return args.starts ? scan_backward_kernel<true> : scan_backward_kernel<false>;
  return args.starts ? scan_kernel<true> : scan_kernel<false>;
}

}  // namespace

cudaError_t pfc_scan_cuda(const PfcScanArgs& args, bool backward, cudaStream_t stream) {
  return pufferc::launch(choose_kernel(args, backward), args, pufferc::blocks_of(args.rows * args.units), stream);
}
