// test_check_choices.c - findings of `pufferc check` about masks and built-in players: bytes other than 0 and 1, empty
// masks, players that make illegal moves, change the game or keep state. Crashes happen in child processes.
#include <signal.h>
#include <string.h>

#include "check.h"
#include "flawed.h"
#include "pufferc/env.h"

static bool is_at(const char* stage, int64_t step, int64_t game) {
  return strcmp(flaw_trace->stage, stage) == 0 && flaw_trace->step == step && flaw_trace->game == game;
}

// ---- masks -------------------------------------------------------------------------------------------------

static void mask_correctly(const Flawed* s, int32_t agent, uint8_t* legal) {
  const int32_t free = (s->age + agent) % 3;
  legal[(free + 1) % 3] = (uint8_t)(s->x[agent] > 0.5f);
  if (s->age % 4 == 0) legal[3] = 0;
}

static void mask_late(const Flawed* s, int32_t agent, uint8_t* legal) {
  mask_correctly(s, agent, legal);
  if (agent == 1 && is_at("memory", 2000, 5)) legal[4] = 2;
  if (agent == 0 && is_at("memory", 1999, 3)) legal[3] = legal[4] = 0;
  if (agent == 1 && is_at("memory", 1998, 2)) legal[0] = legal[1] = legal[2] = 0;
}

static void test_mask_bytes(void) {
  Found found = flaw_check((Flaw){.mask = mask_correctly}, NULL, 0);
  CHECK(found_only(&found, 0));
  found = flaw_check((Flaw){.mask = mask_late}, NULL, 0);
  CHECK(found_is(&found, "mask_value", "", 5, 2000, "mask wrote 2 to legal[4], expected 0 or 1"));
  CHECK(found_is(&found, "mask_empty", "1", 3, 1999, "mask allowed no choice in dimension 1 of the action"));
  CHECK(found_is(&found, "mask_empty", "0", 2, 1998, "mask allowed no choice in dimension 0 of the action"));
  const PfcFinding* value = found_find(&found, "mask_value", "");
  CHECK(value && value->agent == 1 && value->severity == PFC_ERROR);
  CHECK(found_only(&found, 3));  // the check corrects the mask and continues
}

static void mask_changes(const Flawed* s, int32_t agent, uint8_t* legal) {
  (void)legal;
  if (agent == 1) ((unsigned char*)(uintptr_t)&s->word)[7] = 1;
}

static void mask_draws(const Flawed* s, int32_t agent, uint8_t* legal) {
  (void)agent;
  legal[0] = pfc_rng_u32((PfcRng*)(uintptr_t)&s->rng) & 1;
}

static void mask_counts_calls(const Flawed* s, int32_t agent, uint8_t* legal) {
  static int32_t calls;
  (void)s;
  if (agent == 1 && strcmp(flaw_trace->stage, "memory") == 0) legal[1] = calls++ & 1;
}

static void test_mask_must_not_change_the_state(void) {
  Found found = flaw_check((Flaw){.mask = mask_changes}, NULL, 0);
  CHECK(found_is(&found, "looking_changes_state", "mask", 0, 0, "mask changed the state at byte "));
  found = flaw_check((Flaw){.mask = mask_draws}, NULL, 0);
  CHECK(found_is(&found, "looking_changes_state", "mask", 0, 0, "mask changed the state: it drew a random number"));
  found = flaw_check((Flaw){.mask = mask_counts_calls}, NULL, 0);
  CHECK(found_is(&found, "mask_unrepeatable", "", 0, 0, "two calls of mask on the same state gave different masks"));
  CHECK(found_only(&found, 1));
}

static int64_t offset;  // of the byte that the functions below access

static void mask_beyond(const Flawed* s, int32_t agent, uint8_t* legal) {
  (void)s;
  if (agent == 1 && flaw_trace->game == 4 && flaw_trace->step >= 3) ((volatile uint8_t*)legal)[offset] = 1;
}

static void test_mask_memory(void) {
  PfcTrace trace;
  offset = FLAWED_CHOICES;
  CHECK(flaw_crash((Flaw){.mask = mask_beyond}, &trace) == SIGSEGV && strcmp(trace.function, "mask") == 0);
  CHECK(strstr(trace.fault, " 0 bytes past the end of its mask, which has 5 bytes"));
  CHECK(trace.game == 4 && trace.agent == 1 && trace.step == 3);
  offset = -1;
  CHECK(flaw_crash((Flaw){.mask = mask_beyond}, &trace) == SIGSEGV);
  CHECK(strstr(trace.fault, " 1 bytes before the start of its mask"));
}

