// blocks.h - steps a pool's games many times, block by block, on the threads of the caller. For training/rollout.c.
//
// Between pfc_blocks_begin and pfc_blocks_end no other call may use the pool. Every game must make the same number of
// steps.
#ifndef PUFFERC_BLOCKS_H
#define PUFFERC_BLOCKS_H

#include "pufferc/pufferc.h"

// Fails with PFC_STATE before the first reset, and with PFC_INVALID unless the pool has one group and same-step
// autoreset. After a failure do not call pfc_blocks_end.
PfcStatus pfc_blocks_begin(PfcPool* pool);
void pfc_blocks_end(PfcPool* pool);

// One step of games [begin, end) with legal actions [rows of these games, action_dims]. Observations go to `target`,
// batch row 0, or to the pool's own memory if it is NULL. Returns batch row 0 of the observations. Threads may step
// different games at the same time.
const void* pfc_blocks_step(PfcPool* pool, int32_t begin, int32_t end, const int32_t* actions, void* target);

// Updates the pool's buffers after all games made the same number of steps, the last one with this `target`.
void pfc_blocks_finish(PfcPool* pool, void* target);

#endif  // PUFFERC_BLOCKS_H
