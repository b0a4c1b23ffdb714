// kitchen.c - two cooks make onion soup together. Overcooked's first five kitchens; both cooks have one reward.
//
// Three onions go into a pot, a soup cooks for 20 steps, a dish takes it out, and it is served. Cooks can put things
// down on counters. In a step first both cooks interact (cook 1 before cook 2), then both move, then the pots cook. A
// cook that would walk into a wall only turns. If both want one cell, or each other's, both stay and turn.
//
// obs   uint8[height][width][3]   terrain; what lies or cooks in the cell, or is held there; cook
// act   int32[1] of each cook     0 up  1 down  2 right  3 left  4 stay  5 interact with the cell ahead
// rew   20 to both for a soup of three onions; times `shaping`, to the one who does it: 3 for an onion into a pot, 3
// for
//       a dish taken when a pot needs one, 5 for a soup taken out
//
// score is 20 for each soup of three onions; perf is score / 240, at most 1.
#include "pufferc/env.h"

enum { KITCHEN_FLOOR, KITCHEN_COUNTER, KITCHEN_POT, KITCHEN_ONIONS, KITCHEN_DISHES, KITCHEN_SERVING, KITCHEN_TERRAINS };
enum { KITCHEN_NOTHING, KITCHEN_ONION, KITCHEN_DISH, KITCHEN_SOUP };  // things that can be held
// What is in a pot: nothing, 1 to 3 onions, 20 to 1 steps until the soup is done, the soup.
enum { KITCHEN_FULL_POT = 3, KITCHEN_COOK_STEPS = 20 };
enum {
  KITCHEN_FILLED = KITCHEN_SOUP,  // + number of onions
  KITCHEN_COOKING = KITCHEN_FILLED + KITCHEN_FULL_POT + 1,
  KITCHEN_DONE = KITCHEN_COOKING + KITCHEN_COOK_STEPS,
  KITCHEN_CODES
};
enum { KITCHEN_UP, KITCHEN_DOWN, KITCHEN_RIGHT, KITCHEN_LEFT, KITCHEN_STAY, KITCHEN_INTERACT, KITCHEN_CHOICES };
enum { KITCHEN_COOKS = 2, KITCHEN_MAX_POTS = 2, KITCHEN_MAX_CELLS = 45, KITCHEN_LAYOUTS = 5, KITCHEN_PLAN_BYTES = 52 };
enum { KITCHEN_OTHER = 4 };                      // added to the facing of the other cook in observations
enum { KITCHEN_WIDTH = 5, KITCHEN_HEIGHT = 4 };  // of the default layout
#define KITCHEN_SOUP_REWARD 20.0f
#define KITCHEN_FULL_SCORE 240.0f
#define KITCHEN_POTTING_REWARD 3.0f
#define KITCHEN_DISH_REWARD 3.0f
#define KITCHEN_TAKING_REWARD 5.0f

#define KITCHEN_PARAMS(X)                                                                                      \
  X(int, max_steps, 400, 0, PFC_MAX_STEPS, "steps until truncation; 0 = never")                                \
  X(int, layout, 0, 0, KITCHEN_LAYOUTS - 1,                                                                    \
    "0 cramped room, 1 asymmetric advantages, 2 coordination ring, 3 forced "                                  \
    "coordination, 4 counter circuit")                                                                         \
  X(bool, auto_cook, 0, 0, 1, "1: a pot of three onions starts to cook; 0: a cook with empty hands starts it") \
  X(float, shaping, 1, 0, 1, "factor of the rewards for single acts; let it fall to 0 during training")
PFC_DEFINE_PARAMS(kitchen, KitchenParams, KITCHEN_PARAMS)

typedef struct KitchenCook {
  uint8_t at, facing, holds, onions;  // cell; a direction; a thing; onions of a soup that is held
} KitchenCook;

typedef struct KitchenCell {
  uint8_t terrain, content, cook;  // as observed, without things in hands; cook is 0
} KitchenCell;

