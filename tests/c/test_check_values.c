// test_check_values.c - findings of `pufferc check` about values: observations, rewards, episodes, metrics and
// pictures, with one wrong value among thousands, and with none.
#include <math.h>
#include <string.h>

#include "check.h"
#include "draw/draw_record.h"
#include "flawed.h"
#include "pufferc/env.h"

static PfcSeverity severity_of(const Found* found, const char* code, const char* subject) {
  const PfcFinding* f = found_find(found, code, subject);
  return f ? f->severity : (PfcSeverity)-1;
}

// ---- observations ------------------------------------------------------------------------------------------

static bool at(int64_t step, int64_t game) {
  return strcmp(flaw_trace->stage, "memory") == 0 && flaw_trace->step == step && flaw_trace->game == game;
}

static void observe_out_of_range(const Flawed* s, int32_t agent, FlawedObs* obs) {
  (void)s;
  if (agent == 1 && at(2000, 5)) obs->x = -0.0078125f;
  if (agent == 0 && at(1999, 0)) obs->clock = 1.0078125f;
  if (agent == 1 && at(1998, 5)) obs->pair[1] = NAN;
}

static void test_ranges(void) {
  const Found found = flaw_check((Flaw){.observe = observe_out_of_range}, NULL, 0);
  CHECK(found_is(&found, "observation_range", "x", 5, 2000, "observation x was -0.0078125; its table says [0, 1]"));
  CHECK(found_is(&found, "observation_range", "clock", 0, 1999, "observation clock was 1.007812; its table says"));
  CHECK(found_is(&found, "observation_not_finite", "pair", 5, 1998, "observation pair was NaN"));
  const PfcFinding* x = found_find(&found, "observation_range", "x");
  CHECK(x && x->agent == 1 && x->severity == PFC_ERROR);
  CHECK(found_only(&found, 3));
}

// Only the final observation is wrong; the first one of the next episode replaces it in `observations`.
static void end_far_away(Flawed* s, PfcIo io) {
  if (s->age == 40) {
    io.terminated[1] = 1;
    s->x[1] = 1.5f;
  }
}

static void sometimes_infinite(const Flawed* s, int32_t agent, FlawedObs* obs) {
  (void)s;
  if (agent == 1 && at(1500, 2)) obs->pair[0] = -INFINITY;
}

static void test_final_observations(void) {
  const Found found = flaw_check((Flaw){.step = end_far_away, .observe = sometimes_infinite}, NULL, 0);
  const PfcFinding* x = found_find(&found, "observation_range", "x");
  CHECK(x && x->agent == 1 && strstr(x->seen, "observation x was 1.5;"));
  CHECK(found_is(&found, "observation_not_finite", "pair", 2, 1500, "observation pair was infinite"));
  CHECK(found_find(&found, "perf_range", "perf") != NULL);  // the metric is x too
  CHECK(found_only(&found, 3));
}

static void observe_little(const Flawed* s, int32_t agent, FlawedObs* obs) {
  (void)s, (void)agent;
  obs->clock = 0.0f;
  obs->pair[0] = -3.0f;
}

static void observe_much(const Flawed* s, int32_t agent, FlawedObs* obs) {
  (void)s;
  obs->x = 0.25f;
  obs->pair[0] = agent == 1 && at(700, 5) ? -100.5f : 100.0f;
}

static void observe_nothing(const Flawed* s, int32_t agent, FlawedObs* obs) {
  (void)s, (void)agent;
  *obs = (FlawedObs){0};
}

static void test_constants(void) {
  Found found = flaw_check((Flaw){.observe = observe_little}, NULL, 0);
  CHECK(found_is(&found, "observation_constant", "clock", -1, -1, "clock never changed: it was always 0"));
  CHECK(severity_of(&found, "observation_constant", "clock") == PFC_WARNING);
  CHECK(found_is(&found, "observation_constant", "pair", -1, -1, "none of the 2 values of observation pair ever"));
  CHECK(severity_of(&found, "observation_constant", "pair") == PFC_NOTE);
  CHECK(found_find(&found, "action_without_effect", "1") != NULL);
  CHECK(found_only(&found, 3));
  found = flaw_check((Flaw){.observe = observe_much}, NULL, 0);
  CHECK(found_is(&found, "observation_constant", "x", -1, -1, "observation x never changed: it was always 0.25"));
  CHECK(severity_of(&found, "observation_constant", "x") == PFC_NOTE);
  CHECK(found_is(&found, "observation_large", "pair", -1, -1, "observation pair reached 100.5"));
  CHECK(found_find(&found, "observation_constant", "pair") == NULL);
  found = flaw_check((Flaw){.observe = observe_nothing}, NULL, 0);
  CHECK(found_is(&found, "observation_zero", "", -1, -1, " observations were 0"));
  CHECK(found_find(&found, "observation_constant", NULL) == NULL);
}

