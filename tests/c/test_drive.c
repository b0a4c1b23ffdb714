// test_drive.c - the rules of drive: motion, following, hits, red lights, goals, lives, observations, modes.
#include "drive_game.h"

// ---- motion ----------------------------------------------------------------------------------------------

static Game plane_open(DriveParams p, float left, float length) {
  Game g = game_open(p, 1);
  game_flatten(&g, left, length);
  return g;
}

static void test_acceleration(void) {
  DriveParams p = game_alone();
  p.ticks = 1;
  Game g = plane_open(p, 0.0f, 130.0f);
  game_put(&g, 0, 0.0f, 0.0f);
  game_choose(&g, 0, ACCEL_FULL, STEER_STRAIGHT);
  for (int32_t t = 1; t <= 80; ++t) {
    game_step_only(&g);
    const float time = 0.1f * (float)t;
    CHECK(fabsf(g.w.x[0] - 1.5f * time * time) < 1e-3f && fabsf(g.w.v[0] - 3.0f * time) < 1e-4f);
  }
  CHECK(g.w.y[0] == 0.0f && !g.terminated[0]);
  for (int32_t t = 0; t < 10; ++t) game_step_only(&g);
  CHECK(g.w.v[0] == 25.0f);
  game_close(&g);
}

static void test_braking(void) {
  DriveParams p = game_alone();
  p.ticks = 1;
  Game g = plane_open(p, 0.0f, 130.0f);
  game_put(&g, 0, 0.0f, 20.0f);
  game_choose(&g, 0, ACCEL_FULL_BRAKE, STEER_STRAIGHT);
  for (int32_t t = 0; t < 60; ++t) game_step_only(&g);
  CHECK(g.w.v[0] == 0.0f && fabsf(g.w.x[0] - 100.0f / 3.0f) < 1.0f);  // and it does not roll back
  game_close(&g);
}

// Drives one turn of a circle; its mean place is the circle's centre. Returns the mean distance from `x`, `y`.
static float drive_round(Game* g, float* x, float* y) {
  double swept = 0.0, sum_x = 0.0, sum_y = 0.0, distance = 0.0, ticks = 0.0;
  while (swept < 2.0 * (double)PFC_PI) {
    const float c = g->w.cos[0], s = g->w.sin[0];
    distance += hypot((double)(g->w.x[0] - *x), (double)(g->w.y[0] - *y));
    game_step_only(g);
    const double turn = asin((double)(c * g->w.sin[0] - s * g->w.cos[0]));
    const double share = fmin(1.0, (2.0 * (double)PFC_PI - swept) / turn);  // the last step counts in part
    swept += turn, sum_x += share * (double)g->w.x[0], sum_y += share * (double)g->w.y[0], ticks += share;
    if (!CHECK(!g->terminated[0] && turn > 0.0)) break;
  }
  *x = (float)(sum_x / ticks), *y = (float)(sum_y / ticks);
  return (float)(distance / ceil(ticks));
}

static void check_circle(float speed, float steer, float radius, float start_y) {
  DriveParams p = game_alone();
  p.ticks = 1, p.continuous = 1;
  Game g = plane_open(p, -130.0f, 260.0f);
  game_put(&g, 0, 130.0f, speed);
  g.w.y[0] = start_y;
  g.controls[1] = steer / DRIVE_MAX_STEER;
  for (int32_t t = 0; t < 20; ++t) game_step_only(&g);  // until the wheels are turned
  float x0 = 0.0f, y0 = 0.0f, x1, y1;
  drive_round(&g, &x0, &y0);
  x1 = x0, y1 = y0;
  for (int32_t turn = 0; turn < 3; ++turn) {
    float x = x0, y = y0;
    CHECK(fabsf(drive_round(&g, &x, &y) - radius) < 0.01f * radius);
    x1 = x, y1 = y;
  }
  CHECK(hypotf(x1 - x0, y1 - y0) < 0.05f && g.w.v[0] == speed);
  CHECK(fabsf(g.w.cos[0] * g.w.cos[0] + g.w.sin[0] * g.w.sin[0] - 1.0f) < 1e-6f);
  game_close(&g);
}

static void test_circles(void) {
  const float base = 0.6f * 4.5f, half = 0.5f * tanf(0.1f);
  check_circle(5.0f, 0.1f, base * sqrtf(1.0f + half * half) / tanf(0.1f), 0.0f);
  const float tangent = 7.0f * base / 400.0f;  // grip
  check_circle(20.0f, 0.55f, base * sqrtf(1.0f + 0.25f * tangent * tangent) / tangent, -57.0f);
  CHECK(fabsf(base / tangent - 400.0f / 7.0f) < 1e-3f);
}

