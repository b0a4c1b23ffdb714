// advantage_cuda.h - the launcher of the advantage kernel.
//
// PfcAdvantageArgs as in advantage.h, but every array is memory of the current CUDA device, which the caller keeps
// alive until the stream has passed this call. The launcher only enqueues: it neither allocates nor synchronises.
#ifndef PUFFERC_ADVANTAGE_CUDA_H
#define PUFFERC_ADVANTAGE_CUDA_H

#include <cuda_runtime_api.h>

#include "kernels/advantage.h"

// On the caller's stream. Sizes and numbers must have been checked (pfc_advantage_check). cudaSuccess, or why the
// launch was refused.
cudaError_t pfc_advantage_cuda(const PfcAdvantageArgs& args, cudaStream_t stream);

#endif  // PUFFERC_ADVANTAGE_CUDA_H