static void observe_hundred(const Flawed* s, int32_t agent, FlawedObs* obs) {
  (void)s, (void)agent;
  obs->pair[1] = 100.0f;
}

// ---- rewards, episodes, metrics ------------------------------------------------------------------------------

static void reward_badly(Flawed* s, PfcIo io) {
  (void)s;
  if (flaw_visit("memory", 2000, 5) == 1) io.rewards[1] = NAN;
  if (at(1000, 5)) io.rewards[0] = -1000.5f;
}

static void reward_thousand(Flawed* s, PfcIo io) {
  (void)s;
  io.rewards[1] = 1000.0f;
}

static void measure_badly(const Flawed* s, float* values) {
  values[0] = s->age == 20 ? INFINITY : 1.0f;
  values[1] = s->age % 2 ? 0.0f : -0.0078125f;
}

static void measure_edges(const Flawed* s, float* values) { values[1] = s->age % 2 ? 0.0f : 1.0f; }

PFC_FN void test_rewards_and_metrics(void) {
  Found found = flaw_check((Flaw){.step = reward_badly, .metrics = measure_badly}, NULL, 0);
  CHECK(found_is(&found, "reward_not_finite", "", 5, 2000, "a reward was NaN"));
  CHECK(found_is(&found, "reward_large", "", -1, -1, "the largest reward had the absolute value 1000.5"));
  CHECK(found_find(&found, "metric_not_finite", "score") && found_find(&found, "perf_range", "perf"));
  CHECK(found_only(&found, 4));
  found = flaw_check((Flaw){.step = reward_thousand, .metrics = measure_edges, .observe = observe_hundred}, NULL, 0);
  CHECK(found_only(&found, 0));  // the largest values without a finding
}

static void reward_nothing(Flawed* s, PfcIo io) {
  (void)s;
  io.rewards[0] = io.rewards[1] = 0.0f;
}

static void reward_once(Flawed* s, PfcIo io) {
  (void)s;
  io.rewards[0] = 0.0f;
  io.rewards[1] = strcmp(flaw_trace->stage, "episodes") == 0 && flaw_trace->step == 6000 ? 1.0f : 0.0f;
}

static void end_at_once(Flawed* s, PfcIo io) {
  (void)s;
  io.terminated[0] = 1;
}

static void end_at_second(Flawed* s, PfcIo io) {
  if (s->age == 2) io.terminated[1] = 1;
}

static void test_episodes(void) {
  Found found = flaw_check((Flaw){.endless = true, .step = reward_nothing}, NULL, 0);
  CHECK(found_is(&found, "episode_endless", "", -1, -1, "and max_steps is 0 (never)"));
  CHECK(found_is(&found, "reward_zero", "", -1, -1, "every reward of "));
  CHECK(found_only(&found, 2));
  found = flaw_check((Flaw){.step = reward_once}, NULL, 0);
  CHECK(found_only(&found, 0));  // rare, but enough
  found = flaw_check((Flaw){.step = end_at_once}, NULL, 0);
  CHECK(found_is(&found, "episode_short", "", -1, -1, "episodes ended with its first step"));
  found = flaw_check((Flaw){.endless = true, .step = end_at_second}, &(PfcParamValue){"max_steps", 3000}, 1);
  CHECK(found_only(&found, 0));
  found = flaw_check((Flaw){.endless = true}, &(PfcParamValue){"max_steps", 3000}, 1);  // longer than other stages
  CHECK(found_is(&found, "episode_truncated", "", -1, -1, "was cut short, by max_steps or by the game; none ended"));
  CHECK(severity_of(&found, "episode_truncated", "") == PFC_NOTE);
  CHECK(found_only(&found, 1));
  found = flaw_check((Flaw){0}, &(PfcParamValue){"max_steps", 1}, 1);
  CHECK(found_find(&found, "episode_short", "") == NULL);  // because the user set max_steps
}

// ---- pictures ----------------------------------------------------------------------------------------------

static void draw_sound(const PfcDraw* d) {
  d->begin(d->context, 1.0f, 1.0f, pfc_rgb(0));
  d->rect(d->context, 0.0f, 0.0f, 1.0f, 1.0f, pfc_rgb(0));
  d->end(d->context);
}

static void draw_badly(const PfcDraw* d) {
  if (flaw_trace->game != 5) {
    draw_sound(d);
    return;
  }
  d->begin(d->context, 1.0f, 1.0f, pfc_rgb(0));
  if (flaw_trace->step < 500) d->circle(d->context, 0.5f, 0.5f, -1.0f, pfc_rgb(0));
  d->end(d->context);
  if (flaw_trace->step > 1000) d->end(d->context);
}

