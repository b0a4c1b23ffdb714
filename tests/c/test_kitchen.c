// test_kitchen.c - kitchens have the plans of the rules; every interaction, the order of a step, cooking, rewards and
// observations follow the rules. Both cooks act from a script of letters.
#include <math.h>
#include <string.h>

#include "../../csrc/envs/kitchen.c"
#include "check.h"

typedef struct Table {
  Kitchen state;
  KitchenParams params;
  float rewards[2];  // of the latest step
  float sums[2];
} Table;

static void open_kitchen(Table* t, int32_t layout) {
  memset(t, 0, sizeof *t);
  t->params = (KitchenParams){.max_steps = 400, .layout = layout, .auto_cook = 0, .shaping = 1.0f};
  pfc_rng_seed(&t->state.rng, 1, 0);
  kitchen_reset(&t->state, &t->params);
}

static void act(Table* t, int32_t first, int32_t second) {
  const int32_t actions[2] = {first, second};
  uint8_t terminated[2] = {0}, truncated[2] = {0}, alive[2] = {1, 1};
  memset(t->rewards, 0, sizeof t->rewards);
  const PfcIo io = {
      .actions = actions, .rewards = t->rewards, .terminated = terminated, .truncated = truncated, .alive = alive};
  kitchen_step(&t->state, &t->params, io);
  CHECK(!terminated[0] && !terminated[1] && !truncated[0] && !truncated[1] && alive[0] && alive[1]);
  for (int i = 0; i < 2; ++i) t->sums[i] += t->rewards[i];
}

static int32_t choice(char letter) {
  const char* letters = "udrl.i";
  return (int32_t)(strchr(letters, letter) - letters);
}

// Plays two strings of equal length: u d r l move, . stay, i interact.
static void play(Table* t, const char* first, const char* second) {
  for (; *first; ++first, ++second) act(t, choice(*first), choice(*second));
}

// One cook plays, the other one stays.
static void play_one(Table* t, int agent, const char* script) {
  for (; *script; ++script)
    act(t, agent == 0 ? choice(*script) : KITCHEN_STAY, agent == 1 ? choice(*script) : KITCHEN_STAY);
}

static int width(const Table* t) { return kitchen_widths[t->params.layout]; }
static KitchenCell* cell(Table* t, int x, int y) { return &t->state.cells[width(t) * y + x]; }
static void place(Table* t, int agent, int x, int y, int facing) {
  t->state.cooks[agent].at = (uint8_t)(width(t) * y + x);
  t->state.cooks[agent].facing = (uint8_t)facing;
}
static bool is_at(const Table* t, int agent, int x, int y, int facing) {
  return t->state.cooks[agent].at == width(t) * y + x && t->state.cooks[agent].facing == facing;
}
static void give(Table* t, int agent, int thing, int onions) {
  t->state.cooks[agent].holds = (uint8_t)thing;
  t->state.cooks[agent].onions = (uint8_t)onions;
}

// ---- kitchens --------------------------------------------------------------------------------------------------

