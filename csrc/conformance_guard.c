// conformance_guard.c - see conformance_guard.h. Each buffer lies in an area of its own: forbidden pages, the buffer at
// one edge of the readable pages, forbidden pages.
#define _GNU_SOURCE
#include "conformance_guard.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>
#include <unistd.h>

#include "layout.h"
#include "play.h"
#include "pool.h"

enum { FORBIDDEN_BYTES = 1 << 20, SIGNAL_STACK_BYTES = 1 << 16, STACK_BYTES = 8 << 20 };
enum { FIRST_FILL = 0x00, SECOND_FILL = 0xa4 };  // of observations before a game writes them

// One buffer with forbidden memory on both sides.
typedef struct Area {
  const char* name;
  unsigned char* map;  // NULL: not made
  uint64_t map_bytes;
  unsigned char* data;
  uint64_t bytes;
} Area;

enum { STATE, PARAMS, ACTIONS, REWARDS, TERMINATED, TRUNCATED, ALIVE, OBSERVATION, METRICS, NUM_AREAS };

// What is going on. Static, because a spec's functions carry no context; see conformance.h.
static struct {
  const PfcEnvSpec* real;
  PfcEnvSpec spec;
  PfcGuardMode mode;
  PfcLayout layout;
  int32_t action_dims, num_metrics;
  uint64_t row_bytes;  // of one observation
  Area areas[NUM_AREAS];
  unsigned char* before;  // [layout.state_bytes] the state before a call that must not change it
  unsigned char* seen;    // [row_bytes] an observation for comparison
  PfcTrace* trace;
  PfcTrace own_trace;  // where the caller wants none
  void (*report)(const PfcFinding*);
  PfcPool* pool;      // that calls; NULL = unknown
  const void* stack;  // somewhere on the stack of the thread that checks
} guard;

// ---- areas -------------------------------------------------------------------------------------------------

