// test_doorkey.c - rooms have the walls and things of their task; the door needs its key; ends, rewards and limits
// follow the rules; sight agrees with a model that marks cells one by one.
#include <math.h>
#include <string.h>

#include "../../csrc/envs/doorkey.c"
#include "check.h"

static DoorkeyParams with_task(int32_t task, int32_t size) {
  const DoorkeyParams p = {.max_steps = 0, .task = task, .size = size, .random_length = 0};
  return p;
}

static void start(Doorkey* s, const DoorkeyParams* p, uint64_t seed) {
  memset(s, 0, sizeof *s);
  pfc_rng_seed(&s->rng, seed, 0);
  doorkey_reset(s, p);
}

typedef struct Outcome {
  float reward;
  uint8_t terminated, truncated;
} Outcome;

static Outcome act(Doorkey* s, const DoorkeyParams* p, int32_t choice) {
  Outcome out = {0.0f, 0, 0};
  uint8_t alive = 1;
  const PfcIo io = {.actions = &choice,
                    .rewards = &out.reward,
                    .terminated = &out.terminated,
                    .truncated = &out.truncated,
                    .alive = &alive};
  doorkey_step(s, p, io);
  return out;
}

static int code_at(const Doorkey* s, int x, int y) { return s->cells[doorkey_cell(x, y)]; }

static int count(const Doorkey* s, int code) {
  int found = 0;
  for (size_t i = 0; i < sizeof s->cells; ++i) found += s->cells[i] == code;
  return found;
}

// Puts the agent into a room's cell.
static void place(Doorkey* s, int x, int y, int heading) {
  s->at = doorkey_cell(x, y);
  s->heading = heading;
}

// ---- rooms -----------------------------------------------------------------------------------------------------

static void test_the_empty_room(void) {
  static Doorkey s;
  for (int size = 5; size <= 17; ++size) {
    const DoorkeyParams p = with_task(DOORKEY_EMPTY_ROOM, size);
    start(&s, &p, 3);
    CHECK(s.at == doorkey_cell(1, 1) && s.heading == 0 && s.hands == DOORKEY_FLOOR);
    CHECK(code_at(&s, size - 2, size - 2) == DOORKEY_GOAL);
    CHECK(count(&s, DOORKEY_FLOOR) == (size - 2) * (size - 2) - 1 && count(&s, DOORKEY_GOAL) == 1);
    for (int i = 0; i < size; ++i)
      CHECK(code_at(&s, i, 0) == DOORKEY_WALL && code_at(&s, 0, i) == DOORKEY_WALL &&
            code_at(&s, i, size - 1) == DOORKEY_WALL && code_at(&s, size - 1, i) == DOORKEY_WALL);
  }
}

static void test_the_wall_parts_the_room(void) {
  static Doorkey s;
  int walls[8] = {0}, doors[8] = {0}, headings[4] = {0}, starts[8] = {0}, keys[8] = {0};
  const DoorkeyParams p = with_task(DOORKEY_DOOR_AND_KEY, 8);
  for (uint64_t seed = 0; seed < 6000; ++seed) {
    start(&s, &p, seed);
    int wall = 0, door = 0;
    for (int x = 2; x < 6; ++x)
      for (int y = 1; y < 7; ++y)
        if (code_at(&s, x, y) == DOORKEY_LOCKED) wall = x, door = y;
    if (!CHECK(wall >= 2 && wall <= 5 && door >= 1 && door <= 5)) return;
    for (int y = 1; y < 7; ++y) CHECK(code_at(&s, wall, y) == (y == door ? DOORKEY_LOCKED : DOORKEY_WALL));
    CHECK(count(&s, DOORKEY_LOCKED) == 1 && count(&s, DOORKEY_YELLOW_KEY) == 1 && count(&s, DOORKEY_GOAL) == 1);
    CHECK(count(&s, DOORKEY_FLOOR) == 36 - 6 - 2 && s.cells[s.at] == DOORKEY_FLOOR);
    const int x = s.at % DOORKEY_SIDE - DOORKEY_MARGIN, y = s.at / DOORKEY_SIDE - DOORKEY_MARGIN;
    CHECK(x >= 1 && x < wall && y >= 1 && y < 7);
    walls[wall] += 1, doors[door] += 1, headings[s.heading] += 1, starts[y] += 1;
    for (int row = 1; row < 7; ++row)
      for (int column = 1; column < wall; ++column) keys[row] += code_at(&s, column, row) == DOORKEY_YELLOW_KEY;
  }
  for (int i = 2; i <= 5; ++i) CHECK(walls[i] > 1350 && walls[i] < 1650);
  for (int i = 1; i <= 5; ++i) CHECK(doors[i] > 1080 && doors[i] < 1320);
  for (int i = 0; i < 4; ++i) CHECK(headings[i] > 1350 && headings[i] < 1650);
  for (int i = 1; i <= 6; ++i) CHECK(starts[i] > 880 && starts[i] < 1120 && keys[i] > 880 && keys[i] < 1120);
}