// ---- following -------------------------------------------------------------------------------------------

// A leader at 20 m/s brakes at 6 to rest; `followers` scripted cars behind it, each at the distance that it keeps at 20
// m/s.
static void check_following(int32_t followers) {
  DriveParams p = game_alone();
  p.ticks = 1, p.traffic = followers, p.town_x = p.town_y = 6;
  Game g = plane_open(p, -280.0f, 560.0f);
  const float share = 20.0f / 25.0f, gap = 26.0f / sqrtf(1.0f - share * share * share * share);
  game_put(&g, 0, 480.0f, 20.0f);
  for (int32_t i = 1; i <= followers; ++i) game_put(&g, i, 480.0f - (gap + 4.5f) * (float)i, 20.0f);
  drive_look_around(&g.w);
  game_choose(&g, 0, ACCEL_FULL_BRAKE, STEER_STRAIGHT);
  for (int32_t t = 0; t < 300; ++t) {
    game_step_only(&g);
    for (int32_t i = 1; i <= followers; ++i) CHECK(g.w.x[i - 1] - g.w.x[i] - 4.5f >= 0.5f);
  }
  for (int32_t i = 0; i <= followers; ++i) CHECK(g.w.v[i] < 0.2f && fabsf(g.w.y[i]) < 0.05f);
  CHECK(g.s->traffic_crashes == 0 && !g.terminated[0]);
  game_close(&g);
}

static void test_following(void) {
  check_following(1);
  check_following(10);
}

// ---- hits ------------------------------------------------------------------------------------------------

static void put_at(Game* g, int32_t i, float x, float y, float angle) {
  game_put(g, i, 130.0f, 0.0f);
  g->w.x[i] = x, g->w.y[i] = y, g->w.cos[i] = cosf(angle), g->w.sin[i] = sinf(angle);
}

// Two cars side by side, turned by 45 degrees: their axis-aligned hulls overlap, they do not.
static void test_hit(void) {
  DriveParams p = game_alone();
  p.agents = 3, p.ticks = 1, p.reward_progress = 0.0f;
  for (int32_t touch = 0; touch < 2; ++touch) {
    Game g = plane_open(p, -130.0f, 260.0f);
    const float apart = (1.9f + (touch ? -0.005f : 0.005f)) * sqrtf(0.5f), angle = 0.25f * PFC_PI;
    put_at(&g, 0, 0.0f, 0.0f, angle);
    put_at(&g, 1, apart, -apart, angle);
    put_at(&g, 2, 50.0f, 50.0f, angle);
    game_choose_all(&g, ACCEL_COAST, STEER_STRAIGHT);
    g.w.cars[0].goal_x = g.w.cars[0].goal_y = 0.0f;  // a goal in the tick of a hit is a hit
    game_step_only(&g);
    CHECK(g.terminated[1] == touch && !g.terminated[2] && g.terminated[0]);
    CHECK(g.w.cars[0].ended == (touch ? DRIVE_CRASHED : DRIVE_REACHED));
    CHECK(g.rewards[0] == (touch ? -1.0f : 1.0f) && g.rewards[1] == (touch ? -1.0f : 0.0f));
    CHECK(g.w.away[0] == DRIVE_FAR && g.w.away[2] == 0.0f);
    game_close(&g);
  }
}

static bool point_in_box(const DriveWorld* w, int32_t i, float x, float y, float shrink) {
  const float dx = x - w->x[i], dy = y - w->y[i];
  return fabsf(dx * w->cos[i] + dy * w->sin[i]) < 0.5f * shrink * w->length[i] &&
         fabsf(dy * w->cos[i] - dx * w->sin[i]) < 0.5f * shrink * w->width[i];
}

// Whether any of 60 x 30 points of either box lies in the other one.
static bool sampled_overlap(const DriveWorld* w, int32_t a, int32_t b, float shrink) {
  for (int32_t round = 0; round < 2; ++round) {
    const int32_t i = round ? a : b, k = round ? b : a;
    for (int32_t u = 0; u <= 60; ++u)
      for (int32_t v = 0; v <= 30; ++v) {
        const float along = shrink * w->length[i] * ((float)u / 60.0f - 0.5f),
                    aside = shrink * w->width[i] * ((float)v / 30.0f - 0.5f);
        const float x = w->x[i] + along * w->cos[i] - aside * w->sin[i],
                    y = w->y[i] + along * w->sin[i] + aside * w->cos[i];
        if (point_in_box(w, k, x, y, shrink)) return true;
      }
  }
  return false;
}