static void test_kitchens_have_their_sizes_and_things(void) {
  static const int sizes[5][2] = {{5, 4}, {9, 5}, {5, 5}, {5, 5}, {8, 5}};
  // Pots, onion crates, dish racks, serving places; starts of the cooks.
  static const int counts[5][4] = {{1, 2, 1, 1}, {2, 2, 2, 2}, {2, 2, 1, 1}, {2, 2, 1, 1}, {2, 2, 1, 1}};
  static const int starts[5][4] = {{1, 2, 3, 1}, {6, 2, 1, 3}, {2, 1, 1, 2}, {3, 1, 1, 2}, {3, 3, 3, 1}};
  for (int layout = 0; layout < 5; ++layout) {
    static Table t;
    open_kitchen(&t, layout);
    const int w = sizes[layout][0], h = sizes[layout][1];
    CHECK(kitchen_widths[layout] == w && kitchen_heights[layout] == h);
    CHECK((int)strlen(kitchen_plans[layout]) == w * h && w * h <= KITCHEN_MAX_CELLS);
    int found[KITCHEN_TERRAINS] = {0};
    for (int y = 0; y < h; ++y)
      for (int x = 0; x < w; ++x) {
        const int terrain = cell(&t, x, y)->terrain;
        found[terrain] += 1;
        const bool border = x == 0 || y == 0 || x == w - 1 || y == h - 1;
        CHECK(!border || terrain != KITCHEN_FLOOR);  // no cook can look beyond the kitchen
      }
    for (int k = 0; k < 4; ++k) CHECK(found[KITCHEN_POT + k] == counts[layout][k]);
    for (int i = 0; i < 2; ++i)
      CHECK(is_at(&t, i, starts[layout][2 * i], starts[layout][2 * i + 1], KITCHEN_UP) &&
            cell(&t, starts[layout][2 * i], starts[layout][2 * i + 1])->terrain == KITCHEN_FLOOR);
    for (int i = 0; i < 2; ++i) CHECK(t.state.cells[t.state.pots[i]].terrain == KITCHEN_POT);
    CHECK((t.state.pots[0] != t.state.pots[1]) == (counts[layout][0] == 2));
  }
}

// ---- moves -----------------------------------------------------------------------------------------------------

static void test_walls_and_free_cells(void) {
  static Table t;
  open_kitchen(&t, 0);
  play_one(&t, 0, "l");
  CHECK(is_at(&t, 0, 1, 2, KITCHEN_LEFT));  // a counter
  play_one(&t, 0, "u");
  CHECK(is_at(&t, 0, 1, 1, KITCHEN_UP));
  play_one(&t, 0, ".");
  CHECK(is_at(&t, 0, 1, 1, KITCHEN_UP) && is_at(&t, 1, 3, 1, KITCHEN_UP));
}

static void test_cooks_do_not_pass_each_other(void) {
  static Table t;
  open_kitchen(&t, 0);
  place(&t, 0, 1, 1, KITCHEN_UP), place(&t, 1, 3, 1, KITCHEN_UP);
  play(&t, "r", "l");  // both want the cell between them
  CHECK(is_at(&t, 0, 1, 1, KITCHEN_RIGHT) && is_at(&t, 1, 3, 1, KITCHEN_LEFT));
  place(&t, 1, 2, 1, KITCHEN_UP);
  play(&t, "r", "l");  // they would change places
  CHECK(is_at(&t, 0, 1, 1, KITCHEN_RIGHT) && is_at(&t, 1, 2, 1, KITCHEN_LEFT));
  play(&t, "r", ".");  // the cell is taken
  CHECK(is_at(&t, 0, 1, 1, KITCHEN_RIGHT) && is_at(&t, 1, 2, 1, KITCHEN_LEFT));
  play(&t, "r", "u");  // the other one only turns
  CHECK(is_at(&t, 0, 1, 1, KITCHEN_RIGHT) && is_at(&t, 1, 2, 1, KITCHEN_UP));
  play(&t, "r", "r");  // one after the other
  CHECK(is_at(&t, 0, 2, 1, KITCHEN_RIGHT) && is_at(&t, 1, 3, 1, KITCHEN_RIGHT));
}

// ---- interactions ------------------------------------------------------------------------------------------------

static void test_counters_hold_one_thing(void) {
  static Table t;
  open_kitchen(&t, 0);
  place(&t, 0, 1, 2, KITCHEN_LEFT), place(&t, 1, 1, 1, KITCHEN_UP);
  give(&t, 0, KITCHEN_SOUP, 2);
  play_one(&t, 0, "i");
  CHECK(cell(&t, 0, 2)->content == KITCHEN_SOUP && t.state.cooks[0].holds == KITCHEN_NOTHING);
  give(&t, 0, KITCHEN_DISH, 0);
  play_one(&t, 0, "i");  // the counter is full
  CHECK(cell(&t, 0, 2)->content == KITCHEN_SOUP && t.state.cooks[0].holds == KITCHEN_DISH);
  give(&t, 0, KITCHEN_NOTHING, 0);
  play_one(&t, 0, "i");
  CHECK(cell(&t, 0, 2)->content == KITCHEN_NOTHING);
  CHECK(t.state.cooks[0].holds == KITCHEN_SOUP && t.state.cooks[0].onions == 2);
  give(&t, 0, KITCHEN_NOTHING, 0);
  play_one(&t, 0, "i");
  CHECK(t.state.cooks[0].holds == KITCHEN_NOTHING && t.sums[0] == 0.0f && t.sums[1] == 0.0f);
}