// Rows of the picture: # wall, . floor, O the first thing, A and B the things at the end.
static void check_memory_room(const Doorkey* s, int size, const char* const* picture, int first, int above, int below) {
  for (int y = 0; y < size; ++y)
    for (int x = 0; x < size; ++x) {
      const char c = picture[y][x];
      const int code = c == '#' ? DOORKEY_WALL : c == '.' ? DOORKEY_FLOOR : c == 'O' ? first : c == 'A' ? above : below;
      if (!CHECK(code_at(s, x, y) == code)) fprintf(stderr, "  size %d, cell %d %d: %c\n", size, x, y, c);
    }
}

static void test_the_hallway(void) {
  static const char* const room7[] = {"#######", "#####A#", "#O..#.#", "#.....#", "#...#.#", "#####B#", "#######"};
  static const char* const room9[] = {"#########", "#.....#.#", "#####.#A#", "#O..###.#", "#.......#",
                                      "#...###.#", "#####.#B#", "#.....#.#", "#########"};
  static const char* const short9[] = {"#########", "#...#.#.#", "#####A#.#", "#O..#.#.#", "#.....#.#",
                                       "#...#.#.#", "#####B#.#", "#...#.#.#", "#########"};
  static Doorkey s;
  int combinations[2][2] = {{0}}, columns[17] = {0};
  for (uint64_t seed = 0; seed < 2000; ++seed) {
    const DoorkeyParams p = with_task(DOORKEY_MEMORY, 9);
    start(&s, &p, seed);
    const int first = code_at(&s, 1, 3), above = code_at(&s, 7, 2), below = code_at(&s, 7, 6);
    CHECK(first == DOORKEY_GREEN_KEY || first == DOORKEY_GREEN_BALL);
    CHECK(above + below == DOORKEY_GREEN_KEY + DOORKEY_GREEN_BALL);
    check_memory_room(&s, 9, room9, first, above, below);
    CHECK(s.good == doorkey_cell(7, first == above ? 3 : 5) && s.bad == doorkey_cell(7, first == above ? 5 : 3));
    CHECK(s.at >= doorkey_cell(1, 4) && s.at <= doorkey_cell(6, 4) && s.heading == 0);
    combinations[first == DOORKEY_GREEN_BALL][above == DOORKEY_GREEN_BALL] += 1;
    columns[s.at - doorkey_cell(0, 4)] += 1;
  }
  for (int i = 0; i < 4; ++i) CHECK(combinations[i / 2][i % 2] > 420 && combinations[i / 2][i % 2] < 580);
  for (int x = 1; x <= 6; ++x) CHECK(columns[x] > 260 && columns[x] < 410);
  DoorkeyParams p = with_task(DOORKEY_MEMORY, 7);
  start(&s, &p, 1);
  check_memory_room(&s, 7, room7, code_at(&s, 1, 2), code_at(&s, 5, 1), code_at(&s, 5, 5));
  p = with_task(DOORKEY_MEMORY, 9);
  p.random_length = 1;
  int ends[17] = {0};
  for (uint64_t seed = 0; seed < 900; ++seed) {
    start(&s, &p, seed);
    const int end = s.good % DOORKEY_SIDE - DOORKEY_MARGIN - 1;
    if (CHECK(end >= 4 && end <= 6)) ends[end] += 1;
    const char* const* picture = end == 4 ? short9 : end == 6 ? room9 : NULL;
    if (picture) check_memory_room(&s, 9, picture, code_at(&s, 1, 3), code_at(&s, end + 1, 2), code_at(&s, end + 1, 6));
  }
  for (int end = 4; end <= 6; ++end) CHECK(ends[end] > 240 && ends[end] < 360);
}

