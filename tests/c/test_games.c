// test_games.c - see test_games.h. Compiled like built-in games, several in one file. gate and vault break
// the contract on purpose (globals, waiting), because tests inspect them and pause their steps.
#define PFC_BUILDING_LIBRARY
#include "test_games.h"

#include <stdlib.h>
#include <time.h>

#include "pufferc/env.h"

static void draw_nothing(const PfcDraw* d) {
  d->begin(d->context, 1.0f, 1.0f, pfc_rgb(0));
  d->end(d->context);
}

// ---- squad -------------------------------------------------------------------------------------------

#define SQUAD_PARAMS(X)                                                          \
  X(int, max_steps, 50, 0, PFC_MAX_STEPS, "steps until truncation; 0 = never")   \
  X(float, fall_chance, 0.1f, 0.0f, 1.0f, "chance of each agent to fall in a step") \
  X(int, own_limit, 0, 0, 1000, "the game itself truncates agent 2 after so many steps; 0 = never")
PFC_DEFINE_PARAMS(squad, SquadParams, SQUAD_PARAMS)

typedef struct Squad {
  PfcRng rng;
  int32_t steps, fallen;  // fallen: bit per agent
  int32_t actions[2 * SQUAD_AGENTS];
} Squad;

static const PfcObsRow squad_obs[] = {
    PFC_OBS("agent", 1, 0, SQUAD_AGENTS - 1, "row in its game"),
    PFC_OBS("standing", 1, 0, 1, "1 until the agent falls"),
    PFC_OBS("steps", 1, 0, 1e9f, "steps of the episode"),
    PFC_OBS("actions", 2, -1, 2, "of the latest step"),
};

PFC_FN void squad_reset(Squad* s, const SquadParams* p) {
  (void)p;
  for (int32_t i = 0; i < 2 * SQUAD_AGENTS; ++i) s->actions[i] = -1;
}

// Agent i gets a reward of i + 1 per step while it stands. When the last one falls, the episode ends.
PFC_FN void squad_step(Squad* s, const SquadParams* p, PfcIo io) {
  s->steps += 1;
  for (int32_t i = 0; i < SQUAD_AGENTS; ++i) {
    s->actions[2 * i] = io.actions[2 * i];
    s->actions[2 * i + 1] = io.actions[2 * i + 1];
    if (s->fallen >> i & 1) continue;
    io.rewards[i] = (float)(i + 1);
    if (pfc_rng_float(&s->rng) >= p->fall_chance) continue;
    s->fallen |= 1 << i;
    io.alive[i] = 0;
    if (s->fallen == (1 << SQUAD_AGENTS) - 1) io.terminated[i] = 2;  // the pool normalises flags to 0 and 1
  }
  if (p->own_limit > 0 && s->steps >= p->own_limit) io.truncated[2] = 2;
}

PFC_FN void squad_observe(const Squad* s, const SquadParams* p, int32_t agent, SquadObs* obs) {
  (void)p;
  obs->agent = agent;
  obs->standing = !(s->fallen >> agent & 1);
  obs->steps = s->steps;
  obs->first = s->actions[2 * agent];
  obs->second = s->actions[2 * agent + 1];
}

PFC_FN void squad_metrics(const Squad* s, const SquadParams* p, int32_t agent, float* values) {
  (void)p;
  if (s->fallen >> agent & 1) values[1] = 1.0f;  // metrics other than the score are preset to 0
}

static void squad_draw(const Squad* s, const SquadParams* p, const PfcDraw* d) {
  (void)s, (void)p;
  draw_nothing(d);
}

PFC_DEFINE_ENV(squad, Squad, .title = "Squad", .summary = "agents fall one by one", .version = 1,
               .obs_dtype = PFC_INT32, .sizes = {.agents = SQUAD_AGENTS, .action_counts = {3, 2}},
               .obs_rows = squad_obs, .num_obs_rows = 4, .metrics = {"score", "fallen"})

// ---- drift -------------------------------------------------------------------------------------------

#define DRIFT_PARAMS(X) X(int, max_steps, 0, 0, PFC_MAX_STEPS, "steps until truncation; 0 = never")
PFC_DEFINE_PARAMS(drift, DriftParams, DRIFT_PARAMS)

typedef struct Drift {
  PfcRng rng;
  float first, second, sum;
} Drift;

static const PfcObsRow drift_obs[] = {
    PFC_OBS("controls", 2, -1, 1, "as the game received them"),
    PFC_OBS("sum", 1, -PFC_INFINITY, PFC_INFINITY, "of all controls so far"),
};

PFC_FN void drift_reset(Drift* s, const DriftParams* p) { (void)s, (void)p; }

PFC_FN void drift_step(Drift* s, const DriftParams* p, PfcIo io) {
  (void)p;
  s->first = io.controls[0];
  s->second = io.controls[1];
  s->sum += s->first + s->second;
}

