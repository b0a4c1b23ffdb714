// guard.c - see guard.h. Each buffer has its own area (memory.h).
#include "conformance/guard.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "conformance/choices.h"
#include "conformance/float_mode.h"
#include "conformance/memory.h"
#include "conformance/play.h"
#include "games/layout.h"
#include "games/params.h"
#include "pool/pool.h"

enum { FIRST_FILL = 0x00, SECOND_FILL = 0xa4 };  // of observations and actions before a game writes them

enum {
  STATE,
  PARAMS,
  ACTIONS,
  REWARDS,
  TERMINATED,
  TRUNCATED,
  ALIVE,
  OBSERVATION,
  METRICS,
  MASK,
  GENERATOR,
  CHOICES,
  DATA,
  NUM_AREAS
};

// The current check. Static, because a spec's functions get no context; see conformance.h.
static struct {
  const PfcEnvSpec* real;
  PfcEnvSpec spec;
  PfcGuardMode mode;
  PfcLayout layout;
  int32_t action_dims, num_metrics;
  uint64_t row_bytes;  // of one observation
  PfcChoices choices;
  PfcObsRow* rows;     // [real->num_obs_rows] the observation table for these parameters
  PfcArea areas[NUM_AREAS];
  unsigned char* params;  // [real->params_bytes] as they must stay
  uint32_t float_mode;    // before the current call
  unsigned char* before;  // [layout.state_bytes] the state before a call that must not change it
  unsigned char* seen;    // an observation, a mask or actions, for comparison
  const void* data;       // [data_bytes]
  uint64_t data_bytes;
  PfcTrace* trace;
  PfcTrace own_trace;  // used if the caller gives none
  void (*report)(const PfcFinding*);
  PfcPool* pool;      // the pool that runs the spec; NULL = unknown
  const void* stack;  // an address on the stack of the checking thread
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
              make(&a[METRICS], "metrics", 4 * (uint64_t)guard.num_metrics) &&
              make(&a[MASK], "mask", (uint64_t)guard.choices.num_choices) &&
              make(&a[GENERATOR], "generator", sizeof(PfcRng)) && make(&a[CHOICES], "choices", 4 * dims);
  guard.params = calloc(1, guard.real->params_bytes + 8);
  guard.before = malloc(guard.layout.state_bytes);
  guard.seen = malloc(PFC_MAX(guard.row_bytes, PFC_MAX((uint64_t)guard.choices.num_choices, 4 * dims)));
  if (!made || !guard.params || !guard.before || !guard.seen) return false;
  if (pfc_fill_params(guard.real, desc->params, desc->num_params, guard.params) != PFC_OK) return false;
  memcpy(a[PARAMS].data, guard.params, guard.real->params_bytes);
  return true;
}

bool pfc_guard_owns(uint64_t address) { return pfc_area_holds(&guard.areas[STATE], address); }

bool pfc_guard_truncate_data(uint64_t bytes) {
  PfcArea* area = &guard.areas[DATA];
  pfc_area_free(area);
  if (!guard.data) return true;
  if (!pfc_area_make(area, "data", bytes, 1, guard.mode != PFC_GUARD_BEGIN)) return false;
  memcpy(area->data, guard.data, bytes);
  return pfc_area_protect(area);
}

const void* pfc_guard_data(uint64_t* bytes) {
  *bytes = guard.areas[DATA].bytes;
  return guard.areas[DATA].data;
}

// ---- findings about a call ----------------------------------------------------------------------------------

// Index of the game that has this state.
static int64_t game_of(const void* state) {
  if (!guard.pool || !state) return -1;
  return ((const unsigned char*)state - guard.pool->games.states) / (int64_t)guard.pool->games.state_stride;
}

void pfc_guard_enter(const char* function, int64_t game, int64_t agent) {
  PfcTrace* t = guard.trace;
  (void)snprintf(t->function, sizeof t->function, "%s", function);
  t->game = game;
  t->agent = agent;
  ++t->calls;
}

void pfc_guard_leave(void) { guard.trace->function[0] = '\0'; }

static void enter(const char* function, const void* state, int64_t agent) {
  pfc_guard_enter(function, game_of(state), agent);
  guard.float_mode = pfc_float_mode();
}

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

