// tmaze.c - remember which way to turn. One agent; the game needs memory.
//
// The agent moves along a corridor to a junction, one cell per step. At the start a lamp shows the side of the exit,
// left or right with equal probability. In the corridor and at the junction the lamp shows random sides (or stays
// dark: distractors = 0). Actions have an effect only at the junction: a turn towards the exit is worth +1, away from
// it -1, and both end the episode.
//
// obs   float32[3]            range
//   0   lamp                  [-1, 1]   -1 left, 1 right, 0 dark
//   1   start                 [0, 1]    1 in the first observation, where the lamp shows the exit
//   2   junction              [0, 1]    1 in the last observation, where the action counts
// act   int32[1]   0 left  1 right
// rew   +1 or -1 at the end; the score is the return, perf 1 for the right turn and 0 for the wrong one
//
// Without memory every policy has a mean score of 0 (perf 0.5): the side is independent of the observation at the
// junction and of the number of steps, so a choice based on them is right half the time. Only memory carries the side
// to the junction: earlier actions have no effect, and each episode draws its length independently of the side. With
// memory the best mean is 1 (perf 1).
#include "pufferc/env.h"

enum { TMAZE_LEFT, TMAZE_RIGHT };
enum { TMAZE_MAX_LENGTH = 1000000 };

#define TMAZE_PARAMS(X)                                                                     \
  X(int, max_steps, 0, 0, PFC_MAX_STEPS, "steps until truncation; 0 = never")               \
  X(int, length, 20, 1, TMAZE_MAX_LENGTH, "longest corridor, cells from start to junction") \
  X(int, min_length, 10, 1, TMAZE_MAX_LENGTH, "shortest corridor")                          \
  X(bool, distractors, 1, 0, 1, "the lamp shows random sides after the start; 0: it is dark")
PFC_DEFINE_PARAMS(tmaze, TmazeParams, TMAZE_PARAMS)

typedef struct Tmaze {
  PfcRng rng;
  int32_t side;    // of the exit: -1 left, 1 right
  int32_t lamp;    // current display: -1, 0, 1
  int32_t length;  // of this episode's corridor
  int32_t place;   // cells from the start; equals length at the junction
  int32_t turned;  // 0 until the end, then -1 or 1
} Tmaze;

typedef struct TmazeObs {
  float lamp, start, junction;
} TmazeObs;

static const PfcObsRow tmaze_obs[] = {
    PFC_OBS("lamp", 1, -1, 1, "-1 left, 1 right, 0 dark; the side of the exit at the start, random later"),
    PFC_OBS("start", 1, 0, 1, "1 in the first observation"),
    PFC_OBS("junction", 1, 0, 1, "1 at the junction, where the action counts"),
};

// With min_length above length there would be no valid corridor.
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

PFC_FN void tmaze_metrics(const Tmaze* s, const TmazeParams* p, int32_t agent, float* values) {
  (void)p, (void)agent;  // the score is the return
  values[1] = s->turned == s->side ? 1.0f : 0.0f;
}

// The picture is 640 x 360 px. The agent moves to the right, so its left is up.
#define TMAZE_VIEW_MIDDLE 212.0f
#define TMAZE_VIEW_ARM 92.0f
#define TMAZE_VIEW_LANE 56.0f
#define TMAZE_VIEW_LEFT 60.0f
#define TMAZE_VIEW_JUNCTION 568.0f

// The lamp at the start, which shows the exit, is brighter than later ones.
static void tmaze_draw_lamps(const Tmaze* s, float x, const PfcDraw* d) {
  for (int32_t side = -1; side <= 1; side += 2) {
    const float y = TMAZE_VIEW_MIDDLE + 54.0f * (float)side;
    const bool lit = s->lamp == side, truth = lit && s->place == 0;
    if (truth) d->circle(d->context, x, y, 24.0f, pfc_tint(PFC_GOAL, 40));
    if (truth) d->circle(d->context, x, y, 17.0f, pfc_tint(PFC_GOAL, 70));
    d->circle(d->context, x, y, 11.0f, pfc_rgb(truth ? PFC_GOAL : lit ? 0x8a7442 : PFC_TILE));
  }
}

