// recall.c - three games of cards that need memory over 4 to 208 steps. One agent; three of POPGym's tasks.
//
// The cards are `decks` shuffled decks of 52, n in all.
//   task 0, repeat     A card's suit is seen in each step. Once `back` cards were seen, name the suit of the card that
//                      was seen back - 1 steps before the current one. n - 1 steps. (POPGym: RepeatPrevious)
//   task 1, backwards  See n cards, then name their suits from the last to the first. 2n - 1 steps. (Autoencode)
//   task 2, pairs      n cards lie face down. A choice turns one up. The second one stays up with the first if both
//                      have the same colour (`ranks` 1: the same rank), else both are turned back. 2n steps at most.
//                      (Concentration)
//
// obs   uint8   task 0: [1] the suit. Task 1: [2] 1 while watching, else 0; the suit of the card, a constant 0 after
//               the first step of naming. Task 2: [n] 0 face down, else 1 + colour (1 + rank). Both cards of a turn are
//               seen after the second choice.
// act   int32[1]   tasks 0 and 1: a suit, 0 to 3; task 2: a card, 0 to n - 1
// rew   task 0: +-1 / (n - back) for each suit named. Task 1: +-1 / n. Task 2: a pair +2 / n, no pair -2 / 2n; for a
//       card that is up already -1 / 2n per card turned in this turn, which ends
//
// score is the return, -1 to 1; perf is (score + 1) / 2.
#include "pufferc/env.h"

enum { RECALL_REPEAT, RECALL_BACKWARDS, RECALL_PAIRS, RECALL_TASKS };
enum { RECALL_SUITS = 4, RECALL_COLORS = 2, RECALL_RANKS = 13, RECALL_DECK = RECALL_SUITS * RECALL_RANKS };
enum { RECALL_MOST_DECKS = 4, RECALL_MOST = RECALL_MOST_DECKS * RECALL_DECK, RECALL_NONE = -1 };

#define RECALL_PARAMS(X)                                                                        \
  X(int, max_steps, 0, 0, PFC_MAX_STEPS, "steps until truncation; 0 = only by the rules")       \
  X(int, task, 0, 0, RECALL_TASKS - 1, "0 repeat, 1 backwards, 2 pairs")                        \
  X(int, decks, 1, 1, RECALL_MOST_DECKS, "decks of 52 cards")                                   \
  X(int, back, 4, 1, RECALL_MOST - 1, "task 0: the card of back - 1 steps before is named")     \
  X(bool, ranks, 0, 0, 1, "task 2: 1 pairs have the same rank, 0 the same colour")
PFC_DEFINE_PARAMS(recall, RecallParams, RECALL_PARAMS)

// A card is a number: suit = card % 4 (spades, diamonds, clubs, hearts), colour = card % 2, rank = card % 52 / 4.
typedef struct Recall {
  PfcRng rng;
  int32_t t;         // steps so far
  int16_t named;     // the latest choice, for the picture
  int16_t right;     // 1 if it was right, -1 if it was wrong, 0 if it did not count
  int16_t turned;    // task 2: the first card of a turn, else RECALL_NONE
  int16_t shown[2];  // task 2: cards of the latest turn, seen until the next choice; RECALL_NONE
  int16_t pairs;     // task 2: found
  uint8_t cards[RECALL_MOST];  // in the order in which they are seen; task 2: by place
  uint8_t up[RECALL_MOST];     // task 2: 1 = found
} Recall;

typedef struct RecallObs {
  uint8_t value[RECALL_MOST];
} RecallObs;

static const PfcObsRow recall_obs[] = {
    PFC_OBS_CODES("cards", 0, RECALL_SUITS,
                  "task 0: suit; task 1: watching, suit; task 2: each card, 0 = down, else 1 + colour or rank"),
};

PFC_FN int32_t recall_count(const RecallParams* p) { return RECALL_DECK * p->decks; }

static const char* recall_check(const void* params) {
  const RecallParams* p = (const RecallParams*)params;
  return p->back < recall_count(p) ? NULL : "back must be less than the number of cards, 52 * decks";
}

static void recall_layout(const void* params, PfcLayout* sizes) {
  const RecallParams* p = (const RecallParams*)params;
  sizes->obs_shape[0] = p->task == RECALL_PAIRS ? recall_count(p) : 1 + p->task;
  sizes->action_counts[0] = p->task == RECALL_PAIRS ? recall_count(p) : RECALL_SUITS;
}

static void recall_fill_rows(const void* params, PfcObsRow* rows) {
  const RecallParams* p = (const RecallParams*)params;
  if (p->task != RECALL_PAIRS) return;
  rows[0].num_codes = 1 + (p->ranks ? RECALL_RANKS : RECALL_COLORS);
  rows[0].high = (float)(rows[0].num_codes - 1);
}

