// poker.c - two small poker games whose distance to equilibrium can be computed. Two agents.
//
// Both agents ante 1 chip and get one card that only they see. Agent 0 acts first in each round; the waiting agent may
// only choose 0, which is ignored. One step is one act. `variant` chooses the game:
//
// 0  Kuhn's poker (1950): three cards. An agent passes or bets 1. After a bet, to pass folds and to bet calls.
//    The higher card wins.
// 1  Leduc poker (Southey et al. 2005): six cards, three ranks twice. Two rounds with bets of 2 and 4 and at most two
//    raises each; between them a card is opened. An agent folds (only to a bet), calls or raises. A pair with the open
//    card wins, else the higher rank; equal ranks split the pot.
//
// obs   uint8[11], variant 1: uint8[30]   flags; see poker_obs
// act   int32[1]   variant 0: 0 pass  1 bet;   variant 1: 0 fold  1 call  2 raise
// rew   the chips won at the end, / 2 or / 13, the most that can be won; both agents are terminated
//
// score is the chips won, perf maps it to [0, 1].
#include "pufferc/env.h"

enum { POKER_FOLD, POKER_CALL, POKER_RAISE, POKER_ACTS };  // what a choice means; to check is to call nothing
enum { POKER_KUHN, POKER_LEDUC };
enum {
  POKER_MAX_ROUNDS = 2,
  POKER_MAX_ROUND_ACTS = 4,  // call, raise, raise, call
  POKER_KUHN_ACTS = 3,       // pass, bet, bet
  POKER_SUITS = 2,           // in Leduc poker, cards of one rank
  POKER_PAIR = 3,            // strength of a pair, above all ranks
};

#define POKER_PARAMS(X)                                                      \
  X(int, max_steps, 0, 0, PFC_MAX_STEPS, "acts until truncation; 0 = never") \
  X(int, variant, 0, 0, 1, "0 Kuhn's poker: three cards, one round; 1 Leduc poker: six cards, two rounds")
PFC_DEFINE_PARAMS(poker, PokerParams, POKER_PARAMS)

typedef struct Poker {
  PfcRng rng;
  int8_t card[2];  // of each agent
  int8_t open;     // the open card, dealt at the start and shown in round 1
  int8_t round;    // 0 or 1
  int8_t turn;     // the agent that acts next
  int8_t paid[2];  // chips of each agent in the pot
  int8_t raises;   // in this round
  int8_t count[POKER_MAX_ROUNDS];  // acts in each round
  int8_t choice[POKER_MAX_ROUNDS][POKER_MAX_ROUND_ACTS];
  int8_t won;      // chips that agent 0 has won at the end
  int8_t over;
} Poker;

typedef struct PokerObs {
  uint8_t flag[1];
} PokerObs;

// Counts of variant 0; poker_fill_rows corrects them.
static const PfcObsRow poker_obs[] = {
    PFC_OBS_CODES("agent", 2, 2, "one-hot: which agent this row is"),
    PFC_OBS_CODES("cards", 3, 2, "one-hot: the own card, in variant 1 then the open card, zeros until it is shown"),
    PFC_OBS_CODES("acts", 0, 2, "two flags for each possible act in order: pass, bet; in variant 1 call, raise"),
};
enum { POKER_ROW_CARDS = 1 };

// ---- rules ---------------------------------------------------------------------------------------------------

PFC_FN int32_t poker_cards(const PokerParams* p) { return p->variant == POKER_KUHN ? 3 : 6; }
PFC_FN int32_t poker_rounds(const PokerParams* p) { return p->variant == POKER_KUHN ? 1 : 2; }
PFC_FN int32_t poker_max_raises(const PokerParams* p) { return p->variant == POKER_KUHN ? 1 : 2; }
// The ante and all bets.
PFC_FN int32_t poker_most_chips(const PokerParams* p) { return p->variant == POKER_KUHN ? 2 : 13; }
PFC_FN int32_t poker_bet(const Poker* s, const PokerParams* p) {
  return p->variant == POKER_KUHN ? 1 : s->round == 0 ? 2 : 4;
}

PFC_FN bool poker_faces_bet(const Poker* s) { return s->paid[s->turn] < s->paid[1 - s->turn]; }

PFC_FN int32_t poker_act_of(const Poker* s, const PokerParams* p, int32_t choice) {
  if (p->variant == POKER_LEDUC) return choice;
  return poker_faces_bet(s) ? choice : choice + 1;  // pass: fold or call nothing; bet: call or raise
}

