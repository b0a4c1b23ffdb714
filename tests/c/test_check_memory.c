// test_check_memory.c - findings of `pufferc check` about memory: accesses before and after every buffer of a game,
// near and far; observe and draw that change the state; values that are not written. Crashes happen in child processes.
#include <fenv.h>
#include <signal.h>
#include <string.h>

#if defined(__SSE__)
#include <xmmintrin.h>
#endif

#include "check.h"
#include "flawed.h"
#include "pufferc/env.h"

// ---- accesses outside of buffers ---------------------------------------------------------------------------

typedef enum Area { STATE, PARAMS, ACTIONS, REWARDS, TERMINATED, TRUNCATED, ALIVE, OBSERVATION, METRICS, AREAS } Area;

static const struct {
  const char *name, *function;
  int32_t bytes;
} areas[AREAS] = {
    [STATE] = {"state", "step", sizeof(Flawed)},
    [PARAMS] = {"parameters", "reset", 4},
    [ACTIONS] = {"actions", "step", 4 * FLAWED_AGENTS* FLAWED_DIMS},
    [REWARDS] = {"rewards", "step", 4 * FLAWED_AGENTS},
    [TERMINATED] = {"terminated", "step", FLAWED_AGENTS},
    [TRUNCATED] = {"truncated", "step", FLAWED_AGENTS},
    [ALIVE] = {"alive", "step", FLAWED_AGENTS},
    [OBSERVATION] = {"observation", "observe", sizeof(FlawedObs)},
    [METRICS] = {"metrics", "metrics", 4 * 2},
};

// The child accesses a byte outside an area, in game 4 at the latest.
static Area reached;
static int64_t offset;
static bool writes;

static void reach(Area area, const void* base) {
  if (area != reached || flaw_trace->game != 4) return;
  volatile unsigned char* at = (unsigned char*)(uintptr_t)base + offset;
  if (writes)
    *at = 1;
  else
    (void)*at;
}

static void reach_reset(Flawed* s, const FlawedParams* p) {
  (void)s;
  reach(PARAMS, p);
}

static void reach_step(Flawed* s, PfcIo io) {
  const void* bases[] = {s, NULL, io.actions, io.rewards, io.terminated, io.truncated, io.alive};
  for (int area = 0; area <= ALIVE; ++area)
    if (area != PARAMS && flaw_trace->step >= 7) reach((Area)area, bases[area]);
}

static void reach_observe(const Flawed* s, int32_t agent, FlawedObs* obs) {
  (void)s;
  if (agent == 1) reach(OBSERVATION, obs);
}

PFC_FN void reach_metrics(const Flawed* s, float* values) {
  (void)s;
  reach(METRICS, values);
}

static void test_area(Area area, bool past, int32_t distance) {
  const Flaw reaching = {.reset = reach_reset, .step = reach_step, .observe = reach_observe, .metrics = reach_metrics};
  char expected[96];
  PfcTrace trace;
  reached = area;
  offset = past ? areas[area].bytes + distance : -distance;
  if (past)
    (void)snprintf(expected, sizeof expected, "%s %d bytes past the end of its %s, which has %d bytes",
                   writes ? "wrote" : "read", distance, areas[area].name, areas[area].bytes);
  else
    (void)snprintf(expected, sizeof expected, "%s %d bytes before the start of its %s", writes ? "wrote" : "read",
                   distance, areas[area].name);
  const int number = flaw_crash(reaching, &trace);
  const bool right = CHECK(number == SIGSEGV || number == SIGBUS) && CHECK(trace.signal == number) &&
                     CHECK(strcmp(trace.stage, "memory") == 0 && trace.game == 4 && trace.done == 0) &&
                     CHECK(strcmp(trace.function, areas[area].function) == 0) &&
                     CHECK(strcmp(strchr(trace.fault, ' '), strchr(expected, ' ')) == 0);
#if defined(__x86_64__) && defined(__linux__)
  CHECK(strcmp(trace.fault, expected) == 0);  // other processors do not tell reads from writes: "reached"
#endif
  if (!right) fprintf(stderr, "  expected: %s\n  trace: %s, in %s\n", expected, trace.fault, trace.function);
}

