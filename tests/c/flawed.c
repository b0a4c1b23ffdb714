// flawed.c - see flawed.h. The game breaks the contract on purpose: it calls functions of the test.
#define PFC_BUILDING_LIBRARY
#include "flawed.h"

#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "pufferc/env.h"

Flaw flaw;
PfcTrace* flaw_trace;
static _Atomic int32_t visits;

#define FLAWED_PARAMS(X) X(int, max_steps, 0, 0, PFC_MAX_STEPS, "steps until truncation; 0 = never")
PFC_DEFINE_PARAMS(flawed, FlawedParams, FLAWED_PARAMS)

static const PfcObsRow flawed_obs[] = {
    PFC_OBS("x", 1, 0, 1, "where the agent is"),
    PFC_OBS("clock", 1, 0, 1, "of sixteen steps"),
    PFC_OBS("pair", 2, -2000, 2000, "the latest choice of the second dimension, and 1"),
};

static void flawed_reset(Flawed* s, const FlawedParams* p) {
  for (int i = 0; i < FLAWED_AGENTS; ++i) s->x[i] = flaw.dull ? 0.5f : pfc_rng_float(&s->rng);
  if (flaw.reset) flaw.reset(s, p);
}

static void flawed_step(Flawed* s, const FlawedParams* p, PfcIo io) {
  (void)p;
  s->age += 1;
  for (int i = 0; i < FLAWED_AGENTS; ++i) {
    const int32_t move = io.actions[FLAWED_DIMS * i];
    s->x[i] = pfc_clampf(s->x[i] + (move == 1 ? -0.03125f : move == 2 ? 0.03125f : 0.0f), 0.0f, 1.0f);
    s->pair[i] = (float)io.actions[FLAWED_DIMS * i + 1];
    io.rewards[i] = s->x[i] - 0.25f;
  }
  if (!flaw.endless && (flaw.dull ? s->age == 50 : pfc_rng_float(&s->rng) < 0.02f)) io.terminated[0] = 1;
  if (flaw.step) flaw.step(s, io);
}

static void flawed_observe(const Flawed* s, const FlawedParams* p, int32_t agent, FlawedObs* obs) {
  (void)p;
  *obs = (FlawedObs){s->x[agent], (float)(s->age % 16) / 16.0f, {s->pair[agent], 1.0f}};
  if (flaw.observe) flaw.observe(s, agent, obs);
}

PFC_FN void flawed_metrics(const Flawed* s, const FlawedParams* p, int32_t agent, float* values) {
  (void)p;
  values[1] = s->x[agent];
  if (flaw.metrics) flaw.metrics(s, values);
}

static void flawed_draw(const Flawed* s, const FlawedParams* p, const PfcDraw* d) {
  (void)p;
  if (flaw.draw) {
    flaw.draw(d);
    return;
  }
  d->begin(d->context, 4.0f, 2.0f, pfc_rgb(0));
  d->rect(d->context, 4.0f * s->x[0], 0.0f, 0.5f, 0.5f, pfc_rgb(0xffffff));
  d->end(d->context);
}

PFC_DEFINE_ENV(flawed, Flawed, .title = "Flawed", .summary = "sound until a test spoils it", .version = 1,
               .obs_dtype = PFC_FLOAT32, .sizes = {.agents = FLAWED_AGENTS, .action_counts = {3, 2}},
               .obs_rows = flawed_obs, .num_obs_rows = 3, .metrics = {"score", "perf"})

// ---- parts that a test adds ---------------------------------------------------------------------------------

static void flawed_mask(const void* state, const void* params, int32_t agent, uint8_t* legal) {
  (void)params;
  memset(legal, 1, FLAWED_CHOICES);
  flaw.mask(state, agent, legal);
}

static void flawed_script(const void* state, const void* params, int32_t agent, int32_t level, PfcRng* rng,
                          int32_t* choices, float* controls) {
  (void)params, (void)agent, (void)controls;
  choices[0] = choices[1] = 0;
  flaw.script(state, level, rng, choices);
}

static int32_t flawed_team(const void* params, int32_t agent) {
  (void)params;
  return flaw.team(agent);
}

static void flawed_fill_rows(const void* params, PfcObsRow* rows) {
  (void)params;
  flaw.fill_rows(rows);
}

static const PfcField flawed_fields[] = {PFC_STATE_FIELD(Flawed, age, PFC_INT32)};

static void flawed_field(const void* params, int32_t index, PfcField* field) {
  (void)params, (void)index;
  flaw.field(field);
}

static const uint8_t flawed_data[FLAWED_DATA] = {1, 2, 3, 4, 5, 6, 7, 8};

static const char* flawed_check_data(const void* params, const void* data, uint64_t data_bytes) {
  (void)params;
  if (data_bytes != FLAWED_DATA && !flaw.check_data) return "expected 24 bytes";
  return flaw.check_data ? flaw.check_data(data, data_bytes) : NULL;
}

