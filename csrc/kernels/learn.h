// learn.h - a minibatch of PPO for a multi-layer perceptron: outputs, loss and gradients in one pass over its rows.
//
// B rows, K numbers that describe a row's distribution of actions. All arrays are the caller's, borrowed for the call.
// Internal: for the bindings and tests.
#ifndef PUFFERC_LEARN_H
#define PUFFERC_LEARN_H

#include "networks/mlp.h"
#include "kernels/ppo_loss.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct PfcLearn {
  const void* x;                                    // elements as the network takes them [B, inputs]
  float* outputs;                                   // [B, K + 1] out, the value last: what the loss reads
  const float* grad_outputs;                        // [B, K + 1] out: what the loss writes
  float *const *grad_weights, *const *grad_biases;  // out, of each layer, shaped as the parameters
} PfcLearn;

// The loss, made by pfc_ppo_kernel or pfc_gaussian_ppo_kernel, has its columns in outputs and grad_outputs, and B rows.
// PFC_OK, PFC_NO_MEMORY, or PFC_INVALID where an alive row's action is out of range: only then do the gradients mean
// nothing. They have the same bits as those of pfc_mlp_forward, the loss and pfc_mlp_backward one after the other, for
// any number of workers; *stats may differ from those of the loss alone by rounding in double precision.
PfcStatus pfc_learn(PfcMlp* mlp, const PfcLearn* minibatch, const PfcPpoKernel* loss, PfcWorkers* workers,
                    PfcPpoLossStats* stats);

#ifdef __cplusplus
}
#endif

#endif  // PUFFERC_LEARN_H
