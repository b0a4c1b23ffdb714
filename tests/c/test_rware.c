// test_rware.c - layouts against drawings, loading, carrying and deliveries, who moves in jams, observations.
#include <string.h>

#include "../../csrc/envs/rware.c"
#include "check.h"

static const RwareParams tiny = {.max_steps = 0, .agents = 4, .shelf_rows = 1, .shelf_columns = 3, .requests = 0,
                                 .reward_kind = 0};

typedef struct Outcome {
  float reward[RWARE_MAX_AGENTS];
} Outcome;

static Rware fresh(const RwareParams* p, uint64_t seed) {
  Rware s;
  memset(&s, 0, sizeof s);
  pfc_rng_seed(&s.rng, seed, 0);
  rware_reset(&s, p);
  return s;
}

static Outcome play(Rware* s, const RwareParams* p, const int32_t* choices) {
  Outcome out;
  uint8_t flags[3][RWARE_MAX_AGENTS] = {{0}};
  memset(&out, 0, sizeof out);
  const PfcIo io = {.actions = choices,
                    .rewards = out.reward,
                    .terminated = flags[0],
                    .truncated = flags[1],
                    .alive = flags[2]};
  rware_step(s, p, io);
  return out;
}

static Outcome play_same(Rware* s, const RwareParams* p, int32_t choice) {
  int32_t choices[RWARE_MAX_AGENTS];
  for (int agent = 0; agent < RWARE_MAX_AGENTS; ++agent) choices[agent] = choice;
  return play(s, p, choices);
}

// Takes all agents and shelves away, then puts agents where a drawing shows them: "^v<>" facing, in reading order.
static void place(Rware* s, RwareParams* p, const char* const drawing[3]) {
  memset(s->robot, 0, sizeof s->robot);
  memset(s->shelf, 0, sizeof s->shelf);
  memset(s->carrying, 0, sizeof s->carrying);
  p->agents = 0;
  static const char headings[] = "^v<>";
  for (int i = 0; i < 12; ++i) {
    const char* mark = strchr(headings, drawing[i / 4][i % 4]);
    if (!mark) continue;
    const int cell = rware_cell(p, 3 + i % 4, 4 + i / 4);
    s->heading[p->agents] = (uint8_t)(mark - headings);
    s->at[p->agents] = (int16_t)cell;
    s->robot[cell] = (uint8_t)(++p->agents);
  }
}

// ---- layout -------------------------------------------------------------------------------------------------------

static void test_layouts(void) {
  static const char* const top = ".XX.XX.XX.";
  static const char* const low = ".XX....XX.";
  static const char* const open = "..........";
  for (int rows = 1; rows <= 3; ++rows) {
    RwareParams p = tiny;
    p.shelf_rows = rows;
    CHECK(rware_width(&p) == 10 && rware_height(&p) == 9 * rows + 2);
    const Rware s = fresh(&p, 1);
    for (int y = 0; y < 9 * rows + 2; ++y) {
      const char* line = y % 9 == 0 || y == 9 * rows + 1 ? open : y >= 9 * rows - 8 ? low : top;
      for (int x = 0; x < 10; ++x) CHECK((s.shelf[rware_cell(&p, x, y)] != 0) == (line[x] == 'X'));
    }
  }
}

static void test_starts(void) {
  RwareParams p = tiny;
  p.agents = 20;
  int headings[4] = {0};
  for (uint64_t seed = 0; seed < 200; ++seed) {
    const Rware s = fresh(&p, seed);
    int requested = 0, robots = 0;
    for (int i = 0; i < RWARE_MAX_CELLS; ++i) requested += s.shelf[i] == RWARE_REQUESTED, robots += s.robot[i] > 0;
    CHECK(requested == 20 && robots == 20);
    for (int agent = 0; agent < 20; ++agent) headings[s.heading[agent]] += 1, CHECK(s.robot[s.at[agent]] == agent + 1);
  }
  for (int i = 0; i < 4; ++i) CHECK(headings[i] > 880 && headings[i] < 1120);
}

// ---- moving -------------------------------------------------------------------------------------------------------

typedef struct Jam {
  const char* before[3];
  const char* moves;  // one digit per agent in reading order
} Jam;