static void test_parameters_that_do_not_fit(void) {
  DoorkeyParams p = with_task(DOORKEY_MEMORY, 8);
  CHECK(strstr(doorkey_check(&p), "odd") != NULL);
  p.size = 5;
  CHECK(doorkey_check(&p) != NULL);
  p.size = 7;
  CHECK(doorkey_check(&p) == NULL);
  p = with_task(DOORKEY_DOOR_AND_KEY, 6);
  CHECK(doorkey_check(&p) == NULL);
}

// ---- acts ------------------------------------------------------------------------------------------------------

static void test_turns_and_walls(void) {
  static Doorkey s;
  const DoorkeyParams p = with_task(DOORKEY_EMPTY_ROOM, 5);
  start(&s, &p, 1);
  const int32_t home = s.at;
  act(&s, &p, DOORKEY_LEFT);
  CHECK(s.heading == 3);
  act(&s, &p, DOORKEY_FORWARD);  // a wall
  CHECK(s.at == home);
  for (int i = 1; i <= 5; ++i) {
    act(&s, &p, DOORKEY_RIGHT);
    CHECK(s.heading == (3 + i) % 4);
  }
  act(&s, &p, DOORKEY_NOTHING);
  CHECK(s.at == home && s.heading == 0 && s.steps == 8);
  act(&s, &p, DOORKEY_FORWARD);
  CHECK(s.at == doorkey_cell(2, 1));
}