typedef struct Kitchen {
  PfcRng rng;  // never used: nothing is random
  KitchenCook cooks[KITCHEN_COOKS];
  int32_t soups;                         // of three onions that were served
  uint8_t pots[KITCHEN_MAX_POTS];        // their cells; in kitchens with one pot both are the same
  uint8_t onions[KITCHEN_MAX_CELLS];     // of the soup in a cell
  KitchenCell cells[KITCHEN_MAX_CELLS];  // row by row
} Kitchen;

typedef struct KitchenObs {
  KitchenCell cells[KITCHEN_HEIGHT * KITCHEN_WIDTH];  // of the default layout
} KitchenObs;

// Counts are of the default layout; kitchen_fill_rows corrects them.
static const PfcObsRow kitchen_obs[] = {
    PFC_OBS_CODES("cells", 3 * KITCHEN_HEIGHT * KITCHEN_WIDTH, KITCHEN_CODES,
                  "[height][width] cells, each: terrain (0 floor, 1 counter, 2 pot, 3 onions, 4 dishes, 5 serving), "
                  "content (1 onion, 2 dish, 3 soup, 4 to 6 pot of 1 to 3 onions, 7 to 26 cooking with 20 to 1 steps "
                  "left, 27 done), cook (1 to 4 own, facing up, down, right, left; 5 to 8 the other)"),
};

// Rows from the top: X counter, P pot, O onions, D dishes, S serving, 1 and 2 where the cooks start.
PFC_TABLE int32_t kitchen_widths[KITCHEN_LAYOUTS] = {5, 9, 5, 5, 8};
PFC_TABLE int32_t kitchen_heights[KITCHEN_LAYOUTS] = {4, 5, 5, 5, 5};
PFC_TABLE char kitchen_plans[KITCHEN_LAYOUTS][KITCHEN_PLAN_BYTES] = {
    "XXPXX"
    "O  2O"
    "X1  X"
    "XDXSX",
    "XXXXXXXXX"
    "O XSXOX S"
    "X   P 1 X"
    "X2  P   X"
    "XXXDXDXXX",
    "XXXPX"
    "X 1 P"
    "D2X X"
    "O   X"
    "XOSXX",
    "XXXPX"
    "O X1P"
    "O2X X"
    "D X X"
    "XXXSX",
    "XXXPPXXX"
    "X  2   X"
    "D XXXX S"
    "X  1   X"
    "XXXOOXXX",
};

PFC_FN int32_t kitchen_area(const KitchenParams* p) { return kitchen_widths[p->layout] * kitchen_heights[p->layout]; }

static void kitchen_layout(const void* params, PfcLayout* sizes) {
  const KitchenParams* p = (const KitchenParams*)params;
  sizes->obs_shape[0] = kitchen_heights[p->layout];
  sizes->obs_shape[1] = kitchen_widths[p->layout];
  sizes->obs_shape[2] = 3;
}

static void kitchen_fill_rows(const void* params, PfcObsRow* rows) {
  rows[0].count = 3 * kitchen_area((const KitchenParams*)params);
}

PFC_FN int32_t kitchen_terrain(char mark) {
  return mark == 'X'   ? KITCHEN_COUNTER
         : mark == 'P' ? KITCHEN_POT
         : mark == 'O' ? KITCHEN_ONIONS
         : mark == 'D' ? KITCHEN_DISHES
         : mark == 'S' ? KITCHEN_SERVING
                       : KITCHEN_FLOOR;
}

PFC_FN void kitchen_reset(Kitchen* s, const KitchenParams* p) {
  int32_t pots = 0;
  for (int32_t cell = 0; cell < kitchen_area(p); ++cell) {
    const char mark = kitchen_plans[p->layout][cell];
    s->cells[cell].terrain = (uint8_t)kitchen_terrain(mark);
    if (mark == '1' || mark == '2') s->cooks[mark - '1'].at = (uint8_t)cell;
    if (mark != 'P') continue;
    s->pots[pots++] = (uint8_t)cell;
    if (pots == 1) s->pots[1] = (uint8_t)cell;
  }
}

// ---- a step ------------------------------------------------------------------------------------------------------