static void test_jams(void) {
  static const Jam jams[] = {
      {{">...", "....", "...."}, "1"},    // into the open
      {{">>>.", "....", "...."}, "111"},  // a chain
      {{"><..", "....", "...."}, "00"},   // a swap
      {{">><.", "....", "...."}, "000"},  // and who follows one
      {{">v..", "^<..", "...."}, "1111"},  // a ring
      {{">v<.", "^<..", "...."}, "11011"},  // a ring, and one that wants in
      {{">.<.", "....", "...."}, "10"},   // the lower index of equal chains
      {{">.<<", "....", "...."}, "011"},  // the longer chain
  };
  for (size_t i = 0; i < sizeof jams / sizeof jams[0]; ++i) {
    RwareParams p = tiny;
    Rware s = fresh(&p, 1);
    place(&s, &p, jams[i].before);
    const Rware before = s;
    play_same(&s, &p, RWARE_FORWARD);
    for (int agent = 0; agent < p.agents; ++agent) {
      CHECK((s.at[agent] != before.at[agent]) == (jams[i].moves[agent] == '1'));
      CHECK(s.robot[s.at[agent]] == agent + 1);
    }
  }
}

static void test_who_stays_blocks(void) {
  RwareParams p = tiny;
  Rware s = fresh(&p, 1);
  place(&s, &p, (const char* const[3]){">>>.", "....", "...."});
  const int32_t choices[3] = {RWARE_FORWARD, RWARE_FORWARD, RWARE_LEFT};
  const Rware before = s;
  play(&s, &p, choices);
  CHECK(memcmp(s.at, before.at, sizeof s.at) == 0 && s.heading[2] == RWARE_FACES_UP);
}

static void test_walls_and_turns(void) {
  RwareParams p = tiny;
  Rware s = fresh(&p, 1);
  place(&s, &p, (const char* const[3]){"^...", "....", "...."});
  for (int i = 0; i < 8; ++i) play_same(&s, &p, RWARE_FORWARD);
  CHECK(s.at[0] == rware_cell(&p, 3, 0));
  static const int right[4] = {RWARE_FACES_RIGHT, RWARE_FACES_DOWN, RWARE_FACES_LEFT, RWARE_FACES_UP};
  for (int i = 0; i < 4; ++i) play_same(&s, &p, RWARE_RIGHT), CHECK(s.heading[0] == right[i]);
  for (int i = 3; i >= 0; --i) CHECK(s.heading[0] == right[i]), play_same(&s, &p, RWARE_LEFT);
}

// ---- shelves ------------------------------------------------------------------------------------------------------

// One agent at a cell, and shelves at some.
static void prepare(Rware* s, RwareParams* p, int x, int y, int heading) {
  p->agents = 1;
  memset(s->robot, 0, sizeof s->robot);
  memset(s->carrying, 0, sizeof s->carrying);
  s->at[0] = (int16_t)rware_cell(p, x, y);
  s->robot[s->at[0]] = 1;
  s->heading[0] = (uint8_t)heading;
}

static void test_carrying(void) {
  RwareParams p = tiny;
  Rware s = fresh(&p, 2);
  prepare(&s, &p, 2, 3, RWARE_FACES_LEFT);
  play_same(&s, &p, RWARE_TOGGLE);
  CHECK(s.carrying[0]);
  play_same(&s, &p, RWARE_FORWARD);  // a shelf stands in the way
  CHECK(s.at[0] == rware_cell(&p, 2, 3));
  s.heading[0] = RWARE_FACES_RIGHT;
  play_same(&s, &p, RWARE_FORWARD);
  CHECK(s.at[0] == rware_cell(&p, 3, 3) && s.shelf[s.at[0]] && !s.shelf[rware_cell(&p, 2, 3)]);
  play_same(&s, &p, RWARE_TOGGLE);  // not on a free way
  CHECK(s.carrying[0]);
  s.heading[0] = RWARE_FACES_LEFT;
  play_same(&s, &p, RWARE_FORWARD);
  play_same(&s, &p, RWARE_TOGGLE);
  CHECK(!s.carrying[0] && s.shelf[rware_cell(&p, 2, 3)] && !s.shelf[rware_cell(&p, 3, 3)]);
  play_same(&s, &p, RWARE_FORWARD);  // below a standing shelf
  CHECK(s.at[0] == rware_cell(&p, 1, 3));
}

