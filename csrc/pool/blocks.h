// blocks.h - a pool's games taken through many steps, block by block, in a caller's own threads; for
// training/rollout.c.
//
// Between pfc_blocks_begin and pfc_blocks_end the pool belongs to the caller. Every game makes the same steps.
#ifndef PUFFERC_BLOCKS_H
#define PUFFERC_BLOCKS_H

#include "pufferc/pufferc.h"

// PFC_OK, or why the pool cannot be stepped in blocks, and then it is not taken: PFC_STATE or PFC_INVALID unless it was
// reset, has one group and resets games in the step that ended them.
PfcStatus pfc_blocks_begin(PfcPool* pool);
void pfc_blocks_end(PfcPool* pool);

// One step of games [begin, end) with legal actions [rows of these games, action_dims]. Observations go to `target`,
// batch row 0, or to the pool's own memory where that is NULL; returns batch row 0 of where they went. Threads may step
// different games at the same time.
const void* pfc_blocks_step(PfcPool* pool, int32_t begin, int32_t end, const int32_t* actions, void* target);

// Publishes the pool's buffers after all games made the same steps, the last one to `target`.
void pfc_blocks_finish(PfcPool* pool, void* target);

#endif  // PUFFERC_BLOCKS_H