static bool make_area(Area* area, const char* name, uint64_t bytes) {
  const uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
  const uint64_t room = (bytes + page - 1) / page * page + (bytes == 0) * page;
  *area = (Area){.name = name, .map_bytes = room + 2 * FORBIDDEN_BYTES, .bytes = bytes};
  void* map = mmap(NULL, area->map_bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (map == MAP_FAILED) return false;
  area->map = map;
  if (mprotect(area->map + FORBIDDEN_BYTES, room, PROT_READ | PROT_WRITE) != 0) return false;
  area->data = area->map + FORBIDDEN_BYTES + (guard.mode == PFC_GUARD_BEGIN ? 0 : room - bytes);
  return true;
}

static bool make_areas(const PfcCheckDesc* desc) {
  const uint64_t agents = (uint64_t)guard.layout.agents, dims = (uint64_t)guard.action_dims;
  Area* a = guard.areas;
  bool made = make_area(&a[STATE], "state", guard.layout.state_bytes) &&
              make_area(&a[PARAMS], "parameters", guard.real->params_bytes) &&
              make_area(&a[ACTIONS], "actions", 4 * agents * dims) && make_area(&a[REWARDS], "rewards", 4 * agents) &&
              make_area(&a[TERMINATED], "terminated", agents) && make_area(&a[TRUNCATED], "truncated", agents) &&
              make_area(&a[ALIVE], "alive", agents) && make_area(&a[OBSERVATION], "observation", guard.row_bytes) &&
              make_area(&a[METRICS], "metrics", 4 * (uint64_t)guard.num_metrics);
  guard.before = malloc(guard.layout.state_bytes);
  guard.seen = malloc(guard.row_bytes);
  if (!made || !guard.before || !guard.seen) return false;
  return pfc_fill_params(guard.real, desc->params, desc->num_params, a[PARAMS].data) == PFC_OK;
}

bool pfc_guard_owns(uint64_t address) {
  const Area* area = &guard.areas[STATE];
  const uint64_t begin = (uint64_t)(uintptr_t)area->map;
  return area->map && address >= begin && address < begin + area->map_bytes;
}

// ---- what is said of a call --------------------------------------------------------------------------------

// Number of the game whose state this is.
static int64_t game_of(const void* state) {
  if (!guard.pool) return -1;
  return ((const unsigned char*)state - guard.pool->states) / (int64_t)guard.pool->state_stride;
}

static void enter(const char* function, const void* state, int64_t agent) {
  PfcTrace* t = guard.trace;
  (void)snprintf(t->function, sizeof t->function, "%s", function);
  t->game = game_of(state);
  t->agent = agent;
  ++t->calls;
}

static void leave(void) { guard.trace->function[0] = '\0'; }

static void find(const char* code, const char* subject, const char* seen) {
  PfcFinding finding = {.severity = PFC_ERROR,
                        .code = code,
                        .subject = subject,
                        .game = guard.trace->game,
                        .agent = guard.trace->agent,
                        .step = guard.trace->step};
  (void)snprintf(finding.seen, sizeof finding.seen, "%s", seen);
  if (guard.report) guard.report(&finding);
}

static void* in(int area, const void* from) { return memcpy(guard.areas[area].data, from, guard.areas[area].bytes); }

static void out(int area, void* to) { memcpy(to, guard.areas[area].data, guard.areas[area].bytes); }

// Says so when a call that only looks has changed the state; undoes it.
static void expect_unchanged(const char* function, void* state) {
  if (memcmp(guard.before, state, guard.layout.state_bytes) == 0) return;
  uint64_t at = 0;
  while (guard.before[at] == ((unsigned char*)state)[at]) ++at;
  const uint64_t rng = guard.real->rng_offset;
  char seen[128];
  if (at >= rng && at < rng + sizeof(PfcRng))
    (void)snprintf(seen, sizeof seen, "%s changed the state: it drew a random number", function);
  else
    (void)snprintf(seen, sizeof seen, "%s changed the state, at its byte %llu", function, (unsigned long long)at);
  find("looking_changes_state", function, seen);
  memcpy(state, guard.before, guard.layout.state_bytes);
}

// ---- the wrapped functions ---------------------------------------------------------------------------------

static const void* params_of(const void* params) {
  return guard.mode == PFC_GUARD_NONE ? params : guard.areas[PARAMS].data;
}

static PfcRng rng_of(const void* state) {
  PfcRng rng;
  memcpy(&rng, (const unsigned char*)state + guard.real->rng_offset, sizeof rng);
  return rng;
}

static void reset_one(void* state, const void* params) {
  const PfcRng before = rng_of(state);
  enter("reset", state, -1);
  if (guard.mode == PFC_GUARD_NONE) {
    guard.real->reset_one(state, params);
  } else {
    guard.real->reset_one(in(STATE, state), params_of(params));
    out(STATE, state);
  }
  leave();
  if (rng_of(state).increment != before.increment)
    find("rng_overwritten", "reset", "reset wrote over s->rng, the game's random numbers");
}

static void respawn(void* state, const void* params, int32_t agent) {
  enter("respawn", state, agent);
  if (guard.mode == PFC_GUARD_NONE) {
    guard.real->respawn(state, params, agent);
  } else {
    guard.real->respawn(in(STATE, state), params_of(params), agent);
    out(STATE, state);
  }
  leave();
}

// The range with one game in it, in the guard's buffers or in place.
static PfcRange range_of_game(const PfcRange* r, int32_t game) {
  PfcRange one = *r;
  one.begin = game;
  one.end = game + 1;
  one.params = params_of(r->params);
  if (guard.mode == PFC_GUARD_NONE) return one;
  const int64_t row = (int64_t)game * r->agents;
  const int64_t action = row * r->action_dims;
  one.begin = 0;
  one.end = 1;
  one.states = in(STATE, r->states + (uint64_t)game * r->state_stride);
  const int32_t* actions = in(ACTIONS, r->io.actions + action);
  one.io = (PfcIo){.actions = actions,
                   .controls = (const float*)(const void*)actions,
                   .rewards = in(REWARDS, r->io.rewards + row),
                   .terminated = in(TERMINATED, r->io.terminated + row),
                   .truncated = in(TRUNCATED, r->io.truncated + row),
                   .alive = in(ALIVE, r->io.alive + row)};
  return one;
}

static void check_flags(const PfcRange* r, int64_t row) {
  const struct {
    const char* name;
    const uint8_t* flags;
  } kinds[] = {{"terminated", r->io.terminated}, {"truncated", r->io.truncated}, {"alive", r->io.alive}};
  for (int k = 0; k < 3; ++k) {
    for (int64_t agent = 0; agent < r->agents; ++agent) {
      const int value = kinds[k].flags[row + agent];
      if (value <= 1) continue;
      char seen[96];
      guard.trace->agent = agent;
      (void)snprintf(seen, sizeof seen, "step wrote %d to io.%s[%lld], expected 0 or 1", value, kinds[k].name,
                     (long long)agent);
      find("flag_value", kinds[k].name, seen);
    }
  }
}

static void step_range(const PfcRange* r) {
  for (int32_t game = r->begin; game < r->end; ++game) {
    const int64_t row = (int64_t)game * r->agents;
    const PfcRange one = range_of_game(r, game);
    enter("step", r->states + (uint64_t)game * r->state_stride, -1);
    guard.real->step_range(&one);
    if (guard.mode != PFC_GUARD_NONE) {
      out(STATE, r->states + (uint64_t)game * r->state_stride);
      out(REWARDS, r->io.rewards + row);
      out(TERMINATED, r->io.terminated + row);
      out(TRUNCATED, r->io.truncated + row);
      out(ALIVE, r->io.alive + row);
    }
    check_flags(r, row);
    leave();
  }
}

// One agent's observation in the guard's buffer, which was filled with `fill`.
static const unsigned char* look(const void* state, const void* params, int32_t agent, int fill) {
  Area* area = &guard.areas[OBSERVATION];
  memset(area->data, fill, area->bytes);
  enter("observe", state, agent);
  guard.real->observe_one(guard.areas[STATE].data, params, agent, area->data);
  leave();
  return area->data;
}

// Two looks into differently filled memory say which values are not written, and whether looking repeats.
static void compare_looks(const unsigned char* second) {
  const int32_t size = pfc_dtype_bytes(guard.real->obs_dtype);
  for (uint64_t i = 0; i < guard.row_bytes; ++i) {
    if (guard.seen[i] == second[i]) continue;
    const int64_t index = (int64_t)i / size;
    const char* entry = obs_entry_name(guard.real, index);
    char seen[160];
    const bool unwritten = guard.seen[i] == FIRST_FILL && second[i] == SECOND_FILL;
    if (unwritten)
      (void)snprintf(seen, sizeof seen, "observe did not write value %lld, part of %s", (long long)index, entry);
    else
      (void)snprintf(seen, sizeof seen, "two looks at the same state gave different values of %s", entry);
    find(unwritten ? "observation_unwritten" : "observation_unrepeatable", entry, seen);
    return;
  }
}

static void observe_guarded(const void* state, const void* params, int32_t agent, void* obs) {
  memcpy(guard.before, state, guard.layout.state_bytes);
  in(STATE, state);
  memcpy(guard.seen, look(state, params_of(params), agent, FIRST_FILL), guard.row_bytes);
  expect_unchanged("observe", guard.areas[STATE].data);
  compare_looks(look(state, params_of(params), agent, SECOND_FILL));
  memcpy(obs, guard.seen, guard.row_bytes);
}

static void observe_one(const void* state, const void* params, int32_t agent, void* obs) {
  if (guard.mode != PFC_GUARD_NONE) {
    observe_guarded(state, params, agent, obs);
    return;
  }
  enter("observe", state, agent);
  guard.real->observe_one(state, params, agent, obs);
  leave();
}

static void observe_range(const PfcRange* r) {
  for (int32_t game = r->begin; game < r->end; ++game) {
    const unsigned char* state = r->states + (uint64_t)game * r->state_stride;
    for (int32_t agent = 0; agent < r->agents; ++agent) {
      const int64_t row = (int64_t)game * r->agents + agent;
      observe_one(state, r->params, agent, r->obs + (uint64_t)row * r->obs_bytes);
    }
  }
}

static void metrics_one(const void* state, const void* params, int32_t agent, float* values) {
  enter("metrics", state, agent);
  if (guard.mode == PFC_GUARD_NONE) {
    guard.real->metrics_one(state, params, agent, values);
  } else {
    memcpy(guard.before, state, guard.layout.state_bytes);
    guard.real->metrics_one(in(STATE, state), params_of(params), agent, in(METRICS, values));
    expect_unchanged("metrics", guard.areas[STATE].data);
    out(METRICS, values);
  }
  leave();
}

static void draw_one(const void* state, const void* params, const PfcDraw* draw) {
  enter("draw", state, -1);
  if (guard.mode == PFC_GUARD_NONE) {
    guard.real->draw_one(state, params, draw);
  } else {
    memcpy(guard.before, state, guard.layout.state_bytes);
    guard.real->draw_one(in(STATE, state), params_of(params), draw);
    expect_unchanged("draw", guard.areas[STATE].data);
  }
  leave();
}

// ---- opening and closing -----------------------------------------------------------------------------------

static void measure(void) {
  const PfcLayout* layout = &guard.layout;
  guard.action_dims = layout->controls;
  for (int32_t i = 0; !layout->controls && i < PFC_MAX_ACTION_DIMS && layout->action_counts[i]; ++i)
    ++guard.action_dims;
  guard.num_metrics = 0;
  while (guard.num_metrics < PFC_MAX_METRICS && guard.real->metrics[guard.num_metrics]) ++guard.num_metrics;
  guard.row_bytes = (uint64_t)pfc_dtype_bytes(guard.real->obs_dtype);
  for (int32_t i = 0; i < PFC_MAX_OBS_DIMS && layout->obs_shape[i]; ++i)
    guard.row_bytes *= (uint64_t)layout->obs_shape[i];
}

static void wrap(void) {
  guard.spec = *guard.real;
  guard.spec.reset_one = reset_one;
  guard.spec.step_range = step_range;
  guard.spec.observe_range = observe_range;
  guard.spec.observe_one = observe_one;
  guard.spec.metrics_one = metrics_one;
  guard.spec.draw_one = draw_one;
  if (guard.real->respawn) guard.spec.respawn = respawn;
}

const PfcEnvSpec* pfc_guard_open(const PfcCheckDesc* desc, PfcGuardMode mode) {
  pfc_guard_close();
  guard.real = desc->spec;
  guard.mode = desc->spec->open ? PFC_GUARD_NONE : mode;
  guard.trace = desc->trace ? desc->trace : &guard.own_trace;
  uint64_t* params = calloc(1, desc->spec->params_bytes + 8);
  const bool fits = params && pfc_fill_params(desc->spec, desc->params, desc->num_params, params) == PFC_OK &&
                    pfc_fill_layout(desc->spec, params, &guard.layout) == PFC_OK;
  free(params);
  if (!fits) return NULL;
  measure();
  wrap();
  if (guard.mode != PFC_GUARD_NONE && !make_areas(desc)) {
    pfc_guard_close();
    return NULL;
  }
  return &guard.spec;
}

void pfc_guard_close(void) {
  for (int i = 0; i < NUM_AREAS; ++i) {
    if (guard.areas[i].map) (void)munmap(guard.areas[i].map, guard.areas[i].map_bytes);
    guard.areas[i] = (Area){0};
  }
  free(guard.before);
  free(guard.seen);
  guard.before = guard.seen = NULL;
  guard.pool = NULL;
}

void pfc_guard_attach(PfcPool* pool) { guard.pool = pool; }

void pfc_guard_report_to(void (*report)(const PfcFinding*)) { guard.report = report; }

void pfc_guard_set_step(const char* stage, int64_t step) {
  if (!guard.trace) return;
  (void)snprintf(guard.trace->stage, sizeof guard.trace->stage, "%s", stage);
  guard.trace->step = step;
}

// ---- signals -----------------------------------------------------------------------------------------------

// "read", "wrote" or, where the processor does not say, "reached".
static const char* verb_of(const void* context) {
#if defined(__x86_64__) && defined(__linux__)
  const greg_t error = ((const ucontext_t*)context)->uc_mcontext.gregs[REG_ERR];
  return error & 2 ? "wrote" : "read";
#else
  (void)context;
  return "reached";
#endif
}

// What an address that must not be touched has to do with the game's buffers.
static void describe_address(const void* pointer, const void* context) {
  const uint64_t at = (uint64_t)(uintptr_t)pointer, stack = (uint64_t)(uintptr_t)guard.stack;
  char* fault = guard.trace->fault;
  const size_t room = sizeof guard.trace->fault;
  const char* verb = verb_of(context);
  for (int i = 0; i < NUM_AREAS; ++i) {
    const Area* area = &guard.areas[i];
    const uint64_t begin = (uint64_t)(uintptr_t)area->map, data = (uint64_t)(uintptr_t)area->data;
    if (!area->map || at < begin || at >= begin + area->map_bytes) continue;
    if (at >= data)
      (void)snprintf(fault, room, "%s %llu bytes past the end of its %s, which has %llu bytes", verb,
                     (unsigned long long)(at - data - area->bytes), area->name, (unsigned long long)area->bytes);
    else
      (void)snprintf(fault, room, "%s %llu bytes before the start of its %s", verb, (unsigned long long)(data - at),
                     area->name);
    return;
  }
  if (at < 4096)
    (void)snprintf(fault, room, "%s through a NULL pointer", verb);
  else if (at < stack && stack - at < 2ull * STACK_BYTES)
    (void)snprintf(fault, room, "ran out of stack: a recursion that does not end, or a very large local array");
  else
    (void)snprintf(fault, room, "%s memory that is not there, at %p", verb, pointer);
}

static void on_signal(int number, siginfo_t* info, void* context) {
  if (guard.trace) {
    guard.trace->signal = number;
    if (number == SIGSEGV || number == SIGBUS) describe_address(info->si_addr, context);
    if (number == SIGFPE) (void)snprintf(guard.trace->fault, sizeof guard.trace->fault, "divided an integer by zero");
  }
  (void)signal(number, SIG_DFL);
  (void)raise(number);
}

void pfc_guard_catch_signals(PfcTrace* trace) {
  static unsigned char signal_stack[SIGNAL_STACK_BYTES];
  static const int numbers[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT};
  guard.trace = trace;
  guard.stack = __builtin_frame_address(0);
  const stack_t stack = {.ss_sp = signal_stack, .ss_size = sizeof signal_stack};
  (void)sigaltstack(&stack, NULL);
  struct sigaction action = {.sa_flags = SA_SIGINFO | SA_ONSTACK};
  action.sa_sigaction = on_signal;
  (void)sigemptyset(&action.sa_mask);
  for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; ++i) (void)sigaction(numbers[i], &action, NULL);
}