PFC_FN int32_t kitchen_ahead(const KitchenParams* p, int32_t cell, int32_t facing) {
  const int32_t width = kitchen_widths[p->layout];
  return cell + (facing == KITCHEN_RIGHT) - (facing == KITCHEN_LEFT) +
         width * ((facing == KITCHEN_DOWN) - (facing == KITCHEN_UP));
}

PFC_FN bool kitchen_is_cooking(int32_t content) { return content >= KITCHEN_COOKING && content < KITCHEN_DONE; }

// Pots that will need a dish: partly filled, cooking or done. The reference does not count full ones that wait.
PFC_FN int32_t kitchen_pots_for_dishes(const Kitchen* s) {
  int32_t count = 0;
  for (int32_t i = 0; i < KITCHEN_MAX_POTS; ++i) {
    const int32_t content = s->cells[s->pots[i]].content;
    if (i > 0 && s->pots[i] == s->pots[0]) continue;
    count += content != KITCHEN_NOTHING && content != KITCHEN_FILLED + KITCHEN_FULL_POT;
  }
  return count;
}

// Whether a dish that is taken now has a reward: more pots need one than hands hold one, and none lies on a counter.
PFC_FN bool kitchen_needs_dish(const Kitchen* s, const KitchenParams* p, int32_t pots) {
  for (int32_t cell = 0; cell < kitchen_area(p); ++cell)
    if (s->cells[cell].content == KITCHEN_DISH) return false;
  return (s->cooks[0].holds == KITCHEN_DISH) + (s->cooks[1].holds == KITCHEN_DISH) < pots;
}

PFC_FN void kitchen_hold(KitchenCook* cook, int32_t thing, int32_t onions) {
  cook->holds = (uint8_t)thing;
  cook->onions = (uint8_t)onions;
}

PFC_FN void kitchen_start_pot(Kitchen* s, int32_t pot) {
  s->onions[pot] = (uint8_t)(s->cells[pot].content - KITCHEN_FILLED);
  s->cells[pot].content = KITCHEN_COOKING;
}

// Interaction with a counter: what is held and what lies there change places if one of them is nothing.
PFC_FN void kitchen_use_counter(Kitchen* s, KitchenCook* cook, int32_t cell) {
  const int32_t lies = s->cells[cell].content, onions = s->onions[cell];
  if ((lies == KITCHEN_NOTHING) == (cook->holds == KITCHEN_NOTHING)) return;
  s->cells[cell].content = cook->holds;
  s->onions[cell] = cook->onions;
  kitchen_hold(cook, lies, onions);
}

// Interaction with a pot. Returns the reward for it before shaping.
PFC_FN float kitchen_use_pot(Kitchen* s, const KitchenParams* p, KitchenCook* cook, int32_t pot) {
  KitchenCell* cell = &s->cells[pot];
  const int32_t filled = cell->content == KITCHEN_NOTHING ? 0 : cell->content - KITCHEN_FILLED;  // more when it cooks
  if (cook->holds == KITCHEN_ONION && filled < KITCHEN_FULL_POT) {
    cell->content = (uint8_t)(KITCHEN_FILLED + filled + 1);
    kitchen_hold(cook, KITCHEN_NOTHING, 0);
    return KITCHEN_POTTING_REWARD;
  }
  if (cook->holds == KITCHEN_DISH && cell->content == KITCHEN_DONE) {
    kitchen_hold(cook, KITCHEN_SOUP, s->onions[pot]);
    cell->content = KITCHEN_NOTHING;
    s->onions[pot] = 0;
    return KITCHEN_TAKING_REWARD;
  }
  if (cook->holds == KITCHEN_NOTHING && filled > 0 && filled <= KITCHEN_FULL_POT && !p->auto_cook)
    kitchen_start_pot(s, pot);
  return 0.0f;
}

// Serves what a cook holds. Returns whether it is a soup of three onions.
PFC_FN bool kitchen_serve(Kitchen* s, KitchenCook* cook) {
  if (cook->holds != KITCHEN_SOUP) return false;
  const bool full = cook->onions == KITCHEN_FULL_POT;
  s->soups += full;
  kitchen_hold(cook, KITCHEN_NOTHING, 0);
  return full;
}