static void test_areas(void) {
  for (int area = 0; area < AREAS; ++area) {
    for (int k = 0; k < 4; ++k) {
      writes = (area + k) % 2;
      const bool past = k < 2;
      test_area((Area)area, past, k % 2 ? 1000000 : past ? 0 : 1);
    }
  }
}

static void test_trace(void) {
  PfcTrace trace;
  reached = OBSERVATION, offset = sizeof(FlawedObs), writes = true;
  CHECK(flaw_crash((Flaw){.observe = reach_observe}, &trace) == SIGSEGV && trace.agent == 1 && trace.step == 0);
  CHECK(trace.calls > 0);
  reached = REWARDS, offset = 4 * FLAWED_AGENTS;
  CHECK(flaw_crash((Flaw){.step = reach_step}, &trace) == SIGSEGV && trace.agent == -1 && trace.step == 7);
  CHECK(flaw_crash((Flaw){0}, &trace) == 0 && trace.done == 1 && trace.signal == 0 && trace.fault[0] == '\0');
}

// ---- functions that must not change the state --------------------------------------------------------------

static void observe_changes(const Flawed* s, int32_t agent, FlawedObs* obs) {
  (void)obs;
  if (agent == 1) ((unsigned char*)(uintptr_t)&s->word)[7] = 1;
}

static void metrics_draw_chance(const Flawed* s, float* values) {
  (void)values;
  (void)pfc_rng_u32((PfcRng*)(uintptr_t)&s->rng);
}

static Flawed* drawn;  // the state of the next picture

static void remember(Flawed* s, PfcIo io) {
  (void)io;
  drawn = s;
}

static void draw_changes(const PfcDraw* d) {
  d->begin(d->context, 1.0f, 1.0f, pfc_rgb(0));
  d->rect(d->context, 0.0f, 0.0f, 1.0f, 1.0f, pfc_rgb(0xffffff));
  d->end(d->context);
  if (strcmp(flaw_trace->stage, "memory") == 0) drawn->age += 1;
}

static void observe_counts(const Flawed* s, int32_t agent, FlawedObs* obs) {
  if (agent == 1 || strcmp(flaw_trace->stage, "memory") != 0) return;
  if (s->scratch) obs->x = 0.0f;
  *(int32_t*)(uintptr_t)&s->scratch = 1;
}

static void test_observe_metrics_and_draw_change_nothing(void) {
  const Flaw looks = {
      .observe = observe_changes, .metrics = metrics_draw_chance, .draw = draw_changes, .step = remember};
  const Found found = flaw_check(looks, NULL, 0);
  char at[48];
  (void)snprintf(at, sizeof at, "observe changed the state at byte %zu", offsetof(Flawed, word) + 7);
  const PfcFinding* f = found_find(&found, "looking_changes_state", "observe");
  CHECK(f && strcmp(f->seen, at) == 0 && f->game == 0 && f->agent == 1 && f->step == 0);
  f = found_find(&found, "looking_changes_state", "metrics");
  CHECK(f && strcmp(f->seen, "metrics changed the state: it drew a random number") == 0);
  f = found_find(&found, "looking_changes_state", "draw");
  (void)snprintf(at, sizeof at, "draw changed the state at byte %zu", offsetof(Flawed, age));
  CHECK(f && strcmp(f->seen, at) == 0);
  CHECK(found_only(&found, 3));
  const Found counts = flaw_check((Flaw){.observe = observe_counts}, NULL, 0);
  CHECK(found_find(&counts, "looking_changes_state", "observe") != NULL);
  CHECK(found_only(&counts, 1));  // the check undoes the change, so both observations are the same
}

// ---- values that must be written ---------------------------------------------------------------------------

static unsigned char rest[4];

// The last byte of agent 1's last value keeps the fill pattern; agent 0's observation is random.
static void observe_badly(const Flawed* s, int32_t agent, FlawedObs* obs) {
  static int32_t looks;
  (void)s;
  if (agent == 0)
    obs->clock = (float)(looks++ % 2);
  else
    memcpy((unsigned char*)&obs->pair[1] + 3, &rest[3], 1);
}

