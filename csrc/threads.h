// threads.h - a team of persistent worker threads that take numbered blocks of work.
//
// A team has `num_threads` lanes; the calling thread is lane 0 and works too, so a team of one starts
// no thread. Work arrives in queues: a queue holds at most one job at a time, a job is `num_blocks`
// calls of task(context, block), each block exactly once, in any order and on any lane. Jobs of
// different queues run side by side; that is how one half of a pool steps while the other is read.
//
// Each lane begins with its own contiguous share of the blocks, so a block tends to stay in one
// core's cache from step to step, and then helps with what is left of the other shares.
// Idle workers spin for PFC_SPIN_NS at most, then sleep.
//
// start and finish of one team come from one thread at a time (its owner's business to ensure).
// After fork() a team has no threads in the child: only pfc_team_destroy may be called there.
#ifndef PUFFERC_THREADS_H
#define PUFFERC_THREADS_H

#include <stdbool.h>
#include <stdint.h>

#include "pufferc/pufferc.h"

#define PFC_SPIN_NS 20000

typedef struct PfcTeam PfcTeam;
typedef void (*PfcTask)(void* context, int32_t block);

// NULL with pfc_last_error() set when memory or threads are not to be had.
PfcTeam* pfc_team_create(int32_t num_threads, int32_t num_queues);
void pfc_team_destroy(PfcTeam* team);  // waits for running jobs; NULL is allowed

int32_t pfc_team_threads(const PfcTeam* team);

// Hands a job to an idle queue and returns. context must live until finish returns.
// With one thread, or one block, nothing happens before finish.
void pfc_team_start(PfcTeam* team, int32_t queue, PfcTask task, void* context, int32_t num_blocks);
// Works on the queue's job, waits for its last block; what the blocks wrote is visible after it.
void pfc_team_finish(PfcTeam* team, int32_t queue);
// start and finish on queue 0. team may be NULL: the caller does all blocks, in order.
void pfc_team_run(PfcTeam* team, PfcTask task, void* context, int32_t num_blocks);

// A number that differs between a process and its forked children.
uint64_t pfc_process_generation(void);

#endif  // PUFFERC_THREADS_H
