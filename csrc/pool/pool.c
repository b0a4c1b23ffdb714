// pool.c - creating and closing a pool, its memory, parameters and drawing. pool.h describes its parts.
#include "pool/pool.h"

#include <string.h>

#include "games/params.h"

// A block is large enough that scheduling it costs little, and small enough to stay in the L1 cache from step to
// observation. Each thread gets several blocks, so that others can take over if one block is slow.
enum { ROWS_PER_BLOCK = 256, MIN_ROWS_PER_BLOCK = 16, BLOCKS_PER_THREAD = 4 };

// ---- memory ------------------------------------------------------------------------------------------

static void carve_all(PfcPool* pool, PfcArena* arena) {
  const PfcBuffers* b = &pool->buffers;
  pfc_carve_games(&pool->games, arena);
  pool->obs_rows = pfc_carve(arena, b->num_obs_rows, sizeof(PfcObsRow));
  pool->teams = pfc_carve(arena, b->num_teams ? b->agents : 0, sizeof(int32_t));
  pool->groups = pfc_carve(arena, b->num_groups, sizeof(PfcGroup));
}

static PfcStatus allocate(PfcPool* pool) {
  PfcArena arena = {0};
  carve_all(pool, &arena);
  const uint64_t left = pfc_memory_left();
  if (arena.overflow || arena.used > left)
    return pfc_fail(PFC_NO_MEMORY, "num_games: %d games of %s need %.3g GB, but this machine has %.3g GB free",
                    pool->buffers.num_games, pool->spec->name, arena.overflow ? 1e10 : (double)arena.used / 1e9,
                    (double)left / 1e9);
  arena.base = pool->memory = pfc_alloc(arena.used);
  if (!pool->memory) return pfc_fail(PFC_NO_MEMORY, "num_games: no memory for %.3g GB", (double)arena.used / 1e9);
  arena.used = 0;
  carve_all(pool, &arena);
  return PFC_OK;
}

// ---- creation ----------------------------------------------------------------------------------------

static PfcStatus check_desc(const PfcPoolDesc* desc) {
  if (desc->num_games < 1 || desc->num_games > PFC_MAX_ROWS)
    return pfc_fail(PFC_INVALID, "num_games: expected 1 to %d, got %d", PFC_MAX_ROWS, desc->num_games);
  if (desc->spec->max_games && desc->num_games > desc->spec->max_games)
    return pfc_fail(PFC_INVALID, "num_games: expected 1 to %d games of %s, got %d; %s", desc->spec->max_games,
                    desc->spec->name, desc->num_games, desc->spec->limit_help);
  if (desc->num_threads < 0 || desc->num_threads > PFC_MAX_THREADS)
    return pfc_fail(PFC_INVALID, "num_threads: expected 1 to %d (0 = 1), got %d", PFC_MAX_THREADS, desc->num_threads);
  if (desc->num_groups < 0 || (desc->num_groups > 0 && desc->num_games % desc->num_groups != 0))
    return pfc_fail(PFC_INVALID, "num_groups: %d does not divide num_games %d", desc->num_groups, desc->num_games);
  if (desc->num_groups > PFC_MAX_GROUPS)
    return pfc_fail(PFC_INVALID, "num_groups: expected 1 to %d, got %d", PFC_MAX_GROUPS, desc->num_groups);
  if ((uint32_t)desc->autoreset > PFC_AUTORESET_NEXT_STEP)
    return pfc_fail(PFC_INVALID, "autoreset: expected 0 (same step), 1 (disabled) or 2 (next step), got %d",
                    (int)desc->autoreset);
  if (desc->data && !desc->spec->reset_from)
    return pfc_fail(PFC_UNSUPPORTED, "data: %s does not read data", desc->spec->name);
  if (!desc->data && desc->data_bytes)
    return pfc_fail(PFC_INVALID, "data: expected %llu bytes, got NULL", (unsigned long long)desc->data_bytes);
  return PFC_OK;
}

