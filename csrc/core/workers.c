// workers.c - the worker threads of workers.h.
//
// One worker's share of a queue is one 64-bit word: the generation in the upper half, the next block in the lower. A
// worker takes a block by a compare-and-swap on this word, so a worker that slept through the end of a job cannot take
// a block of a later job by mistake. After a successful take, task and context are stable, because the job cannot end
// before that block is done.
#include "core/workers.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

#include "core/base.h"

typedef struct Share {  // one worker's part of one queue's job, on its own cache line
  _Alignas(PFC_ALIGNMENT) _Atomic uint64_t next;  // generation << 32 | block
  _Atomic uint64_t end;                           // generation << 32 | last block + 1
} Share;

typedef struct Queue {
  Share* shares;  // [num_threads]
  uint32_t generation;
  _Atomic(PfcTask) task;
  _Atomic(void*) context;
  _Alignas(PFC_ALIGNMENT) _Atomic int32_t remaining;  // blocks not yet done
} Queue;

typedef struct WorkerThread {
  PfcWorkers* workers;
  int32_t index;
  pthread_t thread;
} WorkerThread;

struct PfcWorkers {
  int32_t num_threads, num_queues;
  Queue* queues;
  WorkerThread* threads;  // [num_threads]; entry 0, the caller, is unused
  int32_t started;        // threads running, workers 1 to started
  uint64_t generation;  // of the process that made the workers
  pthread_mutex_t mutex;
  pthread_cond_t work, done;
  _Alignas(PFC_ALIGNMENT) _Atomic uint64_t posted;  // jobs posted; a change wakes workers
  _Atomic int32_t sleepers;       // workers waiting on `work`
  _Atomic int32_t caller_sleeps;  // 1 while the caller waits on `done`
  _Atomic int32_t stop;           // 1 = return; an int32_t, since atomics of one byte need a library on RISC-V
};

static _Atomic uint64_t process_generation = 1;
static pthread_once_t fork_once = PTHREAD_ONCE_INIT;

static void after_fork_in_child(void) { atomic_fetch_add(&process_generation, 1); }
static void register_fork_handler(void) { (void)pthread_atfork(NULL, NULL, after_fork_in_child); }