// Reports a call that changed the parameters, and undoes the change.
static void check_params(const char* function) {
  PfcArea* area = &guard.areas[PARAMS];
  if (guard.mode == PFC_GUARD_NONE || memcmp(guard.params, area->data, area->bytes) == 0) return;
  char seen[96];
  (void)snprintf(seen, sizeof seen, "%s changed the parameters, which all games share", function);
  find("params_written", function, seen);
  memcpy(area->data, guard.params, area->bytes);
}

// Reports a call that left another rounding mode, or denormals flushed to zero, and undoes it.
static void check_float_mode(const char* function) {
  if (pfc_float_mode() == guard.float_mode) return;
  char seen[96];
  (void)snprintf(seen, sizeof seen, "%s left another floating-point mode in its thread", function);
  find("float_mode", function, seen);
  pfc_set_float_mode(guard.float_mode);
}

static void leave(void) {
  check_params(guard.trace->function);
  check_float_mode(guard.trace->function);
  pfc_guard_leave();
}

static void* in(int area, const void* from) { return memcpy(guard.areas[area].data, from, guard.areas[area].bytes); }

static void out(int area, void* to) { memcpy(to, guard.areas[area].data, guard.areas[area].bytes); }

// Reports a call that changed the state although it must not, and undoes the change.
static void expect_unchanged(const char* function, void* state) {
  if (memcmp(guard.before, state, guard.layout.state_bytes) == 0) return;
  uint64_t at = 0;
  while (guard.before[at] == ((unsigned char*)state)[at]) ++at;
  const uint64_t rng = guard.real->rng_offset;
  char seen[128];
  if (at >= rng && at < rng + sizeof(PfcRng))
    (void)snprintf(seen, sizeof seen, "%s changed the state: it drew a random number", function);
  else
    (void)snprintf(seen, sizeof seen, "%s changed the state at byte %llu", function, (unsigned long long)at);
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

static void check_stream(const void* state, PfcRng before, const char* function) {
  char seen[96];
  if (rng_of(state).increment == before.increment) return;
  (void)snprintf(seen, sizeof seen, "%s overwrote s->rng, the game's random number generator", function);
  find("rng_overwritten", function, seen);
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
  check_stream(state, before, "reset");
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

// No word of a state may be an address in the data, which may be mapped elsewhere next time.
static void check_kept_data(const unsigned char* state, const char* function) {
  for (uint64_t at = 0; at + 8 <= guard.layout.state_bytes; at += 8) {
    uint64_t word;
    memcpy(&word, state + at, 8);
    if (!pfc_area_holds(&guard.areas[DATA], word)) continue;
    char seen[128];
    (void)snprintf(seen, sizeof seen, "%s stored an address of the data at byte %llu of the state", function,
                   (unsigned long long)at);
    find("data_address", function, seen);
    return;
  }
}

static void reset_from(void* state, const void* params, const void* data, uint64_t data_bytes) {
  const PfcRng before = rng_of(state);
  enter("reset_from", state, -1);
  if (guard.mode == PFC_GUARD_NONE) {
    guard.real->reset_from(state, params, data, data_bytes);
  } else {
    guard.real->reset_from(in(STATE, state), params_of(params), data, data_bytes);
    out(STATE, state);
  }
  leave();
  check_stream(state, before, "reset_from");
  check_kept_data(state, "reset_from");
}

static void respawn_from(void* state, const void* params, int32_t agent, const void* data, uint64_t data_bytes) {
  enter("respawn_from", state, agent);
  if (guard.mode == PFC_GUARD_NONE) {
    guard.real->respawn_from(state, params, agent, data, data_bytes);
  } else {
    guard.real->respawn_from(in(STATE, state), params_of(params), agent, data, data_bytes);
    out(STATE, state);
  }
  leave();
  check_kept_data(state, "respawn_from");
}

static const char* check_data(const void* params, const void* data, uint64_t data_bytes) {
  enter("check_data", NULL, -1);
  const char* reason = guard.real->check_data(params_of(params), data, data_bytes);
  leave();
  return reason;
}

// A range of one game, in the guard's buffers or in place.
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

// Reports a step that changed its actions. They are copied anew for the next one.
static void check_actions(const int32_t* actions) {
  const PfcArea* area = &guard.areas[ACTIONS];
  if (memcmp(area->data, actions, area->bytes) != 0)
    find("actions_written", "step", "step changed io.actions or io.controls, which belong to the caller");
}

static void step_range(const PfcRange* r) {
  for (int32_t game = r->begin; game < r->end; ++game) {
    const int64_t row = (int64_t)game * r->agents;
    const PfcRange one = range_of_game(r, game);
    enter("step", r->states + (uint64_t)game * r->state_stride, -1);
    guard.real->step_range(&one);
    if (guard.mode != PFC_GUARD_NONE) {
      check_actions(r->io.actions + row * r->action_dims);
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

// Fills the guard's buffer with `fill` and observes one agent into it.
static const unsigned char* observe_into(const void* state, const void* params, int32_t agent, int fill) {
  PfcArea* area = &guard.areas[OBSERVATION];
  memset(area->data, fill, area->bytes);
  enter("observe", state, agent);
  guard.real->observe_one(guard.areas[STATE].data, params, agent, area->data);
  leave();
  return area->data;
}

// Compares two observations of one state, made in buffers with different fills. They differ in values that were not
// written, or that depend on something else than the state.
static void compare_observations(const unsigned char* second) {
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
      (void)snprintf(seen, sizeof seen, "two calls of observe on the same state gave different values of %s", entry);
    find(unwritten ? "observation_unwritten" : "observation_unrepeatable", entry, seen);
    return;
  }
}

static void observe_guarded(const void* state, const void* params, int32_t agent, void* obs) {
  memcpy(guard.before, state, guard.layout.state_bytes);
  in(STATE, state);
  memcpy(guard.seen, observe_into(state, params_of(params), agent, FIRST_FILL), guard.row_bytes);
  expect_unchanged("observe", guard.areas[STATE].data);
  compare_observations(observe_into(state, params_of(params), agent, SECOND_FILL));
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

// ---- masks and built-in players ----------------------------------------------------------------------------

// The mask of one agent, in the guard's buffer.
static const uint8_t* call_mask(const void* params, int32_t agent) {
  PfcArea* area = &guard.areas[MASK];
  memset(area->data, 0, area->bytes);
  guard.real->mask(guard.areas[STATE].data, params, agent, area->data);
  return area->data;
}

static void mask_guarded(const void* state, const void* params, int32_t agent, uint8_t* legal) {
  const size_t bytes = guard.areas[MASK].bytes;
  memcpy(guard.before, state, guard.layout.state_bytes);
  in(STATE, state);
  memcpy(guard.seen, call_mask(params_of(params), agent), bytes);
  expect_unchanged("mask", guard.areas[STATE].data);
  if (memcmp(guard.seen, call_mask(params_of(params), agent), bytes) != 0)
    find("mask_unrepeatable", "", "two calls of mask on the same state gave different masks");
  memcpy(legal, guard.seen, bytes);
}

static void mask(const void* state, const void* params, int32_t agent, uint8_t* legal) {
  enter("mask", state, agent);
  if (guard.mode == PFC_GUARD_NONE) guard.real->mask(state, params, agent, legal);
  else mask_guarded(state, params, agent, legal);
  leave();
  pfc_check_mask(&guard.choices, legal, find);
}

typedef struct ScriptCall {
  const void* params;
  int32_t agent, level;
  const PfcRng* rng;
} ScriptCall;

// Fills the guard's buffer with `fill` and lets the built-in player write its actions into it.
static const unsigned char* call_script(const ScriptCall* call, int fill) {
  PfcArea* area = &guard.areas[CHOICES];
  const bool discrete = guard.layout.continuous_dims == 0;
  void* rng = in(GENERATOR, call->rng);
  memset(area->data, fill, area->bytes);
  guard.real->script(guard.areas[STATE].data, call->params, call->agent, call->level, rng,
                     discrete ? (int32_t*)(void*)area->data : NULL, discrete ? NULL : (float*)(void*)area->data);
  return area->data;
}

static void script_guarded(const void* state, const ScriptCall* call, const char* name, void* actions) {
  const size_t bytes = guard.areas[CHOICES].bytes;
  memcpy(guard.before, state, guard.layout.state_bytes);
  in(STATE, state);
  memcpy(guard.seen, call_script(call, FIRST_FILL), bytes);
  expect_unchanged("script", guard.areas[STATE].data);
  const unsigned char* second = call_script(call, SECOND_FILL);
  for (size_t i = 0; i < bytes; ++i) {
    if (guard.seen[i] == second[i]) continue;
    char seen[128];
    const bool unwritten = guard.seen[i] == FIRST_FILL && second[i] == SECOND_FILL;
    (void)snprintf(seen, sizeof seen,
                   unwritten ? "%s did not write its action in dimension %d"
                             : "%s acted differently in the same state with the same generator, in dimension %d",
                   name, (int)(i / 4));
    find(unwritten ? "script_unwritten" : "script_unrepeatable", name, seen);
    break;
  }
  memcpy(actions, guard.seen, bytes);
}

// The pool's mask words of an agent of the game with this state; NULL without masks.
static const uint32_t* mask_of(const void* state, int32_t agent) {
  if (!guard.pool || !guard.pool->buffers.mask_words) return NULL;
  const PfcBuffers* b = &guard.pool->buffers;
  return b->action_mask + (game_of(state) * b->agents + agent) * b->mask_words;
}

static void script(const void* state, const void* params, int32_t agent, int32_t level, PfcRng* rng, int32_t* choices,
                   float* controls) {
  char name[sizeof guard.trace->function];
  (void)snprintf(name, sizeof name, "script level %d", level);
  enter(name, state, agent);
  if (guard.mode == PFC_GUARD_NONE) {
    guard.real->script(state, params, agent, level, rng, choices, controls);
  } else {
    const ScriptCall call = {params_of(params), agent, level, rng};
    script_guarded(state, &call, name, choices ? (void*)choices : (void*)controls);
  }
  leave();
  if (choices) pfc_check_choices(&guard.choices, name, mask_of(state, agent), choices, find);
  else pfc_check_controls(&guard.choices, name, controls, find);
}

// ---- opening and closing -----------------------------------------------------------------------------------

static void measure(void) {
  const PfcLayout* layout = &guard.layout;
  guard.choices = (PfcChoices){0};
  guard.action_dims = layout->continuous_dims;
  for (int32_t i = 0; !layout->continuous_dims && i < PFC_MAX_ACTION_DIMS && layout->action_counts[i]; ++i) {
    guard.choices.counts[i] = layout->action_counts[i];
    guard.choices.num_choices += layout->action_counts[i];
    ++guard.action_dims;
  }
  guard.choices.dims = guard.action_dims;
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
  if (guard.real->mask) guard.spec.mask = mask;
  if (guard.real->script) guard.spec.script = script;
  if (guard.real->check_data) guard.spec.check_data = check_data;
  if (guard.real->reset_from) guard.spec.reset_from = reset_from;
  if (guard.real->respawn_from) guard.spec.respawn_from = respawn_from;
}

void pfc_guard_begin(const PfcCheckDesc* desc) { guard.trace = desc->trace ? desc->trace : &guard.own_trace; }

const PfcEnvSpec* pfc_guard_open(const PfcCheckDesc* desc, PfcGuardMode mode) {
  pfc_guard_close();
  pfc_memory_watch(guard.areas, NUM_AREAS);
  guard.real = desc->spec;
  guard.mode = desc->spec->open ? PFC_GUARD_NONE : mode;
  guard.data = desc->data;
  guard.data_bytes = desc->data_bytes;
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
  if (!pfc_guard_truncate_data(desc->data_bytes) || (guard.mode != PFC_GUARD_NONE && !make_areas(desc))) {
    pfc_guard_close();
    return NULL;
  }
  return &guard.spec;
}

void pfc_guard_close(void) {
  for (int i = 0; i < NUM_AREAS; ++i) {
    pfc_area_free(&guard.areas[i]);
  }
  free(guard.params);
  free(guard.before);
  free(guard.seen);
  free(guard.rows);
  guard.params = guard.before = guard.seen = NULL;
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