// ---- rules --------------------------------------------------------------------------------------------------------

PFC_FN int32_t recall_suit(int32_t card) { return card % RECALL_SUITS; }

// What two cards of a pair have in common.
PFC_FN int32_t recall_kind(const RecallParams* p, int32_t card) {
  return p->ranks ? card % RECALL_DECK / RECALL_SUITS : card % RECALL_COLORS;
}

PFC_FN void recall_reset(Recall* s, const RecallParams* p) {
  const int32_t count = recall_count(p);
  s->named = s->turned = s->shown[0] = s->shown[1] = RECALL_NONE;
  for (int32_t i = 0; i < count; ++i) {  // each card goes to a random place among those so far
    const uint32_t place = pfc_rng_below(&s->rng, (uint32_t)i + 1);
    s->cards[i] = s->cards[place];
    s->cards[place] = (uint8_t)i;
  }
}

// The card whose suit the next action names; RECALL_NONE if that action does not count.
PFC_FN int32_t recall_asked(const Recall* s, const RecallParams* p) {
  const int32_t last = recall_count(p) - 1;
  if (p->task == RECALL_REPEAT) return s->t + 1 >= p->back ? s->t + 1 - p->back : RECALL_NONE;
  return s->t >= last ? 2 * last - s->t : RECALL_NONE;
}

PFC_FN void recall_name(Recall* s, const RecallParams* p, PfcIo io) {
  const int32_t count = recall_count(p), asked = recall_asked(s, p);
  const int32_t answers = p->task == RECALL_REPEAT ? count - p->back : count;
  const int32_t last_step = p->task == RECALL_REPEAT ? count - 2 : 2 * count - 2;
  s->right = 0;
  if (asked >= 0) {
    s->right = recall_suit(s->cards[asked]) == io.actions[0] ? 1 : -1;
    io.rewards[0] = (float)s->right / (float)answers;
  }
  s->named = (int16_t)io.actions[0];
  io.terminated[0] = s->t == last_step;
}

// Two cards are turned up. A card is no pair with itself.
PFC_FN void recall_compare(Recall* s, const RecallParams* p, int32_t first, int32_t second, PfcIo io) {
  const int32_t count = recall_count(p);
  const bool same = recall_kind(p, s->cards[first]) == recall_kind(p, s->cards[second]);
  s->turned = RECALL_NONE;
  s->right = first != second && same ? 1 : -1;
  io.rewards[0] = s->right > 0 ? 2.0f / (float)count : -1.0f / (float)count;
  if (s->right < 0) return;
  s->up[first] = s->up[second] = 1;
  s->pairs += 1;
  io.terminated[0] = 2 * s->pairs == count;
}

PFC_FN void recall_turn(Recall* s, const RecallParams* p, PfcIo io) {
  const int32_t card = io.actions[0], first = s->turned, count = recall_count(p);
  s->named = (int16_t)card;
  s->shown[0] = (int16_t)(first >= 0 ? first : card);
  s->shown[1] = (int16_t)(first >= 0 ? card : RECALL_NONE);
  s->right = 0;
  if (s->up[card]) {
    s->right = -1;
    s->turned = RECALL_NONE;
    io.rewards[0] = (first >= 0 ? -1.0f : -0.5f) / (float)count;
  } else if (first < 0) {
    s->turned = (int16_t)card;
  } else {
    recall_compare(s, p, first, card, io);
  }
  if (s->t + 1 == 2 * count) io.truncated[0] = 1;
}

PFC_FN void recall_step(Recall* s, const RecallParams* p, PfcIo io) {
  if (p->task == RECALL_PAIRS) recall_turn(s, p, io);
  else recall_name(s, p, io);
  s->t += 1;
}

// ---- observation, metrics -----------------------------------------------------------------------------------------

PFC_FN void recall_observe_pairs(const Recall* s, const RecallParams* p, RecallObs* obs) {
  const int32_t count = recall_count(p);
  for (int32_t i = 0; i < count; ++i) obs->value[i] = (uint8_t)(s->up[i] * (1 + recall_kind(p, s->cards[i])));
  for (int32_t i = 0; i < 2; ++i) {
    const int32_t card = s->shown[i];
    if (card >= 0) obs->value[card] = (uint8_t)(1 + recall_kind(p, s->cards[card]));
  }
}

PFC_FN void recall_observe(const Recall* s, const RecallParams* p, int32_t agent, RecallObs* obs) {
  const int32_t last = recall_count(p) - 1;
  (void)agent;
  if (p->task == RECALL_REPEAT) {
    obs->value[0] = (uint8_t)recall_suit(s->cards[s->t]);
  } else if (p->task == RECALL_BACKWARDS) {
    obs->value[0] = s->t < last;
    obs->value[1] = (uint8_t)(s->t <= last ? recall_suit(s->cards[s->t]) : 0);
  } else {
    recall_observe_pairs(s, p, obs);
  }
}