static void test_pictures(void) {
  const Found found = flaw_check((Flaw){.draw = draw_badly}, NULL, 0);
  CHECK(found_is(&found, "draw_not_finite", "", 5, 35, "a position or size that is not finite, or a negative size"));
  CHECK(found_is(&found, "draw_nothing", "", 5, 539, "draw drew no shapes"));
  CHECK(found_is(&found, "draw_order", "", 5, 1001,
                 "draw did not call begin exactly once at its start and end exactly once at its end"));
  CHECK(found_only(&found, 3));
}

// Draws each shape with NaN in one argument after the other; the recorder of drawings must find it.
static bool shape_is_fine(int shape, const float v[5]) {
  DrawRecord record = draw_record_new();
  const PfcDraw d = draw_recorder(&record);
  const PfcPoint points[] = {{v[0], v[1]}, {v[2], v[3]}, {1.0f, v[4]}};
  const PfcColor c = pfc_rgb(0);
  d.begin(d.context, 1.0f, 1.0f, c);
  switch (shape) {
    case 0:
      d.rect(d.context, v[0], v[1], v[2], v[3], c);
      break;
    case 1:
      d.rounded_rect(d.context, v[0], v[1], v[2], v[3], v[4], c);
      break;
    case 2:
      d.circle(d.context, v[0], v[1], v[2], c);
      break;
    case 3:
      d.line(d.context, v[0], v[1], v[2], v[3], v[4], c);
      break;
    case 4:
      d.polygon(d.context, points, 3, c);
      break;
    default:
      d.text(d.context, v[0], v[1], v[2], "text", c);
      break;
  }
  d.end(d.context);
  CHECK(record.shapes == 1 && record.in_order && record.begins == 1 && record.ends == 1);
  return record.finite;
}

static void test_shapes(void) {
  static const int numbers[] = {4, 5, 3, 5, 5, 3};                                  // of each shape
  static const int sizes[] = {1 << 2 | 1 << 3, 7 << 2, 1 << 2, 1 << 4, 0, 1 << 2};  // which of them cannot be negative
  for (int shape = 0; shape < 6; ++shape) {
    float v[5] = {1.0f, 2.0f, 3.0f, 4.0f, 5.0f};
    CHECK(shape_is_fine(shape, v));
    for (int i = 0; i < numbers[shape]; ++i) {
      const float good = v[i];
      v[i] = NAN;
      CHECK(!shape_is_fine(shape, v));
      v[i] = INFINITY;
      CHECK(!shape_is_fine(shape, v));
      v[i] = -1.0f;
      CHECK(shape_is_fine(shape, v) == !(sizes[shape] >> i & 1));
      v[i] = good;
    }
  }
}

// The calls of a drawing by their first letters: begin, shape, end.
static bool order_is_right(const char* calls) {
  DrawRecord record = draw_record_new();
  const PfcDraw d = draw_recorder(&record);
  for (; *calls; ++calls) {
    if (*calls == 'b') d.begin(d.context, 1.0f, 1.0f, pfc_rgb(0));
    if (*calls == 's') d.text(d.context, 0.0f, 0.0f, 1.0f, "", pfc_rgb(0));
    if (*calls == 'e') d.end(d.context);
  }
  return record.begins == 1 && record.ends == 1 && record.in_order;
}

static void test_order(void) {
  CHECK(order_is_right("bse") && order_is_right("be") && order_is_right("bsse"));
  static const char* const wrong[] = {"", "s", "b", "e", "bs", "se", "sbe", "bes", "bsbe", "bbse", "bsee", "bebe"};
  for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; ++i) CHECK(!order_is_right(wrong[i]));
  DrawRecord record = draw_record_new();
  const PfcDraw d = draw_recorder(&record);
  d.begin(d.context, NAN, 1.0f, pfc_rgb(0));
  CHECK(!record.finite);
  record = draw_record_new();
  d.begin(d.context, 1.0f, 0.0f, pfc_rgb(0));
  CHECK(!record.finite);
  record = draw_record_new();
  d.begin(d.context, 1.0f, 1.0f, pfc_rgb(0));
  d.text(d.context, 0.0f, 0.0f, 1.0f, NULL, pfc_rgb(0));
  CHECK(!record.finite);
  record = draw_record_new();
  d.polygon(d.context, (PfcPoint[]){{0.0f, 0.0f}, {1.0f, 1.0f}}, 2, pfc_rgb(0));
  CHECK(!record.finite);
}

int main(void) {
  test_ranges();
  test_final_observations();
  test_constants();
  test_rewards_and_metrics();
  test_episodes();
  test_pictures();
  test_shapes();
  test_order();
  return check_report();
}