static void test_overlap(void) {
  DriveParams p = game_alone();
  p.agents = 2;
  Game g = plane_open(p, -130.0f, 260.0f);
  PfcRng rng;
  pfc_rng_seed(&rng, 5, 0);
  int32_t overlapping = 0;
  for (int32_t n = 0; n < 2000; ++n) {
    put_at(&g, 0, 0.0f, 0.0f, pfc_rng_uniform(&rng, -3.0f, 3.0f));
    put_at(&g, 1, pfc_rng_uniform(&rng, -5.0f, 5.0f), pfc_rng_uniform(&rng, -5.0f, 5.0f),
           pfc_rng_uniform(&rng, -3.0f, 3.0f));
    const bool said = drive_near(&g.w, 0, 1) && drive_overlap(&g.w, 0, 1);
    overlapping += said;
    if (sampled_overlap(&g.w, 0, 1, 1.0f)) CHECK(said);
    drive_set_size(&g.w, 0, 4.5f * 0.93f, 1.9f * 0.93f), drive_set_size(&g.w, 1, 4.5f * 0.93f, 1.9f * 0.93f);
    const bool smaller = drive_near(&g.w, 0, 1) && drive_overlap(&g.w, 0, 1);
    drive_set_size(&g.w, 0, 4.5f, 1.9f), drive_set_size(&g.w, 1, 4.5f, 1.9f);
    if (smaller) CHECK(sampled_overlap(&g.w, 0, 1, 1.0f));
  }
  CHECK(overlapping > 300 && overlapping < 1700);
  game_close(&g);
}

// ---- red lights --------------------------------------------------------------------------------------------

// A town with a lane that ends at lights. Returns the lane.
static uint16_t find_lights(Game* g) {
  for (uint64_t n = 0;; ++n) {
    game_reset(g, 9, n);
    for (int32_t i = 0; i < g->s->town.num_roads; ++i) {
      const DriveLane* lane = &g->w.lanes[i];
      if (lane->stop >= 25.0f && lane->centre < 2.0f && g->w.lanes[lane->next[0]].signal != DRIVE_NONE)
        return (uint16_t)i;
    }
  }
}

static void set_light(Game* g, uint16_t movement, int32_t color) {
  DriveSignal* signal = &g->w.signals[g->w.lanes[movement].signal];
  signal->at = (uint16_t)color, signal->left = 60000;  // the phases of a town are green, yellow, red
}

// Drives over the stop line, `aside` m to the left of the lane's middle. Returns the sum of rewards.
static float drive_over_line(int32_t color, float aside, int32_t* reds) {
  DriveParams p = game_alone();
  p.ticks = 1, p.lights = 1.0f, p.roundabouts = 0.0f, p.reward_progress = 0.0f;
  Game g = game_open(p, 1);
  const uint16_t lane = find_lights(&g);
  drive_set_size(&g.w, 0, 4.5f, 1.9f);
  drive_put(&g.w, 0, lane, g.w.lanes[lane].stop - 8.0f);
  DriveCar* car = &g.w.cars[0];
  car->route[1] = g.w.lanes[lane].next[0], car->num_lanes = 2, car->end += g.w.lanes[car->route[1]].length;
  car->goal = 1e6f, car->goal_x = 1e6f, car->reds = 0;
  g.w.x[0] -= aside * g.w.sin[0], g.w.y[0] += aside * g.w.cos[0];
  g.w.v[0] = 6.0f;
  drive_set_present(&g.w, 0);
  drive_look_around(&g.w);
  set_light(&g, car->route[1], color);
  game_choose(&g, 0, ACCEL_COAST, STEER_STRAIGHT);
  float sum = 0.0f;
  for (int32_t t = 0; t < 17; ++t) {
    game_step_only(&g);
    sum += g.rewards[0];
    CHECK(!g.terminated[0]);
  }
  CHECK(car->passed == 0);
  *reds = car->reds;
  game_close(&g);
  return sum;
}

static void test_red(void) {
  int32_t reds;
  CHECK(drive_over_line(DRIVE_RED, 0.0f, &reds) == -0.5f && reds == 1);
  CHECK(drive_over_line(DRIVE_RED, 2.5f, &reds) == -0.5f && reds == 1);  // on the oncoming lane
  CHECK(drive_over_line(DRIVE_YELLOW, 0.0f, &reds) == 0.0f && reds == 0);
  CHECK(drive_over_line(DRIVE_GREEN, 0.0f, &reds) == 0.0f && reds == 0);
}