PFC_FN void drift_observe(const Drift* s, const DriftParams* p, int32_t agent, DriftObs* obs) {
  (void)p, (void)agent;
  obs->first = s->first;
  obs->second = s->second;
  obs->sum = s->sum;
}

PFC_FN void drift_metrics(const Drift* s, const DriftParams* p, int32_t agent, float* values) {
  (void)s, (void)p, (void)agent, (void)values;
}

static void drift_draw(const Drift* s, const DriftParams* p, const PfcDraw* d) {
  (void)s, (void)p;
  draw_nothing(d);
}

PFC_DEFINE_ENV(drift, Drift, .title = "Drift", .summary = "two controls", .version = 1, .obs_dtype = PFC_FLOAT32,
               .sizes = {.continuous_dims = 2}, .obs_rows = drift_obs, .num_obs_rows = 2, .metrics = {"score"})

// ---- vault -------------------------------------------------------------------------------------------

_Atomic int vault_open_now = 0, vault_limit = 1000000;

#define VAULT_PARAMS(X) X(int, max_steps, 5, 0, PFC_MAX_STEPS, "steps until truncation; 0 = never")
PFC_DEFINE_PARAMS(vault, VaultParams, VAULT_PARAMS)

typedef struct Vault {
  PfcRng rng;
  int32_t* gold;  // owned, from open to close
} Vault;

typedef struct VaultObs {
  int32_t gold;
} VaultObs;

static const PfcObsRow vault_obs[] = {
    PFC_OBS("gold", 1, 0, 1e9f, "steps since the vault was opened, over all episodes")};

static bool vault_open(void* state, const void* params) {
  (void)params;
  Vault* s = (Vault*)state;
  if (vault_open_now >= vault_limit) return false;
  s->gold = (int32_t*)calloc(1, sizeof *s->gold);
  vault_open_now += s->gold != NULL;
  return s->gold != NULL;
}

static void vault_close(void* state) {
  free(((Vault*)state)->gold);
  vault_open_now -= 1;
}

PFC_FN void vault_reset(Vault* s, const VaultParams* p) { (void)s, (void)p; }

PFC_FN void vault_step(Vault* s, const VaultParams* p, PfcIo io) {
  (void)p, (void)io;
  *s->gold += 1;
}

PFC_FN void vault_observe(const Vault* s, const VaultParams* p, int32_t agent, VaultObs* obs) {
  (void)p, (void)agent;
  obs->gold = *s->gold;
}

PFC_FN void vault_metrics(const Vault* s, const VaultParams* p, int32_t agent, float* values) {
  (void)s, (void)p, (void)agent, (void)values;
}

static void vault_draw(const Vault* s, const VaultParams* p, const PfcDraw* d) {
  (void)s, (void)p;
  draw_nothing(d);
}

PFC_DEFINE_ENV(vault, Vault, .title = "Vault", .summary = "owns memory outside its state", .version = 1,
               .obs_dtype = PFC_INT32, .sizes = {.action_counts = {2}}, .open = vault_open, .close = vault_close,
               .obs_rows = vault_obs, .num_obs_rows = 1, .metrics = {"score"})

// ---- gate --------------------------------------------------------------------------------------------

_Atomic int gate_shut = 0, gate_waiting = 0;

#define GATE_PARAMS(X) X(int, max_steps, 0, 0, PFC_MAX_STEPS, "steps until truncation; 0 = never")
PFC_DEFINE_PARAMS(gate, GateParams, GATE_PARAMS)

typedef struct Gate {
  PfcRng rng;
  int32_t steps;
} Gate;

static const PfcObsRow gate_obs[] = {PFC_OBS("steps", 1, 0, 1e9f, "steps of the episode")};

PFC_FN void gate_reset(Gate* s, const GateParams* p) { (void)s, (void)p; }

PFC_FN void gate_step(Gate* s, const GateParams* p, PfcIo io) {
  (void)p, (void)io;
  const struct timespec moment = {0, 100000};
  s->steps += 1;
  gate_waiting += 1;
  while (gate_shut) nanosleep(&moment, NULL);
  gate_waiting -= 1;
}

PFC_FN void gate_observe(const Gate* s, const GateParams* p, int32_t agent, GateObs* obs) {
  (void)p, (void)agent;
  obs->steps = s->steps;
}

PFC_FN void gate_metrics(const Gate* s, const GateParams* p, int32_t agent, float* values) {
  (void)s, (void)p, (void)agent, (void)values;
}

static void gate_draw(const Gate* s, const GateParams* p, const PfcDraw* d) {
  (void)s, (void)p;
  draw_nothing(d);
}

PFC_DEFINE_ENV(gate, Gate, .title = "Gate", .summary = "waits in its step", .version = 1, .obs_dtype = PFC_INT32,
               .sizes = {.action_counts = {1}}, .obs_rows = gate_obs, .num_obs_rows = 1, .metrics = {"score"})
