// test_drive_town.c - the towns of drive and the traffic in them: geometry against plain searches, edges that no car
// can pass, lanes that a van can follow, the autopilot, scripted traffic alone.
//
//   test_drive_town [towns]   towns for the statistics; the game's page asks for 1,000
#include "drive_game.h"

static int32_t num_towns = 12;

// ---- geometry ----------------------------------------------------------------------------------------------

static void check_lanes(const Game* g) {
  const DriveWorld* w = &g->w;
  for (int32_t i = 0; i < g->s->town.num_lanes; ++i) {
    const DriveLane* lane = &w->lanes[i];
    const DrivePoint end = drive_point(w, lane->first + lane->count - 1);
    float length = 0.0f;
    for (int32_t k = 0; k < lane->count; ++k) {
      const DrivePoint p = drive_point(w, lane->first + k), last = drive_point(w, lane->first + (k > 0 ? k - 1 : 0));
      CHECK(fabsf(p.cos * p.cos + p.sin * p.sin - 1.0f) < 1e-4f);
      CHECK(p.left >= 2.0f && p.right >= 2.0f && p.left <= 10.0f && p.right <= 10.0f);
      length += hypotf(p.x - last.x, p.y - last.y);
    }
    CHECK(fabsf(length - lane->length) < 0.02f * lane->length);
    CHECK(drive_spacing(lane) > 1.6f && drive_spacing(lane) < 3.76f);
    for (int32_t k = 0; k < lane->num_next; ++k) {
      const DrivePoint next = drive_point(w, w->lanes[lane->next[k]].first);
      CHECK(hypotf(end.x - next.x, end.y - next.y) < 0.1f && end.cos * next.cos + end.sin * next.sin > 0.9961f);
    }
    CHECK(lane->num_next > 0 || lane->kind == DRIVE_ROAD);
    if (lane->merge != DRIVE_NONE) CHECK(lane->num_next == 1 && !w->lanes[lane->next[0]].wide);
    if (i < g->s->town.num_roads) CHECK(lane->kind == DRIVE_ROAD);
  }
}

static float least_distance(const DriveWorld* w, const DriveLane* a, const DriveLane* b) {
  float least = 1e9f;
  for (int32_t i = 0; i < 200; ++i) {
    const DrivePoint p = drive_point_at(w, a, a->length * (float)i / 199.0f);
    for (int32_t k = 0; k < 200; ++k) {
      const DrivePoint q = drive_point_at(w, b, b->length * (float)k / 199.0f);
      least = fminf(least, hypotf(p.x - q.x, p.y - q.y));
    }
  }
  return least;
}

// Conflicts of one junction against finely sampled distances.
static void check_conflicts(const Game* g) {
  const DriveWorld* w = &g->w;
  for (int32_t j = 0; j < g->s->town.num_junctions; ++j) {
    const DriveJunction* junction = &w->junctions[j];
    for (int32_t a = 0; a < junction->num_movements; ++a)
      for (int32_t b = 0; b < a; ++b) {
        const bool conflict = junction->conflicts[a] >> b & 1u;
        CHECK(conflict == (junction->conflicts[b] >> a & 1u));
        const DriveLane *la = &w->lanes[junction->movement[a]], *lb = &w->lanes[junction->movement[b]];
        const DrivePoint pa = drive_point(w, la->first), pb = drive_point(w, lb->first);
        const bool same_start = hypotf(pa.x - pb.x, pa.y - pb.y) < 0.01f;
        const bool follows = drive_follows(la, junction->movement[b]) || drive_follows(lb, junction->movement[a]);
        const float least = least_distance(w, la, lb);
        if (same_start || follows || least > 2.75f) CHECK(!conflict);
        else if (least < 2.5f) CHECK(conflict);
      }
  }
}

// Every cell lists exactly the segments of which a finely sampled point lies in it, or nearly.
static void check_grid(const Game* g) {
  const DriveWorld* w = &g->w;
  const DriveTown* town = &g->s->town;
  for (int32_t k = 0; k < town->num_segments; ++k) {
    const DriveSegment* s = &w->segments[k];
    CHECK(hypotf(s->x1 - s->x0, s->y1 - s->y0) <= 8.01f);
    for (int32_t i = 0; i <= 100; ++i) {
      const float t = (float)i / 100.0f;
      const int32_t cell = drive_row(town, s->y0 + t * (s->y1 - s->y0)) * town->columns +
                           drive_column(town, s->x0 + t * (s->x1 - s->x0));
      bool listed = false;
      for (int32_t n = w->starts[cell]; n < w->starts[cell + 1]; ++n) listed = listed || w->entries[n] == k;
      CHECK(listed);
    }
    CHECK((w->kinds[k] == DRIVE_EDGE_LINE) == (k < town->num_edges));
  }
}

