// test_workers.c - worker threads: each block runs exactly once, queues run at the same time, idle workers sleep.
#include "core/workers.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "check.h"

enum { MAX_BLOCKS = 5000 };

typedef struct Job {
  _Atomic int32_t calls[MAX_BLOCKS];
  int64_t results[MAX_BLOCKS];  // plain memory: must be visible to the caller after finish
  int32_t seed;
} Job;

static void count_block(void* context, int32_t worker, int32_t block) {
  (void)worker;
  Job* job = context;
  job->results[block] = (int64_t)job->seed * 1000000 + block;
  atomic_fetch_add(&job->calls[block], 1);
}

static void prepare(Job* job, int32_t seed) {
  memset(job, 0, sizeof *job);
  job->seed = seed;
}

static bool done_once(const Job* job, int32_t num_blocks) {
  for (int32_t block = 0; block < num_blocks; ++block)
    if (job->calls[block] != 1 || job->results[block] != (int64_t)job->seed * 1000000 + block) return false;
  for (int32_t block = num_blocks; block < MAX_BLOCKS; ++block)
    if (job->calls[block] != 0) return false;
  return true;
}

static void test_shapes(void) {
  static const int32_t threads[] = {1, 2, 3, 7, 16}, blocks[] = {0, 1, 2, 3, 6, 7, 8, 63, 1000, MAX_BLOCKS};
  Job* job = malloc(sizeof *job);
  for (size_t i = 0; i < sizeof threads / sizeof threads[0]; ++i) {
    PfcWorkers* workers = pfc_workers_create(threads[i], 1);
    CHECK(workers && pfc_workers_count(workers) == threads[i]);
    for (size_t k = 0; k < sizeof blocks / sizeof blocks[0]; ++k) {
      for (int32_t again = 0; again < 5; ++again) {
        prepare(job, again);
        pfc_parallel_for(workers, count_block, job, blocks[k]);
        if (!CHECK(done_once(job, blocks[k]))) fprintf(stderr, "  %d threads, %d blocks\n", threads[i], blocks[k]);
      }
    }
    pfc_workers_destroy(workers);
  }
  prepare(job, 3);
  pfc_parallel_for(NULL, count_block, job, 100);  // without workers the caller runs all blocks
  CHECK(done_once(job, 100));
  free(job);
}

// Jobs of several queues at once, finished in every order; a queue gets a new job while others run.
static void test_queues(void) {
  enum { QUEUES = 4, ROUNDS = 500 };
  Job* jobs = malloc(sizeof(Job) * QUEUES);
  for (int32_t threads = 1; threads <= 4; ++threads) {
    PfcWorkers* workers = pfc_workers_create(threads, QUEUES);
    if (!CHECK(workers != NULL)) break;
    int32_t sizes[QUEUES] = {0};
    for (int32_t round = 0; round < ROUNDS; ++round) {
      for (int32_t i = 0; i < QUEUES; ++i) {
        const int32_t q = (i * 3 + round) % QUEUES;
        if (round > 0) {
          pfc_workers_finish(workers, q);
          CHECK(done_once(&jobs[q], sizes[q]));
        }
        prepare(&jobs[q], round);
        sizes[q] = (round * 7 + q * 13) % 40;
        pfc_workers_start(workers, q, count_block, &jobs[q], sizes[q]);
      }
    }
    pfc_workers_destroy(workers);  // completes jobs that were not finished
    for (int32_t q = 0; q < QUEUES; ++q) CHECK(done_once(&jobs[q], sizes[q]));
  }
  free(jobs);
}