// Key at (1, 1), door at (2, 2), goal at (3, 3): the whole way, with acts that must do nothing.
static void test_the_door_needs_its_key(void) {
  static Doorkey s;
  const DoorkeyParams p = with_task(DOORKEY_DOOR_AND_KEY, 5);
  start(&s, &p, 1);
  doorkey_fill(&s, 1, 1, 1, 3, DOORKEY_FLOOR);
  doorkey_fill(&s, 2, 1, 1, 3, DOORKEY_WALL);
  doorkey_fill(&s, 2, 2, 1, 1, DOORKEY_LOCKED);
  doorkey_fill(&s, 1, 1, 1, 1, DOORKEY_YELLOW_KEY);
  place(&s, 1, 2, 0);
  act(&s, &p, DOORKEY_TOGGLE), act(&s, &p, DOORKEY_FORWARD), act(&s, &p, DOORKEY_PICK_UP);
  CHECK(code_at(&s, 2, 2) == DOORKEY_LOCKED && s.at == doorkey_cell(1, 2) && s.hands == DOORKEY_FLOOR);
  act(&s, &p, DOORKEY_LEFT), act(&s, &p, DOORKEY_FORWARD), act(&s, &p, DOORKEY_DROP), act(&s, &p, DOORKEY_TOGGLE);
  CHECK(s.at == doorkey_cell(1, 2) && code_at(&s, 1, 1) == DOORKEY_YELLOW_KEY);  // a thing is in the way
  act(&s, &p, DOORKEY_PICK_UP);
  CHECK(s.hands == DOORKEY_YELLOW_KEY && code_at(&s, 1, 1) == DOORKEY_FLOOR);
  act(&s, &p, DOORKEY_DROP);
  CHECK(s.hands == DOORKEY_FLOOR && code_at(&s, 1, 1) == DOORKEY_YELLOW_KEY);
  act(&s, &p, DOORKEY_PICK_UP), act(&s, &p, DOORKEY_RIGHT), act(&s, &p, DOORKEY_DROP);
  CHECK(s.hands == DOORKEY_YELLOW_KEY && code_at(&s, 2, 2) == DOORKEY_LOCKED);  // a door is no place to drop
  act(&s, &p, DOORKEY_TOGGLE);
  CHECK(code_at(&s, 2, 2) == DOORKEY_OPEN);
  act(&s, &p, DOORKEY_TOGGLE), act(&s, &p, DOORKEY_FORWARD);
  CHECK(code_at(&s, 2, 2) == DOORKEY_CLOSED && s.at == doorkey_cell(1, 2));
  s.hands = DOORKEY_FLOOR;  // a door that is not locked needs no key
  act(&s, &p, DOORKEY_TOGGLE), act(&s, &p, DOORKEY_FORWARD);
  CHECK(s.at == doorkey_cell(2, 2) && code_at(&s, 2, 2) == DOORKEY_OPEN);
  act(&s, &p, DOORKEY_FORWARD);
  const Outcome turned = act(&s, &p, DOORKEY_RIGHT);
  CHECK(!turned.terminated && turned.reward == 0.0f);
  const Outcome end = act(&s, &p, DOORKEY_FORWARD);
  CHECK(end.terminated && s.success && s.steps == 20);
  CHECK(fabsf(end.reward - (1.0f - 0.9f * 20.0f / 250.0f)) < 1e-6f);
  float values[2] = {end.reward, 0.0f};
  doorkey_metrics(&s, &p, 0, values);
  CHECK(values[0] == end.reward && values[1] == 1.0f);
}

static void test_limits(void) {
  static const int limits[3][3] = {{0, 7, 4 * 49}, {1, 7, 10 * 49}, {2, 7, 5 * 49}};
  static Doorkey s;
  for (int i = 0; i < 3; ++i)
    for (int own = 0; own <= 1; ++own) {
      DoorkeyParams p = with_task(limits[i][0], limits[i][1]);
      if (own) p.max_steps = 9;
      start(&s, &p, 4);
      const int limit = own ? 9 : limits[i][2];
      for (int t = 1; t <= limit; ++t) {
        const Outcome out = act(&s, &p, DOORKEY_NOTHING);
        CHECK(out.truncated == (t == limit) && !out.terminated && out.reward == 0.0f);
      }
    }
}

static void test_the_hallway_ends_at_either_side(void) {
  static Doorkey s;
  const DoorkeyParams p = with_task(DOORKEY_MEMORY, 7);
  for (uint64_t seed = 0; seed < 20; ++seed)
    for (int below = 0; below <= 1; ++below) {
      start(&s, &p, seed);
      place(&s, 1, 3, 3);
      act(&s, &p, DOORKEY_PICK_UP), act(&s, &p, DOORKEY_TOGGLE);
      CHECK(s.hands == DOORKEY_FLOOR && doorkey_is_thing(code_at(&s, 1, 2)));
      place(&s, 5, 3, below ? 1 : 3);
      const bool right = code_at(&s, 1, 2) == code_at(&s, 5, below ? 5 : 1);
      const Outcome out = act(&s, &p, DOORKEY_FORWARD);
      CHECK(out.terminated && s.success == right);
      CHECK(fabsf(out.reward - (right ? 1.0f - 0.9f * 3.0f / 245.0f : 0.0f)) < 1e-6f);
    }
}

// ---- sight -----------------------------------------------------------------------------------------------------

// Marks what cell (x, y) shows, in direction `side`.
static void show(bool seen[7][7], int x, int y, int side) {
  seen[x + side][y] = true;
  if (y == 0) return;
  seen[x][y - 1] = seen[x + side][y - 1] = true;
}

