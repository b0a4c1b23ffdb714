// mingru.c - minimal gated recurrent units for recurrent.c; the formulas are in scan_step.h. States are h.
#include <string.h>

#include "networks/elements.h"
#include "networks/recurrent_pass.h"
#include "networks/scan.h"

// Step t of a block, in its gates and states; `before`: the states before the block.
static PfcScanStep mingru_step(const RecurrentPass* pass, const RecurrentBlock* block, int32_t t, const float* gates,
                               float* states, const float* before) {
  const PfcRecurrent* net = pass->net;
  const int64_t strip = (int64_t)block->count * net->padded;
  gates += (int64_t)t * block->count * net->gate_stride;
  return (PfcScanStep){.rows = block->count,
                       .units = net->units,
                       .pre_stride = net->gate_stride,
                       .state_stride = net->padded,
                       .update = gates,
                       .candidate = gates + net->units,
                       .starts = pfc_recurrent_starts(pass, block, t),
                       .states = states + t * strip,
                       .previous = t ? states + (t - 1) * strip : before};
}

static void mingru_forward(const RecurrentPass* pass, RecurrentScratch* scratch, const RecurrentBlock* block,
                           const void* x, float* gates, float* states, void* seen) {
  const PfcRecurrent* net = pass->net;
  const int64_t strip = (int64_t)block->count * net->padded;
  for (int32_t t = 0; t < block->steps; ++t) {
    const PfcScanStep step = mingru_step(pass, block, t, gates, states, scratch->carry[0]);
    pfc_scan_step(&step);
  }
  memcpy(scratch->carry[0], states + (block->steps - 1) * strip, sizeof(float) * (size_t)strip);
  pfc_elements_add(x, states, block->steps * block->count, net->padded, net->kernels->bfloat16, seen);
}

static void mingru_backward(const RecurrentPass* pass, RecurrentScratch* scratch, const RecurrentBlock* block,
                            float* bias) {
  const PfcRecurrent* net = pass->net;
  const int64_t strip = (int64_t)block->count * net->padded;
  const float* gates = net->gates + block->kept * net->gate_stride;
  float* states = net->states + block->kept * net->padded;
  const float* before = block->step ? states - strip : scratch->initial[0];
  for (int32_t t = block->steps - 1; t >= 0; --t) {
    const PfcScanStep step = mingru_step(pass, block, t, gates, states, before);
    pfc_scan_step_backward(&step, scratch->sums + t * strip, scratch->carry[0], scratch->gates,
                           scratch->gates + net->units);
    pfc_recurrent_take_gate_gradient(pass, scratch, block, t, bias);
  }
}

const RecurrentCell pfc_recurrent_mingru = {
    .gates = 2, .layers = 1, .states = 1, .residual = true, .forward = mingru_forward, .backward = mingru_backward};