PFC_FN void kitchen_interact(Kitchen* s, const KitchenParams* p, int32_t agent, int32_t pots, PfcIo io) {
  KitchenCook* cook = &s->cooks[agent];
  const int32_t cell = kitchen_ahead(p, cook->at, cook->facing), terrain = s->cells[cell].terrain;
  const bool empty = cook->holds == KITCHEN_NOTHING;
  float points = 0.0f;
  if (terrain == KITCHEN_COUNTER) kitchen_use_counter(s, cook, cell);
  if (terrain == KITCHEN_POT) points = kitchen_use_pot(s, p, cook, cell);
  if (terrain == KITCHEN_ONIONS && empty) kitchen_hold(cook, KITCHEN_ONION, 0);
  if (terrain == KITCHEN_DISHES && empty) {
    if (kitchen_needs_dish(s, p, pots)) points = KITCHEN_DISH_REWARD;
    kitchen_hold(cook, KITCHEN_DISH, 0);
  }
  io.rewards[agent] += p->shaping * points;
  if (terrain == KITCHEN_SERVING && kitchen_serve(s, cook))
    for (int32_t i = 0; i < KITCHEN_COOKS; ++i) io.rewards[i] += KITCHEN_SOUP_REWARD;
}

PFC_FN void kitchen_move(Kitchen* s, const KitchenParams* p, const int32_t* choices) {
  int32_t next[KITCHEN_COOKS];
  for (int32_t i = 0; i < KITCHEN_COOKS; ++i) {
    KitchenCook* cook = &s->cooks[i];
    next[i] = cook->at;
    if (choices[i] >= KITCHEN_STAY) continue;
    cook->facing = (uint8_t)choices[i];
    const int32_t ahead = kitchen_ahead(p, cook->at, cook->facing);
    if (s->cells[ahead].terrain == KITCHEN_FLOOR) next[i] = ahead;
  }
  const bool swap = next[0] == s->cooks[1].at && next[1] == s->cooks[0].at;
  if (next[0] == next[1] || swap) return;
  for (int32_t i = 0; i < KITCHEN_COOKS; ++i) s->cooks[i].at = (uint8_t)next[i];
}

PFC_FN void kitchen_cook_pot(Kitchen* s, const KitchenParams* p, int32_t pot) {
  if (p->auto_cook && s->cells[pot].content == KITCHEN_FILLED + KITCHEN_FULL_POT) kitchen_start_pot(s, pot);
  if (kitchen_is_cooking(s->cells[pot].content)) s->cells[pot].content += 1;
}

PFC_FN void kitchen_step(Kitchen* s, const KitchenParams* p, PfcIo io) {
  const int32_t pots = kitchen_pots_for_dishes(s);
  for (int32_t i = 0; i < KITCHEN_COOKS; ++i)
    if (io.actions[i] == KITCHEN_INTERACT) kitchen_interact(s, p, i, pots, io);
  kitchen_move(s, p, io.actions);
  kitchen_cook_pot(s, p, s->pots[0]);
  if (s->pots[1] != s->pots[0]) kitchen_cook_pot(s, p, s->pots[1]);
}

// ---- observation, metrics ------------------------------------------------------------------------------------------

PFC_FN void kitchen_observe(const Kitchen* s, const KitchenParams* p, int32_t agent, KitchenObs* obs) {
  memcpy(obs->cells, s->cells, sizeof(KitchenCell) * (size_t)kitchen_area(p));
  for (int32_t i = 0; i < KITCHEN_COOKS; ++i) {
    KitchenCell* cell = &obs->cells[s->cooks[i].at];
    cell->content = s->cooks[i].holds;
    cell->cook = (uint8_t)(1 + s->cooks[i].facing + (i == agent ? 0 : KITCHEN_OTHER));
  }
}