static void describe_actions(PfcPool* pool) {
  PfcBuffers* b = &pool->buffers;
  b->discrete = pool->layout.continuous_dims == 0;
  b->action_dims = pool->layout.continuous_dims;
  for (int32_t i = 0; b->discrete && i < PFC_MAX_ACTION_DIMS && pool->layout.action_counts[i]; ++i) {
    b->action_counts[i] = pool->layout.action_counts[i];
    b->num_choices += b->action_counts[i];
    ++b->action_dims;
  }
  b->mask_words = pool->layout.masked ? (b->num_choices + 31) / 32 : 0;
}

static PfcStatus describe(PfcPool* pool, const PfcPoolDesc* desc) {
  PfcBuffers* b = &pool->buffers;
  const PfcLayout* layout = &pool->layout;
  const int64_t rows = (int64_t)desc->num_games * layout->agents;
  if (rows > PFC_MAX_ROWS)
    return pfc_fail(PFC_INVALID, "num_games: expected 1 to %d games of %s with %d agents, got %d",
                    PFC_MAX_ROWS / layout->agents, pool->spec->name, layout->agents, desc->num_games);
  b->spec = pool->spec;
  b->num_games = desc->num_games;
  b->agents = layout->agents;
  b->rows = (int32_t)rows;
  b->num_groups = PFC_MAX(desc->num_groups, 1);
  b->obs_bytes = (uint64_t)pfc_dtype_bytes(pool->spec->obs_dtype);
  for (int32_t i = 0; i < PFC_MAX_OBS_DIMS && layout->obs_shape[i]; ++i, ++b->obs_dims) {
    b->obs_shape[i] = layout->obs_shape[i];
    b->obs_bytes *= (uint64_t)layout->obs_shape[i];
  }
  describe_actions(pool);
  while (b->num_metrics < PFC_MAX_METRICS && pool->spec->metrics[b->num_metrics]) ++b->num_metrics;
  b->num_obs_rows = pool->spec->num_obs_rows;
  b->num_teams = layout->teams;
  return PFC_OK;
}

// The sizes that a step needs.
static void size_games(PfcPool* pool) {
  const PfcBuffers* b = &pool->buffers;
  PfcGames* g = &pool->games;
  g->num_games = b->num_games;
  g->agents = b->agents;
  g->discrete = b->discrete;
  g->action_dims = b->action_dims;
  g->num_choices = b->num_choices;
  g->mask_words = b->mask_words;
  g->num_metrics = b->num_metrics;
  g->has_respawn = pool->spec->respawn != NULL;
  g->rng_offset = pool->spec->rng_offset;
  g->obs_bytes = b->obs_bytes;
  g->state_bytes = pool->layout.state_bytes;
  // The generated loops compare the stride with the size of the state struct. Larger states start on a cache line.
  g->state_stride = g->state_bytes;
  if (g->state_bytes != pool->spec->state_bytes)
    g->state_stride = (g->state_bytes + PFC_ALIGNMENT - 1) / PFC_ALIGNMENT * PFC_ALIGNMENT;
}

static void divide_work(PfcPool* pool, int32_t num_threads) {
  PfcBuffers* b = &pool->buffers;
  const int32_t group_games = b->num_games / b->num_groups;
  const int32_t by_rows = PFC_MAX(ROWS_PER_BLOCK / b->agents, 1);
  const int32_t shares = BLOCKS_PER_THREAD * num_threads;
  const int32_t by_threads = num_threads == 1 ? group_games : (group_games + shares - 1) / shares;
  const int32_t min_games = PFC_MAX(MIN_ROWS_PER_BLOCK / b->agents, 1);
  pool->games_per_block = PFC_MIN(by_rows, PFC_MAX(by_threads, min_games));
  for (int32_t g = 0; g < b->num_groups; ++g) {
    pool->groups[g].pool = pool;
    pool->groups[g].begin = g * group_games;
    pool->groups[g].end = (g + 1) * group_games;
    pool->groups[g].num_blocks = (group_games + pool->games_per_block - 1) / pool->games_per_block;
  }
}

static PfcStatus open_games(PfcPool* pool) {
  for (int32_t game = 0; pool->spec->open && game < pool->buffers.num_games; ++game) {
    if (!pool->spec->open(pfc_game_state(&pool->games, game), pool->games.params))
      return pfc_fail(pool->spec->max_games ? PFC_INVALID : PFC_NO_MEMORY,
                      "num_games: %s could open only %d games, not %d%s%s", pool->spec->name, game,
                      pool->buffers.num_games, pool->spec->max_games ? "; " : "",
                      pool->spec->max_games ? pool->spec->limit_help : "");
    pool->opened = game + 1;
  }
  return PFC_OK;
}