uint64_t pfc_process_generation(void) {
  (void)pthread_once(&fork_once, register_fork_handler);
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

// Takes one block of a share. Returns false if the share is empty.
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

static void wake_caller(PfcWorkers* workers) {
  if (!atomic_load(&workers->caller_sleeps)) return;
  pthread_mutex_lock(&workers->mutex);
  pthread_cond_broadcast(&workers->done);
  pthread_mutex_unlock(&workers->mutex);
}

// Runs the remaining blocks of a queue, this worker's own share first.
static void work_on(PfcWorkers* workers, Queue* queue, int32_t worker) {
  for (int32_t i = 0; i < workers->num_threads; ++i) {
    Share* share = &queue->shares[(worker + i) % workers->num_threads];
    int32_t block;
    while (take_block(share, &block)) {
      PfcTask task = atomic_load_explicit(&queue->task, memory_order_relaxed);
      task(atomic_load_explicit(&queue->context, memory_order_relaxed), worker, block);
      if (atomic_fetch_sub(&queue->remaining, 1) == 1) wake_caller(workers);
    }
  }
}

// Waits until `posted` differs from `seen`: spins, then sleeps. Returns false if the worker must stop.
static bool wait_for_work(PfcWorkers* workers, uint64_t seen) {
  int64_t deadline = now_ns() + PFC_SPIN_NS;
  do {
    if (atomic_load(&workers->stop)) return false;
    if (atomic_load(&workers->posted) != seen) return true;
    pause_briefly();
  } while (now_ns() < deadline);
  pthread_mutex_lock(&workers->mutex);
  atomic_fetch_add(&workers->sleepers, 1);
  while (!atomic_load(&workers->stop) && atomic_load(&workers->posted) == seen)
    pthread_cond_wait(&workers->work, &workers->mutex);
  atomic_fetch_sub(&workers->sleepers, 1);
  pthread_mutex_unlock(&workers->mutex);
  return !atomic_load(&workers->stop);
}

static void* worker_main(void* argument) {
  WorkerThread* self = argument;
  PfcWorkers* workers = self->workers;
  uint64_t seen = 0;
  while (wait_for_work(workers, seen)) {
    seen = atomic_load(&workers->posted);
    for (int32_t q = 0; q < workers->num_queues; ++q) work_on(workers, &workers->queues[q], self->index);
  }
  return NULL;
}

static bool make_queues(PfcWorkers* workers) {
  workers->queues = pfc_alloc(sizeof(Queue) * (uint64_t)workers->num_queues);
  if (!workers->queues) return false;
  for (int32_t q = 0; q < workers->num_queues; ++q) {
    workers->queues[q].shares = pfc_alloc(sizeof(Share) * (uint64_t)workers->num_threads);
    if (!workers->queues[q].shares) return false;
  }
  return true;
}

static bool start_workers(PfcWorkers* workers) {
  workers->threads = pfc_alloc(sizeof(WorkerThread) * (uint64_t)workers->num_threads);
  if (!workers->threads) return false;
  for (int32_t index = 1; index < workers->num_threads; ++index) {
    WorkerThread* thread = &workers->threads[index];
    thread->workers = workers;
    thread->index = index;
    if (pthread_create(&thread->thread, NULL, worker_main, thread) != 0) return false;
    workers->started = index;
  }
  return true;
}

PfcWorkers* pfc_workers_create(int32_t num_threads, int32_t num_queues) {
  PFC_ASSERT(num_threads >= 1 && num_threads <= PFC_MAX_THREADS && num_queues >= 1);
  PfcWorkers* workers = pfc_alloc(sizeof *workers);
  if (!workers) {
    (void)pfc_fail(PFC_NO_MEMORY, "no memory for %d worker threads", num_threads);
    return NULL;
  }
  workers->num_threads = num_threads;
  workers->num_queues = num_queues;
  workers->generation = pfc_process_generation();
  pthread_mutex_init(&workers->mutex, NULL);
  pthread_cond_init(&workers->work, NULL);
  pthread_cond_init(&workers->done, NULL);
  if (make_queues(workers) && start_workers(workers)) return workers;
  pfc_workers_destroy(workers);
  (void)pfc_fail(PFC_NO_MEMORY, "cannot start %d threads", num_threads);
  return NULL;
}

static void stop_workers(PfcWorkers* workers) {
  pthread_mutex_lock(&workers->mutex);
  atomic_store(&workers->stop, 1);
  pthread_cond_broadcast(&workers->work);
  pthread_mutex_unlock(&workers->mutex);
  for (int32_t i = 1; i <= workers->started; ++i) pthread_join(workers->threads[i].thread, NULL);
  pthread_cond_destroy(&workers->work);
  pthread_cond_destroy(&workers->done);
  pthread_mutex_destroy(&workers->mutex);
}

void pfc_workers_destroy(PfcWorkers* workers) {
  if (!workers) return;
  // In a forked child the threads do not exist and the mutex may be locked, so only memory is freed.
  if (workers->generation == pfc_process_generation()) {
    for (int32_t q = 0; workers->queues && q < workers->num_queues; ++q)
      if (workers->queues[q].shares) pfc_workers_finish(workers, q);
    stop_workers(workers);
  }
  for (int32_t q = 0; workers->queues && q < workers->num_queues; ++q) pfc_free(workers->queues[q].shares);
  pfc_free(workers->queues);
  pfc_free(workers->threads);
  pfc_free(workers);
}

int32_t pfc_workers_count(const PfcWorkers* workers) { return workers ? workers->num_threads : 1; }

void pfc_workers_start(PfcWorkers* workers, int32_t queue, PfcTask task, void* context, int32_t num_blocks) {
  PFC_ASSERT(queue >= 0 && queue < workers->num_queues && num_blocks >= 0);
  Queue* q = &workers->queues[queue];
  PFC_ASSERT(atomic_load(&q->remaining) == 0);
  if (num_blocks == 0) return;
  atomic_store_explicit(&q->task, task, memory_order_relaxed);
  atomic_store_explicit(&q->context, context, memory_order_relaxed);
  atomic_store(&q->remaining, num_blocks);
  uint64_t generation = (uint64_t)++q->generation << 32;
  for (int64_t i = 0; i < workers->num_threads; ++i) {
    uint64_t first = (uint64_t)(i * num_blocks / workers->num_threads);
    uint64_t end = (uint64_t)((i + 1) * num_blocks / workers->num_threads);
    // `end` is stored first: no worker takes a block until `next` has the same generation.
    atomic_store_explicit(&q->shares[i].end, generation | end, memory_order_release);
    atomic_store_explicit(&q->shares[i].next, generation | first, memory_order_release);
  }
  if (workers->num_threads == 1 || num_blocks == 1) return;  // finish does the work, since waking a thread costs more
  atomic_fetch_add(&workers->posted, 1);
  if (atomic_load(&workers->sleepers) == 0) return;
  pthread_mutex_lock(&workers->mutex);
  pthread_cond_broadcast(&workers->work);
  pthread_mutex_unlock(&workers->mutex);
}

void pfc_workers_finish(PfcWorkers* workers, int32_t queue) {
  PFC_ASSERT(queue >= 0 && queue < workers->num_queues);
  Queue* q = &workers->queues[queue];
  work_on(workers, q, 0);
  int64_t deadline = now_ns() + PFC_SPIN_NS;
  while (atomic_load(&q->remaining) != 0) {
    if (now_ns() < deadline) {
      pause_briefly();
      continue;
    }
    pthread_mutex_lock(&workers->mutex);
    atomic_store(&workers->caller_sleeps, 1);
    while (atomic_load(&q->remaining) != 0) pthread_cond_wait(&workers->done, &workers->mutex);
    atomic_store(&workers->caller_sleeps, 0);
    pthread_mutex_unlock(&workers->mutex);
  }
}

void pfc_parallel_for(PfcWorkers* workers, PfcTask task, void* context, int32_t num_blocks) {
  if (!workers) {
    for (int32_t block = 0; block < num_blocks; ++block) task(context, 0, block);
    return;
  }
  pfc_workers_start(workers, 0, task, context, num_blocks);
  pfc_workers_finish(workers, 0);
}