// A door with a tick or a cross, so that colour-blind viewers can tell them apart.
static void tmaze_draw_end(float x, float y, bool out, const PfcDraw* d) {
  const PfcColor sign = pfc_rgb(PFC_PAGE);
  d->rounded_rect(d->context, x - 18.0f, y - 18.0f, 36.0f, 36.0f, 8.0f, pfc_rgb(out ? PFC_GOOD : PFC_BAD));
  if (out) {
    d->line(d->context, x - 8.0f, y + 1.0f, x - 2.0f, y + 7.0f, 4.0f, sign);
    d->line(d->context, x - 2.0f, y + 7.0f, x + 9.0f, y - 7.0f, 4.0f, sign);
  } else {
    d->line(d->context, x - 7.0f, y - 7.0f, x + 7.0f, y + 7.0f, 4.0f, sign);
    d->line(d->context, x - 7.0f, y + 7.0f, x + 7.0f, y - 7.0f, 4.0f, sign);
  }
}

static void tmaze_draw_maze(const Tmaze* s, const PfcDraw* d) {
  const float half = TMAZE_VIEW_LANE / 2.0f, left = TMAZE_VIEW_LEFT - half, right = TMAZE_VIEW_JUNCTION - half;
  const float middle = TMAZE_VIEW_MIDDLE, arm = TMAZE_VIEW_ARM + half;
  for (int32_t wall = 1; wall >= 0; --wall) {  // first the walls, then the floor on top
    const float rim = 4.0f * (float)wall;
    const PfcColor color = pfc_rgb(wall ? PFC_LINE : PFC_TILE);
    d->rounded_rect(d->context, left - rim, middle - half - rim, right - left + TMAZE_VIEW_LANE + 2.0f * rim,
                    TMAZE_VIEW_LANE + 2.0f * rim, 10.0f + rim, color);
    d->rounded_rect(d->context, right - rim, middle - arm - rim, TMAZE_VIEW_LANE + 2.0f * rim,
                    2.0f * (arm + rim), 10.0f + rim, color);
  }
  const float cell = (TMAZE_VIEW_JUNCTION - TMAZE_VIEW_LEFT) / (float)s->length;
  for (int32_t i = 0; i <= s->length && s->length <= 60; ++i)
    d->circle(d->context, TMAZE_VIEW_LEFT + cell * (float)i, middle, 2.5f, pfc_rgb(0x4a546c));
  for (int32_t side = -1; side <= 1; side += 2)
    tmaze_draw_end(TMAZE_VIEW_JUNCTION, middle + TMAZE_VIEW_ARM * (float)side, side == s->side, d);
}

static void tmaze_draw(const Tmaze* s, const TmazeParams* p, const PfcDraw* d) {
  (void)p;
  const float way = TMAZE_VIEW_JUNCTION - TMAZE_VIEW_LEFT;
  const float x = TMAZE_VIEW_LEFT + way * (float)s->place / (float)s->length;
  const float y = TMAZE_VIEW_MIDDLE + TMAZE_VIEW_ARM * (float)s->turned;
  char number[32];
  pfc_draw_board(d, 640.0f, 360.0f);
  tmaze_draw_maze(s, d);
  tmaze_draw_lamps(s, x, d);
  d->circle(d->context, x, y, 17.0f, pfc_rgb(PFC_AGENT));
  for (int32_t eye = -1; eye <= 1; eye += 2)
    d->circle(d->context, x + 6.0f, y + 5.5f * (float)eye, 3.2f, pfc_rgb(PFC_BOARD));
  snprintf(number, sizeof number, "%d/%d", (int)s->place, (int)s->length);
  pfc_draw_figure(d, 28.0f, 22.0f, 30.0f, true, number, "cells");
  d->end(d->context);
}

static const PfcKeyBinding tmaze_keys[] = {
    PFC_BIND("up w left a", "turn up", 0, 0),
    PFC_BIND("down s right d", "turn down", 0, 1),
};

PFC_DEFINE_ENV(tmaze, Tmaze,
               .title = "TMaze",
               .summary = "remember a lamp's side through a corridor, then turn to it",
               .version = 1,
               .obs_dtype = PFC_FLOAT32,
               .sizes = {.action_counts = {2}},
               .check = tmaze_check,
               .obs_rows = tmaze_obs,
               .num_obs_rows = sizeof tmaze_obs / sizeof tmaze_obs[0],
               .metrics = {"score", "perf"},
               .fps = 8,
               .keys = tmaze_keys,
               .num_keys = sizeof tmaze_keys / sizeof tmaze_keys[0],
               .idle = PFC_IDLE_KEEP)