static void test_deliveries(void) {
  for (int kind = 0; kind <= 1; ++kind)
    for (int requested = 0; requested <= 1; ++requested) {
      RwareParams p = tiny;
      p.reward_kind = kind;
      Rware s = fresh(&p, 3);
      for (int i = 0; i < RWARE_MAX_CELLS; ++i) s.shelf[i] = s.shelf[i] ? RWARE_SHELF : RWARE_NO_SHELF;
      prepare(&s, &p, 4, 9, RWARE_FACES_DOWN);
      p.agents = 2;
      s.at[1] = (int16_t)rware_cell(&p, 0, 0);
      s.robot[s.at[1]] = 2;
      s.shelf[s.at[0]] = requested ? RWARE_REQUESTED : RWARE_SHELF;
      s.carrying[0] = 1;
      const int32_t choices[2] = {RWARE_FORWARD, RWARE_NONE};
      const Outcome out = play(&s, &p, choices);
      int now = 0;
      for (int i = 0; i < RWARE_MAX_CELLS; ++i) now += s.shelf[i] == RWARE_REQUESTED;
      CHECK(s.at[0] == rware_goal(&p, 0) && s.shelf[s.at[0]] == RWARE_SHELF && now == requested);
      CHECK(out.reward[0] == (float)requested && out.reward[1] == (float)(requested && kind == 1));
      CHECK(s.deliveries == requested && (s.drawn[0] != 0) == requested);
      float values[2] = {0.0f};
      rware_metrics(&s, &p, 0, values);
      CHECK(values[0] == (float)requested && values[1] == (requested ? 21.0f / 1000.0f : 0.0f));
    }
}

static void test_observations(void) {
  RwareParams p = tiny;
  Rware s = fresh(&p, 1);
  place(&s, &p, (const char* const[3]){"....", ".>..", "..<."});
  s.shelf[rware_cell(&p, 5, 5)] = RWARE_REQUESTED;
  s.shelf[rware_cell(&p, 3, 4)] = RWARE_SHELF;
  RwareObs obs;
  rware_observe(&s, &p, 0, &obs);
  static const uint8_t self[8] = {4, 5, 0, 0, 0, 0, 1, 1};
  static const uint8_t empty[7] = {0, 1, 0, 0, 0, 0, 0}, own[7] = {1, 0, 0, 0, 1, 0, 0};
  static const uint8_t other[7] = {1, 0, 0, 1, 0, 0, 0}, shelf[7] = {0, 1, 0, 0, 0, 1, 0},
                       request[7] = {0, 1, 0, 0, 0, 1, 1};
  const uint8_t* around[9] = {shelf, empty, empty, empty, own, request, empty, empty, other};
  CHECK(memcmp(obs.value, self, 8) == 0);
  for (int i = 0; i < 9; ++i) CHECK(memcmp(obs.value + 8 + 7 * i, around[i], 7) == 0);
  prepare(&s, &p, 0, 0, RWARE_FACES_UP);
  rware_observe(&s, &p, 0, &obs);
  for (int i = 0; i < 9; ++i)
    if (i < 3 || i % 3 == 0) CHECK(memcmp(obs.value + 8 + 7 * i, empty, 7) == 0);
}

// Shelves are neither lost nor made, no two agents share a cell, and carried shelves are where their carriers are.
static void test_random_play(void) {
  RwareParams p = tiny;
  p.agents = 12;
  PfcRng rng;
  pfc_rng_seed(&rng, 5, 0);
  Rware s = fresh(&p, 5);
  for (int step = 0; step < 20000; ++step) {
    int32_t choices[RWARE_MAX_AGENTS];
    for (int agent = 0; agent < p.agents; ++agent)
      choices[agent] = pfc_rng_below(&rng, 2) ? RWARE_FORWARD : (int32_t)pfc_rng_below(&rng, RWARE_CHOICES);
    play(&s, &p, choices);
    int shelves = 0, requested = 0, robots = 0;
    for (int i = 0; i < RWARE_MAX_CELLS; ++i) {
      shelves += s.shelf[i] > 0, requested += s.shelf[i] == RWARE_REQUESTED, robots += s.robot[i] > 0;
    }
    CHECK(shelves == 32 && requested == 12 && robots == 12);
    for (int agent = 0; agent < p.agents; ++agent)
      CHECK(s.robot[s.at[agent]] == agent + 1 && (!s.carrying[agent] || s.shelf[s.at[agent]]));
  }
  CHECK(s.deliveries > 0);
}

int main(void) {
  test_layouts();
  test_starts();
  test_jams();
  test_who_stays_blocks();
  test_walls_and_turns();
  test_carrying();
  test_deliveries();
  test_observations();
  test_random_play();
  return check_report();
}