static void test_geometry(void) {
  int32_t plain = 0;
  for (int32_t size = 0; size < 4; ++size) {
    DriveParams p = game_alone();
    p.town_x = 1 + size % 2, p.town_y = 1 + size / 2;
    Game g = game_open(p, 1);
    for (int32_t n = 0; n < num_towns; ++n) {
      game_reset(&g, 1, (uint64_t)n);
      plain += g.s->plain;
      check_lanes(&g);
      if (n % 8 == 0) check_conflicts(&g), check_grid(&g);
    }
    game_close(&g);
  }
  CHECK(plain <= num_towns * 4 / 1000);
}

// ---- edges -----------------------------------------------------------------------------------------------------

// 1 if the road lies to the left of the segment, else -1: the side of the nearest lane point.
static float road_side(const DriveWorld* w, const DriveSegment* s) {
  const float mx = 0.5f * (s->x0 + s->x1), my = 0.5f * (s->y0 + s->y1);
  float least = 1e9f, side = 0.0f;
  for (int32_t k = 0; k < w->s->town.num_points; ++k) {
    const float dx = w->points.x[k] - mx, dy = w->points.y[k] - my, square = dx * dx + dy * dy;
    if (square < least) least = square, side = (s->x1 - s->x0) * dy - (s->y1 - s->y0) * dx > 0.0f ? 1.0f : -1.0f;
  }
  return side;
}

// Drives a car from inside over the middle of a segment, at 25 m/s and at an angle off its normal.
static void drive_at_edge(Game* g, const DriveSegment* s, float side, float angle) {
  const float length = hypotf(s->x1 - s->x0, s->y1 - s->y0);
  const float nx = side * (s->y1 - s->y0) / length, ny = -side * (s->x1 - s->x0) / length;  // outwards
  const float c = cosf(angle), sn = sinf(angle), hx = nx * c - ny * sn, hy = nx * sn + ny * c;
  const float mx = 0.5f * (s->x0 + s->x1), my = 0.5f * (s->y0 + s->y1);
  drive_set_size(&g->w, 0, 4.5f, 1.9f);
  drive_put(&g->w, 0, 0, 0.0f);
  g->w.x[0] = mx - 3.0f * hx, g->w.y[0] = my - 3.0f * hy, g->w.cos[0] = hx, g->w.sin[0] = hy, g->w.v[0] = 25.0f;
  g->w.cars[0].goal_x = 1e6f, g->w.cars[0].ended = 0;
  drive_set_present(&g->w, 0);
  for (int32_t t = 0; t < 3 && !g->w.cars[0].ended; ++t) game_step_only(g);
  const float beyond = (g->w.x[0] - mx) * nx + (g->w.y[0] - my) * ny;
  if (!CHECK(g->w.cars[0].ended == DRIVE_LEFT_ROAD && beyond < 2.5f))
    fprintf(stderr, "  at %.1f, %.1f: %.2f m beyond\n", (double)mx, (double)my, (double)beyond);
}

static void test_edges(void) {
  DriveParams p = game_alone();
  p.ticks = 1;
  Game g = game_open(p, 1);
  const int32_t towns = num_towns >= 1000 ? 200 : num_towns / 2;
  game_choose(&g, 0, ACCEL_COAST, STEER_STRAIGHT);
  for (int32_t n = 0; n < towns; ++n) {
    game_reset(&g, 2, (uint64_t)n);
    for (int32_t k = 0; k < g.s->town.num_edges; ++k) {
      const DriveSegment s = g.w.segments[k];
      const float side = road_side(&g.w, &s);
      for (int32_t turn = -1; turn <= 1; ++turn) drive_at_edge(&g, &s, side, 0.349f * (float)turn);
    }
  }
  game_close(&g);
}