// ---- right of way ------------------------------------------------------------------------------------------

static void put_on_lane(Game* g, int32_t i, uint16_t lane, float along) {
  drive_set_size(&g->w, i, 4.5f, 1.9f);
  drive_put(&g->w, i, lane, along);
  g->w.v[i] = 0.0f;
  drive_set_present(&g->w, i);
}

static void add_to_route(Game* g, int32_t i, uint16_t lane) {
  DriveCar* car = &g->w.cars[i];
  car->route[car->num_lanes++] = lane;
  car->end += g->w.lanes[lane].length;
}

// After 6 s the first car of a queue ignores claims. The one behind it has no turn yet, however long it has stood.
static void test_patience(void) {
  DriveParams p = game_alone();
  p.agents = 2, p.lights = 1.0f, p.roundabouts = 0.0f;
  Game g = game_open(p, 1);
  const uint16_t lane = find_lights(&g), movement = g.w.lanes[lane].next[0];
  for (int32_t i = 0; i < 2; ++i) {
    put_on_lane(&g, i, lane, g.w.lanes[lane].stop - 2.25f - (i == 0 ? 2.0f : 8.0f));
    add_to_route(&g, i, movement);
    g.w.cars[i].stood = 100 + 50 * i;
  }
  set_light(&g, movement, DRIVE_GREEN);
  drive_look_around(&g.w);
  CHECK(g.w.cars[0].view.line < 2.1f && g.w.cars[1].view.line < 8.1f);
  CHECK(drive_is_stuck(&g.w, 0) && !drive_is_stuck(&g.w, 1));
  g.w.cars[0].stood = DRIVE_PATIENCE_TICKS - 1;
  CHECK(!drive_is_stuck(&g.w, 0));
  g.w.cars[0].stood = DRIVE_PATIENCE_TICKS;
  set_light(&g, movement, DRIVE_YELLOW);
  CHECK(!drive_is_stuck(&g.w, 0));
  game_close(&g);
}

// The exit of a roundabout is the road behind the ring, not the ring itself.
static void test_exit_of_a_ring(void) {
  DriveParams p = game_alone();
  p.agents = 2, p.roundabouts = 1.0f, p.town_x = p.town_y = 1;
  Game g = game_open(p, 1);
  const DriveWorld* w = &g.w;
  uint16_t lane = 0;
  while (w->lanes[lane].stop < 0.0f) ++lane;
  put_on_lane(&g, 0, lane, w->lanes[lane].stop - 4.0f);
  const uint16_t entry = w->lanes[lane].next[0], between = w->lanes[entry].next[0], leave = w->lanes[between].next[0];
  const uint16_t ring[] = {entry, between, leave, w->lanes[leave].next[0]};
  for (int32_t k = 0; k < 4; ++k) add_to_route(&g, 0, ring[k]);
  CHECK(w->lanes[leave].kind == DRIVE_RING && w->lanes[ring[3]].kind == DRIVE_ROAD);
  for (int32_t k = 1; k < 4; ++k) {
    put_on_lane(&g, 1, ring[k], k == 3 ? 4.0f : 0.5f * w->lanes[ring[k]].length);
    drive_look_around(&g.w);
    CHECK(drive_exit_is_free(&g.w, 0) == (k < 3));
  }
  put_on_lane(&g, 1, ring[3], 16.0f);
  drive_look_around(&g.w);
  CHECK(drive_exit_is_free(&g.w, 0));
  game_close(&g);
}

// Lights of one junction: green 8 s, yellow 3.5 s, red 14.5 s; never two pairs of arms green or yellow at once.
static void test_light_cycle(void) {
  DriveParams p = game_alone();
  p.ticks = 1, p.lights = 1.0f, p.roundabouts = 0.0f, p.town_x = p.town_y = 1;
  Game g = game_open(p, 3);
  int32_t seen[2][3] = {{0}};
  g.alive[0] = 0;
  CHECK(g.s->town.num_signals == 2);
  for (int32_t t = 0; t < 260; ++t) {
    int32_t color[2];
    for (int32_t k = 0; k < 2; ++k) color[k] = g.w.phases[g.w.signals[k].at] & 3, ++seen[k][color[k]];
    CHECK(color[0] == DRIVE_RED || color[1] == DRIVE_RED);
    game_step_only(&g);
  }
  for (int32_t k = 0; k < 2; ++k)
    CHECK(seen[k][DRIVE_GREEN] == 80 && seen[k][DRIVE_YELLOW] == 35 && seen[k][DRIVE_RED] == 145);
  game_close(&g);
}