// Workers process the jobs of every queue while the caller does something else.
static void test_unattended(void) {
  enum { QUEUES = 3, BLOCKS = 8 };
  Job* job = malloc(sizeof *job);
  PfcWorkers* workers = pfc_workers_create(2, QUEUES);
  for (int32_t q = QUEUES - 1; q >= 0; --q) {
    prepare(job, q);
    pfc_workers_start(workers, q, count_block, job, BLOCKS);
    int32_t called = 0;
    for (int32_t wait = 0; wait < 20000 && called < BLOCKS; ++wait, called = 0) {
      for (int32_t block = 0; block < BLOCKS; ++block) called += job->calls[block];
      if (called == BLOCKS) break;
      nanosleep(&(struct timespec){0, 1000000}, NULL);
    }
    CHECK(called == BLOCKS);
    pfc_workers_finish(workers, q);
    CHECK(done_once(job, BLOCKS));
  }
  pfc_workers_destroy(workers);
  free(job);
}

// Many tiny jobs: workers wake late, spin and sleep, and must never run a block of the wrong job.
static void test_stress(void) {
  Job* job = malloc(sizeof *job);
  PfcWorkers* workers = pfc_workers_create(4, 2);
  prepare(job, 0);
  for (int32_t round = 0; round < 20000; ++round) {
    const int32_t blocks = 1 + round % 6;
    pfc_parallel_for(workers, count_block, job, blocks);
    bool right = true;
    for (int32_t block = 0; block < blocks; ++block) {
      right = right && job->calls[block] == 1;
      job->calls[block] = 0;
    }
    CHECK(right);
    if (round % 4000 == 0) nanosleep(&(struct timespec){0, 2000000}, NULL);  // lets all workers fall asleep
  }
  pfc_workers_destroy(workers);
  free(job);
}

typedef struct Meeting {
  _Atomic int32_t arrived, met, workers;  // workers: a bit for each index
} Meeting;

// Waits until all four blocks have started, which needs four threads at the same time.
static void meet(void* context, int32_t worker, int32_t block) {
  Meeting* meeting = context;
  (void)block;
  atomic_fetch_or(&meeting->workers, 1 << worker);
  atomic_fetch_add(&meeting->arrived, 1);
  for (int32_t wait = 0; wait < 20000 && meeting->arrived < 4; ++wait) nanosleep(&(struct timespec){0, 1000000}, NULL);
  atomic_fetch_add(&meeting->met, meeting->arrived == 4);
}

static void test_all_threads_run_at_once(void) {
  PfcWorkers* workers = pfc_workers_create(4, 1);
  Meeting meeting = {0};
  pfc_parallel_for(workers, meet, &meeting, 4);
  CHECK(meeting.met == 4 && meeting.workers == 15);  // each in another worker
  pfc_workers_destroy(workers);
}

// Uses of the worker index. `scratch` is plain memory selected by it, so that ThreadSanitizer finds two tasks in one.
enum { INDEXED_THREADS = 7, INDEXED_QUEUES = 3 };
typedef struct Indexed {
  int32_t threads;
  _Atomic int32_t inside[INDEXED_THREADS], used[INDEXED_THREADS], out_of_range, overlaps;
  int64_t scratch[INDEXED_THREADS];
} Indexed;

static void use_index(void* context, int32_t worker, int32_t block) {
  Indexed* indexed = context;
  if (worker < 0 || worker >= indexed->threads) {
    atomic_fetch_add(&indexed->out_of_range, 1);
    return;
  }
  if (atomic_fetch_add(&indexed->inside[worker], 1) != 0) atomic_fetch_add(&indexed->overlaps, 1);
  indexed->scratch[worker] += block;
  if (block % 8 == 0) nanosleep(&(struct timespec){0, 50000}, NULL);  // so that other workers get blocks
  atomic_fetch_add(&indexed->used[worker], 1);
  atomic_fetch_sub(&indexed->inside[worker], 1);
}

