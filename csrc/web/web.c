// web.c - see web.h.
#include "web/web.h"

#include <stdlib.h>
#include <string.h>

#include "conformance/trajectory.h"
#include "core/base.h"
#include "draw/grid.h"
#include "draw/picture.h"
#include "pufferc/policy.h"
#include "pufferc/style.h"

enum { MAX_PARAMS = 64 };

// One page runs one game, so its state is static.
static struct {
  PfcParamValue params[MAX_PARAMS];
  int32_t num_params;
  const void* data;
  uint32_t data_bytes;
  PfcPool* pool;
  const PfcBuffers* b;
  void* actions;   // [rows, action_dims]
  float* values;   // [rows]
  float* memory;   // [rows, state_size] of the policy
  uint8_t* ended;  // [rows] ended by the latest step, or absent in it
  uint64_t t;      // steps since the reset
  PfcPolicy* policy;
  PfcPicture picture;
  int64_t episodes;
} page;

void* web_alloc(uint32_t bytes) { return malloc(bytes); }
void web_free(void* memory) { free(memory); }
const char* web_error(void) { return pfc_last_error(); }

int32_t web_param(const char* name, double value) {
  if (page.num_params == MAX_PARAMS) return pfc_fail(PFC_INVALID, "params: expected at most %d", MAX_PARAMS);
  page.params[page.num_params++] = (PfcParamValue){name, value};
  return PFC_OK;
}

void web_data(const void* data, uint32_t bytes) { page.data = data, page.data_bytes = bytes; }
void web_clear(void) { page.num_params = 0, page.data = NULL, page.data_bytes = 0; }

// ---- the pool --------------------------------------------------------------------------------------------

static void close_pool(void) {
  pfc_pool_destroy(page.pool);
  free(page.actions);
  free(page.values);
  free(page.memory);
  free(page.ended);
  page.pool = NULL, page.b = NULL, page.actions = NULL, page.values = NULL, page.memory = NULL, page.ended = NULL;
}

// Memory of the policy for each row; all zeros at the start of an episode.
static PfcStatus make_memory(void) {
  free(page.memory);
  const size_t numbers = (size_t)page.b->rows * (size_t)pfc_policy_info(page.policy)->state_size;
  page.memory = calloc(numbers + 1, sizeof(float));
  return page.memory ? PFC_OK : pfc_fail(PFC_NO_MEMORY, "no memory for the policy's state");
}

int32_t web_open(int32_t games, uint64_t seed, int32_t autoreset) {
  const PfcPoolDesc desc = {.spec = &pfc_env_module, .num_games = games, .seed = seed, .params = page.params,
                            .num_params = page.num_params, .data = page.data, .data_bytes = page.data_bytes,
                            .autoreset = (PfcAutoreset)autoreset};
  close_pool();
  page.pool = pfc_pool_create(&desc);
  if (!page.pool) return pfc_last_status();
  page.b = pfc_pool_buffers(page.pool);
  const size_t rows = (size_t)page.b->rows;
  page.actions = calloc(rows * (size_t)page.b->action_dims + 1, sizeof(int32_t));
  page.values = calloc(rows, sizeof(float));
  page.ended = calloc(rows, 1);
  if (!page.actions || !page.values || !page.ended) return pfc_fail(PFC_NO_MEMORY, "no memory for %d games", games);
  return page.policy ? (int32_t)make_memory() : PFC_OK;
}

static void forget_ended(void) {
  if (page.policy)
    (void)pfc_policy_restart(page.policy, page.b->rows, page.ended, page.ended, page.memory);
}

int32_t web_reset(uint64_t seed) {
  const PfcResetDesc desc = {.has_seed = 1, .seed = seed};
  memset(page.ended, 1, (size_t)page.b->rows);
  forget_ended();
  memset(page.actions, 0, sizeof(int32_t) * (size_t)page.b->rows * (size_t)page.b->action_dims);
  page.t = 0;
  return pfc_pool_reset(page.pool, &desc);
}

int32_t web_restart(void) {
  const PfcBuffers* b = page.b;
  for (int32_t row = 0; row < b->rows; ++row) page.ended[row] = row_ended(b, row);
  const PfcResetDesc desc = {.mask = page.ended};
  forget_ended();
  return pfc_pool_reset(page.pool, &desc);
}

// ---- players -----------------------------------------------------------------------------------------------