PFC_FN void recall_metrics(const Recall* s, const RecallParams* p, int32_t agent, float* values) {
  (void)s, (void)p, (void)agent;  // the score is the return
  values[1] = pfc_clampf(0.5f * (values[0] + 1.0f), 0.0f, 1.0f);
}

// ---- picture: 640 x 400, all cards on a table ---------------------------------------------------------------------

#define RECALL_VIEW_WIDTH 640.0f
#define RECALL_VIEW_HEIGHT 400.0f
#define RECALL_VIEW_LEFT 20.0f
#define RECALL_VIEW_TOP 62.0f
#define RECALL_VIEW_TABLE_WIDTH 600.0f
#define RECALL_VIEW_TABLE_HEIGHT 272.0f
#define RECALL_VIEW_RED 0xd8434au
#define RECALL_VIEW_BLACK 0x232836u

typedef struct RecallView {
  int32_t columns;
  float width, height;  // of a card's place
} RecallView;

static RecallView recall_view(const RecallParams* p) {
  RecallView v;
  v.columns = p->decks == 1 ? RECALL_RANKS : 2 * RECALL_RANKS;
  v.width = RECALL_VIEW_TABLE_WIDTH / (float)v.columns;
  v.height = RECALL_VIEW_TABLE_HEIGHT / (float)(recall_count(p) / v.columns);
  return v;
}

// A suit's sign of this height around a point.
static void recall_draw_suit(const PfcDraw* d, PfcPoint at, float size, int32_t suit, PfcColor color) {
  const float r = 0.25f * size, x = at.x, y = at.y;
  if (suit == 1) {
    const PfcPoint diamond[4] = {{x, y - 2.0f * r}, {x + 1.5f * r, y}, {x, y + 2.0f * r}, {x - 1.5f * r, y}};
    d->polygon(d->context, diamond, 4, color);
    return;
  }
  const float down = suit == 3 ? 1.0f : -1.0f;  // a heart; a spade is one upside down on a foot
  if (suit != 2) {
    const PfcPoint tip[3] = {
        {x - 1.75f * r, y - 0.3f * down * r}, {x + 1.75f * r, y - 0.3f * down * r}, {x, y + 1.9f * down * r}};
    d->polygon(d->context, tip, 3, color);
  } else {
    d->circle(d->context, x, y - r, r, color);
  }
  const float lobes = suit == 2 ? 0.45f * r : -0.7f * down * r;
  d->circle(d->context, x - 0.9f * r, y + lobes, r, color);
  d->circle(d->context, x + 0.9f * r, y + lobes, r, color);
  if (suit == 3) return;
  const PfcPoint foot[3] = {{x, y}, {x + 0.8f * r, y + 2.0f * r}, {x - 0.8f * r, y + 2.0f * r}};
  d->polygon(d->context, foot, 3, color);
}

typedef enum RecallLook { RECALL_BACK, RECALL_PAST, RECALL_DIMMED, RECALL_BRIGHT } RecallLook;

static RecallLook recall_look(const Recall* s, const RecallParams* p, int32_t i) {
  if (p->task == RECALL_PAIRS)
    return i == s->shown[0] || i == s->shown[1] ? RECALL_BRIGHT : s->up[i] ? RECALL_DIMMED : RECALL_BACK;
  const int32_t last = recall_count(p) - 1, now = pfc_mini(s->t, last), asked = recall_asked(s, p);
  if (i > now) return RECALL_BACK;
  if (i == now && s->t <= last) return RECALL_BRIGHT;
  const bool done = p->task == RECALL_REPEAT ? i < asked : asked >= 0 && i > asked;
  return done ? RECALL_PAST : RECALL_DIMMED;
}

