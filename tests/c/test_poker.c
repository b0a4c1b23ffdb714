// test_poker.c - every deal and every history of both poker games against rules that read a history as a text; the
// value of the equilibrium of Kuhn's poker; the distribution of deals.
#include <string.h>

#include "../../csrc/envs/poker.c"
#include "check.h"

enum { MAX_FLAGS = 64, MAX_HISTORY = 16 };

static Poker dealt(const PokerParams* p, const int* deal) {
  Poker s;
  memset(&s, 0, sizeof s);
  pfc_rng_seed(&s.rng, 1, 0);
  poker_reset(&s, p);
  s.card[0] = (int8_t)deal[0], s.card[1] = (int8_t)deal[1], s.open = (int8_t)deal[2];
  return s;
}

typedef struct Outcome {
  float rewards[2];
  uint8_t terminated[2];
} Outcome;

static Outcome play(Poker* s, const PokerParams* p, int32_t agent, int32_t choice) {
  Outcome out = {{0.0f, 0.0f}, {0, 0}};
  uint8_t truncated[2] = {0, 0}, alive[2] = {1, 1};
  const int32_t actions[2] = {agent == 0 ? choice : 0, agent == 1 ? choice : 0};
  const PfcIo io = {.actions = actions,
                    .rewards = out.rewards,
                    .terminated = out.terminated,
                    .truncated = truncated,
                    .alive = alive};
  poker_step(s, p, io);
  return out;
}

// ---- rules that read a history ----------------------------------------------------------------------------------
//
// A history is a text of p and b (Kuhn), or of f, c and r (Leduc) with a / between the rounds.

typedef struct Reading {
  int paid[2];
  int mover, raises, acts;  // acts: in this round
  bool over, folded;
  char legal[4];
} Reading;

static Reading read_kuhn(const char* history) {
  static const struct {
    const char *history, *legal;
    int mover, first, second;  // chips in the pot
  } table[] = {{"", "pb", 0, 1, 1},   {"p", "pb", 1, 1, 1}, {"b", "pb", 1, 2, 1},
               {"pb", "pb", 0, 1, 2}, {"pp", "", 0, 1, 1},  {"bp", "", 0, 2, 1},
               {"bb", "", 0, 2, 2},   {"pbp", "", 0, 1, 2}, {"pbb", "", 0, 2, 2}};
  Reading r;
  memset(&r, 0, sizeof r);
  for (size_t i = 0; i < sizeof table / sizeof table[0]; ++i) {
    if (strcmp(table[i].history, history) != 0) continue;
    strcpy(r.legal, table[i].legal);
    r.mover = table[i].mover, r.paid[0] = table[i].first, r.paid[1] = table[i].second;
    r.over = r.legal[0] == 0;
    r.folded = r.over && r.paid[0] != r.paid[1];
  }
  return r;
}

static Reading read_leduc(const char* history) {
  Reading r;
  memset(&r, 0, sizeof r);
  r.paid[0] = r.paid[1] = 1;
  int bet = 2, round = 1;
  for (const char* at = history; *at; ++at) {
    if (*at == '/') {
      r.mover = r.raises = r.acts = 0;
      bet = 4, round = 2;
      continue;
    }
    const int other = 1 - r.mover;
    if (*at == 'f') r.over = r.folded = true;
    if (*at == 'c')
      r.over = round == 2 && (r.acts > 0 || r.paid[other] > r.paid[r.mover]), r.paid[r.mover] = r.paid[other];
    if (*at == 'r') r.paid[r.mover] = r.paid[other] + bet, r.raises += 1;
    r.mover = other;
    r.acts += 1;
  }
  if (!r.over) {
    char* out = r.legal;
    if (r.paid[1 - r.mover] > r.paid[r.mover]) *out++ = 'f';
    *out++ = 'c';
    if (r.raises < 2) *out++ = 'r';
    *out = 0;
  }
  return r;
}

static Reading read_history(int variant, const char* history) {
  return variant == 0 ? read_kuhn(history) : read_leduc(history);
}

// The history with one act more, and a / where this ends the first round.
static void append_act(int variant, const char* history, char act, char* longer) {
  const Reading before = read_history(variant, history);
  const size_t length = strlen(history);
  memcpy(longer, history, length);
  longer[length] = act, longer[length + 1] = 0;
  const bool ends = variant == 1 && !strchr(history, '/') && act == 'c' &&
                    (before.acts > 0 || before.paid[0] != before.paid[1]);
  if (ends) longer[length + 1] = '/', longer[length + 2] = 0;
}