static void publish_buffers(PfcPool* pool) {
  PfcBuffers* b = &pool->buffers;
  b->observations = pool->games.observations[0];
  b->final_observations = pool->games.final_observations;
  b->rewards = pool->games.rewards;
  b->terminated = pool->games.terminated;
  b->truncated = pool->games.truncated;
  b->alive = pool->games.alive;
  b->action_mask = b->mask_words ? pool->games.action_mask : NULL;
  b->forced = b->mask_words ? pool->games.forced : NULL;
  b->obs_rows = pool->obs_rows;
  b->teams = b->num_teams ? pool->teams : NULL;
  b->episode_returns = pool->games.episode_returns;
  b->episode_lengths = pool->games.episode_lengths;
  b->episode_metrics = pool->games.episode_metrics;
}

static PfcStatus check_data(const PfcEnvSpec* spec, const void* params, const void* data, uint64_t data_bytes) {
  const char* reason = data ? spec->check_data(params, data, data_bytes) : NULL;
  return reason ? pfc_fail(PFC_INVALID, "data: %s", reason) : PFC_OK;
}

static PfcStatus take_data(PfcPool* pool, const PfcPoolDesc* desc) {
  if (!desc->data) return PFC_OK;
  const PfcStatus status = check_data(pool->spec, pool->games.params, desc->data, desc->data_bytes);
  if (status) return status;
  pool->games.data = desc->data;
  pool->games.data_bytes = desc->data_bytes;
  pool->data_checksum = pfc_checksum(desc->data, desc->data_bytes);
  return PFC_OK;
}

static PfcStatus build(PfcPool* pool, const PfcPoolDesc* desc) {
  const int32_t num_threads = PFC_MAX(desc->num_threads, 1);
  pool->games.autoreset = desc->autoreset;
  pool->generation = pfc_process_generation();
  PfcStatus status = PFC_NO_MEMORY;
  pool->games.params = pfc_alloc(pool->spec->params_bytes);
  if (!pool->games.params) return pfc_fail(status, "no memory for the parameters of %s", pool->spec->name);
  if ((status = pfc_fill_params(pool->spec, desc->params, desc->num_params, pool->games.params))) return status;
  if ((status = pfc_fill_layout(pool->spec, pool->games.params, &pool->layout))) return status;
  if ((status = take_data(pool, desc))) return status;
  if ((status = describe(pool, desc))) return status;
  size_games(pool);
  if ((status = allocate(pool))) return status;
  if ((status = pfc_fill_rows(pool->spec, pool->games.params, &pool->layout, pool->obs_rows))) return status;
  if ((status = pfc_fill_teams(pool->spec, pool->games.params, &pool->layout, pool->teams))) return status;
  publish_buffers(pool);
  divide_work(pool, num_threads);
  for (int32_t game = 0; game < desc->num_games; ++game) {
    pool->games.game_numbers[game] = desc->game_numbers ? desc->game_numbers[game] : (uint64_t)game;
    pfc_seed_game(&pool->games, game, desc->seed);
  }
  if ((status = open_games(pool))) return status;
  pool->workers = pfc_workers_create(num_threads, pool->buffers.num_groups);
  return pool->workers ? PFC_OK : PFC_NO_MEMORY;
}

PfcPool* pfc_pool_create(const PfcPoolDesc* given) {
  if (!given) {
    (void)pfc_fail(PFC_INVALID, "desc: expected a PfcPoolDesc, got NULL");
    return NULL;
  }
  PfcPoolDesc desc = *given;
  if (!desc.spec) desc.spec = pfc_env_find(desc.env);
  if (!desc.spec || pfc_env_validate(desc.spec) || check_desc(&desc)) return NULL;
  PfcPool* pool = pfc_alloc(sizeof *pool);
  if (!pool) {
    (void)pfc_fail(PFC_NO_MEMORY, "no memory for a pool");
    return NULL;
  }
  pool->spec = desc.spec;
  if (build(pool, &desc) == PFC_OK) return pool;
  pfc_pool_destroy(pool);
  return NULL;
}

