// scan_cuda.h - the launchers of the scan of minimal gated recurrent units.
//
// PfcScanArgs as in scan.h, but every array is memory of the current CUDA device, which the caller keeps alive until
// the stream has passed this call. A launcher only enqueues: it neither allocates nor synchronises.
#ifndef PUFFERC_SCAN_CUDA_H
#define PUFFERC_SCAN_CUDA_H

#include <cuda_runtime_api.h>

#include "networks/scan.h"

// On the caller's stream. Sizes must have been checked (pfc_scan_check); rows * units of 0 enqueues nothing.
// cudaSuccess, or why the launch was refused.
cudaError_t pfc_scan_cuda(const PfcScanArgs& args, bool backward, cudaStream_t stream);

#endif  // PUFFERC_SCAN_CUDA_H