// Two choices that are never legal are not reported as having the same effect.
static void mask_two(const Flawed* s, int32_t agent, uint8_t* legal) {
  (void)s, (void)agent;
  legal[0] = legal[2] = 0;
}

static void test_never_legal(void) {
  const Found found = flaw_check((Flaw){.mask = mask_two}, NULL, 0);
  CHECK(!found_find(&found, "action_twice", NULL) && !found_find(&found, "action_without_effect", NULL));
}

// Masks are compared: the second of two pools differs at one step.
static void mask_differs(const Flawed* s, int32_t agent, uint8_t* legal) {
  (void)s;
  if (agent == 1 && flaw_visit("repeat", 2000, 5) == 2) legal[2] = 0;
}

static void test_masks_are_compared(void) {
  const Found found = flaw_check((Flaw){.mask = mask_differs}, NULL, 0);
  CHECK(found_is(&found, "seed_repeats", "", 5, 2000, "the legal choices differed"));
  CHECK(found_only(&found, 1));
}

// ---- built-in players ----------------------------------------------------------------------------------------

static void play_correctly(const Flawed* s, int32_t level, PfcRng* rng, int32_t* choices) {
  choices[0] = level == 0 ? (int32_t)pfc_rng_below(rng, 3) : s->x[0] < 0.5f;
  choices[1] = 1;
}

static void play_badly(const Flawed* s, int32_t level, PfcRng* rng, int32_t* choices) {
  play_correctly(s, level, rng, choices);
  if (is_at("script", 250, 5) && level == 0) choices[1] = 2;
  if (is_at("script", 251, 5) && level == 1) choices[0] = -1;
}

static void test_players(void) {
  Found found = flaw_check((Flaw){.script = play_correctly}, NULL, 0);
  CHECK(found_only(&found, 0));
  found = flaw_check((Flaw){.script = play_correctly, .mask = mask_correctly}, NULL, 0);
  CHECK(found_find(&found, "script_illegal", "script level 0") &&
        found_find(&found, "script_illegal", "script level 1"));
  CHECK(strstr(found_find(&found, "script_illegal", "script level 0")->seen, "script level 0 chose "));
  CHECK(strstr(found_find(&found, "script_illegal", "script level 1")->seen, ", which is not legal"));
  CHECK(found_only(&found, 2));
  found = flaw_check((Flaw){.script = play_badly}, NULL, 0);
  CHECK(found_is(&found, "script_range", "script level 0", 5, 250,
                 "script level 0 chose 2 in dimension 1, expected 0 to 1"));
  CHECK(found_is(&found, "script_range", "script level 1", 5, 251,
                 "script level 1 chose -1 in dimension 0, expected 0 to 2"));
  CHECK(found_only(&found, 2));
}

static void play_with_games_stream(const Flawed* s, int32_t level, PfcRng* rng, int32_t* choices) {
  (void)rng;
  if (level == 1) choices[0] = (int32_t)pfc_rng_below((PfcRng*)(uintptr_t)&s->rng, 3);
}

static void play_with_own_stream(const Flawed* s, int32_t level, PfcRng* rng, int32_t* choices) {
  static PfcRng own = {1, 3};
  (void)s, (void)rng;
  if (level == 1) choices[1] = (int32_t)pfc_rng_below(&own, 2);
}

static void play_and_change(const Flawed* s, int32_t level, PfcRng* rng, int32_t* choices) {
  (void)rng, (void)choices;
  if (level == 1) *(int32_t*)(uintptr_t)&s->age += 1;
}

static void leave_unwritten(const Flawed* s, int32_t level, PfcRng* rng, int32_t* choices) {
  (void)s, (void)rng;
  if (level == 1)
    memset(&choices[1], strcmp(flaw_trace->stage, "script") == 0 && flaw_visit("script", 7, 4) == 2 ? 0xa4 : 0, 4);
}