// A van and a car that follow the middle of any lane stay on the road.
static void test_lanes_are_wide_enough(void) {
  DriveParams p = game_alone();
  Game g = game_open(p, 1);
  for (int32_t n = 0; n < num_towns * 2; ++n) {
    game_reset(&g, 3, (uint64_t)n);
    for (int32_t i = 0; i < g.s->town.num_lanes; ++i) {
      const uint16_t lane = (uint16_t)i;
      drive_set_size(&g.w, 0, i % 2 ? 5.8f : 4.5f, i % 2 ? 2.1f : 1.9f);
      for (float at = 0.0f; at <= g.w.lanes[lane].length; at += 0.7f) {
        drive_put(&g.w, 0, lane, at);
        if (!CHECK(!drive_is_off_road(&g.w, 0)))
          fprintf(stderr, "  town %d, lane %d at %.1f m\n", (int)n, (int)i, (double)at);
      }
    }
  }
  game_close(&g);
}

// ---- traffic ---------------------------------------------------------------------------------------------------

// Alone, the autopilot reaches every goal, runs no red light and stays in its lane.
static void test_autopilot_alone(void) {
  DriveParams p = game_alone();
  p.autopilot = 1;
  int32_t lives = 0;
  for (int32_t n = 0; n < num_towns; ++n) {
    Game g = game_open(p, 40 + (uint64_t)n);
    for (int32_t t = 0; t < 600; ++t) {
      game_step(&g);
      CHECK(fabsf(g.w.cars[0].aside) < 1.0f);
      if (g.steps[0] != 0) continue;
      ++lives;
      CHECK(g.metrics[METRIC_SCORE] == 1.0f && g.metrics[METRIC_PERF] == 1.0f && g.metrics[METRIC_WRONG] == 0.0f);
    }
    game_close(&g);
  }
  CHECK(lives >= 3 * num_towns);
}

// Scripted traffic alone: under one crash per 10,000 car seconds, and no car stands for more than 60 s.
static void test_traffic_alone(void) {
  DriveParams p = game_params();
  p.agents = 1, p.world_steps = 0;
  double car_seconds = 0.0;
  int32_t crashes = 0, longest = 0;
  for (int32_t n = 0; n < num_towns; ++n) {
    Game g = game_open(p, 70 + (uint64_t)n);
    g.alive[0] = 0;
    int32_t stands[DRIVE_MAX_CARS] = {0};  // steps
    for (int32_t t = 0; t < 450; ++t) {  // 90 s, so that a standstill of more than 60 s would be seen
      game_step_only(&g);
      for (int32_t i = 1; i < g.w.num_cars; ++i) {
        car_seconds += 0.2 * g.w.cars[i].present;
        stands[i] = g.w.v[i] < 0.5f ? stands[i] + 1 : 0;
        longest = pfc_maxi(longest, stands[i]);
      }
    }
    crashes += g.s->traffic_crashes;
    game_close(&g);
  }
  CHECK(crashes <= car_seconds / 10000.0 && longest <= 300);
  printf("%d scripted crashes in %.0f car seconds; longest standstill %.1f s\n", (int)crashes, car_seconds,
         0.2 * longest);
}

// In a full town the autopilot reaches at least 96 % of its goals.
static void test_autopilot(void) {
  DriveParams p = game_params();
  p.autopilot = 1, p.world_steps = 0;
  int32_t lives = 0, goals = 0, crashed = 0, off_road = 0, reds = 0;
  for (int32_t n = 0; n < num_towns / 2; ++n) {
    Game g = game_open(p, 100 + (uint64_t)n);
    for (int32_t t = 0; t < 800; ++t) {
      game_step(&g);
      for (int32_t i = 0; i < g.rows; ++i) {
        if (!g.terminated[i] && !g.truncated[i]) continue;
        const float* m = g.metrics + NUM_METRICS * i;
        ++lives, goals += m[METRIC_SCORE] > 0.0f, crashed += m[METRIC_CRASHED] > 0.0f,
            off_road += m[METRIC_OFF_ROAD] > 0.0f;
        reds += m[METRIC_RED] > 0.0f;
      }
    }
    game_close(&g);
  }
  printf("autopilot: %d lives, %.2f %% goals, %.2f %% crashed, %.2f %% off the road, %.2f %% ran a red light\n",
         (int)lives, 100.0 * goals / lives, 100.0 * crashed / lives, 100.0 * off_road / lives, 100.0 * reds / lives);
  CHECK(lives > 40 * num_towns / 2 && goals >= 0.96 * lives && crashed <= 0.005 * lives && off_road == 0 &&
        reds <= 0.005 * lives);
}

int main(int argc, char** argv) {
  if (argc > 1) num_towns = atoi(argv[1]);
  test_geometry();
  test_edges();
  test_lanes_are_wide_enough();
  test_autopilot_alone();
  test_traffic_alone();
  test_autopilot();
  return check_report();
}
