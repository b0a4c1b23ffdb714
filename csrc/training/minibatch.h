// minibatch.h - outputs, loss and gradients of a multi-layer perceptron for a PPO minibatch, in one pass over its rows.
//
// Shapes: B rows, K parameters of a row's action distribution. All arrays belong to the caller and are borrowed for the
// call. Internal: for the bindings and tests.
#ifndef PUFFERC_TRAINING_MINIBATCH_H
#define PUFFERC_TRAINING_MINIBATCH_H

#include "kernels/ppo_loss.h"
#include "networks/mlp.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct PfcLearn {
  const void* x;                                    // [B, inputs] elements in the network's type
  PfcMinibatch batch;                               // B rows
  PfcPpoSettings settings;
  float *outputs, *grad_outputs;                    // [B, K + 1] out, the value last
  float *const *grad_weights, *const *grad_biases;  // out, per layer, shaped like the parameters
} PfcLearn;

// Returns PFC_OK, PFC_NO_MEMORY, or PFC_INVALID like pfc_ppo_loss and if the network does not have K + 1 outputs. The
// gradients have the same bits as those of pfc_mlp_forward, pfc_ppo_loss and pfc_mlp_backward, for any number of
// workers. *stats may differ from those of pfc_ppo_loss by rounding in double precision.
PfcStatus pfc_learn(PfcMlp* mlp, const PfcLearn* args, PfcWorkers* workers, PfcPpoLossStats* stats);

#ifdef __cplusplus
}
#endif

#endif  // PUFFERC_TRAINING_MINIBATCH_H