// A card that differs from those dealt before. Each of them raises it by at most one, the lower one first.
PFC_FN int32_t poker_deal(Poker* s, const PokerParams* p, int32_t a, int32_t b) {
  const int32_t low = pfc_mini(a, b), high = pfc_maxi(a, b), gone = (a >= 0) + (b >= 0);
  int32_t card = (int32_t)pfc_rng_below(&s->rng, (uint32_t)(poker_cards(p) - gone));
  if (low >= 0) card += card >= low;
  if (high >= 0) card += card >= high;
  return card;
}

PFC_FN void poker_reset(Poker* s, const PokerParams* p) {
  s->card[0] = (int8_t)poker_deal(s, p, -1, -1);
  s->card[1] = (int8_t)poker_deal(s, p, s->card[0], -1);
  s->open = (int8_t)(p->variant == POKER_LEDUC ? poker_deal(s, p, s->card[0], s->card[1]) : 0);
  s->paid[0] = s->paid[1] = 1;
}

PFC_FN int32_t poker_strength(const Poker* s, const PokerParams* p, int32_t agent) {
  if (p->variant == POKER_KUHN) return s->card[agent];
  const int32_t rank = s->card[agent] / POKER_SUITS;
  return rank == s->open / POKER_SUITS ? POKER_PAIR : rank;
}

PFC_FN void poker_end(Poker* s, const PokerParams* p, int32_t won, PfcIo io) {
  const float share = 1.0f / (float)poker_most_chips(p);
  s->won = (int8_t)won;
  s->over = 1;
  io.rewards[0] = (float)won * share;
  io.rewards[1] = (float)-won * share;
  io.terminated[0] = io.terminated[1] = 1;
}

PFC_FN void poker_show_cards(Poker* s, const PokerParams* p, PfcIo io) {
  const int32_t a = poker_strength(s, p, 0), b = poker_strength(s, p, 1);
  poker_end(s, p, a > b ? s->paid[1] : a < b ? -s->paid[0] : 0, io);
}

PFC_FN void poker_end_round(Poker* s, const PokerParams* p, PfcIo io) {
  if (s->round + 1 == poker_rounds(p)) {
    poker_show_cards(s, p, io);
    return;
  }
  s->round += 1;
  s->turn = 0;
  s->raises = 0;
}

PFC_FN void poker_step(Poker* s, const PokerParams* p, PfcIo io) {
  const int32_t agent = s->turn, other = 1 - agent, choice = io.actions[agent], act = poker_act_of(s, p, choice);
  const bool faces_bet = poker_faces_bet(s), answers = faces_bet || s->count[s->round] > 0;
  s->choice[s->round][s->count[s->round]++] = (int8_t)choice;
  if (act == POKER_FOLD) {
    poker_end(s, p, agent == 0 ? -s->paid[0] : s->paid[1], io);
    return;
  }
  s->turn = (int8_t)other;
  s->paid[agent] = s->paid[other];
  if (act == POKER_RAISE) {
    s->paid[agent] = (int8_t)(s->paid[agent] + poker_bet(s, p));
    s->raises += 1;
  } else if (answers) {
    poker_end_round(s, p, io);
  }
}

// ---- observation, mask, metrics ----------------------------------------------------------------------------------

// Flags of the acts of one round. Variant 1 has no flag for folding, which ends the game.
PFC_FN void poker_flag_acts(const Poker* s, const PokerParams* p, int32_t round, uint8_t* flags) {
  const int32_t first = p->variant == POKER_KUHN ? 0 : POKER_CALL;
  for (int32_t i = 0; i < s->count[round]; ++i)
    if (s->choice[round][i] >= first) flags[2 * i + s->choice[round][i] - first] = 1;
}

PFC_FN int32_t poker_flags(const PokerParams* p) {
  return p->variant == POKER_KUHN ? 2 + 3 + 2 * POKER_KUHN_ACTS
                                  : 2 + 2 * 6 + 2 * POKER_MAX_ROUNDS * POKER_MAX_ROUND_ACTS;
}

PFC_FN void poker_observe(const Poker* s, const PokerParams* p, int32_t agent, PokerObs* obs) {
  const int32_t cards = poker_cards(p);
  uint8_t* flags = obs->flag;
  memset(flags, 0, (size_t)poker_flags(p));
  flags[agent] = 1;
  flags[2 + s->card[agent]] = 1;
  if (p->variant == POKER_KUHN) {
    poker_flag_acts(s, p, 0, flags + 2 + cards);
    return;
  }
  uint8_t* acts = flags + 2 + 2 * cards;
  if (s->round > 0) flags[2 + cards + s->open] = 1;
  for (int32_t round = 0; round <= s->round; ++round)
    poker_flag_acts(s, p, round, acts + 2 * POKER_MAX_ROUND_ACTS * round);
}

