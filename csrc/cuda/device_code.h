// device_code.h - the device code of one game, as the pool on a GPU (device_pool.cu) sees it.
#ifndef PUFFERC_DEVICE_CODE_H
#define PUFFERC_DEVICE_CODE_H

#include <cuda_runtime_api.h>

#include "pool/games.h"

// The argument of the kernels, passed by value. All pointers are to device memory.
struct PfcDeviceCall {
  PfcGames games;
  int32_t action_counts[PFC_MAX_ACTION_DIMS];
  uint8_t* legal;               // [G, 32 * W] scratch memory for masks
  uint32_t* bad_row;            // smallest row with an action that was replaced, UINT32_MAX = none
  const void* actions;          // [N, action_dims] of a step
  PfcDtype dtype;               // of actions
  PfcResetDesc reset;           // of a reset
  unsigned char* observations;  // [N, O] written
};

using PfcDeviceKernel = void (*)(PfcDeviceCall);

struct PfcDeviceCode {
  const char* name;
  bool has_mask, has_respawn, has_data;      // functions that the device code has
  PfcDeviceKernel step, reset;
};

#endif  // PUFFERC_DEVICE_CODE_H