// ---- lives -------------------------------------------------------------------------------------------------

// Lives of 12 steps end by truncation. Car 0 reaches a goal after 6 steps, so its second life goes on behind that.
static void test_truncation(void) {
  DriveParams p = game_params();
  p.max_steps = 12, p.world_steps = 0, p.autopilot = 1;
  Game g = game_open(p, 4);
  float* before = malloc(sizeof(float) * (size_t)(g.rows * g.values));
  for (int32_t t = 1; t < 12; ++t) {
    if (t == 6) g.w.cars[0].goal_x = g.w.x[0], g.w.cars[0].goal_y = g.w.y[0];
    game_step(&g);
  }
  int32_t cut = 0;
  CHECK(g.steps[0] == 5 && g.w.cars[0].present);
  game_step_only(&g);
  PfcRange range = game_range(&g);
  range.obs = (unsigned char*)before;
  spec->observe_range(&range);
  const int32_t town = g.s->steps;
  const float x = g.w.x[0], y = g.w.y[0];
  game_finish(&g);
  CHECK(g.steps[0] == 6 && !g.truncated[0] && !g.terminated[0] && g.w.cars[0].present);
  CHECK(g.w.x[0] == x && g.w.y[0] == y);
  for (int32_t i = 0; i < g.rows; ++i) {
    if (g.steps[i] != 0) continue;
    CHECK(g.truncated[i] != g.terminated[i]);
    if (!g.truncated[i]) continue;
    ++cut;
    CHECK(memcmp(g.final_obs + i * g.values, before + i * g.values, sizeof(float) * (size_t)g.values) == 0);
  }
  CHECK(cut > 8 && g.s->steps == town);  // the same town
  free(before);
  game_close(&g);
}

static void test_new_town(void) {
  DriveParams p = game_params();
  p.world_steps = 5;
  Game g = game_open(p, 4), h = game_open(p, 4), other = game_open(p, 4);
  game_reset(&other, 4, 1);
  CHECK(memcmp(g.s, h.s, g.layout.state_bytes) == 0);  // the same seed
  CHECK(memcmp(g.w.points.x, other.w.points.x, 100 * sizeof(float)) != 0);
  game_choose_all(&g, ACCEL_BRAKE, STEER_STRAIGHT);
  for (int32_t t = 1; t < 5; ++t) {
    game_step(&g);
    for (int32_t i = 0; i < g.rows; ++i) CHECK(!g.truncated[i]);
    CHECK(memcmp(g.w.points.x, h.w.points.x, 100 * sizeof(float)) == 0);
  }
  game_step(&g);
  for (int32_t i = 0; i < g.rows; ++i) CHECK(g.truncated[i] != g.terminated[i] && g.w.cars[i].num_lanes > 0);
  CHECK(memcmp(g.w.points.x, h.w.points.x, 100 * sizeof(float)) != 0 && g.s->steps == 0);
  game_close(&g), game_close(&h), game_close(&other);
}

// More cars than places: those that find none wait, see their place, cannot be hit, and start when it is free.
static void test_waiting(void) {
  DriveParams p = game_params();
  p.agents = 2, p.traffic = 0, p.walkers = 0, p.max_steps = 0, p.ticks = 1;
  Game g = plane_open(p, -130.0f, 260.0f);
  g.s->town.usable = 0.1f;  // one place: the beginning of the lane
  game_put(&g, 0, 0.0f, 0.0f);
  drive_begin_life(&g.w, 1);
  drive_look_around(&g.w);
  game_observe(&g);
  CHECK(g.w.cars[1].waiting && !g.w.cars[1].present && game_obs(&g, 1)[16] == 1.0f && game_obs(&g, 0)[16] == 0.0f);
  CHECK(game_obs(&g, 0)[65] == 0.0f && game_obs(&g, 1)[65] == 1.0f);  // it sees, but is not seen
  game_choose_all(&g, ACCEL_FULL, STEER_STRAIGHT);
  int32_t start = 0;
  for (int32_t t = 1; t < 80 && start == 0; ++t) {
    game_step_only(&g);
    CHECK(!g.terminated[0] && !g.terminated[1]);
    if (g.w.cars[1].present) start = t;
  }
  // In a crowd a place is taken as soon as it overlaps nothing.
  CHECK(start > 15 && start < 80 && g.w.x[0] - g.w.x[1] > 4.4f && !drive_overlap(&g.w, 0, 1));
  game_close(&g);
}