static void flag_badly(Flawed* s, PfcIo io) {
  (void)s;
  if (flaw_visit("memory", 9, 3) == 1) io.truncated[1] = 2;
  if (strcmp(flaw_trace->stage, "memory") != 0) return;
  if (flaw_trace->step == 8 && flaw_trace->game == 5) io.alive[0] = 255;
  if (flaw_trace->step == 10 && flaw_trace->game == 0) io.terminated[1] = 7;
}

static void test_flags(void) {
  const Found found = flaw_check((Flaw){.step = flag_badly}, NULL, 0);
  CHECK(found_is(&found, "flag_value", "truncated", 3, 9, "step wrote 2 to io.truncated[1], expected 0 or 1"));
  CHECK(found_is(&found, "flag_value", "alive", 5, 8, "step wrote 255 to io.alive[0]"));
  CHECK(found_is(&found, "flag_value", "terminated", 0, 10, "step wrote 7 to io.terminated[1]"));
  CHECK(found_only(&found, 3));
}

static void test_unrepeatable(void) {
  const Found found = flaw_check((Flaw){.observe = observe_badly}, NULL, 0);
  CHECK(found_is(&found, "observation_unrepeatable", "clock", 0, 0,
                 "two calls of observe on the same state gave different values of clock"));
}

// A value that observe does not write at all.
static void observe_partly(const void* state, const void* params, int32_t agent, void* obs) {
  FlawedObs whole;
  pfc_env_flawed.observe_one(state, params, agent, &whole);
  memcpy(obs, &whole, sizeof whole - (agent == 1));
}

static void keep_unwritten(void* context, const PfcFinding* finding) {
  if (strcmp(finding->code, "observation_unwritten") == 0) *(PfcFinding*)context = *finding;
}

static void test_unwritten(void) {
  PfcEnvSpec spec = pfc_env_flawed;
  PfcTrace trace = {0};
  PfcFinding finding = {.code = ""};
  flaw = (Flaw){0};
  flaw_trace = &trace;
  spec.observe_one = observe_partly;
  const PfcCheckDesc desc = {.spec = &spec, .trace = &trace, .report = keep_unwritten, .context = &finding};
  CHECK(pfc_check_game(&desc) == PFC_OK && trace.done == 1);
  CHECK(strcmp(finding.seen, "observe did not write value 3, part of pair") == 0);
  CHECK(finding.game == 0 && finding.agent == 1 && finding.step == 0 && finding.severity == PFC_ERROR);
}

// ---- contents of the state ---------------------------------------------------------------------------------

static void keep_address(Flawed* s, const FlawedParams* p) {
  (void)p;
  s->word = (uint64_t)(uintptr_t)s;
}

static void keep_number_in_one(Flawed* s, const FlawedParams* p) {
  keep_address(s, p);
  if (flaw_trace->game == 2) s->word = 12345;
}

static void keep_variable_in_some(Flawed* s, const FlawedParams* p) {
  static int32_t variable;
  (void)p;
  if (flaw_trace->game % 2) s->word = (uint64_t)(uintptr_t)&variable;
}

// The state holds a pointer only in some steps.
static void keep_stack(Flawed* s, PfcIo io) {
  s->word = s->age % 7 == 2 ? (uint64_t)(uintptr_t)io.rewards : 0;
}

static void spoil_rng(Flawed* s, const FlawedParams* p) {
  (void)p;
  if (flaw_trace->game == 5) s->rng.increment ^= 2;
}

