// muon.h - one step of the Muon optimizer (Jordan 2024) on one parameter.
//
//   average <- momentum average + grad                        update = grad + momentum average   (Nesterov)
//   a matrix [rows, columns]: update <- orthogonalised update, times sqrt(max(1, rows / columns)), and the parameter is
//                             multiplied by 1 - learning_rate weight_decay; a vector has neither step
//   parameter <- parameter - learning_rate update
//
// Orthogonalising moves all singular values close to one by a Newton-Schulz iteration on X = update / |update|:
// X <- X (a + b G + c G G) with G = X' X, where X is the matrix or, if that is wide, its transpose. Products are
// bfloat16 or float32, depending on the kernels; sums are float32.
//
// Threads share the rows of a product, so results have the same bits for any number of workers. NaN passes through. A
// PfcMuon owns scratch memory for the largest matrix so far. It takes one call at a time. Internal: for the bindings.
#ifndef PUFFERC_MUON_H
#define PUFFERC_MUON_H

#include <stdint.h>

#include "core/workers.h"
#include "networks/matmul.h"
#include "pufferc/pufferc.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { PFC_MUON_MAX_SIDE = 16384 };  // max of a matrix's smaller side; bounds the scratch memory

typedef struct PfcMuon PfcMuon;

typedef struct PfcMuonStep {
  int64_t rows, columns;  // columns = 0 means a vector of `rows` numbers
  float *parameter, *average;
  const float* grad;  // overlaps neither
  float learning_rate, momentum, weight_decay;
  int32_t iterations;  // of Newton-Schulz
} PfcMuonStep;

// *muon is NULL unless the result is PFC_OK.
PfcStatus pfc_muon_create(const PfcMatmulKernels* kernels, PfcMuon** muon);
void pfc_muon_destroy(PfcMuon* muon);  // NULL is allowed

// Nothing has changed unless the result is PFC_OK.
PfcStatus pfc_muon_step(PfcMuon* muon, const PfcMuonStep* step, PfcWorkers* workers);

#ifdef __cplusplus
}
#endif

#endif  // PUFFERC_MUON_H