// ---- observations --------------------------------------------------------------------------------------------

// The ten nearest bodies by a plain search.
static void check_bodies(const Game* g, int32_t agent) {
  const DriveWorld* w = &g->w;
  bool taken[DRIVE_MAX_BODIES] = {false};
  const float* row = game_obs(g, agent) + 65;
  for (int32_t n = 0; n < 10; ++n, row += 9) {
    int32_t best = -1;
    float least = g->p->sight * g->p->sight;
    for (int32_t k = 0; k < w->num_bodies; ++k) {
      const float dx = w->x[k] - w->x[agent], dy = w->y[k] - w->y[agent], square = dx * dx + dy * dy;
      if (k == agent || taken[k] || w->away[k] != 0.0f || square > least || (best >= 0 && square == least)) continue;
      best = k, least = square;
    }
    if (!CHECK(row[0] == (best >= 0 ? 1.0f : 0.0f)) || best < 0) continue;
    taken[best] = true;
    const float dx = w->x[best] - w->x[agent], dy = w->y[best] - w->y[agent];
    CHECK(fabsf(row[1] - (dx * w->cos[agent] + dy * w->sin[agent]) / 50.0f) < 1e-6f);
    CHECK(fabsf(row[2] - (dy * w->cos[agent] - dx * w->sin[agent]) / 50.0f) < 1e-6f);
    CHECK(fabsf(row[7] - w->length[best] / 10.0f) < 1e-6f && fabsf(row[8] - w->width[best] / 3.0f) < 1e-6f);
  }
}

static void check_segments(const Game* g, int32_t agent) {
  const DriveWorld* w = &g->w;
  const float* row = game_obs(g, agent) + 155;
  float last = 0.0f;
  int32_t inside = 0, seen = 0;
  for (int32_t k = 0; k < g->s->town.num_segments; ++k) {
    const DriveSegment* s = &w->segments[k];
    inside += drive_square_to(w->x[agent], w->y[agent], s->x0, s->y0, s->x1, s->y1) <= 2500.0f;
  }
  for (; seen < 32 && row[6 * seen] == 1.0f; ++seen) {
    const float* r = row + 6 * seen;
    float x[2], y[2], t[2];
    for (int32_t e = 0; e < 2; ++e)
      x[e] = 50.0f * r[1] + (e ? 4.0f : -4.0f) * r[3], y[e] = 50.0f * r[2] + (e ? 4.0f : -4.0f) * r[4];
    t[0] = drive_square_to(0.0f, 0.0f, x[0], y[0], x[1], y[1]);
    CHECK(t[0] >= last - 0.02f && t[0] <= 2501.0f);
    last = t[0];
  }
  CHECK(seen == (inside < 32 ? inside : 32));
}

static void turn_pair(float* x, float* y) {
  const float old = *x;
  *x = -*y, *y = old;
}

// Turns the whole scene by 90 degrees around (0, 0); the grid, which observations do not use, stays behind.
static void turn_scene(Game* g) {
  DriveWorld* w = &g->w;
  const DriveTown* town = &g->s->town;
  for (int32_t k = 0; k < town->num_points; ++k)
    turn_pair(&w->points.x[k], &w->points.y[k]), turn_pair(&w->points.cos[k], &w->points.sin[k]);
  for (int32_t k = 0; k < town->num_segments; ++k)
    turn_pair(&w->segments[k].x0, &w->segments[k].y0), turn_pair(&w->segments[k].x1, &w->segments[k].y1);
  for (int32_t k = 0; k < w->num_bodies; ++k) turn_pair(&w->x[k], &w->y[k]), turn_pair(&w->cos[k], &w->sin[k]);
  for (int32_t k = 0; k < w->num_cars; ++k) turn_pair(&w->cars[k].goal_x, &w->cars[k].goal_y);
}

