// minibatch.h - a PPO minibatch of a multi-layer perceptron: outputs, loss and gradients in one pass over its rows.
//
// B rows, K numbers that describe a row's distribution of actions. All arrays are the caller's, borrowed for the call.
// Internal: for the bindings and tests.
#ifndef PUFFERC_TRAINING_MINIBATCH_H
#define PUFFERC_TRAINING_MINIBATCH_H

#include "kernels/ppo_loss.h"
#include "networks/mlp.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct PfcLearn {
  const void* x;                                    // elements as the network takes them [B, inputs]
  PfcMinibatch batch;                               // B rows
  PfcPpoSettings settings;
  float *outputs, *grad_outputs;                    // [B, K + 1] out, the value last: what the loss reads and writes
  float *const *grad_weights, *const *grad_biases;  // out, of each layer, shaped as the parameters
} PfcLearn;

// PFC_OK, PFC_NO_MEMORY, or PFC_INVALID as pfc_ppo_loss, also where the network does not have K + 1 outputs. The
// gradients have the same bits as those of pfc_mlp_forward, pfc_ppo_loss and pfc_mlp_backward one after the other, for
// any number of workers; *stats may differ from those of the loss alone by rounding in double precision.
PfcStatus pfc_learn(PfcMlp* mlp, const PfcLearn* args, PfcWorkers* workers, PfcPpoLossStats* stats);

#ifdef __cplusplus
}
#endif

#endif  // PUFFERC_TRAINING_MINIBATCH_H