static void model(const Doorkey* s, bool through_walls, uint8_t image[7][7][3]) {
  static const int ahead[4][2] = {{1, 0}, {0, 1}, {-1, 0}, {0, -1}};
  const int *f = ahead[s->heading], *r = ahead[(s->heading + 1) % 4];
  const int left = s->at % DOORKEY_SIDE - DOORKEY_MARGIN, top = s->at / DOORKEY_SIDE - DOORKEY_MARGIN;
  int codes[7][7];
  bool seen[7][7] = {{false}};
  for (int x = 0; x < 7; ++x)
    for (int y = 0; y < 7; ++y) {
      const int u = left + (x - 3) * r[0] + (6 - y) * f[0], v = top + (x - 3) * r[1] + (6 - y) * f[1];
      codes[x][y] = u >= 0 && v >= 0 && u < 17 && v < 17 ? code_at(s, u, v) : DOORKEY_WALL;
    }
  seen[3][6] = true;
  for (int y = 6; y >= 0; --y)
    for (int k = 0; k < 12; ++k) {
      const int side = k < 6 ? 1 : -1, x = k < 6 ? k : 12 - k, code = codes[x][y];
      const bool solid = code == DOORKEY_WALL || code == DOORKEY_CLOSED || code == DOORKEY_LOCKED;
      if (seen[x][y] && !solid) show(seen, x, y, side);
    }
  codes[3][6] = s->hands;
  memset(image, 0, 147);
  for (int x = 0; x < 7; ++x)
    for (int y = 0; y < 7; ++y) {
      static const uint8_t meaning[10][3] = {{0, 0, 0}, {2, 5, 0}, {4, 4, 1}, {4, 4, 2}, {1, 0, 0},
                                             {8, 1, 0}, {4, 4, 0}, {5, 4, 0}, {5, 1, 0}, {6, 1, 0}};
      if (seen[x][y] || through_walls) memcpy(image[x][y], meaning[codes[x][y]], 3);
    }
}

// Rooms with walls and doors strewn in, so that sight takes every kind of way.
static void test_sight_agrees_with_a_model(void) {
  static Doorkey s;
  PfcRng rng;
  pfc_rng_seed(&rng, 9, 0);
  for (int round = 0; round < 4000; ++round) {
    const DoorkeyParams p = with_task(round % 4 == 0 ? DOORKEY_EMPTY_ROOM : DOORKEY_DOOR_AND_KEY, 5 + round % 13);
    start(&s, &p, 1);
    const int inner = p.size - 2, share = round % 5;
    for (int i = 0; i < inner * inner; ++i)
      if ((int)pfc_rng_below(&rng, 10) < share)
        s.cells[doorkey_cell(1 + i % inner, 1 + i / inner)] = (uint8_t)(1 + pfc_rng_below(&rng, DOORKEY_CODES - 1));
    const int x = 1 + (int)pfc_rng_below(&rng, (uint32_t)inner), y = 1 + (int)pfc_rng_below(&rng, (uint32_t)inner);
    place(&s, x, y, (int)pfc_rng_below(&rng, 4));
    s.cells[s.at] = round % 2 ? DOORKEY_FLOOR : DOORKEY_OPEN;
    s.hands = round % 3 ? DOORKEY_FLOOR : DOORKEY_YELLOW_KEY;
    uint8_t expected[7][7][3];
    DoorkeyObs obs;
    model(&s, p.task == DOORKEY_EMPTY_ROOM, expected);
    doorkey_observe(&s, &p, 0, &obs);
    CHECK(memcmp(obs.image, expected, sizeof obs.image) == 0);
  }
}

int main(void) {
  test_the_empty_room();
  test_the_wall_parts_the_room();
  test_the_hallway();
  test_parameters_that_do_not_fit();
  test_turns_and_walls();
  test_the_door_needs_its_key();
  test_limits();
  test_the_hallway_ends_at_either_side();
  test_sight_agrees_with_a_model();
  return check_report();
}
