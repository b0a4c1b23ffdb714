// test_check_agents.c - findings of `pufferc check` about agents that do not matter.
#include <string.h>

#include "check.h"
#include "flawed.h"
#include "pufferc/env.h"

static void die(Flawed* s, PfcIo io) {
  (void)s;
  io.alive[1] = 0;
}

static void die_all(Flawed* s, PfcIo io) {
  (void)s;
  io.alive[0] = io.alive[1] = 0;
}

static void die_late(Flawed* s, PfcIo io) { io.alive[1] = s->age < 2; }

static void test_alive(void) {
  Found found = flaw_check((Flaw){.step = die}, NULL, 0);
  CHECK(found_is(&found, "agent_never_alive", "", -1, -1, "agent 1 was not alive after any of "));
  CHECK(found_find(&found, "agent_never_alive", "")->severity == PFC_WARNING);
  found = flaw_check((Flaw){.step = die_all}, NULL, 0);
  CHECK(found_is(&found, "agent_never_alive", "", -1, -1, "agent 0 was not alive after any of "));
  CHECK(found_find(&found, "agent_never_alive", "")->severity == PFC_ERROR);
  found = flaw_check((Flaw){.step = die_late}, NULL, 0);
  CHECK(found_find(&found, "agent_never_alive", "") == NULL);
}

static void reward_first(Flawed* s, PfcIo io) {
  (void)s;
  io.rewards[1] = 0.0f;
}

static void reward_second_once(Flawed* s, PfcIo io) { io.rewards[1] = s->age == 15 ? 1.0f : 0.0f; }

static void test_rewards(void) {
  Found found = flaw_check((Flaw){.step = reward_first}, NULL, 0);
  CHECK(found_is(&found, "agent_reward_zero", "", -1, -1, "every reward of agent 1 was 0, those of other agents were"));
  CHECK(found_only(&found, 1));
  found = flaw_check((Flaw){.step = reward_second_once}, NULL, 0);
  CHECK(found_only(&found, 0));
}

static void observe_first(const Flawed* s, int32_t agent, FlawedObs* obs) {
  (void)agent;
  obs->x = s->x[0];
  obs->pair[0] = s->pair[0];
}

static void observe_first_mostly(const Flawed* s, int32_t agent, FlawedObs* obs) {
  const float own = obs->x;
  observe_first(s, agent, obs);
  if (s->age == 30) obs->x = own;
}

static void test_observations(void) {
  Found found = flaw_check((Flaw){.observe = observe_first}, NULL, 0);
  CHECK(found_is(&found, "agent_twin", "", -1, -1, "agents 0 and 1 always had the same observation"));
  CHECK(found_only(&found, 1));
  found = flaw_check((Flaw){.observe = observe_first_mostly}, NULL, 0);
  CHECK(found_only(&found, 0));
}

// Agent 1 moves and chooses as agent 0 does.
static void ignore_second(Flawed* s, PfcIo io) {
  s->pair[1] = s->age % 16 == 3 ? -s->pair[0] : s->pair[0];
  s->x[1] = 1.0f - s->x[0];
  io.rewards[1] = s->x[1] - 0.25f;
}

static void test_actions(void) {
  const Found found = flaw_check((Flaw){.step = ignore_second}, NULL, 0);
  CHECK(found_is(&found, "agent_without_effect", "", -1, -1, "the actions of agent 1 changed nothing"));
  CHECK(found_only(&found, 1));
}

int main(void) {
  CHECK(found_only(&(Found[]){flaw_check((Flaw){0}, NULL, 0)}[0], 0));
  test_alive();
  test_rewards();
  test_observations();
  test_actions();
  return check_report();
}