PFC_FN void poker_mask(const void* state, const void* params, int32_t agent, uint8_t* legal) {
  const Poker* s = (const Poker*)state;
  const PokerParams* p = (const PokerParams*)params;
  const bool acts = agent == s->turn;
  if (p->variant == POKER_KUHN) {
    legal[0] = 1;
    legal[1] = acts;
    return;
  }
  legal[POKER_FOLD] = !acts || poker_faces_bet(s);
  legal[POKER_CALL] = acts;
  legal[POKER_RAISE] = acts && s->raises < poker_max_raises(p);
}

PFC_FN void poker_metrics(const Poker* s, const PokerParams* p, int32_t agent, float* values) {
  values[0] = (float)(agent == 0 ? s->won : -s->won);
  values[1] = 0.5f + 0.5f * values[0] / (float)poker_most_chips(p);
}

// ---- sizes -----------------------------------------------------------------------------------------------------

static void poker_layout(const void* params, PfcLayout* sizes) {
  const PokerParams* p = (const PokerParams*)params;
  sizes->obs_shape[0] = poker_flags(p);
  sizes->action_counts[0] = p->variant == POKER_KUHN ? 2 : POKER_ACTS;
}

static void poker_fill_rows(const void* params, PfcObsRow* rows) {
  const PokerParams* p = (const PokerParams*)params;
  rows[POKER_ROW_CARDS].count = poker_rounds(p) * poker_cards(p);
}

// ---- picture: 640 x 360, a table between two hands ------------------------------------------------------------------

#define POKER_VIEW_WIDTH 640.0f
#define POKER_VIEW_HEIGHT 360.0f
#define POKER_VIEW_CARD_WIDTH 76.0f
#define POKER_VIEW_CARD_HEIGHT 106.0f
#define POKER_VIEW_CHIP 9.0f  // radius

PFC_TABLE uint32_t poker_colors[2] = {PFC_AGENT, PFC_RIVAL};
PFC_TABLE char poker_letters[3][2] = {"J", "Q", "K"};

static void poker_draw_card(const PokerParams* p, int32_t card, float x, float y, const PfcDraw* d) {
  const float width = POKER_VIEW_CARD_WIDTH, height = POKER_VIEW_CARD_HEIGHT;
  const int32_t rank = p->variant == POKER_KUHN ? card : card / POKER_SUITS;
  const bool red = p->variant == POKER_LEDUC && card % POKER_SUITS == 1;
  const char* letter = poker_letters[rank];
  const uint32_t color = red ? 0xb8323a : 0x1d212d;
  d->rounded_rect(d->context, x - 0.5f * width, y - 0.5f * height, width, height, 9.0f, pfc_rgb(0xf3efe6));
  d->text(d->context, x - 0.5f * pfc_text_width(letter, 58.0f), y - 24.0f, 58.0f, letter, pfc_rgb(color));
  d->text(d->context, x - 0.5f * width + 8.0f, y - 0.5f * height + 7.0f, 18.0f, letter, pfc_rgb(color));
}

// The back of a card that is not dealt yet.
static void poker_draw_back(float x, float y, const PfcDraw* d) {
  const float width = POKER_VIEW_CARD_WIDTH, height = POKER_VIEW_CARD_HEIGHT;
  d->rounded_rect(d->context, x - 0.5f * width, y - 0.5f * height, width, height, 9.0f, pfc_rgb(PFC_LINE));
  d->rounded_rect(d->context, x - 0.5f * width + 6.0f, y - 0.5f * height + 6.0f, width - 12.0f, height - 12.0f, 6.0f,
                  pfc_rgb(0x3d4760));
}

// Chips in columns of five.
static void poker_draw_chips(int32_t chips, float x, float y, uint32_t color, const PfcDraw* d) {
  for (int32_t i = 0; i < chips; ++i) {
    const float left = x + 2.3f * POKER_VIEW_CHIP * (float)(i / 5), up = y - 6.0f * (float)(i % 5);
    d->circle(d->context, left, up + 1.5f, POKER_VIEW_CHIP, pfc_rgb(PFC_PAGE));
    d->circle(d->context, left, up, POKER_VIEW_CHIP, pfc_rgb(color));
    d->circle(d->context, left, up, 0.55f * POKER_VIEW_CHIP, pfc_tint(PFC_INK, 90));
  }
}

static const char* poker_act_name(const PokerParams* p, int32_t choice) {
  static const char* const names[2][3] = {{"pass", "bet", ""}, {"fold", "call", "raise"}};
  return names[p->variant][choice];
}