static void test_players_must_not_change_the_state(void) {
  Found found = flaw_check((Flaw){.script = play_with_games_stream}, NULL, 0);
  CHECK(found_is(&found, "looking_changes_state", "script", 0, 1, "script changed the state: it drew a random number"));
  CHECK(!found_find(&found, "script_changes_game", NULL));  // follows
  found = flaw_check((Flaw){.script = play_with_own_stream}, NULL, 0);
  const PfcFinding* own = found_find(&found, "script_unrepeatable", "script level 1");
  CHECK(own && strstr(own->seen,
                      "script level 1 acted differently in the same state with the same generator, in dimension 1"));
  CHECK(found_only(&found, 1));
  found = flaw_check((Flaw){.script = play_and_change}, NULL, 0);
  CHECK(found_is(&found, "looking_changes_state", "script", 0, 1, "script changed the state at byte "));
  found = flaw_check((Flaw){.script = leave_unwritten}, NULL, 0);
  CHECK(found_is(&found, "script_unwritten", "script level 1", 4, 7,
                 "script level 1 did not write its action in dimension 1"));
  CHECK(found_only(&found, 1));
}

// A change that only happens in the stage that compares whole games.
static void change_later(const Flawed* s, int32_t level, PfcRng* rng, int32_t* choices) {
  (void)rng, (void)choices, (void)level;
  if (strcmp(flaw_trace->stage, "script") == 0 && flaw_trace->step == 400 && flaw_trace->game == 3)
    *(float*)(uintptr_t)&s->x[1] = 0.0f;
}

static void test_script_must_not_change_the_game(void) {
  const Found found = flaw_check((Flaw){.script = change_later}, NULL, 0);
  CHECK(found_is(&found, "script_changes_game", "script", 3, 400,
                 "a game in which the built-in player was called differed from one in which it was not"));
  CHECK(found_only(&found, 1));
}

static void crash_at_level(const Flawed* s, int32_t level, PfcRng* rng, int32_t* choices) {
  (void)s, (void)rng;
  if (level == 1 && flaw_trace->game == 2) ((volatile int32_t*)choices)[offset] = 1;
}

static void test_player_memory(void) {
  PfcTrace trace;
  offset = FLAWED_DIMS;
  CHECK(flaw_crash((Flaw){.script = crash_at_level}, &trace) == SIGSEGV &&
        strcmp(trace.function, "script level 1") == 0);
  CHECK(strstr(trace.fault, " 0 bytes past the end of its choices, which has 8 bytes"));
  CHECK(trace.game == 2 && trace.agent == 0 && strcmp(trace.stage, "script") == 0);
}

// ---- controls ------------------------------------------------------------------------------------------------

static float control;

static void steer(const void* state, const void* params, int32_t agent, int32_t level, PfcRng* rng, int32_t* choices,
                  float* controls) {
  (void)state, (void)params, (void)agent, (void)level, (void)rng, (void)choices;
  controls[0] = control;
}

static void keep_range(void* context, const PfcFinding* finding) {
  if (strcmp(finding->code, "script_range") == 0) *(PfcFinding*)context = *finding;
}

static void test_controls(void) {
  PfcEnvSpec spec = *pfc_env_find("cartpole");
  const PfcParamValue continuous = {"continuous", 1};
  spec.script = steer;
  spec.num_levels = 1;
  static const float values[] = {1.0f, -1.0f, 1.5f, __builtin_nanf("")};
  for (size_t i = 0; i < sizeof values / sizeof values[0]; ++i) {
    PfcFinding finding = {.code = ""};
    control = values[i];
    const PfcCheckDesc desc = {
        .spec = &spec, .params = &continuous, .num_params = 1, .report = keep_range, .context = &finding};
    CHECK(pfc_check_game(&desc) == PFC_OK);
    CHECK((finding.code[0] != 0) == (i >= 2));
    if (i == 2) CHECK(strcmp(finding.seen, "script level 0 gave control 0 the value 1.5, expected -1 to 1") == 0);
  }
}

int main(void) {
  test_mask_bytes();
  test_mask_must_not_change_the_state();
  test_mask_memory();
  test_never_legal();
  test_masks_are_compared();
  test_players();
  test_players_must_not_change_the_state();
  test_script_must_not_change_the_game();
  test_player_memory();
  test_controls();
  return check_report();
}
