// system.c - what the library needs from a system, in a page: one thread, memory without a limit, one game.
//
// It replaces core/memory.c, core/workers.c, games/registry.c and pool/crash.c.
#include <stdlib.h>
#include <string.h>

#include "core/base.h"
#include "core/workers.h"
#include "pool/crash.h"
#include "web/web.h"

void* pfc_alloc(uint64_t bytes) { return bytes < SIZE_MAX ? calloc(1, (size_t)bytes + 1) : NULL; }
void pfc_free(void* memory) { free(memory); }
uint64_t pfc_memory_left(void) { return UINT64_MAX; }

// ---- workers: the caller does the work -------------------------------------------------------------------

enum { MAX_QUEUES = 16 };

typedef struct Job {
  PfcTask task;
  void* context;
  int32_t num_blocks;
} Job;

struct PfcWorkers {
  Job jobs[MAX_QUEUES];  // of each queue; num_blocks 0 = none
};

PfcWorkers* pfc_workers_create(int32_t num_threads, int32_t num_queues) {
  if (num_threads == 1 && num_queues <= MAX_QUEUES) return calloc(1, sizeof(PfcWorkers));
  (void)pfc_fail(PFC_UNSUPPORTED, "a page has one thread and %d queues", MAX_QUEUES);
  return NULL;
}

void pfc_workers_destroy(PfcWorkers* workers) { free(workers); }

int32_t pfc_workers_count(const PfcWorkers* workers) { return (void)workers, 1; }

void pfc_workers_start(PfcWorkers* workers, int32_t queue, PfcTask task, void* context, int32_t num_blocks) {
  workers->jobs[queue] = (Job){task, context, num_blocks};
}

void pfc_workers_finish(PfcWorkers* workers, int32_t queue) {
  const Job job = workers->jobs[queue];
  workers->jobs[queue].num_blocks = 0;
  pfc_parallel_for(NULL, job.task, job.context, job.num_blocks);
}

void pfc_parallel_for(PfcWorkers* workers, PfcTask task, void* context, int32_t num_blocks) {
  (void)workers;
  for (int32_t block = 0; block < num_blocks; ++block) task(context, 0, block);
}

uint64_t pfc_process_generation(void) { return 1; }

// ---- the game -----------------------------------------------------------------------------------------------

_Thread_local int pfc_in_game;
void pfc_enter_game(void) { pfc_in_game = 1; }

int32_t pfc_env_count(void) { return 1; }
const PfcEnvSpec* pfc_env_at(int32_t index) { return index == 0 ? &pfc_env_module : NULL; }

const PfcEnvSpec* pfc_env_find(const char* name) {
  if (name && strcmp(name, pfc_env_module.name) == 0) return &pfc_env_module;
  (void)pfc_fail(PFC_INVALID, "env: this page has the game %s only", pfc_env_module.name);
  return NULL;
}