// The agent's latest act in this round, or whether it is its turn.
static void poker_draw_status(const Poker* s, const PokerParams* p, int32_t agent, float x, float y, const PfcDraw* d) {
  const int32_t made = s->count[s->round];
  const char* text = "";
  if (s->over) text = s->won == 0 ? "splits" : (s->won > 0) == (agent == 0) ? "wins" : "loses";
  else if (s->turn == agent) text = "to act";
  else if (made > 0) text = poker_act_name(p, s->choice[s->round][made - 1]);
  d->text(d->context, x - 0.5f * pfc_text_width(text, 16.0f), y, 16.0f, text,
          pfc_rgb(s->turn == agent ? PFC_INK : PFC_DIM));
}

static void poker_draw_hand(const Poker* s, const PokerParams* p, int32_t agent, const PfcDraw* d) {
  const float x = agent == 0 ? 96.0f : POKER_VIEW_WIDTH - 96.0f, y = 196.0f;
  const float chips =
      agent == 0 ? 172.0f : POKER_VIEW_WIDTH - 172.0f - 2.3f * POKER_VIEW_CHIP * (float)((s->paid[1] - 1) / 5);
  const bool marked = s->over ? s->won != 0 && (s->won > 0) == (agent == 0) : s->turn == agent;
  if (marked)
    d->rounded_rect(d->context, x - 0.5f * POKER_VIEW_CARD_WIDTH - 5.0f, y - 0.5f * POKER_VIEW_CARD_HEIGHT - 5.0f,
                    POKER_VIEW_CARD_WIDTH + 10.0f, POKER_VIEW_CARD_HEIGHT + 10.0f, 13.0f,
                    pfc_rgb(s->over ? PFC_GOAL : poker_colors[agent]));
  poker_draw_card(p, s->card[agent], x, y, d);
  poker_draw_status(s, p, agent, x, y + 66.0f, d);
  poker_draw_chips(s->paid[agent], chips, y + 34.0f, poker_colors[agent], d);
}

static void poker_draw(const Poker* s, const PokerParams* p, const PfcDraw* d) {
  const float middle = 0.5f * POKER_VIEW_WIDTH;
  pfc_draw_board(d, POKER_VIEW_WIDTH, POKER_VIEW_HEIGHT);
  d->rounded_rect(d->context, 24.0f, 92.0f, POKER_VIEW_WIDTH - 48.0f, 224.0f, 112.0f, pfc_rgb(PFC_LINE));
  d->rounded_rect(d->context, 32.0f, 100.0f, POKER_VIEW_WIDTH - 64.0f, 208.0f, 104.0f, pfc_rgb(0x1d3a34));
  pfc_draw_count(d, 28.0f, 28.0f, 34.0f, true, s->paid[0] + s->paid[1], "chips in the pot");
  if (p->variant == POKER_LEDUC) {
    pfc_draw_count(d, POKER_VIEW_WIDTH - 28.0f, 34.0f, 26.0f, false, s->round + 1, "of 2 rounds");
    if (s->round > 0) poker_draw_card(p, s->open, middle, 196.0f, d);
    else poker_draw_back(middle, 196.0f, d);
  }
  for (int32_t agent = 0; agent < 2; ++agent) poker_draw_hand(s, p, agent, d);
  d->end(d->context);
}

static const PfcKeyBinding poker_keys[] = {
    PFC_BIND("1", "pass; with six cards fold", 0, 0),
    PFC_BIND("2", "bet; with six cards call", 0, 1),
    PFC_BIND("3", "raise", 0, 2),
};

static const PfcField poker_fields[] = {
    PFC_STATE_FIELD(Poker, card, PFC_INT8),  PFC_STATE_FIELD(Poker, open, PFC_INT8),
    PFC_STATE_FIELD(Poker, round, PFC_INT8), PFC_STATE_FIELD(Poker, turn, PFC_INT8),
    PFC_STATE_FIELD(Poker, paid, PFC_INT8),  PFC_STATE_FIELD(Poker, raises, PFC_INT8),
};

PFC_DEFINE_ENV(poker, Poker,
               .title = "Poker",
               .summary = "Kuhn's and Leduc poker for two; hidden cards, and a computable equilibrium",
               .version = 1,
               .obs_dtype = PFC_UINT8,
               .sizes = {.agents = 2, .action_counts = {POKER_ACTS}, .teams = 2},
               .layout = poker_layout,
               .mask = poker_mask,
               .obs_rows = poker_obs,
               .num_obs_rows = sizeof poker_obs / sizeof poker_obs[0],
               .fill_rows = poker_fill_rows,
               .metrics = {"score", "perf"},
               .fields = poker_fields,
               .num_fields = sizeof poker_fields / sizeof poker_fields[0],
               .fps = 1,
               .keys = poker_keys,
               .num_keys = sizeof poker_keys / sizeof poker_keys[0])