static int choice_of(int variant, char act) {
  return (int)(strchr(variant == 0 ? "pb" : "fcr", act) - (variant == 0 ? "pb" : "fcr"));
}

static int chips_won(int variant, const char* history, const int* deal) {  // by agent 0
  const Reading r = read_history(variant, history);
  if (r.folded && variant == 0) return r.paid[0] > r.paid[1] ? r.paid[1] : -r.paid[0];
  if (r.folded) return r.mover == 0 ? r.paid[1] : -r.paid[0];  // the other one folded
  int strength[2];
  for (int agent = 0; agent < 2; ++agent) {
    strength[agent] = deal[agent];
    if (variant == 1) strength[agent] = deal[agent] / 2 == deal[2] / 2 ? 100 : deal[agent] / 2;
  }
  return strength[0] == strength[1] ? 0 : strength[0] > strength[1] ? r.paid[1] : -r.paid[0];
}

static void expected_flags(int variant, const char* history, const int* deal, int agent, uint8_t* flags) {
  const int cards = variant == 0 ? 3 : 6;
  memset(flags, 0, MAX_FLAGS);
  flags[agent] = 1;
  flags[2 + deal[agent]] = 1;
  int place = 2 + cards * (variant == 0 ? 1 : 2);
  const int second = place + 8;
  for (const char* at = history; *at; ++at) {
    if (*at == '/') {
      flags[2 + cards + deal[2]] = 1;
      place = second;
      continue;
    }
    if (*at != 'f') flags[place + (*at == 'b' || *at == 'r')] = 1;
    place += 2;
  }
}

// ---- all histories -----------------------------------------------------------------------------------------------

typedef struct Walk {
  const PokerParams* p;
  const int* deal;
  int32_t ends;
} Walk;

static void check_views(const Walk* w, const Poker* s, const char* history) {
  const int variant = w->p->variant, flags = variant == 0 ? 11 : 30, choices = variant == 0 ? 2 : 3;
  const Reading r = read_history(variant, history);
  CHECK(s->paid[0] == r.paid[0] && s->paid[1] == r.paid[1]);
  for (int agent = 0; agent < 2; ++agent) {
    uint8_t seen[MAX_FLAGS], expected[MAX_FLAGS], legal[4] = {0};
    memset(seen, 7, sizeof seen);
    poker_observe(s, w->p, agent, (PokerObs*)seen);
    expected_flags(variant, history, w->deal, agent, expected);
    CHECK(memcmp(seen, expected, (size_t)flags) == 0 && seen[flags] == 7);
    if (r.over) continue;
    poker_mask(s, w->p, agent, legal);
    for (int k = 0; k < choices; ++k) {
      const char act = (variant == 0 ? "pb" : "fcr")[k];
      CHECK(legal[k] == (agent == r.mover ? strchr(r.legal, act) != NULL : k == 0));
    }
    CHECK(legal[choices] == 0);
  }
}

static void walk(Walk* w, const Poker* s, const char* history) {
  const int variant = w->p->variant, most = variant == 0 ? 2 : 13;
  const Reading r = read_history(variant, history);
  check_views(w, s, history);
  for (const char* act = r.legal; *act; ++act) {
    char longer[MAX_HISTORY];
    Poker next = *s;
    append_act(variant, history, *act, longer);
    const Outcome out = play(&next, w->p, r.mover, choice_of(variant, *act));
    const bool over = read_history(variant, longer).over;
    CHECK(out.terminated[0] == over && out.terminated[1] == over);
    if (!over) {
      CHECK(out.rewards[0] == 0.0f && out.rewards[1] == 0.0f);
      walk(w, &next, longer);
      continue;
    }
    const int won = chips_won(variant, longer, w->deal);
    float values[2][2] = {{-9.0f, -9.0f}, {-9.0f, -9.0f}};
    w->ends += 1;
    check_views(w, &next, longer);
    for (int agent = 0; agent < 2; ++agent) {
      const int own = agent == 0 ? won : -won;
      poker_metrics(&next, w->p, agent, values[agent]);
      CHECK(out.rewards[agent] == (float)own * (1.0f / (float)most) && out.rewards[0] == -out.rewards[1]);
      CHECK(values[agent][0] == (float)own && values[agent][1] == 0.5f + 0.5f * (float)own / (float)most);
    }
  }
}