static void test_state(void) {
  Found found = flaw_check((Flaw){.reset = keep_address}, NULL, 0);
  char at[64];
  (void)snprintf(at, sizeof at, "the state holds an address at byte %zu", offsetof(Flawed, word));
  CHECK(found_is(&found, "state_address", "", -1, 1, at));
  CHECK(found_only(&found, 1));
  found = flaw_check((Flaw){.reset = keep_number_in_one}, NULL, 0);
  CHECK(found_only(&found, 0));  // a word that looks like an address by chance does so in some games only
  found = flaw_check((Flaw){.reset = keep_variable_in_some}, NULL, 0);
  CHECK(found_is(&found, "state_address", "", -1, 1, at) && found_only(&found, 1));
  found = flaw_check((Flaw){.step = keep_stack, .endless = true}, &(PfcParamValue){"max_steps", 70}, 1);
  CHECK(found_find(&found, "state_address", "") != NULL);
  found = flaw_check((Flaw){.reset = spoil_rng}, NULL, 0);
  CHECK(found_is(&found, "rng_overwritten", "reset", 5, 0, "reset overwrote s->rng"));
  CHECK(found_only(&found, 1));
}

// ---- what a call must leave alone --------------------------------------------------------------------------

static bool in_memory_stage(void) { return strcmp(flaw_trace->stage, "memory") == 0; }

static void write_params(Flawed* s, const FlawedParams* p) {
  (void)s;
  if (in_memory_stage() && flaw_trace->game == 3)
    *(volatile int32_t*)(uintptr_t)p = 77;  // always the same, so no two games differ
}

static void write_actions(Flawed* s, PfcIo io) {
  if (s->age == 3) ((int32_t*)(uintptr_t)io.actions)[3] = 1 - io.actions[3];
}

#if defined(__SSE__)
static void flush_denormals(Flawed* s, PfcIo io) {
  (void)io;
  if (in_memory_stage() && s->age == 5) _mm_setcsr(_mm_getcsr() | 0x8000);
}
#endif

static void round_up(const Flawed* s, int32_t agent, FlawedObs* obs) {
  (void)obs;
  if (in_memory_stage() && agent == 1 && s->age == 9) (void)fesetround(FE_UPWARD);
}

static void test_calls_leave_their_inputs_and_the_thread_alone(void) {
  Found found = flaw_check((Flaw){.reset = write_params}, NULL, 0);
  CHECK(found_is(&found, "params_written", "reset", 3, 0, "reset changed the parameters, which all games share"));
  CHECK(found_only(&found, 1));
  found = flaw_check((Flaw){.step = write_actions}, NULL, 0);
  const PfcFinding* f = found_find(&found, "actions_written", "step");
  CHECK(f && f->step == 3 && strstr(f->seen, "step changed io.actions or io.controls"));
  CHECK(found_only(&found, 1));
  found = flaw_check((Flaw){.observe = round_up}, NULL, 0);
  f = found_find(&found, "float_mode", "observe");
  CHECK(f && f->step == 9 && f->agent == 1 && strstr(f->seen, "observe left another floating-point mode"));
  CHECK(found_only(&found, 1) && fegetround() == FE_TONEAREST);
#if defined(__SSE__)
  found = flaw_check((Flaw){.step = flush_denormals}, NULL, 0);
  f = found_find(&found, "float_mode", "step");
  CHECK(f && f->step == 5 && found_only(&found, 1) && (_mm_getcsr() & 0x8000) == 0);
#endif
}

// ---- metrics -----------------------------------------------------------------------------------------------

static void measure_four(const Flawed* s, float* values) {
  (void)s;
  values[3] = 0.5f;
}

static void test_counts_of_metrics(void) {
  PfcTrace trace = {0};
  const PfcCheckDesc desc = {.spec = &pfc_env_flawed};
  flaw_trace = &trace;
  flaw = (Flaw){0};
  CHECK(pfc_count_metrics(&desc) == 2);
  flaw = (Flaw){.metrics = measure_four};
  CHECK(pfc_count_metrics(&desc) == 4);
  const PfcCheckDesc wrong = {.spec = &pfc_env_flawed, .params = &(PfcParamValue){"no", 1.0}, .num_params = 1};
  CHECK(pfc_count_metrics(&wrong) == -1);
}

int main(void) {
  test_calls_leave_their_inputs_and_the_thread_alone();
  test_counts_of_metrics();
  test_areas();
  test_trace();
  test_observe_metrics_and_draw_change_nothing();
  test_flags();
  test_unrepeatable();
  test_unwritten();
  test_state();
  return check_report();
}
