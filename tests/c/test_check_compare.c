// test_check_compare.c - findings of `pufferc check` from comparisons: late differences, in the last of many games, in
// one value of one agent; and missing differences. The game is otherwise correct.
#include <pthread.h>
#include <string.h>
#include <time.h>

#include "check.h"
#include "flawed.h"
#include "pufferc/env.h"

static Found check_with(void (*step)(Flawed* s, PfcIo io)) { return flaw_check((Flaw){.step = step}, NULL, 0); }

// ---- the same seed -----------------------------------------------------------------------------------------

// Spoils the second of two pools, at the last step of the last game.
static void differ_in_repeat(Flawed* s, PfcIo io) {
  (void)s;
  if (flaw_visit("repeat", 2000, 5) == 2) io.rewards[1] += 1.0f;
}

static void test_sound(void) {
  const Found found = flaw_check((Flaw){0}, NULL, 0);
  CHECK(found_only(&found, 0));
}

static void test_repeat(void) {
  const Found found = check_with(differ_in_repeat);
  CHECK(found_is(&found, "seed_repeats", "", 5, 2000, "differed: the reward was "));
  CHECK(found_only(&found, 1));
}

static void observe_differs_after_reset(const Flawed* s, int32_t agent, FlawedObs* obs) {
  (void)s;
  if (agent == 1 && flaw_visit("repeat", 0, 5) == 2) obs->pair[1] = 0.5f;
}

// Spoils the first observation only.
static void test_first_observation(void) {
  const Found found = flaw_check((Flaw){.observe = observe_differs_after_reset}, NULL, 0);
  CHECK(found_is(&found, "seed_repeats", "", 5, 0, "observation pair was 1 in one and 0.5 in the other"));
  CHECK(found_only(&found, 1));
}

static void observe_differs_in_batch(const Flawed* s, int32_t agent, FlawedObs* obs) {
  (void)s;
  if (agent == 1 && flaw_visit("position", 0, 2) == 1) obs->x *= 0.5f;
}

static void test_first_observation_among_others(void) {
  const Found found = flaw_check((Flaw){.observe = observe_differs_in_batch}, NULL, 0);
  CHECK(found_is(&found, "position", "", 2, 0,
                 "a game in a batch differed from the same game by itself: observation x was "));
  CHECK(found_only(&found, 1));
}

// ---- the same game, another way ----------------------------------------------------------------------------

static void differ_after_reset(Flawed* s, PfcIo io) {
  (void)s;
  if (flaw_visit("reset", 2000, 5) == 2) io.terminated[1] = 1;
}

static void differ_in_batch(Flawed* s, PfcIo io) {
  (void)s;
  if (flaw_visit("position", 1000, 2) == 1) io.alive[1] = 0;  // a pool of one game has no game 2
}

// 96 games with one thread, then 96 with four.
static void differ_with_threads(Flawed* s, PfcIo io) {
  (void)s;
  if (flaw_visit("threads", 200, -1) == 190) io.truncated[0] = 1;
}

static pthread_t checking;

// Differs whenever another thread steps. The checking thread sleeps at times, so that other threads get work.
static void differ_on_other_threads(Flawed* s, PfcIo io) {
  if (strcmp(flaw_trace->stage, "threads") != 0) return;
  if (!pthread_equal(pthread_self(), checking))
    io.rewards[1] += 1.0f;
  else if (s->age % 8 == 0)
    nanosleep(&(struct timespec){0, 20000}, NULL);
}

static void test_reset_position_and_threads(void) {
  Found found = check_with(differ_after_reset);
  CHECK(found_is(&found, "reset_clears", "", 5, 2000, "the episode ended in only one of them"));
  CHECK(found_only(&found, 1));
  found = check_with(differ_in_batch);
  CHECK(found_is(&found, "position", "", 2, 1000, "the agent was alive in only one of them"));
  CHECK(found_only(&found, 1));
  found = check_with(differ_with_threads);
  const PfcFinding* threads = found_find(&found, "threads", "");
  CHECK(found_only(&found, 1));
  CHECK(threads && found_is(&found, "threads", "", threads->game, 200, "the episode ended in only one of them"));
  checking = pthread_self();
  found = check_with(differ_on_other_threads);
  CHECK(found_find(&found, "threads", "") != NULL);
  CHECK(found_only(&found, 1));
}

// Called before the snapshot, then in the saved pool, then in the loaded one.
static void differ_after_load(const Flawed* s, int32_t agent, FlawedObs* obs) {
  (void)s;
  if (agent == 1 && flaw_visit("snapshot", 1000, 5) == 3) obs->pair[1] = 2.0f;
}

static void test_snapshot(void) {
  const Found found = flaw_check((Flaw){.observe = differ_after_load}, NULL, 0);
  CHECK(found_is(&found, "snapshot", "", 5, 1000, "differed from one that was not: observation pair was "));
  CHECK(found_only(&found, 1));
}

// ---- expected differences ----------------------------------------------------------------------------------

