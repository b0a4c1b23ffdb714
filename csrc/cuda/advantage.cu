// advantage.cu - advantages of a rollout on a CUDA device: one thread per column, the recurrence of advantage_step.h.
//
// Arrays are [T, N] and [T + 1, N] in device memory and belong to the caller (advantage_cuda.h). The threads of a warp
// read neighbouring columns, so every access is coalesced. It is compiled without fused multiply-add, so results have
// the same bits as those of advantage.c.
#include "advantage_cuda.h"
#include "kernels/advantage_step.h"
#include "launch.h"

namespace {

// Steps [first, first + kSteps) of a column, last to first, and the advantage of step `first`; next_advantage is that
// of the step after them. The steps are loaded into registers as a batch of one row.
template <bool kHasFinal, bool kHasRatio, int kSteps>
__device__ float advantage_chunk(const PfcAdvantageArgs& args, int64_t first, int64_t column, float next_advantage) {
  float rewards[kSteps], values[kSteps + 1], final_values[kSteps], ratio[kSteps], advantages[kSteps];
  uint8_t terminated[kSteps], truncated[kSteps];
  for (int i = 0; i < kSteps; ++i) {
    const int64_t at = (first + i) * args.rows + column;
    rewards[i] = args.rewards[at];
    values[i] = args.values[at];
    terminated[i] = args.terminated[at];
    truncated[i] = args.truncated[at];
    if (kHasFinal) final_values[i] = args.final_values[at];
    if (kHasRatio) ratio[i] = args.ratio[at];
  }
  values[kSteps] = args.values[(first + kSteps) * args.rows + column];
  pufferc::loads_end();

  PfcAdvantageArgs chunk = args;
  chunk.steps = kSteps, chunk.rows = 1;
  chunk.rewards = rewards, chunk.values = values, chunk.terminated = terminated, chunk.truncated = truncated;
  chunk.final_values = final_values, chunk.ratio = ratio;
  for (int i = kSteps - 1; i >= 0; --i)
    advantages[i] = next_advantage = pfc_advantage_entry(&chunk, i, next_advantage, kHasFinal, kHasRatio);
  for (int i = 0; i < kSteps; ++i) args.advantages[(first + i) * args.rows + column] = advantages[i];
  return next_advantage;
}

template <bool kHasFinal, bool kHasRatio>
__global__ void __launch_bounds__(pufferc::kBlockThreads, 1) advantage_kernel(PfcAdvantageArgs args) {
  constexpr int kSteps = pufferc::kChunkSteps;
  const int64_t column = pufferc::column_of_thread();
  if (column >= args.rows) return;
  float advantage = 0.0f;
  int64_t t = args.steps;
  for (; t % kSteps != 0; --t) advantage = advantage_chunk<kHasFinal, kHasRatio, 1>(args, t - 1, column, advantage);
  for (; t > 0; t -= kSteps)
    advantage = advantage_chunk<kHasFinal, kHasRatio, kSteps>(args, t - kSteps, column, advantage);
}

using Kernel = void (*)(PfcAdvantageArgs);

Kernel choose_kernel(const PfcAdvantageArgs& args) {
  if (args.final_values) return args.ratio ? advantage_kernel<true, true> : advantage_kernel<true, false>;
  return args.ratio ? advantage_kernel<false, true> : advantage_kernel<false, false>;
}

}  // namespace

cudaError_t pfc_advantage_cuda(const PfcAdvantageArgs& args, cudaStream_t stream) {
  return pufferc::launch(choose_kernel(args), args, pufferc::blocks_of(args.rows), stream);
}