// A whole soup of both cooks in the cramped room, and its rewards.
static void test_a_soup(void) {
  static Table t;
  open_kitchen(&t, 0);
  place(&t, 0, 1, 1, KITCHEN_LEFT), place(&t, 1, 3, 1, KITCHEN_RIGHT);
  play(&t, "irui", "....");  // onions are left of cook 1, the pot is above the cell in the middle
  CHECK(cell(&t, 2, 0)->content == KITCHEN_FILLED + 1 && t.rewards[0] == 3.0f && t.rewards[1] == 0.0f);
  play(&t, "ll", "i.");
  CHECK(t.state.cooks[1].holds == KITCHEN_ONION);
  play(&t, "..", "lu");
  play(&t, ".i", "i.");
  CHECK(cell(&t, 2, 0)->content == KITCHEN_FILLED + 2 && t.state.cooks[0].holds == KITCHEN_ONION);
  CHECK(t.sums[0] == 3.0f && t.sums[1] == 3.0f);
  play(&t, "...r", "r.r.");
  play(&t, "ui", "..");
  CHECK(cell(&t, 2, 0)->content == KITCHEN_FILLED + 3 && t.sums[0] == 6.0f);
  play(&t, ".....", ".....");
  CHECK(cell(&t, 2, 0)->content == KITCHEN_FILLED + 3);  // it waits for a cook
  play(&t, "i", ".");
  CHECK(cell(&t, 2, 0)->content == KITCHEN_COOKING + 1 && t.rewards[0] == 0.0f);  // the first of 20 steps
  give(&t, 0, KITCHEN_ONION, 0);
  play(&t, "i", ".");
  CHECK(t.state.cooks[0].holds == KITCHEN_ONION && cell(&t, 2, 0)->content == KITCHEN_COOKING + 2);  // it is closed
  give(&t, 0, KITCHEN_DISH, 0);
  for (int step = 3; step <= 20; ++step) {
    play(&t, "i", ".");
    CHECK(t.state.cooks[0].holds == KITCHEN_DISH && cell(&t, 2, 0)->content == KITCHEN_COOKING + step);
  }
  CHECK(cell(&t, 2, 0)->content == KITCHEN_DONE);
  play(&t, ".", ".");
  CHECK(cell(&t, 2, 0)->content == KITCHEN_DONE);
  play(&t, "i", ".");
  CHECK(t.state.cooks[0].holds == KITCHEN_SOUP && t.state.cooks[0].onions == 3 && t.rewards[0] == 5.0f);
  CHECK(cell(&t, 2, 0)->content == KITCHEN_NOTHING);
  play(&t, "i", ".");
  CHECK(t.state.cooks[0].holds == KITCHEN_SOUP);  // a soup does not go back
  place(&t, 0, 3, 2, KITCHEN_DOWN);
  play(&t, "i", ".");
  CHECK(t.rewards[0] == 20.0f && t.rewards[1] == 20.0f && t.state.soups == 1);
  CHECK(t.state.cooks[0].holds == KITCHEN_NOTHING);
  float values[3] = {31.0f, 0.0f, 0.0f};
  kitchen_metrics(&t.state, &t.params, 0, values);
  CHECK(values[0] == 20.0f && fabsf(values[1] - 20.0f / 240.0f) < 1e-6f && values[2] == 1.0f);
  t.state.soups = 15;
  kitchen_metrics(&t.state, &t.params, 1, values);
  CHECK(values[0] == 300.0f && values[1] == 1.0f);
}