static void differ_at_last_step(Flawed* s, PfcIo io) {
  if (flaw_visit("seeds", 1000, 5) == 1) io.rewards[1] += 1.0f;
  (void)s;
}

static void test_seeds(void) {
  Found found = flaw_check((Flaw){.dull = true}, NULL, 0);
  CHECK(found_is(&found, "seed_without_effect", "", -1, -1, "two different seeds gave identical games"));
  CHECK(found_only(&found, 1));
  found = flaw_check((Flaw){.dull = true, .step = differ_at_last_step}, NULL, 0);
  CHECK(found_only(&found, 0));
}

// Removes the effect of the first dimension, so that only the functions below have one.
static int32_t choice_of(Flawed* s, PfcIo io) {
  const int32_t chosen = io.actions[0];
  for (int i = 0; i < FLAWED_AGENTS; ++i) {
    s->x[i] = 0.5f;
    io.rewards[i] = 0.5f;
  }
  return chosen;
}

static void no_effect(Flawed* s, PfcIo io) { (void)choice_of(s, io); }

static void two_equal_choices(Flawed* s, PfcIo io) {
  if (choice_of(s, io) == 1) s->x[1] = 0.75f;
}

static bool is_last_step(const Flawed* s) {
  (void)s;
  return flaw_visit("actions", 1499, 5) > 0;
}

static void reward_at_last(Flawed* s, PfcIo io) {
  const int32_t chosen = choice_of(s, io);
  if (is_last_step(s)) io.rewards[1] += (float)chosen;
}

static void end_at_last(Flawed* s, PfcIo io) {
  const int32_t chosen = choice_of(s, io);
  if (chosen == 2) io.rewards[0] = 0.75f;
  if (is_last_step(s)) io.terminated[1] = chosen == 1;
}

static void observe_nothing(const Flawed* s, int32_t agent, FlawedObs* obs) {
  (void)s, (void)agent;
  *obs = (FlawedObs){0};
}

static void observe_at_last(Flawed* s, PfcIo io) {
  const int32_t chosen = choice_of(s, io);
  s->x[1] = is_last_step(s) ? 0.5f + 0.125f * (float)chosen : 0.5f;
}

static void test_actions(void) {
  Found found = check_with(no_effect);
  CHECK(found_is(&found, "action_without_effect", "0", -1, -1, "every choice in dimension 0"));
  CHECK(found_find(&found, "action_twice", NULL) == NULL && found_find(&found, "action_without_effect", "1") == NULL);
  found = check_with(two_equal_choices);
  CHECK(found_is(&found, "action_twice", "0", -1, -1,
                 "choices 0 and 2 in dimension 0 of the action had the same effect"));
  CHECK(found_find(&found, "action_without_effect", NULL) == NULL);
  const Flaw late[] = {{.step = reward_at_last},
                       {.step = observe_at_last},
                       {.step = end_at_last, .observe = observe_nothing, .endless = true, .dull = true}};
  for (size_t i = 0; i < sizeof late / sizeof late[0]; ++i) {
    found = flaw_check(late[i], NULL, 0);
    if (!CHECK(!found_find(&found, "action_twice", "0") && !found_find(&found, "action_without_effect", "0")))
      fprintf(stderr, "  late effect %zu was not found\n", i);
  }
}

// ---- consequences are not reported -------------------------------------------------------------------------

static void differ_always(Flawed* s, PfcIo io) {
  static int32_t turn;
  s->x[0] = (float)(turn++ % 7) / 7.0f;
  (void)io;
}

// A game that does not repeat also fails the comparisons of position and snapshot; these are not reported.
static void test_consequences(void) {
  const Found found = check_with(differ_always);
  CHECK(found_find(&found, "seed_repeats", "") != NULL);
  for (int32_t i = 0; i < found.count; ++i)
    for (int32_t k = 0; k < i; ++k)
      CHECK(strcmp(found.findings[i].code, found.findings[k].code) != 0 ||
            strcmp(found.subjects[i], found.subjects[k]) != 0);
  CHECK(!found_find(&found, "position", NULL) && !found_find(&found, "snapshot", NULL));
  CHECK(!found_find(&found, "reset_clears", NULL) && !found_find(&found, "threads", NULL));
}

static void test_arguments(void) {
  CHECK(pfc_check_game(NULL) == PFC_INVALID && strstr(pfc_last_error(), "expected a game and a report"));
  CHECK(pfc_check_game(&(PfcCheckDesc){.spec = &pfc_env_flawed}) == PFC_INVALID);
  const PfcParamValue none = {"max_stebs", 3};
  const Found found = flaw_check((Flaw){0}, &none, 1);
  CHECK(found.status != PFC_OK && found.count == 0);
}

int main(void) {
  test_sound();
  test_repeat();
  test_first_observation();
  test_first_observation_among_others();
  test_reset_position_and_threads();
  test_snapshot();
  test_seeds();
  test_actions();
  test_consequences();
  test_arguments();
  return check_report();
}