static void end_games(PfcPool* pool) {
  pfc_workers_destroy(pool->workers);
  pool->workers = NULL;
  for (int32_t game = 0; game < pool->opened; ++game) pool->spec->close(pfc_game_state(&pool->games, game));
  pool->opened = 0;
}

PfcStatus pfc_pool_close(PfcPool* pool) {
  PfcStatus status = pfc_pool_enter(pool);
  if (status) return status == PFC_CLOSED ? PFC_OK : status;
  end_games(pool);
  pool->closed = true;
  pfc_pool_leave(pool);
  return PFC_OK;
}

void pfc_pool_destroy(PfcPool* pool) {
  if (!pool) return;
  end_games(pool);
  pfc_free(pool->memory);
  pfc_free(pool->games.params);
  pfc_free(pool);
}

PfcGames* pfc_pool_games(PfcPool* pool) { return &pool->games; }

const PfcBuffers* pfc_pool_buffers(const PfcPool* pool) { return pool ? &pool->buffers : NULL; }

double pfc_pool_param(const PfcPool* pool, int32_t index) {
  if (pool && index >= 0 && index < pool->spec->num_params)
    return pfc_read_param(pool->spec, pool->games.params, index);
  (void)pfc_fail(PFC_INVALID, "index: this pool has no parameter %d", index);
  return 0.0;
}

static PfcStatus set_param(PfcPool* pool, unsigned char* changed, const PfcParamValue* value) {
  bool same = true;
  memcpy(changed, pool->games.params, pool->spec->params_bytes);
  PfcStatus status = pfc_set_params(pool->spec, value, 1, changed);
  if (!status) status = pfc_same_tables(pool->spec, changed, &pool->layout, pool->obs_rows, pool->teams, &same);
  if (!status && !same)
    status = pfc_fail(PFC_INVALID, "%s: cannot change in a running pool, because its sizes, observation table or teams "
                      "depend on it", value->name);
  if (!status) status = check_data(pool->spec, changed, pool->games.data, pool->games.data_bytes);
  if (status) return status;
  memcpy(pool->games.params, changed, pool->spec->params_bytes);
  return PFC_OK;
}

PfcStatus pfc_pool_set_param(PfcPool* pool, const char* name, double value) {
  PfcStatus status = pfc_pool_enter(pool);
  if (status) return status;
  status = pfc_pool_expect_idle(pool);
  unsigned char* changed = status ? NULL : pfc_alloc(pool->spec->params_bytes);
  if (!status && !changed) status = pfc_fail(PFC_NO_MEMORY, "no memory for the parameters of %s", pool->spec->name);
  const PfcParamValue given = {name, value};
  if (!status) status = set_param(pool, changed, &given);
  pfc_free(changed);
  pfc_pool_leave(pool);
  return status;
}

// ---- reading -------------------------------------------------------------------------------------------

static void draw_game(const PfcPool* pool, int32_t game, const PfcDraw* draw) {
  const int64_t row = (int64_t)game * pool->layout.agents + draw->agent;
  PfcDraw with = *draw;
  with.steps = pool->games.running_lengths[row];
  with.episode_return = pool->games.running_returns[row];
  pool->spec->draw_one(pfc_game_state(&pool->games, game), pool->games.params, &with);
}

PfcStatus pfc_pool_draw(PfcPool* pool, int32_t game, const PfcDraw* draw) {
  PfcStatus status = pfc_pool_enter(pool);
  if (status) return status;
  status = pfc_pool_expect_started(pool);
  if (!status) status = pfc_pool_expect_idle(pool);
  if (!status && (game < 0 || game >= pool->buffers.num_games))
    status = pfc_fail(PFC_INVALID, "game: expected 0 to %d, got %d", pool->buffers.num_games - 1, game);
  if (!status && !draw) status = pfc_fail(PFC_INVALID, "draw: expected callbacks, got NULL");
  if (!status && (draw->agent < 0 || draw->agent >= pool->layout.agents))
    status = pfc_fail(PFC_INVALID, "agent: expected 0 to %d, got %d", pool->layout.agents - 1, draw->agent);
  if (!status) draw_game(pool, game, draw);
  pfc_pool_leave(pool);
  return status;
}
