// flawed.c - see flawed.h. The game breaks the contract on purpose: it calls what the test gives it.
#define PFC_BUILDING_LIBRARY
#include "flawed.h"

#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

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

// ---- checking it -----------------------------------------------------------------------------------------

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
  found.status = pfc_check_game(&(PfcCheckDesc){.spec = &pfc_env_flawed,
                                                .params = params,
                                                .num_params = num_params,
                                                .trace = &trace,
                                                .report = keep,
                                                .context = &found});
  flaw_trace = NULL;
  return found;
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