int32_t web_policy(const void* data, uint32_t bytes) {
  pfc_policy_destroy(page.policy);
  page.policy = pfc_policy_parse(data, bytes, NULL);
  if (!page.policy) return pfc_last_status();
  const PfcStatus status = pfc_policy_check(page.policy, page.pool);
  if (!status) return make_memory();
  pfc_policy_destroy(page.policy);
  page.policy = NULL;
  return status;
}

int32_t web_act(int32_t player, uint64_t seed) {
  const PfcBuffers* b = page.b;
  if (player == WEB_RANDOM) {
    fill_actions(b, seed, (int64_t)page.t, page.actions);
    return PFC_OK;
  }
  if (player >= WEB_SCRIPT) {
    const PfcScriptDesc desc = {.level = player - WEB_SCRIPT, .num_rows = b->rows, .seed = seed, .step = page.t,
                                .actions = page.actions};
    return pfc_pool_script(page.pool, &desc);
  }
  if (!page.policy) return pfc_fail(PFC_STATE, "this page has no policy");
  const PfcPolicyDraw draw = {.greedy = player == WEB_GREEDY, .seed = seed, .step = page.t};
  return pfc_policy_act_masked(page.policy, b->observations, b->action_mask, b->rows, &draw, page.memory, page.actions,
                               page.values);
}

int32_t web_step(void) {
  const PfcBuffers* b = page.b;
  for (int32_t row = 0; row < b->rows; ++row) page.ended[row] = !b->alive[row];
  const PfcStatus status = pfc_pool_step(page.pool, page.actions, action_dtype(b), NULL);
  for (int32_t row = 0; row < b->rows; ++row) page.ended[row] |= row_ended(b, row);
  forget_ended();
  page.t += 1;
  return status;
}

int32_t web_run(int32_t player, uint64_t seed, int32_t steps) {
  int32_t status = PFC_OK;
  for (int32_t i = 0; i < steps && !status; ++i) {
    status = web_act(player, seed);
    if (!status) status = web_step();
  }
  return status;
}

const void* web_view(int32_t view) {
  const PfcBuffers* b = page.b;
  switch ((WebView)view) {
    case WEB_OBSERVATIONS: return b->observations;
    case WEB_ACTIONS: return page.actions;
    case WEB_REWARDS: return b->rewards;
    case WEB_TERMINATED: return b->terminated;
    case WEB_TRUNCATED: return b->truncated;
    case WEB_ALIVE: return b->alive;
    case WEB_ACTION_MASK: return b->action_mask;
    case WEB_FORCED: return b->forced;
    case WEB_EPISODE_RETURNS: return b->episode_returns;
    case WEB_EPISODE_LENGTHS: return b->episode_lengths;
    case WEB_EPISODE_METRICS: return b->episode_metrics;
    case WEB_VALUES: return page.values;
  }
  return NULL;
}

double web_score(void) {
  double values[2 + PFC_MAX_METRICS];
  const PfcStatus status = pfc_pool_pop_metrics(page.pool, &page.episodes, values);
  return status ? 0.0 : values[page.b->num_metrics > 0 ? 2 : 0];
}

int32_t web_episodes(void) { return (int32_t)page.episodes; }

// ---- pictures ------------------------------------------------------------------------------------------------

const uint32_t* web_draw(int32_t width_px, int32_t height_px, int32_t agent) {
  if (width_px < PFC_DRAW_MIN_SIDE_PX || height_px < PFC_DRAW_MIN_SIDE_PX || width_px > PFC_DRAW_MAX_SIDE_PX ||
      height_px > PFC_DRAW_MAX_SIDE_PX)
    return NULL;
  if (pfc_picture_begin(&page.picture, width_px, height_px, pfc_rgb(PFC_PAGE))) return NULL;
  const PfcDrawCell cell = {0.0f, 0.0f, (float)width_px, (float)height_px};
  PfcDraw draw = *pfc_picture_draw(&page.picture, cell);
  draw.agent = agent;
  return pfc_pool_draw(page.pool, 0, &draw) ? NULL : page.picture.canvas.pixels;
}

double web_aspect(void) {
  float width, height;
  return pfc_world_size(page.pool, 0, &width, &height) ? 0.0 : (double)(width / height);
}

// ---- the golden hash -------------------------------------------------------------------------------------------

uint64_t web_hash(int32_t steps) {
  uint64_t* hashes = calloc((size_t)page.b->num_games, sizeof(uint64_t));
  uint64_t hash = 0;
  if (!hashes || hash_trajectory(page.pool, steps, page.actions, hashes, &hash)) hash = 0;
  free(hashes);
  return hash;
}