PFC_FN void kitchen_metrics(const Kitchen* s, const KitchenParams* p, int32_t agent, float* values) {
  (void)p, (void)agent;
  values[0] = KITCHEN_SOUP_REWARD * (float)s->soups;
  values[1] = pfc_minf(1.0f, values[0] * (1.0f / KITCHEN_FULL_SCORE));
  values[2] = (float)s->soups;
}

// ---- picture: cells of 60 under the numbers
// --------------------------------------------------------------------------

#define KITCHEN_VIEW_CELL 60.0f
#define KITCHEN_VIEW_EDGE 20.0f
#define KITCHEN_VIEW_TOP 76.0f
#define KITCHEN_WOOD 0x2a3042u
#define KITCHEN_BULB 0xd9a04au

static PfcPoint kitchen_centre(const KitchenParams* p, int32_t cell) {
  const int32_t width = kitchen_widths[p->layout];
  PfcPoint at;
  at.x = KITCHEN_VIEW_EDGE + KITCHEN_VIEW_CELL * ((float)(cell % width) + 0.5f);
  at.y = KITCHEN_VIEW_TOP + KITCHEN_VIEW_CELL * ((float)(cell / width) + 0.5f);
  return at;
}

static void kitchen_draw_onion(const PfcDraw* d, float x, float y, float radius) {
  d->line(d->context, x, y, x + 0.3f * radius, y - 1.6f * radius, 0.35f * radius, pfc_rgb(PFC_GOOD));
  d->circle(d->context, x, y, radius, pfc_rgb(KITCHEN_BULB));
  d->circle(d->context, x - 0.3f * radius, y - 0.3f * radius, 0.35f * radius, pfc_tint(PFC_INK, 110));
}

static void kitchen_draw_dish(const PfcDraw* d, float x, float y, float radius) {
  d->circle(d->context, x, y, radius, pfc_rgb(PFC_INK));
  d->circle(d->context, x, y, 0.68f * radius, pfc_rgb(0xc3cad8u));
}

// A dish of soup, or with `onions` below three of a thinner one.
static void kitchen_draw_soup(const PfcDraw* d, float x, float y, float radius, int32_t onions) {
  kitchen_draw_dish(d, x, y, radius);
  d->circle(d->context, x, y, 0.68f * radius, onions == KITCHEN_FULL_POT ? pfc_rgb(KITCHEN_BULB) : pfc_rgb(PFC_LINE));
}

static void kitchen_draw_thing(const PfcDraw* d, PfcPoint at, int32_t thing, int32_t onions) {
  if (thing == KITCHEN_ONION) kitchen_draw_onion(d, at.x, at.y + 2.0f, 9.0f);
  if (thing == KITCHEN_DISH) kitchen_draw_dish(d, at.x, at.y, 12.0f);
  if (thing == KITCHEN_SOUP) kitchen_draw_soup(d, at.x, at.y, 12.0f, onions);
}

// The clock over a pot: a bar that fills, and the steps that are left.
static void kitchen_draw_clock(const PfcDraw* d, PfcPoint at, int32_t left) {
  const float share = (float)(KITCHEN_COOK_STEPS - left) / (float)KITCHEN_COOK_STEPS;
  char number[8];
  snprintf(number, sizeof number, "%d", (int)left);
  d->rounded_rect(d->context, at.x - 22.0f, at.y + 18.0f, 44.0f, 6.0f, 3.0f, pfc_rgb(PFC_PAGE));
  if (share > 0.0f)
    d->rounded_rect(d->context, at.x - 22.0f, at.y + 18.0f, 44.0f * share, 6.0f, 3.0f, pfc_rgb(PFC_GOAL));
  d->text(d->context, at.x - 0.5f * pfc_text_width(number, 18.0f), at.y - 11.0f, 18.0f, number, pfc_rgb(PFC_INK));
}