static void flawed_reset_from(void* state, const void* params, const void* data, uint64_t data_bytes) {
  (void)data_bytes;
  flawed_reset(state, params);
  if (flaw.reset_from) flaw.reset_from(state, data);
}

static void flawed_respawn(void* state, const void* params, int32_t agent) {
  Flawed* s = state;
  (void)params;
  s->x[agent] = pfc_rng_float(&s->rng);
}

static void flawed_respawn_from(void* state, const void* params, int32_t agent, const void* data, uint64_t data_bytes) {
  (void)data_bytes;
  flawed_respawn(state, params, agent);
  flaw.respawn_from(state, data);
}

// The spec, with the optional parts that `flaw` uses.
static PfcEnvSpec flawed_spec(void) {
  PfcEnvSpec spec = pfc_env_flawed;
  if (flaw.mask) spec.mask = flawed_mask;
  if (flaw.script) spec.script = flawed_script, spec.num_levels = 2;
  if (flaw.team) spec.team = flawed_team, spec.sizes.teams = 2;
  if (flaw.fill_rows) spec.fill_rows = flawed_fill_rows;
  if (flaw.field) spec.field = flawed_field, spec.fields = flawed_fields, spec.num_fields = 1;
  if (flaw.reset_from || flaw.respawn_from || flaw.check_data)
    spec.check_data = flawed_check_data, spec.reset_from = flawed_reset_from;
  if (flaw.respawn_from) spec.respawn = flawed_respawn, spec.respawn_from = flawed_respawn_from;
  return spec;
}

// ---- running the check -----------------------------------------------------------------------------------

int32_t flaw_visit(const char* stage, int64_t step, int64_t game) {
  const bool here = strcmp(flaw_trace->stage, stage) == 0 && flaw_trace->step == step;
  return here && (game < 0 || flaw_trace->game == game) ? atomic_fetch_add(&visits, 1) + 1 : 0;
}

static void keep(void* context, const PfcFinding* finding) {
  Found* found = context;
  if (found->count == FLAWED_FOUND) return;
  found->findings[found->count] = *finding;
  (void)snprintf(found->subjects[found->count], sizeof found->subjects[0], "%s", finding->subject);
  found->count += 1;
}

Found flaw_check(Flaw spoiled, const PfcParamValue* params, int32_t num_params) {
  PfcTrace trace = {0};
  Found found = {0};
  flaw = spoiled;
  flaw_trace = &trace;
  atomic_store(&visits, 0);
  const PfcEnvSpec spec = flawed_spec();
  PfcCheckDesc desc = {.spec = &spec,
                       .params = params,
                       .num_params = num_params,
                       .trace = &trace,
                       .report = keep,
                       .context = &found};
  if (spec.reset_from) desc.data = flawed_data, desc.data_bytes = FLAWED_DATA;
  found.status = pfc_check_game(&desc);
  flaw_trace = NULL;
  return found;
}

static void ignore(void* context, const PfcFinding* finding) { (void)context, (void)finding; }

int flaw_crash(Flaw spoiled, PfcTrace* trace) {
  PfcTrace* shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (shared == MAP_FAILED) return -1;
  fflush(NULL);
  const pid_t child = fork();
  if (child == 0) {
    flaw = spoiled;
    flaw_trace = shared;
    const PfcEnvSpec spec = flawed_spec();
    PfcCheckDesc desc = {.spec = &spec, .trace = shared, .catch_signals = 1, .report = ignore};
    if (spec.reset_from) desc.data = flawed_data, desc.data_bytes = FLAWED_DATA;
    (void)pfc_check_game(&desc);
    _exit(0);
  }
  int status = 0;
  if (child < 0 || waitpid(child, &status, 0) != child) return -1;
  *trace = *shared;
  (void)munmap(shared, sizeof *shared);
  return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

const PfcFinding* found_find(const Found* found, const char* code, const char* subject) {
  for (int32_t i = 0; i < found->count; ++i)
    if (strcmp(found->findings[i].code, code) == 0 && (!subject || strcmp(found->subjects[i], subject) == 0))
      return &found->findings[i];
  return NULL;
}

static bool print(const Found* found) {
  for (int32_t i = 0; i < found->count; ++i) {
    const PfcFinding* f = &found->findings[i];
    fprintf(stderr, "  found: %s (%s), game %lld, agent %lld, step %lld: %s\n", f->code, found->subjects[i],
            (long long)f->game, (long long)f->agent, (long long)f->step, f->seen);
  }
  return false;
}

bool found_is(const Found* found, const char* code, const char* subject, int64_t game, int64_t step,
              const char* words) {
  const PfcFinding* f = found_find(found, code, subject);
  return (f && f->game == game && f->step == step && strstr(f->seen, words)) || print(found);
}

bool found_only(const Found* found, int32_t count) {
  const bool speed = found_find(found, "speed", "") != NULL;
  return (found->status == PFC_OK && speed && found->count == count + 1) || print(found);
}
