// threads.c - the worker team of threads.h.
//
// A queue's share of one lane is one 64-bit word: generation in the upper half, the next block in the
// lower. Taking a block is a compare-and-swap on it, so a worker that slept through the end of a job
// can never take a block of a later one by mistake, and what it reads of the job (task, context) after
// a successful take is stable: the job cannot end before that block is done.
#include "threads.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

#include "base.h"

typedef struct Share {  // one lane's part of one queue's job, alone on its cache line
  _Alignas(PFC_ALIGNMENT) _Atomic uint64_t next;  // generation << 32 | block
  _Atomic uint64_t end;                           // likewise
} Share;

typedef struct Queue {
  Share* shares;  // [num_threads]
  uint32_t generation;
  _Atomic(PfcTask) task;
  _Atomic(void*) context;
  _Alignas(PFC_ALIGNMENT) _Atomic int32_t remaining;  // blocks not yet done
} Queue;

typedef struct Worker {
  PfcTeam* team;
  int32_t lane;
  pthread_t thread;
} Worker;

struct PfcTeam {
  int32_t num_threads, num_queues;
  Queue* queues;
  Worker* workers;  // [num_threads]; entry 0, the caller, is unused
  int32_t started;  // threads running, lanes 1..started
  uint64_t generation;  // of the process that made the team
  pthread_mutex_t mutex;
  pthread_cond_t work, done;
  _Alignas(PFC_ALIGNMENT) _Atomic uint64_t posted;  // jobs handed out; a change wakes workers
  _Atomic int32_t sleepers;       // workers waiting on `work`
  _Atomic int32_t caller_sleeps;  // 1 while the caller waits on `done`
  _Atomic bool stop;
};

static _Atomic uint64_t process_generation = 1;
static pthread_once_t fork_once = PTHREAD_ONCE_INIT;

static void after_fork_in_child(void) { atomic_fetch_add(&process_generation, 1); }
static void watch_forks(void) { (void)pthread_atfork(NULL, NULL, after_fork_in_child); }

uint64_t pfc_process_generation(void) {
  (void)pthread_once(&fork_once, watch_forks);
  return atomic_load_explicit(&process_generation, memory_order_relaxed);
}