static void recall_draw_card(const Recall* s, const RecallParams* p, int32_t i, const PfcDraw* d) {
  static const uint32_t faces[] = {0x2a3350, PFC_TILE, 0x7d869c, 0xf3f4f8};
  static const char ranks[RECALL_RANKS][3] = {"A", "2", "3", "4", "5", "6", "7", "8", "9", "10", "J", "Q", "K"};
  const RecallView v = recall_view(p);
  const RecallLook look = recall_look(s, p, i);
  const int32_t card = s->cards[i], suit = recall_suit(card);
  const float x = RECALL_VIEW_LEFT + v.width * (float)(i % v.columns);
  const float y = RECALL_VIEW_TOP + v.height * (float)(i / v.columns), gap = 0.07f * v.width;
  const bool framed = p->task != RECALL_PAIRS && i == recall_asked(s, p);
  const float size = pfc_minf(0.5f * v.width, 0.4f * v.height);
  const PfcPoint middle = {x + 0.5f * v.width, y + 0.5f * v.height};
  if (framed) d->rounded_rect(d->context, x, y, v.width, v.height, 0.16f * v.width, pfc_rgb(PFC_GOAL));
  d->rounded_rect(d->context, x + gap, y + gap, v.width - 2.0f * gap, v.height - 2.0f * gap, 0.12f * v.width,
                  pfc_rgb(faces[look]));
  if (look == RECALL_BACK)
    d->rounded_rect(d->context, x + 3.0f * gap, y + 3.0f * gap, v.width - 6.0f * gap, v.height - 6.0f * gap,
                    0.08f * v.width, pfc_rgb(0x323d60));
  const uint32_t color = look == RECALL_PAST ? PFC_LINE : suit % 2 ? RECALL_VIEW_RED : RECALL_VIEW_BLACK;
  const PfcColor ink = pfc_rgb(color);
  if (look != RECALL_BACK && !(p->task == RECALL_PAIRS && p->ranks)) recall_draw_suit(d, middle, size, suit, ink);
  if (look != RECALL_BACK && p->task == RECALL_PAIRS && p->ranks) {
    const char* rank = ranks[card % RECALL_DECK / RECALL_SUITS];
    d->text(d->context, middle.x - 0.5f * pfc_text_width(rank, size), middle.y - 0.4f * size, size, rank, ink);
  }
}

// The four suits, the latest choice on a green or red tile.
static void recall_draw_answers(const Recall* s, const PfcDraw* d) {
  for (int32_t suit = 0; suit < RECALL_SUITS; ++suit) {
    const float x = 0.5f * RECALL_VIEW_WIDTH + 54.0f * ((float)suit - 1.5f);
    const uint32_t tile = suit != s->named || s->right == 0 ? PFC_TILE : s->right > 0 ? PFC_GOOD : PFC_BAD;
    const PfcPoint at = {x, 367.0f};
    d->rounded_rect(d->context, x - 23.0f, 346.0f, 46.0f, 42.0f, 8.0f, pfc_rgb(tile));
    recall_draw_suit(d, at, 26.0f, suit, pfc_rgb(tile == PFC_TILE ? PFC_DIM : PFC_INK));
  }
}

static void recall_draw(const Recall* s, const RecallParams* p, const PfcDraw* d) {
  const int32_t count = recall_count(p);
  pfc_draw_board(d, RECALL_VIEW_WIDTH, RECALL_VIEW_HEIGHT);
  pfc_draw_measure(d, 24.0f, 18.0f, 28.0f, true, 100.0f * d->episode_return, true, "of 100 points");
  pfc_draw_count(d, RECALL_VIEW_WIDTH - 24.0f, 24.0f, 20.0f, false, d->steps, "steps");
  for (int32_t i = 0; i < count; ++i) recall_draw_card(s, p, i, d);
  if (p->task != RECALL_PAIRS) recall_draw_answers(s, d);
  if (p->task == RECALL_PAIRS) pfc_draw_count(d, 24.0f, 354.0f, 24.0f, true, s->pairs, "pairs");
  d->end(d->context);
}

static const PfcKeyBinding recall_keys[] = {
    PFC_BIND("1 s", "spades", 0, 0),
    PFC_BIND("2 d", "diamonds", 0, 1),
    PFC_BIND("3 c", "clubs", 0, 2),
    PFC_BIND("4 h", "hearts", 0, 3),
};

static const PfcField recall_fields[] = {
    PFC_STATE_FIELD(Recall, cards, PFC_UINT8),
    PFC_STATE_FIELD(Recall, up, PFC_UINT8),
    PFC_STATE_FIELD(Recall, t, PFC_INT32),
    PFC_STATE_FIELD(Recall, turned, PFC_INT16),
};

PFC_DEFINE_ENV(recall, Recall,
               .title = "Recall",
               .summary = "remember cards over 4 to 208 steps, as in three tasks of POPGym",
               .version = 1,
               .obs_dtype = PFC_UINT8,
               .sizes = {.obs_shape = {1}, .action_counts = {RECALL_SUITS}},
               .layout = recall_layout,
               .check = recall_check,
               .obs_rows = recall_obs,
               .num_obs_rows = sizeof recall_obs / sizeof recall_obs[0],
               .fill_rows = recall_fill_rows,
               .metrics = {"score", "perf"},
               .fields = recall_fields,
               .num_fields = sizeof recall_fields / sizeof recall_fields[0],
               .fps = 2,
               .keys = recall_keys,
               .num_keys = sizeof recall_keys / sizeof recall_keys[0])
