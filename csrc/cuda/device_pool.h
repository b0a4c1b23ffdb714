// device_pool.h - a pool whose games live in the memory of a CUDA device and are stepped by its threads.
//
// It has the contract of pufferc.h: the same resets, steps, autoreset, masks, statistics and random streams, and so the
// same bits. What differs:
//
// - Pointers in PfcBuffers are addresses of device memory, except obs_rows and teams. A step writes the pool's own
//   observations always to the same buffer.
// - Reset and step only enqueue work on the caller's stream: they neither allocate nor wait, and a CUDA graph can capture
//   them. Their arrays are device memory, which must stay alive until the stream has passed the call. All calls of one
//   pool use the same stream, or the caller orders them.
// - Actions cannot be refused before games move. An illegal choice is replaced by the first legal one of its dimension,
//   a control that is not finite by 0, and pfc_device_pool_check reports the row later.
// - There is one group, no drawing, no built-in player, no state fields: download the games and use the CPU pool.
//
// Functions belong to the device that was current when the pool was created, and expect it to be current. A pool takes
// one call at a time. Errors are those of pufferc.h; a failure of CUDA is PFC_UNSUPPORTED, lack of device memory
// PFC_NO_MEMORY.
#ifndef PUFFERC_DEVICE_POOL_H
#define PUFFERC_DEVICE_POOL_H

#include <cuda_runtime_api.h>

#include "pufferc/pufferc.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct PfcDevicePool PfcDevicePool;

// Names of the games with device code, sorted; NULL outside [0, count).
int32_t pfc_device_game_count(void);
const char* pfc_device_game_name(int32_t index);

// A pool of a built-in game; num_threads and num_groups of desc are ignored. Allocates and waits. NULL with the last
// error set: PFC_UNSUPPORTED for a game without device code, PFC_NO_MEMORY if the device is too small.
PfcDevicePool* pfc_device_pool_create(const PfcPoolDesc* desc);
void pfc_device_pool_destroy(PfcDevicePool* pool);  // waits for the device; NULL is allowed
const PfcBuffers* pfc_device_pool_buffers(const PfcDevicePool* pool);

// desc->seeds, mask and observations are device memory. All rows of a game without `respawn` must have the same mask,
// which is not checked. NULL as for pfc_pool_reset.
PfcStatus pfc_device_pool_reset(PfcDevicePool* pool, const PfcResetDesc* desc, cudaStream_t stream);
// observations: [rows, obs] or NULL for the pool's own buffer.
PfcStatus pfc_device_pool_step(PfcDevicePool* pool, const void* actions, PfcDtype dtype, void* observations,
                               cudaStream_t stream);

// The calls below wait for the stream.
// PFC_INVALID if an action since the last check was replaced; the message names its row.
PfcStatus pfc_device_pool_check(PfcDevicePool* pool, cudaStream_t stream);
PfcStatus pfc_device_pool_pop_metrics(PfcDevicePool* pool, int64_t* episodes, double* values, cudaStream_t stream);
PfcStatus pfc_device_pool_set_param(PfcDevicePool* pool, const char* name, double value, cudaStream_t stream);
// Snapshots are those of pufferc.h: a pool on the CPU loads them, and the other way round.
uint64_t pfc_device_pool_snapshot_bytes(const PfcDevicePool* pool);
PfcStatus pfc_device_pool_save(PfcDevicePool* pool, void* buffer, uint64_t bytes, cudaStream_t stream);
PfcStatus pfc_device_pool_load(PfcDevicePool* pool, const void* buffer, uint64_t bytes, cudaStream_t stream);
// Copies everything to a pool on the CPU, which belongs to this pool, and returns it; NULL on failure. Its buffers hold
// what the device's held, except observations in the caller's memory. It is valid until the next call.
PfcPool* pfc_device_pool_download(PfcDevicePool* pool, cudaStream_t stream);

#ifdef __cplusplus
}
#endif

#endif  // PUFFERC_DEVICE_POOL_H
