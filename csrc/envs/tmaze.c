// tmaze.c - remember which way to turn. One agent; a game that needs memory.
//
// A walker is carried along a corridor that ends in a junction, one cell a step. A lamp at the start shows the
// side, left or right with equal chance, on which the way out lies. In the corridor and at the junction the lamp
// shows random sides that mean nothing (or stays dark: distractors = 0). What the walker chooses counts at the
// junction alone: towards the way out is worth +1, away from it -1, and either ends the episode.
//
// obs   float32[3]            range
//   0   lamp                  [-1, 1]   -1 left, 1 right, 0 dark
//   1   start                 [0, 1]    1 in the first observation: the lamp tells the truth
//   2   junction              [0, 1]    1 in the last observation: the next action counts
// act   int32[1]   0 left  1 right
// rew   +1 or -1 at the end; the score is the return, perf 1 for the right turn and 0 for the wrong one
//
// Without memory the mean score is 0 (perf 0.5), whatever the policy: the side is drawn independently of all that
// the junction's observation holds, so a choice that follows from this observation, or from it and the number of
// steps so far, is right half the time. Nothing carries the side to the junction but memory: no action before it
// has any effect, and the corridor's length is drawn anew in each episode, independently of the side. With memory
// the best mean is 1 (perf 1).
#include "pufferc/env.h"

enum { TMAZE_LEFT, TMAZE_RIGHT };
enum { TMAZE_MAX_LENGTH = 1000000 };

#define TMAZE_PARAMS(X)                                                                     \
  X(int, max_steps, 0, 0, PFC_MAX_STEPS, "steps until truncation; 0 = never")               \
  X(int, length, 20, 1, TMAZE_MAX_LENGTH, "longest corridor, cells from start to junction") \
  X(int, min_length, 10, 1, TMAZE_MAX_LENGTH, "shortest corridor")                          \
  X(bool, distractors, 1, 0, 1, "the lamp goes on at random after the start; 0: it goes dark")
PFC_DEFINE_PARAMS(tmaze, TmazeParams, TMAZE_PARAMS)

typedef struct Tmaze {
  PfcRng rng;
  int32_t side;    // of the way out: -1 left, 1 right
  int32_t lamp;    // what it shows now: -1, 0, 1
  int32_t length;  // of this corridor
  int32_t place;   // cells from the start; length = at the junction
  int32_t turned;  // 0 until the end, then -1 or 1
} Tmaze;

typedef struct TmazeObs {
  float lamp, start, junction;
} TmazeObs;

static const PfcObsRow tmaze_obs[] = {
    {"lamp", 1, -1, 1, "-1 left, 1 right, 0 dark; the side of the way out at the start, random after it"},
    {"start", 1, 0, 1, "1 in the first observation"},
    {"junction", 1, 0, 1, "1 at the junction, where the action counts"},
};

// min_length above length would leave no corridor to draw.
static const char* tmaze_check(const void* params) {
  const TmazeParams* p = (const TmazeParams*)params;
  return p->min_length <= p->length ? NULL : "min_length must not be greater than length";
}

PFC_FN int32_t tmaze_random_side(Tmaze* s) { return 2 * (int32_t)(pfc_rng_u32(&s->rng) >> 31) - 1; }

PFC_FN void tmaze_reset(Tmaze* s, const TmazeParams* p) {
  s->side = s->lamp = tmaze_random_side(s);
  s->length = p->min_length + (int32_t)pfc_rng_below(&s->rng, (uint32_t)(p->length - p->min_length + 1));
}

PFC_FN void tmaze_step(Tmaze* s, const TmazeParams* p, PfcIo io) {
  if (s->place < s->length) {
    s->place += 1;
    s->lamp = p->distractors ? tmaze_random_side(s) : 0;
    return;
  }
  s->turned = io.actions[0] == TMAZE_RIGHT ? 1 : -1;
  io.rewards[0] = (float)(s->turned * s->side);
  io.terminated[0] = 1;
}

PFC_FN void tmaze_observe(const Tmaze* s, const TmazeParams* p, int32_t agent, TmazeObs* obs) {
  (void)p, (void)agent;
  obs->lamp = (float)s->lamp;
  obs->start = s->place == 0 ? 1.0f : 0.0f;
  obs->junction = s->place == s->length ? 1.0f : 0.0f;
}

static void tmaze_metrics(const Tmaze* s, const TmazeParams* p, int32_t agent, float* values) {
  (void)p, (void)agent;  // the score is the return
  values[1] = s->turned == s->side ? 1.0f : 0.0f;
}

static void tmaze_draw_lamp(const Tmaze* s, float x, float y, const PfcDraw* d) {
  for (int32_t side = -1; side <= 1; side += 2) {  // the left lies above, as the walker goes to the right
    const float lamp_y = y + 46.0f * (float)side;
    const bool lit = s->lamp == side, true_light = s->place == 0;
    const uint32_t color = !lit ? 0x2a3040 : true_light ? 0xf2b134 : 0x8a7442;
    if (lit && true_light) d->circle(d->context, x, lamp_y, 15.0f, pfc_rgb(0x4a3d22));
    d->circle(d->context, x, lamp_y, 9.0f, pfc_rgb(color));
  }
}

static void tmaze_draw(const Tmaze* s, const TmazeParams* p, const PfcDraw* d) {
  (void)p;
  const float width = 640.0f, height = 240.0f, lane = 44.0f, middle = height / 2.0f, left = 52.0f, junction = 574.0f;
  const float cell = (junction - left) / (float)s->length, arm = 74.0f;
  const PfcColor floor_color = pfc_rgb(0x252b3a);
  d->begin(d->context, width, height, pfc_rgb(0x12141c));
  d->rounded_rect(d->context, left - lane / 2.0f, middle - lane / 2.0f, junction - left + lane, lane, 8.0f,
                  floor_color);
  d->rounded_rect(d->context, junction - lane / 2.0f, middle - arm - lane / 2.0f, lane, 2.0f * arm + lane, 8.0f,
                  floor_color);
  for (int32_t i = 0; i <= s->length && s->length <= 60; ++i)
    d->circle(d->context, left + cell * (float)i, middle, 2.0f, pfc_rgb(0x3d465c));
  for (int32_t side = -1; side <= 1; side += 2) {
    const uint32_t color = side == s->side ? 0x5fb96c : 0xc2495b;
    d->rounded_rect(d->context, junction - 13.0f, middle + arm * (float)side - 13.0f, 26.0f, 26.0f, 6.0f,
                    pfc_rgb(color));
  }
  const float x = left + cell * (float)s->place, y = middle + arm * (float)s->turned;
  tmaze_draw_lamp(s, x, middle, d);
  d->circle(d->context, x, y, 13.0f, pfc_rgb(0x3fb6d3));
  d->circle(d->context, x + 4.5f, y - 4.0f, 2.5f, pfc_rgb(0x12141c));
  d->circle(d->context, x + 4.5f, y + 4.0f, 2.5f, pfc_rgb(0x12141c));
  d->end(d->context);
}

PFC_DEFINE_ENV(tmaze, Tmaze,
               .title = "TMaze",
               .summary = "remember a lamp's side along a corridor, then turn there",
               .version = 1,
               .obs_dtype = PFC_FLOAT32,
               .sizes = {.action_counts = {2}},
               .check = tmaze_check,
               .obs_rows = tmaze_obs,
               .num_obs_rows = sizeof tmaze_obs / sizeof tmaze_obs[0],
               .metrics = {"score", "perf"})
