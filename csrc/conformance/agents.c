// agents.c - see agents.h.
#include "conformance/agents.h"

#include <stdio.h>
#include <string.h>

#include "conformance/run.h"

enum { MIN_STEPS = 200, MIN_REWARDS = 100, CHANGED_AGENTS = 8, SHORT_STEPS = 200, LONG_STEPS = 1500 };

static struct {
  int32_t agents;                          // watched
  int64_t steps[PFC_WATCHED_AGENTS];       // after which the agent's episode went on
  int64_t alive[PFC_WATCHED_AGENTS];       // and after which it was alive
  int64_t rewards[PFC_WATCHED_AGENTS];     // other than 0
  int64_t compared[PFC_WATCHED_AGENTS][PFC_WATCHED_AGENTS];  // observations of two agents, both alive
  bool differ[PFC_WATCHED_AGENTS][PFC_WATCHED_AGENTS];
} watched;

// ---- watching ----------------------------------------------------------------------------------------------

void pfc_agents_begin(void) { memset(&watched, 0, sizeof watched); }

static void compare_agents(const PfcBuffers* b, int64_t first) {
  for (int32_t i = 0; i < watched.agents; ++i) {
    for (int32_t k = i + 1; k < watched.agents; ++k) {
      if (watched.differ[i][k] || !b->alive[first + i] || !b->alive[first + k]) continue;
      const unsigned char* one = obs_row(b->observations, b, first + i);
      watched.differ[i][k] = memcmp(one, obs_row(b->observations, b, first + k), b->obs_bytes) != 0;
      watched.compared[i][k] += 1;
    }
  }
}

void pfc_agents_watch(const PfcPool* pool, int64_t step) {
  const PfcBuffers* b = pfc_pool_buffers(pool);
  watched.agents = PFC_MIN(b->agents, PFC_WATCHED_AGENTS);
  for (int64_t first = 0; first < b->rows; first += b->agents) {
    compare_agents(b, first);
    for (int32_t agent = 0; step > 0 && agent < watched.agents; ++agent) {
      const int64_t row = first + agent;
      watched.rewards[agent] += b->rewards[row] != 0.0f;
      if (row_ended(b, row)) continue;  // the pool has made it alive again
      watched.steps[agent] += 1;
      watched.alive[agent] += b->alive[row];
    }
  }
}

// ---- conclusions -------------------------------------------------------------------------------------------

static void report(PfcSeverity severity, const char* code, const char* seen) {
  pfc_check_find(severity, code, "", -1, -1, seen);
}

static void conclude_alive(void) {
  int32_t dead = 0, first = -1;
  for (int32_t agent = watched.agents - 1; agent >= 0; --agent) {
    if (watched.steps[agent] < MIN_STEPS || watched.alive[agent] > 0) continue;
    ++dead;
    first = agent;
  }
  if (dead == 0) return;
  char seen[96];
  (void)snprintf(seen, sizeof seen, "agent %d was not alive after any of %lld steps", first,
                 (long long)watched.steps[first]);
  report(dead == watched.agents ? PFC_ERROR : PFC_WARNING, "agent_never_alive", seen);
}

static void conclude_rewards(void) {
  int64_t sum = 0;
  for (int32_t agent = 0; agent < watched.agents; ++agent) sum += watched.rewards[agent];
  for (int32_t agent = 0; agent < watched.agents; ++agent) {
    if (watched.rewards[agent] > 0 || sum < (int64_t)MIN_REWARDS * (watched.agents - 1)) continue;
    char seen[96];
    (void)snprintf(seen, sizeof seen, "every reward of agent %d was 0, those of other agents were not", agent);
    if (sum > 0) report(PFC_WARNING, "agent_reward_zero", seen);
    return;
  }
}

static void conclude_observations(void) {
  for (int32_t i = 0; i < watched.agents; ++i) {
    for (int32_t k = i + 1; k < watched.agents; ++k) {
      if (watched.differ[i][k] || watched.compared[i][k] < MIN_STEPS) continue;
      char seen[96];
      (void)snprintf(seen, sizeof seen, "agents %d and %d always had the same observation", i, k);
      report(PFC_WARNING, "agent_twin", seen);
      return;
    }
  }
}

void pfc_agents_conclude(void) {
  conclude_alive();
  conclude_rewards();
  conclude_observations();
}

// ---- actions -----------------------------------------------------------------------------------------------

// Hash of a run of random play in which agent `changed` gets other random actions; -1: no agent.
static uint64_t hash_of_run(int32_t changed, int32_t max_steps) {
  const PfcPoolDesc desc = pfc_check_pool(pfc_check_games(PFC_CHECK_GAMES, 1), 75);
  PfcPlayer p = pfc_player_open(&desc);
  uint64_t hash = 0;
  if (!p.pool) return hash;
  const int32_t steps = pfc_player_steps(&p, p.b->num_games, max_steps);
  pfc_player_reset(&p, "agents", NULL);
  for (int32_t t = 1; t <= steps; ++t) {
    fill_actions(p.b, 77, t, p.actions);
    for (int64_t row = changed; changed >= 0 && row < p.b->rows; row += p.b->agents)
      fill_row_actions(p.b, 78, t, row, row + 1, p.actions);
    pfc_player_act(&p, "agents", t);
    hash = hash_bytes(hash, p.b->observations, obs_total_bytes(p.b));
    hash = hash_bytes(hash, p.b->rewards, sizeof(float) * (uint64_t)p.b->rows);
    hash = hash_bytes(hash, p.b->terminated, (uint64_t)p.b->rows);
  }
  pfc_player_close(&p);
  return hash;
}

// Whether an agent's actions change a run. Short runs show it for most games; `unchanged` is the hash of the long run,
// made by the first agent that needs it.
static bool has_effect(int32_t agent, uint64_t unchanged_short, uint64_t* unchanged) {
  if (hash_of_run(agent, SHORT_STEPS) != unchanged_short) return true;
  if (*unchanged == 0) *unchanged = hash_of_run(-1, LONG_STEPS);
  return hash_of_run(agent, LONG_STEPS) != *unchanged;
}

void pfc_check_agents(void) {
  const PfcPoolDesc desc = pfc_check_pool(1, 1);
  PfcPlayer p = pfc_player_open(&desc);
  if (!p.pool) return;
  const int32_t agents = PFC_MIN(p.b->agents, CHANGED_AGENTS);
  pfc_player_close(&p);
  if (agents < 2) return;
  const uint64_t unchanged_short = hash_of_run(-1, SHORT_STEPS);
  uint64_t unchanged = 0;
  int32_t idle = 0, first = -1;
  for (int32_t agent = agents - 1; agent >= 0; --agent) {
    if (has_effect(agent, unchanged_short, &unchanged)) continue;
    ++idle;
    first = agent;
  }
  if (idle == 0 || idle == agents) return;  // then the checks of actions report it
  char seen[96];
  (void)snprintf(seen, sizeof seen, "the actions of agent %d changed nothing", first);
  report(PFC_WARNING, "agent_without_effect", seen);
}
