// workers.h - persistent worker threads that run numbered blocks of work.
//
// PfcWorkers has `num_threads` workers. The calling thread is worker 0 and works too, so one worker starts no thread.
// Work arrives in queues. A queue holds at most one job at a time; a job is `num_blocks` calls of
// task(context, worker, block), each block exactly once, in any order and on any worker. `worker` is in
// [0, num_threads) and no two calls with the same index run at the same time, so it can select scratch memory.
// Jobs of different queues run at the same time: one half of a pool steps while the other half is read.
//
// Each worker starts with its own contiguous share of the blocks, so a block tends to stay in one core's cache from
// step to step, and then takes blocks from the other shares. Idle workers spin for PFC_SPIN_NS, then sleep.
//
// start and finish must not be called by two threads at the same time. The owner ensures this.
// After fork() the threads do not exist in the child: only pfc_workers_destroy may be called there.
#ifndef PUFFERC_WORKERS_H
#define PUFFERC_WORKERS_H

#include <stdbool.h>
#include <stdint.h>

#include "pufferc/pufferc.h"

#ifdef __cplusplus
extern "C" {
#endif

#define PFC_SPIN_NS 20000

typedef struct PfcWorkers PfcWorkers;
typedef void (*PfcTask)(void* context, int32_t worker, int32_t block);

// Returns NULL and sets pfc_last_error() if memory or threads are not available.
PfcWorkers* pfc_workers_create(int32_t num_threads, int32_t num_queues);
void pfc_workers_destroy(PfcWorkers* workers);  // waits for running jobs; NULL is allowed

int32_t pfc_workers_count(const PfcWorkers* workers);  // num_threads; 1 for NULL

// Posts a job to an idle queue and returns. context must remain valid until finish returns. With one thread or one
// block, finish does all the work.
void pfc_workers_start(PfcWorkers* workers, int32_t queue, PfcTask task, void* context, int32_t num_blocks);
// Works on the queue's job and waits for its last block. What the blocks wrote is visible afterwards.
void pfc_workers_finish(PfcWorkers* workers, int32_t queue);
// start and finish on queue 0. workers may be NULL: the caller runs all blocks in order, as worker 0.
void pfc_parallel_for(PfcWorkers* workers, PfcTask task, void* context, int32_t num_blocks);

// A number that differs between a process and its forked children.
uint64_t pfc_process_generation(void);

#ifdef __cplusplus
}
#endif

#endif  // PUFFERC_WORKERS_H