static void test_thin_soups_are_worth_nothing(void) {
  for (int onions = 1; onions <= 2; ++onions) {
    static Table t;
    open_kitchen(&t, 0);
    place(&t, 0, 2, 1, KITCHEN_UP);
    cell(&t, 2, 0)->content = (uint8_t)(KITCHEN_FILLED + onions);
    play_one(&t, 0, "i...................");
    CHECK(cell(&t, 2, 0)->content == KITCHEN_DONE);
    give(&t, 0, KITCHEN_DISH, 0);
    play_one(&t, 0, "i");
    CHECK(t.state.cooks[0].onions == onions && t.rewards[0] == 5.0f);
    place(&t, 0, 3, 2, KITCHEN_DOWN), place(&t, 1, 1, 1, KITCHEN_UP);
    play_one(&t, 0, "i");
    CHECK(t.rewards[0] == 0.0f && t.rewards[1] == 0.0f && t.state.soups == 0);
    CHECK(t.state.cooks[0].holds == KITCHEN_NOTHING);
  }
}

static void test_pots_that_start_by_themselves(void) {
  static Table t;
  open_kitchen(&t, 0);
  t.params.auto_cook = 1;
  place(&t, 0, 2, 1, KITCHEN_UP);
  cell(&t, 2, 0)->content = KITCHEN_FILLED + 2;
  play_one(&t, 0, "i");  // empty hands start nothing
  CHECK(cell(&t, 2, 0)->content == KITCHEN_FILLED + 2);
  give(&t, 0, KITCHEN_ONION, 0);
  play_one(&t, 0, "i");
  CHECK(cell(&t, 2, 0)->content == KITCHEN_COOKING + 1);
}

static void test_only_empty_hands_take(void) {
  static Table t;
  open_kitchen(&t, 0);
  place(&t, 0, 1, 1, KITCHEN_LEFT), place(&t, 1, 1, 2, KITCHEN_DOWN);
  give(&t, 0, KITCHEN_DISH, 0), give(&t, 1, KITCHEN_ONION, 0);
  play(&t, "i", "i");  // onions, dishes
  CHECK(t.state.cooks[0].holds == KITCHEN_DISH && t.state.cooks[1].holds == KITCHEN_ONION);
  place(&t, 0, 3, 2, KITCHEN_DOWN);
  play(&t, "i", ".");  // only soups are served
  CHECK(t.state.cooks[0].holds == KITCHEN_DISH);
}

// The reward for taking a dish: pots that need one, less dishes in hands, none on a counter.
static void test_dishes_have_a_reward_when_pots_need_them(void) {
  static const struct {
    int pot, other_pot, others_hand, on_counter;
    float reward;
  } cases[] = {
      {0, 0, 0, 0, 0.0f},
      {KITCHEN_FILLED + 1, 0, 0, 0, 3.0f},
      {KITCHEN_FILLED + 2, 0, 0, 0, 3.0f},
      {KITCHEN_FILLED + 3, 0, 0, 0, 0.0f},  // full and waiting
      {KITCHEN_COOKING + 1, 0, 0, 0, 3.0f},
      {KITCHEN_DONE, 0, 0, 0, 3.0f},
      {KITCHEN_DONE, 0, KITCHEN_DISH, 0, 0.0f},
      {KITCHEN_DONE, 0, KITCHEN_SOUP, 0, 3.0f},
      {KITCHEN_DONE, KITCHEN_COOKING + 5, KITCHEN_DISH, 0, 3.0f},
      {KITCHEN_DONE, KITCHEN_FILLED + 3, KITCHEN_DISH, 0, 0.0f},
      {KITCHEN_DONE, KITCHEN_DONE, 0, KITCHEN_DISH, 0.0f},
      {KITCHEN_DONE, KITCHEN_DONE, 0, KITCHEN_ONION, 3.0f},
  };
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; ++i) {
    static Table t;
    open_kitchen(&t, 2);
    place(&t, 0, 1, 2, KITCHEN_LEFT), place(&t, 1, 3, 3, KITCHEN_UP);
    t.state.cells[t.state.pots[0]].content = (uint8_t)cases[i].pot;
    t.state.cells[t.state.pots[1]].content = (uint8_t)cases[i].other_pot;
    cell(&t, 0, 0)->content = (uint8_t)cases[i].on_counter;
    give(&t, 1, cases[i].others_hand, 0);
    play_one(&t, 0, "i");
    CHECK(t.state.cooks[0].holds == KITCHEN_DISH && t.rewards[0] == cases[i].reward && t.rewards[1] == 0.0f);
  }
}

