// conformance_guard.c - see conformance_guard.h. Each buffer lies in an area of its own, conformance_memory.h.
#include "conformance/conformance_guard.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "conformance/conformance_memory.h"
#include "layout.h"
#include "conformance/play.h"
#include "pool.h"

enum { FIRST_FILL = 0x00, SECOND_FILL = 0xa4 };  // of observations before a game writes them

enum { STATE, PARAMS, ACTIONS, REWARDS, TERMINATED, TRUNCATED, ALIVE, OBSERVATION, METRICS, NUM_AREAS };

// What is going on. Static, because a spec's functions carry no context; see conformance.h.
static struct {
  const PfcEnvSpec* real;
  PfcEnvSpec spec;
  PfcGuardMode mode;
  PfcLayout layout;
  int32_t action_dims, num_metrics;
  uint64_t row_bytes;  // of one observation
  PfcObsRow* rows;     // [real->num_obs_rows] the observation table for these parameters
  PfcArea areas[NUM_AREAS];
  unsigned char* before;  // [layout.state_bytes] the state before a call that must not change it
  unsigned char* seen;    // [row_bytes] an observation for comparison
  PfcTrace* trace;
  PfcTrace own_trace;  // where the caller wants none
  void (*report)(const PfcFinding*);
  PfcPool* pool;      // that calls; NULL = unknown
  const void* stack;  // somewhere on the stack of the thread that checks
} guard;

// ---- areas -------------------------------------------------------------------------------------------------

static bool make(PfcArea* area, const char* name, uint64_t bytes) {
  return pfc_area_make(area, name, bytes, area == &guard.areas[STATE] ? _Alignof(uint64_t) : 1,
                       guard.mode == PFC_GUARD_END);
}

static bool make_areas(const PfcCheckDesc* desc) {
  const uint64_t agents = (uint64_t)guard.layout.agents, dims = (uint64_t)guard.action_dims;
  PfcArea* a = guard.areas;
  bool made = make(&a[STATE], "state", guard.layout.state_bytes) &&
              make(&a[PARAMS], "parameters", guard.real->params_bytes) &&
              make(&a[ACTIONS], "actions", 4 * agents * dims) && make(&a[REWARDS], "rewards", 4 * agents) &&
              make(&a[TERMINATED], "terminated", agents) && make(&a[TRUNCATED], "truncated", agents) &&
              make(&a[ALIVE], "alive", agents) && make(&a[OBSERVATION], "observation", guard.row_bytes) &&
              make(&a[METRICS], "metrics", 4 * (uint64_t)guard.num_metrics);
  guard.before = malloc(guard.layout.state_bytes);
  guard.seen = malloc(guard.row_bytes);
  if (!made || !guard.before || !guard.seen) return false;
  return pfc_fill_params(guard.real, desc->params, desc->num_params, a[PARAMS].data) == PFC_OK;
}

bool pfc_guard_owns(uint64_t address) {
  const PfcArea* area = &guard.areas[STATE];
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
  PfcArea* area = &guard.areas[OBSERVATION];
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
    const char* entry = obs_entry_name(guard.rows, guard.real->num_obs_rows, index);
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
  guard.action_dims = layout->continuous_dims;
  for (int32_t i = 0; !layout->continuous_dims && i < PFC_MAX_ACTION_DIMS && layout->action_counts[i]; ++i)
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
  pfc_memory_watch(guard.areas, NUM_AREAS);
  guard.real = desc->spec;
  guard.mode = desc->spec->open ? PFC_GUARD_NONE : mode;
  guard.trace = desc->trace ? desc->trace : &guard.own_trace;
  uint64_t* params = calloc(1, desc->spec->params_bytes + 8);
  guard.rows = calloc((size_t)desc->spec->num_obs_rows, sizeof *guard.rows);
  const bool fits = params && guard.rows &&
                    pfc_fill_params(desc->spec, desc->params, desc->num_params, params) == PFC_OK &&
                    pfc_fill_layout(desc->spec, params, &guard.layout) == PFC_OK &&
                    pfc_fill_rows(desc->spec, params, &guard.layout, guard.rows) == PFC_OK;
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
    pfc_area_free(&guard.areas[i]);
  }
  free(guard.before);
  free(guard.seen);
  free(guard.rows);
  guard.before = guard.seen = NULL;
  guard.rows = NULL;
  guard.pool = NULL;
}

void pfc_guard_attach(PfcPool* pool) { guard.pool = pool; }

void pfc_guard_report_to(void (*report)(const PfcFinding*)) { guard.report = report; }

void pfc_guard_set_step(const char* stage, int64_t step) {
  if (!guard.trace) return;
  (void)snprintf(guard.trace->stage, sizeof guard.trace->stage, "%s", stage);
  guard.trace->step = step;
}
