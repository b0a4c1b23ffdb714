// run.c - see run.h.
#include "conformance/run.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_REPORTED = 128, MIN_STEPS = 40 };
static const double STAGE_BYTES = 25e6;  // approximate memory traffic of a stage over all its steps

// Static, see conformance.h.
PfcCheck pfc_check;
static uint64_t reported[MAX_REPORTED];  // hashes of codes and subjects
static int32_t num_reported;

// ---- findings ----------------------------------------------------------------------------------------------

void pfc_check_begin(const PfcCheckDesc* desc) {
  pfc_check = (PfcCheck){.desc = desc};
  num_reported = 0;
}

static uint64_t key_of(const char* code, const char* subject) {
  return pfc_checksum(code, strlen(code)) * 31 + pfc_checksum(subject, strlen(subject));
}

static bool was_reported(const char* code, const char* subject) {
  for (int32_t i = 0; i < num_reported; ++i)
    if (reported[i] == key_of(code, subject)) return true;
  return false;
}

// Whether a finding is a consequence of one that was reported. Only the cause is reported.
static bool follows(const char* code, const char* subject) {
  static const char* const consequences[][2] = {
      {"observation_constant", "observation_unwritten"},
      {"observation_constant", "observation_not_finite"},
      {"observation_large", "observation_range"},
      {"reset_clears", "seed_repeats"},
      {"position", "seed_repeats"},
      {"threads", "seed_repeats"},
      {"snapshot", "seed_repeats"},
      {"seed_without_effect", "rng_overwritten"},
      {"script_changes_game", "looking_changes_state"},
      {"agent_twin", "observation_zero"},
  };
  for (size_t i = 0; i < sizeof consequences / sizeof consequences[0]; ++i) {
    if (strcmp(consequences[i][0], code) != 0) continue;
    const char* cause = consequences[i][1];
    if (was_reported(cause, subject) || was_reported(cause, "reset")) return true;
  }
  return false;
}

// Reports a finding unless its cause, or a finding with the same code and subject, was reported before.
void pfc_check_report(const PfcFinding* finding) {
  if (was_reported(finding->code, finding->subject) || follows(finding->code, finding->subject)) return;
  if (num_reported == MAX_REPORTED) return;
  reported[num_reported++] = key_of(finding->code, finding->subject);
  pfc_check.desc->report(pfc_check.desc->context, finding);
}

void pfc_check_find(PfcSeverity severity, const char* code, const char* subject, int64_t game, int64_t step,
                    const char* seen) {
  PfcFinding finding = {
      .severity = severity, .code = code, .subject = subject, .game = game, .agent = -1, .step = step};
  (void)snprintf(finding.seen, sizeof finding.seen, "%s", seen);
  pfc_check_report(&finding);
}

// ---- pools and their players -------------------------------------------------------------------------------

int32_t pfc_check_games(int32_t wanted, int32_t pools) {
  const int32_t max_games = pfc_check.desc->spec->max_games;
  return max_games && wanted > max_games / pools ? PFC_MAX(max_games / pools, 1) : wanted;
}

PfcPoolDesc pfc_check_pool(int32_t games, uint64_t seed) {
  PfcPoolDesc desc = {.spec = pfc_check.spec,
                      .num_games = games,
                      .seed = seed,
                      .params = pfc_check.desc->params,
                      .num_params = pfc_check.desc->num_params};
  desc.data = pfc_guard_data(&desc.data_bytes);
  return desc;
}

PfcPlayer pfc_player_open(const PfcPoolDesc* desc) {
  PfcPlayer p = {.pool = pfc_pool_create(desc)};
  if (!p.pool) return p;
  p.b = pfc_pool_buffers(p.pool);
  p.actions = calloc((size_t)p.b->rows * (size_t)p.b->action_dims, 4);
  if (p.actions) return p;
  pfc_pool_destroy(p.pool);
  return (PfcPlayer){0};
}

void pfc_player_close(PfcPlayer* p) {
  pfc_guard_attach(NULL);
  pfc_pool_destroy(p->pool);
  free(p->actions);
  *p = (PfcPlayer){0};
}

void pfc_player_reset(PfcPlayer* p, const char* stage, const PfcResetDesc* desc) {
  pfc_guard_attach(p->pool);
  pfc_guard_set_step(stage, 0);
  (void)pfc_pool_reset(p->pool, desc);
}

void pfc_player_act(PfcPlayer* p, const char* stage, int64_t step) {
  pfc_guard_attach(p->pool);
  pfc_guard_set_step(stage, step);
  (void)pfc_pool_step(p->pool, p->actions, action_dtype(p->b), NULL);
}

void pfc_player_step(PfcPlayer* p, const char* stage, int64_t step) {
  fill_actions(p->b, 77, step, p->actions);
  pfc_player_act(p, stage, step);
}

void pfc_player_script(PfcPlayer* p, const char* stage, int64_t step, void* actions) {
  pfc_guard_attach(p->pool);
  pfc_guard_set_step(stage, step);
  const PfcScriptDesc desc = {.level = (int32_t)(step % pfc_check.spec->num_levels),
                              .num_rows = p->b->rows,
                              .seed = 77,
                              .step = (uint64_t)step,
                              .actions = actions};
  (void)pfc_pool_script(p->pool, &desc);
}

int32_t pfc_player_steps(const PfcPlayer* p, int32_t games, int32_t max_steps) {
  const double bytes =
      (double)p->pool->games.state_stride + (double)p->b->agents * (12.0 * (double)p->b->obs_bytes + 64.0);
  const double steps = STAGE_BYTES / (bytes * games);
  return steps > max_steps ? max_steps : steps < MIN_STEPS ? MIN_STEPS : (int32_t)steps;
}