// The index is in range and used by one task at a time, also with jobs of several queues at once. The sums per index
// include every block.
static void test_worker_index(void) {
  enum { ROUNDS = 40, BLOCKS = 60 };
  for (int32_t threads = 1; threads <= INDEXED_THREADS; threads += 3) {
    Indexed indexed = {.threads = threads};
    PfcWorkers* workers = pfc_workers_create(threads, INDEXED_QUEUES);
    for (int32_t round = 0; round < ROUNDS; ++round) {
      for (int32_t q = 0; q < INDEXED_QUEUES; ++q) pfc_workers_start(workers, q, use_index, &indexed, BLOCKS);
      for (int32_t q = 0; q < INDEXED_QUEUES; ++q) pfc_workers_finish(workers, (q + round) % INDEXED_QUEUES);
    }
    int64_t sum = 0, calls = 0;
    for (int32_t worker = 0; worker < threads; ++worker) {
      sum += indexed.scratch[worker];
      calls += indexed.used[worker];
    }
    CHECK(indexed.out_of_range == 0 && indexed.overlaps == 0);
    CHECK(calls == ROUNDS * INDEXED_QUEUES * BLOCKS && sum == calls * (BLOCKS - 1) / 2);
    pfc_workers_destroy(workers);
  }
  Indexed serial = {.threads = 1};  // without workers the caller is worker 0
  pfc_parallel_for(NULL, use_index, &serial, 20);
  CHECK(serial.used[0] == 20 && serial.out_of_range == 0 && serial.scratch[0] == 190);
}

typedef struct Late {
  pthread_t caller;
  _Atomic bool begun, ended;
} Late;

// The caller's block ends once the other block has started, which takes much longer than workers spin.
static void be_late(void* context, int32_t worker, int32_t block) {
  (void)worker;
  Late* late = context;
  (void)block;
  if (pthread_equal(pthread_self(), late->caller)) {
    while (!late->begun) nanosleep(&(struct timespec){0, 100000}, NULL);
  } else {
    late->begun = true;
    nanosleep(&(struct timespec){0, 2000000}, NULL);
    late->ended = true;
  }
}

// A caller that waits for the others sleeps until the last one wakes it.
static void test_caller_sleeps(void) {
  PfcWorkers* workers = pfc_workers_create(2, 1);
  for (int32_t i = 0; i < 20; ++i) {
    Late late = {.caller = pthread_self()};
    pfc_parallel_for(workers, be_late, &late, 2);
    CHECK(late.ended);
  }
  pfc_workers_destroy(workers);
}

static void test_create_destroy(void) {
  Job* job = malloc(sizeof *job);
  for (int32_t i = 0; i < 300; ++i) {
    PfcWorkers* workers = pfc_workers_create(1 + i % 5, 1 + i % 3);
    if (!CHECK(workers != NULL)) break;
    if (i % 2) {
      prepare(job, i);
      pfc_parallel_for(workers, count_block, job, 9);
      CHECK(done_once(job, 9));
    }
    pfc_workers_destroy(workers);
  }
  pfc_workers_destroy(NULL);
  PfcWorkers* largest = pfc_workers_create(PFC_MAX_THREADS, 1);
  prepare(job, 5);
  pfc_parallel_for(largest, count_block, job, 1000);
  CHECK(done_once(job, 1000));
  pfc_workers_destroy(largest);
  free(job);
}

static int64_t cpu_ns(void) {
  struct timespec t;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
  return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static void test_idle(void) {
  Job* job = malloc(sizeof *job);
  PfcWorkers* workers = pfc_workers_create(8, 1);
  prepare(job, 1);
  pfc_parallel_for(workers, count_block, job, 100);
  nanosleep(&(struct timespec){0, 30000000}, NULL);
  const int64_t before = cpu_ns();
  nanosleep(&(struct timespec){0, 200000000}, NULL);
  CHECK(cpu_ns() - before < 100000000);  // a single spinning thread would take 200 ms
  pfc_workers_destroy(workers);
  free(job);
}

int main(void) {
  CHECK(pfc_process_generation() == pfc_process_generation());
  test_shapes();
  test_queues();
  test_unattended();
  test_stress();
  test_all_threads_run_at_once();
  test_worker_index();
  test_caller_sleeps();
  test_create_destroy();
  test_idle();
  return check_report();
}