static void kitchen_draw_pot(const PfcDraw* d, PfcPoint at, int32_t content) {
  static const float places[3][2] = {{-8.0f, 4.0f}, {8.0f, 4.0f}, {0.0f, -8.0f}};
  const bool soup = content >= KITCHEN_COOKING;
  d->rounded_rect(d->context, at.x - 27.0f, at.y - 4.0f, 54.0f, 7.0f, 3.0f, pfc_rgb(PFC_DIM));  // handles
  d->circle(d->context, at.x, at.y, 22.0f, content == KITCHEN_DONE ? pfc_rgb(PFC_GOOD) : pfc_rgb(PFC_DIM));
  d->circle(d->context, at.x, at.y, 18.0f, soup ? pfc_rgb(KITCHEN_BULB) : pfc_rgb(PFC_PAGE));
  if (kitchen_is_cooking(content)) {
    d->circle(d->context, at.x, at.y, 18.0f, pfc_tint(PFC_PAGE, 120));
    kitchen_draw_clock(d, at, KITCHEN_DONE - content);
  }
  for (int32_t i = 0; !soup && i < content - KITCHEN_FILLED; ++i)
    kitchen_draw_onion(d, at.x + places[i][0], at.y + places[i][1], 6.0f);
}

static void kitchen_draw_bell(const PfcDraw* d, PfcPoint at) {
  enum { CORNERS = 11 };
  PfcPoint dome[CORNERS];
  for (int32_t i = 0; i < CORNERS; ++i) {
    const float angle = 3.14159265f * (float)i / (float)(CORNERS - 1);
    dome[i].x = at.x + 15.0f * pfc_cosf(angle);
    dome[i].y = at.y + 6.0f - 15.0f * pfc_sinf(angle);
  }
  d->polygon(d->context, dome, CORNERS, pfc_rgb(PFC_INK));
  d->rounded_rect(d->context, at.x - 18.0f, at.y + 8.0f, 36.0f, 4.0f, 2.0f, pfc_rgb(PFC_INK));
  d->circle(d->context, at.x, at.y - 12.0f, 3.5f, pfc_rgb(PFC_INK));
}

static void kitchen_draw_cell(const Kitchen* s, const KitchenParams* p, int32_t cell, const PfcDraw* d) {
  const int32_t terrain = s->cells[cell].terrain, width = kitchen_widths[p->layout];
  const PfcPoint at = kitchen_centre(p, cell);
  const float half = 0.5f * KITCHEN_VIEW_CELL;
  if (terrain == KITCHEN_FLOOR) {
    const bool dark = (cell % width + cell / width) % 2 == 0;
    d->rect(d->context, at.x - half, at.y - half, 2.0f * half, 2.0f * half,
            dark ? pfc_rgb(0x151823u) : pfc_rgb(0x191d29u));
    return;
  }
  d->rounded_rect(d->context, at.x - half + 1.0f, at.y - half + 1.0f, 2.0f * half - 2.0f, 2.0f * half - 2.0f, 5.0f,
                  terrain == KITCHEN_SERVING ? pfc_tint(PFC_GOOD, 120) : pfc_rgb(KITCHEN_WOOD));
  if (terrain == KITCHEN_POT) kitchen_draw_pot(d, at, s->cells[cell].content);
  if (terrain == KITCHEN_SERVING) kitchen_draw_bell(d, at);
  for (int32_t i = 0; terrain == KITCHEN_ONIONS && i < 3; ++i)
    kitchen_draw_onion(d, at.x - 12.0f + 12.0f * (float)i, at.y + (i == 1 ? -6.0f : 7.0f), 10.0f);
  for (int32_t i = 0; terrain == KITCHEN_DISHES && i < 3; ++i)
    kitchen_draw_dish(d, at.x - 5.0f + 5.0f * (float)i, at.y + 4.0f - 4.0f * (float)i, 16.0f);
  if (terrain == KITCHEN_COUNTER) kitchen_draw_thing(d, at, s->cells[cell].content, s->onions[cell]);
}