static void test_all_histories(int variant, int ends_of_a_deal) {
  const PokerParams p = {.max_steps = 0, .variant = variant};
  const int cards = variant == 0 ? 3 : 6;
  int32_t deals = 0;
  for (int i = 0; i < cards * cards * cards; ++i) {
    const int deal[3] = {i % cards, i / cards % cards, variant == 0 ? 0 : i / cards / cards};
    if (deal[0] == deal[1] || (variant == 1 && (deal[2] == deal[0] || deal[2] == deal[1]))) continue;
    if (variant == 0 && i >= cards * cards) continue;
    const Poker s = dealt(&p, deal);
    Walk w = {&p, deal, 0};
    walk(&w, &s, "");
    CHECK(w.ends == ends_of_a_deal);
    deals += 1;
  }
  CHECK(deals == (variant == 0 ? 6 : 120));
}

// ---- values ------------------------------------------------------------------------------------------------------

// One of the equilibria of Kuhn's poker (Kuhn 1950): the chance to bet with each card in the four situations.
static double bet_chance(const char* history, int card) {
  static const double first[3] = {1.0 / 6.0, 0.0, 0.5}, called_later[3] = {0.0, 1.0 / 6.0 + 1.0 / 3.0, 1.0};
  static const double after_pass[3] = {1.0 / 3.0, 0.0, 1.0}, after_bet[3] = {0.0, 1.0 / 3.0, 1.0};
  if (history[0] == 0) return first[card];
  if (strcmp(history, "p") == 0) return after_pass[card];
  return strcmp(history, "b") == 0 ? after_bet[card] : called_later[card];
}

static double value_of(const Poker* s, const PokerParams* p, const char* history, const int* deal) {
  double value = 0.0;
  const Reading r = read_kuhn(history);
  for (int choice = 0; choice < 2; ++choice) {
    const double bets = bet_chance(history, deal[r.mover]), chance = choice ? bets : 1.0 - bets;
    char longer[MAX_HISTORY];
    Poker next = *s;
    append_act(0, history, "pb"[choice], longer);
    const Outcome out = play(&next, p, r.mover, choice);
    value += chance * (out.terminated[0] ? 2.0 * (double)out.rewards[0] : value_of(&next, p, longer, deal));
  }
  return value;
}

static void test_the_value_of_kuhn_poker(void) {
  const PokerParams p = {.max_steps = 0, .variant = 0};
  double value = 0.0;
  for (int i = 0; i < 9; ++i) {
    const int deal[3] = {i % 3, i / 3, 0};
    if (deal[0] == deal[1]) continue;
    const Poker s = dealt(&p, deal);
    value += value_of(&s, &p, "", deal) / 6.0;
  }
  printf("value of Kuhn's poker in equilibrium: %.6f\n", value);
  CHECK(value > -1.0 / 18.0 - 1e-6 && value < -1.0 / 18.0 + 1e-6);
}

// Chi-square of the deals; the bounds are exceeded by chance once in a million runs, and the seed is fixed.
static void test_deals_are_uniform(int variant, int deals, double bound) {
  const PokerParams p = {.max_steps = 0, .variant = variant};
  const int draws = 1000 * deals;
  int count[216] = {0}, kinds = 0;
  PfcRng rng;
  pfc_rng_seed(&rng, 4, (uint64_t)variant);
  for (int32_t i = 0; i < draws; ++i) {
    Poker s;
    memset(&s, 0, sizeof s);
    s.rng = rng;
    poker_reset(&s, &p);
    rng = s.rng;
    count[s.card[0] + 6 * s.card[1] + 36 * s.open] += 1;
  }
  double chi = 0.0;
  for (int i = 0; i < 216; ++i) {
    kinds += count[i] > 0;
    if (count[i]) chi += (count[i] - 1000.0) * (count[i] - 1000.0) / 1000.0;
  }
  CHECK(kinds == deals && chi < bound);
}

int main(void) {
  test_all_histories(0, 5);
  test_all_histories(1, 4 + 5 * 9);  // a round has 4 folds and 5 other ends
  test_the_value_of_kuhn_poker();
  test_deals_are_uniform(0, 6, 35.9);
  test_deals_are_uniform(1, 120, 207.0);
  return check_report();
}