static void test_observations(void) {
  DriveParams p = game_params();
  p.view = 1, p.autopilot = 1;
  Game g = game_open(p, 6);
  float* kept = malloc(sizeof(float) * (size_t)(g.rows * g.values));
  for (int32_t t = 0; t < 60; ++t) {
    game_step(&g);
    for (int32_t i = 0; i < g.rows; ++i) check_bodies(&g, i), check_segments(&g, i);
    if (t % 20 != 19) continue;
    memcpy(kept, g.obs, sizeof(float) * (size_t)(g.rows * g.values));
    turn_scene(&g);
    game_observe(&g);
    for (int32_t k = 0; k < g.rows * g.values; ++k) CHECK(fabsf(kept[k] - g.obs[k]) < 1e-4f);
    for (int32_t k = 0; k < 3; ++k) turn_scene(&g);
    game_observe(&g);
  }
  free(kept);
  game_close(&g);
}

// ---- modes: each changes what it should and nothing else -----------------------------------------------------------

static bool hidden_without_guide(int32_t k) { return (k >= 5 && k <= 8) || k == 11 || (k >= 17 && k <= 64); }

static void test_guide_and_view(void) {
  DriveParams p = game_params(), without = p, wide = p;
  without.guide = 0, wide.view = 1;
  Game g = game_open(p, 7), h = game_open(without, 7), v = game_open(wide, 7);
  CHECK(g.values == 155 && h.values == 155 && v.values == 347);
  PfcRng rng;
  pfc_rng_seed(&rng, 8, 0);
  for (int32_t t = 0; t < 30; ++t) {
    for (int32_t i = 0; i < g.rows; ++i)
      for (int32_t k = 0; k < 155; ++k) {
        CHECK(game_obs(&h, i)[k] == (hidden_without_guide(k) ? 0.0f : game_obs(&g, i)[k]));
        CHECK(game_obs(&v, i)[k] == game_obs(&g, i)[k]);
      }
    game_choose_randomly(&g, &rng);
    memcpy(h.actions, g.actions, sizeof(int32_t) * 2 * (size_t)g.rows),
        memcpy(v.actions, g.actions, sizeof(int32_t) * 2 * (size_t)g.rows);
    game_step(&g), game_step(&h), game_step(&v);
    CHECK(memcmp(g.rewards, h.rewards, sizeof(float) * (size_t)g.rows) == 0 &&
          memcmp(g.s, h.s, g.layout.state_bytes) == 0);
    CHECK(memcmp(g.rewards, v.rewards, sizeof(float) * (size_t)g.rows) == 0 &&
          memcmp(g.s, v.s, g.layout.state_bytes) == 0);
  }
  game_close(&g), game_close(&h), game_close(&v);
}

static bool same_bodies(const Game* a, const Game* b) {
  const size_t bytes = sizeof(float) * (size_t)a->w.num_bodies;
  return memcmp(a->w.x, b->w.x, bytes) == 0 && memcmp(a->w.y, b->w.y, bytes) == 0 &&
         memcmp(a->w.cos, b->w.cos, bytes) == 0 && memcmp(a->w.v, b->w.v, bytes) == 0 &&
         memcmp(a->w.away, b->w.away, bytes) == 0;
}

// A step of four ticks is two steps of two ticks with the same action.
static void test_ticks(void) {
  DriveParams p = game_params(), longer = p;
  longer.ticks = 4;
  Game g = game_open(p, 10), h = game_open(longer, 10);
  PfcRng rng;
  pfc_rng_seed(&rng, 8, 1);
  for (int32_t t = 0; t < 5; ++t) {
    game_choose_randomly(&g, &rng);
    memcpy(h.actions, g.actions, sizeof(int32_t) * 2 * (size_t)g.rows);
    game_step_only(&g);
    float first[16], sum = 0.0f;
    memcpy(first, g.rewards, sizeof first);
    game_step_only(&g);
    game_step_only(&h);
    for (int32_t i = 0; i < g.rows; ++i) sum += fabsf(first[i] + g.rewards[i] - h.rewards[i]);
    CHECK(same_bodies(&g, &h) && sum < 1e-4f);
  }
  game_close(&g), game_close(&h);
}

// Controls that stand for the choices drive alike.
static void test_continuous(void) {
  DriveParams p = game_params(), free_ = p;
  free_.continuous = 1;
  Game g = game_open(p, 11), h = game_open(free_, 11);
  PfcRng rng;
  pfc_rng_seed(&rng, 8, 2);
  CHECK(h.layout.continuous_dims == 2 && h.layout.action_counts[0] == 0);
  for (int32_t t = 0; t < 20; ++t) {
    game_choose_randomly(&g, &rng);
    for (int32_t i = 0; i < g.rows; ++i) {
      const float a = drive_accelerations[g.actions[2 * i]];
      h.controls[2 * i] = a > 0.0f ? a / 3.0f : a / 6.0f;
      h.controls[2 * i + 1] = drive_steers[g.actions[2 * i + 1]] / 0.55f;
    }
    game_step_only(&g), game_step_only(&h);
    for (int32_t i = 0; i < g.w.num_bodies; ++i)
      CHECK(fabsf(g.w.x[i] - h.w.x[i]) < 0.01f && fabsf(g.w.v[i] - h.w.v[i]) < 0.01f && g.w.away[i] == h.w.away[i]);
  }
  game_close(&g), game_close(&h);
}