// A cook from above: shoulders, a hat, and hands that hold a thing towards the cell ahead.
static void kitchen_draw_cook(const Kitchen* s, const KitchenParams* p, int32_t agent, const PfcDraw* d) {
  static const uint32_t colors[KITCHEN_COOKS] = {PFC_AGENT, PFC_RIVAL};
  static const float ways[4][2] = {{0, -1}, {0, 1}, {1, 0}, {-1, 0}};
  const KitchenCook* cook = &s->cooks[agent];
  const float ax = ways[cook->facing][0], ay = ways[cook->facing][1];
  const PfcPoint at = kitchen_centre(p, cook->at);
  PfcPoint hands;
  hands.x = at.x + 21.0f * ax;
  hands.y = at.y + 21.0f * ay;
  for (int32_t side = -1; side <= 1; side += 2)
    d->circle(d->context, hands.x - 11.0f * ay * (float)side, hands.y + 11.0f * ax * (float)side, 5.5f,
              pfc_rgb(colors[agent]));
  d->circle(d->context, at.x, at.y, 19.0f, pfc_rgb(colors[agent]));
  d->circle(d->context, at.x - 5.0f * ax, at.y - 5.0f * ay, 11.0f, pfc_rgb(PFC_INK));
  d->circle(d->context, at.x - 5.0f * ax, at.y - 5.0f * ay, 6.0f, pfc_rgb(0xc3cad8u));
  kitchen_draw_thing(d, hands, cook->holds, cook->onions);
}

static void kitchen_draw(const Kitchen* s, const KitchenParams* p, const PfcDraw* d) {
  const float width = KITCHEN_VIEW_CELL * (float)kitchen_widths[p->layout] + 2.0f * KITCHEN_VIEW_EDGE;
  const float height = KITCHEN_VIEW_CELL * (float)kitchen_heights[p->layout] + KITCHEN_VIEW_TOP + KITCHEN_VIEW_EDGE;
  pfc_draw_board(d, width, height);
  pfc_draw_count(d, KITCHEN_VIEW_EDGE, 24.0f, 32.0f, true, s->soups, s->soups == 1 ? "soup" : "soups");
  pfc_draw_count(d, width - KITCHEN_VIEW_EDGE, 32.0f, 22.0f, false, d->steps, "steps");
  for (int32_t cell = 0; cell < kitchen_area(p); ++cell) kitchen_draw_cell(s, p, cell, d);
  for (int32_t agent = 0; agent < KITCHEN_COOKS; ++agent) kitchen_draw_cook(s, p, agent, d);
  d->end(d->context);
}

static const PfcKeyBinding kitchen_keys[] = {
    PFC_BIND("up w", "up", 0, KITCHEN_UP),
    PFC_BIND("down s", "down", 0, KITCHEN_DOWN),
    PFC_BIND("right d", "right", 0, KITCHEN_RIGHT),
    PFC_BIND("left a", "left", 0, KITCHEN_LEFT),
    PFC_BIND("space", "interact", 0, KITCHEN_INTERACT),
};

static const PfcField kitchen_fields[] = {
    PFC_STATE_FIELD(Kitchen, cooks, PFC_UINT8),
    PFC_STATE_FIELD(Kitchen, soups, PFC_INT32),
    PFC_STATE_FIELD(Kitchen, onions, PFC_UINT8),
    PFC_STATE_FIELD(Kitchen, cells, PFC_UINT8),
};

PFC_DEFINE_ENV(kitchen, Kitchen, .title = "Kitchen",
               .summary = "two cooks make and serve onion soup together, as in Overcooked", .version = 1,
               .obs_dtype = PFC_UINT8,
               .sizes = {.agents = KITCHEN_COOKS,
                         .obs_shape = {KITCHEN_HEIGHT, KITCHEN_WIDTH, 3},
                         .action_counts = {KITCHEN_CHOICES},
                         .teams = KITCHEN_COOKS},
               .layout = kitchen_layout, .obs_rows = kitchen_obs,
               .num_obs_rows = sizeof kitchen_obs / sizeof kitchen_obs[0], .fill_rows = kitchen_fill_rows,
               .metrics = {"score", "perf", "soups"}, .fields = kitchen_fields,
               .num_fields = sizeof kitchen_fields / sizeof kitchen_fields[0], .fps = 8, .keys = kitchen_keys,
               .num_keys = sizeof kitchen_keys / sizeof kitchen_keys[0], .idle = KITCHEN_STAY)