// Cook 1 acts first, but pots are looked at before both: an onion in the same step does not make a dish useful.
static void test_the_order_of_interactions(void) {
  static Table t;
  open_kitchen(&t, 2);
  place(&t, 0, 3, 1, KITCHEN_RIGHT), place(&t, 1, 1, 2, KITCHEN_LEFT);
  give(&t, 0, KITCHEN_ONION, 0);
  play(&t, "i", "i");
  CHECK(t.rewards[0] == 3.0f && t.rewards[1] == 0.0f && t.state.cooks[1].holds == KITCHEN_DISH);
  open_kitchen(&t, 0);  // cook 1 puts a dish down where cook 2 takes it in the same step
  place(&t, 0, 1, 1, KITCHEN_UP), place(&t, 1, 1, 1, KITCHEN_UP);
  give(&t, 0, KITCHEN_DISH, 0);
  play(&t, "i", "i");
  CHECK(t.state.cooks[0].holds == KITCHEN_NOTHING && t.state.cooks[1].holds == KITCHEN_DISH);
}

static void test_shaping_scales_rewards_for_acts_only(void) {
  static Table t;
  open_kitchen(&t, 0);
  t.params.shaping = 0.25f;
  place(&t, 0, 2, 1, KITCHEN_UP);
  give(&t, 0, KITCHEN_ONION, 0);
  play_one(&t, 0, "i");
  CHECK(t.rewards[0] == 0.75f);
  place(&t, 0, 3, 2, KITCHEN_DOWN);
  give(&t, 0, KITCHEN_SOUP, 3);
  play_one(&t, 0, "i");
  CHECK(t.rewards[0] == 20.0f && t.rewards[1] == 20.0f);
}

// ---- observation -------------------------------------------------------------------------------------------------

static void test_each_cook_sees_itself_as_its_own(void) {
  static Table t;
  open_kitchen(&t, 1);
  static KitchenCell seen[KITCHEN_MAX_CELLS];
  give(&t, 0, KITCHEN_SOUP, 3), give(&t, 1, KITCHEN_ONION, 0);
  t.state.cooks[1].facing = KITCHEN_LEFT;
  cell(&t, 0, 0)->content = KITCHEN_DISH;
  for (int agent = 0; agent < 2; ++agent) {
    kitchen_observe(&t.state, &t.params, agent, (KitchenObs*)seen);
    const KitchenCell first = seen[9 * 2 + 6], second = seen[9 * 3 + 1];
    CHECK(first.terrain == KITCHEN_FLOOR && first.content == 3 && first.cook == (agent == 0 ? 1 : 5));
    CHECK(second.terrain == KITCHEN_FLOOR && second.content == 1 && second.cook == (agent == 1 ? 4 : 8));
    CHECK(seen[0].terrain == 1 && seen[0].content == 2 && seen[0].cook == 0);
    CHECK(seen[9 * 2 + 4].terrain == 2 && seen[9 + 0].terrain == 3 && seen[9 * 4 + 3].terrain == 4 &&
          seen[9 + 3].terrain == 5);
  }
}

int main(void) {
  test_kitchens_have_their_sizes_and_things();
  test_walls_and_free_cells();
  test_cooks_do_not_pass_each_other();
  test_counters_hold_one_thing();
  test_a_soup();
  test_thin_soups_are_worth_nothing();
  test_pots_that_start_by_themselves();
  test_only_empty_hands_take();
  test_dishes_have_a_reward_when_pots_need_them();
  test_the_order_of_interactions();
  test_shaping_scales_rewards_for_acts_only();
  test_each_cook_sees_itself_as_its_own();
  return check_report();
}