// A goal gives a new one, 60 to 140 m on along the same road; only a portal ends the life.
static void test_goal_mode(void) {
  DriveParams p = game_alone();
  p.goal_mode = 1, p.autopilot = 1, p.town_x = p.town_y = 3;
  int32_t renewed = 0, ended = 0;
  for (uint64_t n = 0; n < 4; ++n) {
    Game g = game_open(p, 20 + n);
    for (int32_t t = 0; t < 700; ++t) {
      const DriveCar* car = &g.w.cars[0];
      const float goal = car->goal;
      const int32_t goals = car->goals;
      game_step_only(&g);
      if (g.terminated[0]) {
        CHECK(car->ended == DRIVE_REACHED && g.rewards[0] > 0.9f && drive_ends_outside(&g.w, car));
        ++ended;
      } else if (car->goals > goals) {
        CHECK(g.rewards[0] > 0.9f && car->present && car->goal > goal && car->goal < goal + 141.0f + p.goal_radius);
        ++renewed;
      }
      game_finish(&g);
      if (g.steps[0] == 0) CHECK(g.metrics[METRIC_PERF] == 1.0f && g.metrics[METRIC_SCORE] >= 1.0f);
    }
    game_close(&g);
  }
  CHECK(renewed > 5 && ended > 0);
}

// ---- parameters ------------------------------------------------------------------------------------------------

static void test_check(void) {
  DriveParams p = game_params();
  CHECK(spec->check(&p) == NULL);
  p.agents = 20;
  const char* why = spec->check(&p);
  CHECK(why && strstr(why, "only 27 cars fit") && strstr(why, "416 m"));
  p.agents = 19;
  CHECK(spec->check(&p) == NULL);
  p.route_min = 200.0f;
  CHECK(spec->check(&p) != NULL && strstr(spec->check(&p), "route_min"));
  p = game_params();
  PfcLayout layout = spec->sizes;
  spec->layout(&p, &layout);
  CHECK(layout.state_bytes <= 128 * 1024);
  p.town_x = p.town_y = 6, p.agents = p.traffic = 64, p.walkers = 32;
  CHECK(spec->check(&p) == NULL);
  p.block = 200.0f;
  CHECK(spec->check(&p) == NULL);
}

// The largest and the fullest worlds play without leaving their arrays (for sanitizers).
static void test_corners(void) {
  for (int32_t k = 0; k < 3; ++k) {
    DriveParams p = game_params();
    if (k == 0) p.town_x = p.town_y = 1, p.block = 200.0f, p.agents = 40, p.traffic = 11, p.walkers = 32;
    if (k == 1) p.town_x = p.town_y = 6, p.agents = p.traffic = 64, p.walkers = 32, p.view = 1;
    if (k == 2)
      p.town_x = 6, p.town_y = 1, p.block = 70.0f, p.roundabouts = 1.0f, p.agents = 20, p.traffic = 10, p.ticks = 10;
    p.world_steps = 12;
    const char* why = spec->check(&p);
    if (!CHECK(why == NULL)) fprintf(stderr, "  %s\n", why);
    Game g = game_open(p, (uint64_t)k);
    PfcRng rng;
    pfc_rng_seed(&rng, 12, (uint64_t)k);
    for (int32_t t = 0; t < 30; ++t) {
      game_choose_randomly(&g, &rng);
      game_step(&g);
      for (int32_t i = 0; i < g.rows * g.values; ++i) CHECK(g.obs[i] >= -1.0f && g.obs[i] <= 1.0f);
    }
    game_close(&g);
  }
}

int main(void) {
  test_acceleration();
  test_braking();
  test_circles();
  test_following();
  test_hit();
  test_overlap();
  test_red();
  test_patience();
  test_exit_of_a_ring();
  test_light_cycle();
  test_truncation();
  test_new_town();
  test_waiting();
  test_observations();
  test_guide_and_view();
  test_ticks();
  test_continuous();
  test_goal_mode();
  test_check();
  test_corners();
  return check_report();
}