static int64_t now_ns(void) {
  struct timespec t;
  (void)clock_gettime(CLOCK_MONOTONIC, &t);
  return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static void pause_briefly(void) {
#if defined(__x86_64__) || defined(__i386__)
  for (int i = 0; i < 16; ++i) __builtin_ia32_pause();
#elif defined(__aarch64__)
  for (int i = 0; i < 16; ++i) __asm__ volatile("yield");
#endif
}

// Takes one block of a share; false when it is empty.
static bool take_block(Share* share, int32_t* block) {
  uint64_t next = atomic_load_explicit(&share->next, memory_order_acquire);
  for (;;) {
    uint64_t end = atomic_load_explicit(&share->end, memory_order_acquire);
    if (next >= end || (next >> 32) != (end >> 32)) return false;
    if (atomic_compare_exchange_weak_explicit(&share->next, &next, next + 1, memory_order_acq_rel,
                                              memory_order_acquire)) {
      *block = (int32_t)(uint32_t)next;
      return true;
    }
  }
}

static void wake_caller(PfcTeam* team) {
  if (!atomic_load(&team->caller_sleeps)) return;
  pthread_mutex_lock(&team->mutex);
  pthread_cond_broadcast(&team->done);
  pthread_mutex_unlock(&team->mutex);
}

// Does every block of a queue that is still to be had, this lane's own share first.
static void work_on(PfcTeam* team, Queue* queue, int32_t lane) {
  for (int32_t i = 0; i < team->num_threads; ++i) {
    Share* share = &queue->shares[(lane + i) % team->num_threads];
    int32_t block;
    while (take_block(share, &block)) {
      PfcTask task = atomic_load_explicit(&queue->task, memory_order_relaxed);
      task(atomic_load_explicit(&queue->context, memory_order_relaxed), block);
      if (atomic_fetch_sub(&queue->remaining, 1) == 1) wake_caller(team);
    }
  }
}

// Waits until more work than `seen` was posted: spins, then sleeps. False: the team ends.
static bool wait_for_work(PfcTeam* team, uint64_t seen) {
  int64_t deadline = now_ns() + PFC_SPIN_NS;
  do {
    if (atomic_load(&team->stop)) return false;
    if (atomic_load(&team->posted) != seen) return true;
    pause_briefly();
  } while (now_ns() < deadline);
  pthread_mutex_lock(&team->mutex);
  atomic_fetch_add(&team->sleepers, 1);
  while (!atomic_load(&team->stop) && atomic_load(&team->posted) == seen)
    pthread_cond_wait(&team->work, &team->mutex);
  atomic_fetch_sub(&team->sleepers, 1);
  pthread_mutex_unlock(&team->mutex);
  return !atomic_load(&team->stop);
}

static void* worker_main(void* argument) {
  Worker* worker = argument;
  PfcTeam* team = worker->team;
  uint64_t seen = 0;
  while (wait_for_work(team, seen)) {
    seen = atomic_load(&team->posted);
    for (int32_t q = 0; q < team->num_queues; ++q) work_on(team, &team->queues[q], worker->lane);
  }
  return NULL;
}

static bool make_queues(PfcTeam* team) {
  team->queues = pfc_alloc(sizeof(Queue) * (uint64_t)team->num_queues);
  if (!team->queues) return false;
  for (int32_t q = 0; q < team->num_queues; ++q) {
    team->queues[q].shares = pfc_alloc(sizeof(Share) * (uint64_t)team->num_threads);
    if (!team->queues[q].shares) return false;
  }
  return true;
}

static bool start_workers(PfcTeam* team) {
  team->workers = pfc_alloc(sizeof(Worker) * (uint64_t)team->num_threads);
  if (!team->workers) return false;
  for (int32_t lane = 1; lane < team->num_threads; ++lane) {
    Worker* worker = &team->workers[lane];
    worker->team = team;
    worker->lane = lane;
    if (pthread_create(&worker->thread, NULL, worker_main, worker) != 0) return false;
    team->started = lane;
  }
  return true;
}

PfcTeam* pfc_team_create(int32_t num_threads, int32_t num_queues) {
  PFC_ASSERT(num_threads >= 1 && num_threads <= PFC_MAX_THREADS && num_queues >= 1);
  PfcTeam* team = pfc_alloc(sizeof *team);
  if (!team) {
    (void)pfc_fail(PFC_NO_MEMORY, "no memory for a team of %d threads", num_threads);
    return NULL;
  }
  team->num_threads = num_threads;
  team->num_queues = num_queues;
  team->generation = pfc_process_generation();
  pthread_mutex_init(&team->mutex, NULL);
  pthread_cond_init(&team->work, NULL);
  pthread_cond_init(&team->done, NULL);
  if (make_queues(team) && start_workers(team)) return team;
  pfc_team_destroy(team);
  (void)pfc_fail(PFC_NO_MEMORY, "cannot start %d threads", num_threads);
  return NULL;
}

static void stop_workers(PfcTeam* team) {
  pthread_mutex_lock(&team->mutex);
  atomic_store(&team->stop, true);
  pthread_cond_broadcast(&team->work);
  pthread_mutex_unlock(&team->mutex);
  for (int32_t lane = 1; lane <= team->started; ++lane) pthread_join(team->workers[lane].thread, NULL);
  pthread_cond_destroy(&team->work);
  pthread_cond_destroy(&team->done);
  pthread_mutex_destroy(&team->mutex);
}

void pfc_team_destroy(PfcTeam* team) {
  if (!team) return;
  // In a forked child the threads do not exist and the lock's state is unknown: only free memory.
  if (team->generation == pfc_process_generation()) {
    for (int32_t q = 0; team->queues && q < team->num_queues; ++q)
      if (team->queues[q].shares) pfc_team_finish(team, q);
    stop_workers(team);
  }
  for (int32_t q = 0; team->queues && q < team->num_queues; ++q) pfc_free(team->queues[q].shares);
  pfc_free(team->queues);
  pfc_free(team->workers);
  pfc_free(team);
}

int32_t pfc_team_threads(const PfcTeam* team) { return team->num_threads; }

void pfc_team_start(PfcTeam* team, int32_t queue, PfcTask task, void* context, int32_t num_blocks) {
  PFC_ASSERT(queue >= 0 && queue < team->num_queues && num_blocks >= 0);
  Queue* q = &team->queues[queue];
  PFC_ASSERT(atomic_load(&q->remaining) == 0);
  if (num_blocks == 0) return;
  atomic_store_explicit(&q->task, task, memory_order_relaxed);
  atomic_store_explicit(&q->context, context, memory_order_relaxed);
  atomic_store(&q->remaining, num_blocks);
  uint64_t generation = (uint64_t)++q->generation << 32;
  for (int64_t lane = 0; lane < team->num_threads; ++lane) {
    uint64_t first = (uint64_t)(lane * num_blocks / team->num_threads);
    uint64_t end = (uint64_t)((lane + 1) * num_blocks / team->num_threads);
    // `end` first: until `next` carries the same generation, nobody takes.
    atomic_store_explicit(&q->shares[lane].end, generation | end, memory_order_release);
    atomic_store_explicit(&q->shares[lane].next, generation | first, memory_order_release);
  }
  if (team->num_threads == 1 || num_blocks == 1) return;  // finish does it: waking costs more
  atomic_fetch_add(&team->posted, 1);
  if (atomic_load(&team->sleepers) == 0) return;
  pthread_mutex_lock(&team->mutex);
  pthread_cond_broadcast(&team->work);
  pthread_mutex_unlock(&team->mutex);
}

void pfc_team_finish(PfcTeam* team, int32_t queue) {
  PFC_ASSERT(queue >= 0 && queue < team->num_queues);
  Queue* q = &team->queues[queue];
  work_on(team, q, 0);
  int64_t deadline = now_ns() + PFC_SPIN_NS;
  while (atomic_load(&q->remaining) != 0) {
    if (now_ns() < deadline) {
      pause_briefly();
      continue;
    }
    pthread_mutex_lock(&team->mutex);
    atomic_store(&team->caller_sleeps, 1);
    while (atomic_load(&q->remaining) != 0) pthread_cond_wait(&team->done, &team->mutex);
    atomic_store(&team->caller_sleeps, 0);
    pthread_mutex_unlock(&team->mutex);
  }
}

void pfc_team_run(PfcTeam* team, PfcTask task, void* context, int32_t num_blocks) {
  if (!team) {
    for (int32_t block = 0; block < num_blocks; ++block) task(context, block);
    return;
  }
  pfc_team_start(team, 0, task, context, num_blocks);
  pfc_team_finish(team, 0);
}
