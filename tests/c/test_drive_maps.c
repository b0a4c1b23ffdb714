// test_drive_maps.c - maps of drive from a file: towns written as maps come back as they were, other maps are refused
// by name, and damaged ones are refused or harmless (for sanitizers).
//
//   test_drive_maps [rounds]   of the fuzz test
#include "drive_game.h"

static int32_t fuzz_rounds = 150;

// ---- a file of maps from towns ---------------------------------------------------------------------------------

typedef struct File {
  unsigned char* data;  // aligned
  uint64_t bytes;
} File;

static void seal(File* file) {
  DriveFile head;
  memcpy(&head, file->data, sizeof head);
  head.checksum = drive_crc32(file->data + sizeof head, file->bytes - sizeof head);
  memcpy(file->data, &head, sizeof head);
}

// The town of a game as one map; returns its bytes.
static uint64_t write_map(const Game* g, unsigned char* out) {
  DrivePart parts[DRIVE_PARTS];
  const DriveSizes z = drive_sizes(g->p);
  drive_map_parts(&g->w, &g->s->town, &z, parts);
  uint64_t at = sizeof(DriveTown);
  memcpy(out, &g->s->town, sizeof(DriveTown));
  for (int32_t k = 0; k < DRIVE_PARTS; ++k) {
    DrivePoint* points = (DrivePoint*)(void*)(out + at);
    for (int32_t i = 0; k == DRIVE_POINTS_PART && i < parts[k].count; ++i) points[i] = drive_point(&g->w, i);
    if (k != DRIVE_POINTS_PART) memcpy(out + at, parts[k].to, (size_t)parts[k].count * (size_t)parts[k].bytes);
    at += drive_part_bytes(&parts[k]);
  }
  return at;
}

static File write_file(Game* g, int32_t maps) {
  File file;
  const uint64_t head = sizeof(DriveFile) + 8 * ((uint64_t)maps + 1),
                 most = head + (uint64_t)maps * g->layout.state_bytes;
  file.data = aligned_alloc(64, (most + 63) / 64 * 64);
  memset(file.data, 0, most);
  DriveFile header = {.version = 1, .num_maps = (uint32_t)maps};
  memcpy(header.magic, "PFCROADS", 8);
  memcpy(file.data, &header, sizeof header);
  uint64_t at = head;
  for (int32_t k = 0; k < maps; ++k) {
    memcpy(file.data + sizeof header + 8 * (size_t)k, &at, 8);
    game_reset(g, 50, (uint64_t)k);
    at += write_map(g, file.data + at);
  }
  memcpy(file.data + sizeof header + 8 * (size_t)maps, &at, 8);
  file.bytes = at;
  seal(&file);
  return file;
}

static void load(Game* g, const File* file, uint64_t seed) {
  memset(g->s, 0, g->layout.state_bytes);
  pfc_rng_seed(&g->s->rng, seed, 0);
  spec->reset_from(g->s, g->p, file->data, file->bytes);
  game_observe(g);
}

// Plays a game that has just been loaded.
static void play(Game* g, const File* file, int32_t steps, PfcRng* rng) {
  for (int32_t t = 0; t < steps; ++t) {
    game_choose_randomly(g, rng);
    game_step_only(g);
    for (int32_t i = 0; i < g->rows; ++i)
      if (g->terminated[i] || g->truncated[i]) spec->respawn_from(g->s, g->p, i, file->data, file->bytes);
    game_observe(g);
    for (int32_t i = 0; i < g->rows * g->values; ++i) CHECK(g->obs[i] >= -1.0f && g->obs[i] <= 1.0f);
  }
}

// ---- maps come back -----------------------------------------------------------------------------------------------

static void test_load(void) {
  DriveParams p = game_params();
  p.world_steps = 20;
  Game g = game_open(p, 1), town = game_open(p, 1);
  const File file = write_file(&town, 3);
  CHECK(spec->check_data(&p, file.data, file.bytes) == NULL);
  bool seen[3] = {false};
  for (uint64_t seed = 0; seed < 20; ++seed) {
    load(&g, &file, seed);
    bool found = false;
    for (int32_t k = 0; k < 3; ++k) {
      game_reset(&town, 50, (uint64_t)k);
      const DriveTown* t = &town.s->town;
      if (memcmp(&g.s->town, t, sizeof *t) != 0) continue;
      found = seen[k] = true;
      for (int32_t i = 0; i < t->num_points; ++i) {
        const DrivePoint a = drive_point(&g.w, i), b = drive_point(&town.w, i);
        CHECK(memcmp(&a, &b, sizeof a) == 0);
      }
      CHECK(memcmp(g.w.entries, town.w.entries, sizeof(uint16_t) * (size_t)t->num_entries) == 0);
    }
    CHECK(found);
  }
  CHECK(seen[0] && seen[1] && seen[2]);
  // After world_steps the first respawn loads a map again.
  PfcRng rng;
  pfc_rng_seed(&rng, 2, 0);
  load(&g, &file, 1);
  play(&g, &file, 50, &rng);
  CHECK(g.s->steps == 10);
  free(file.data);
  game_close(&g), game_close(&town);
}

// ---- refused ------------------------------------------------------------------------------------------------------

static void expect_refused(const DriveParams* p, const File* file, const char* words) {
  const char* why = spec->check_data(p, file->data, file->bytes);
  if (!CHECK(why && strstr(why, words)))
    fprintf(stderr, "  expected \"%s\", got \"%s\"\n", words, why ? why : "no error");
}

static void test_refused(void) {
  DriveParams p = game_params(), big = p;
  big.town_x = big.town_y = 4;
  Game g = game_open(p, 1), large = game_open(big, 1);
  File file = write_file(&g, 2), wide = write_file(&large, 1);
  const uint64_t bytes = file.bytes;
  char words[80];
  file.bytes = 10;
  expect_refused(&p, &file, "fewer bytes");
  file.bytes = bytes - 8;
  expect_refused(&p, &file, "checksum");
  file.bytes = bytes;
  file.data[bytes / 2] ^= 1;
  expect_refused(&p, &file, "checksum");
  file.data[bytes / 2] ^= 1;
  file.data[0] = 'X';
  expect_refused(&p, &file, "pufferc roads build");
  file.data[0] = 'P', file.data[8] = 9;
  expect_refused(&p, &file, "another version");
  file.data[8] = 1;
  CHECK(spec->check_data(&p, file.data, file.bytes) == NULL);
  const int32_t points = large.s->town.num_points;
  snprintf(words, sizeof words, "map 0: %d lane points, but only 2560 fit; set map_points to %d", (int)points,
           (int)points);
  expect_refused(&p, &wide, words);
  free(file.data), free(wide.data);
  game_close(&g), game_close(&large);
}

// The values that messages name are enough, one after the other.
static void test_values_to_set(void) {
  DriveParams p = game_params(), big = p;
  big.town_x = big.town_y = 4;
  Game large = game_open(big, 1);
  File wide = write_file(&large, 1);
  for (int32_t round = 0; round < 6; ++round) {
    const char* why = spec->check_data(&p, wide.data, wide.bytes);
    if (!why) break;
    const char* at = strstr(why, "set map_");
    int value = 0;
    if (!CHECK(at && sscanf(strstr(at, " to "), " to %d", &value) == 1)) break;
    if (strstr(at, "map_points")) CHECK(value > p.map_points), p.map_points = value;
    else CHECK(value > p.map_segments), p.map_segments = value;
  }
  CHECK(spec->check_data(&p, wide.data, wide.bytes) == NULL && p.map_points > 0);
  Game g = game_open(p, 1);
  PfcRng rng;
  pfc_rng_seed(&rng, 3, 0);
  load(&g, &wide, 1);
  play(&g, &wide, 20, &rng);
  free(wide.data);
  game_close(&g), game_close(&large);
}

// ---- recorded tracks ------------------------------------------------------------------------------------------------

// One recorded car that drives past, and one from which agent 0 starts, with its route.
static void test_tracks(void) {
  DriveParams p = game_params();
  p.agents = 2, p.traffic = 1, p.walkers = 0, p.map_tracks = 20, p.ticks = 1;
  Game g = game_open(p, 1);
  DriveTown* t = &g.s->town;
  t->num_tracks = 2, t->num_poses = 12;
  const DriveLane* lane = &g.w.lanes[0];
  const DrivePoint a = drive_point_at(&g.w, lane, 6.0f),
                   far_off = drive_point_at(&g.w, &g.w.lanes[t->num_roads - 1], 3.0f);
  memset(g.w.tracks, 0, 2 * sizeof(DriveTrack));
  DriveTrack* start = &g.w.tracks[0];
  start->length = 4.2f, start->width = 1.8f, start->count = 1, start->num_route = 1, start->along = 6.0f,
  start->goal = 20.0f;
  DriveTrack* replayed = &g.w.tracks[1];
  replayed->length = 5.0f, replayed->width = 2.0f, replayed->first = 1, replayed->count = 11, replayed->first_tick = 2;
  const DrivePose own = {a.x, a.y, a.cos, a.sin, 3.0f};
  g.w.poses[0] = own;
  for (int32_t k = 0; k < 11; ++k) {
    const DrivePose pose = {far_off.x + 0.5f * (float)k, far_off.y, 1.0f, 0.0f, 5.0f}, none = {0};
    g.w.poses[1 + k] = k == 4 ? none : pose;
  }
  File file = {aligned_alloc(64, 1 << 18), 0};
  DriveFile header = {.version = 1, .num_maps = 1};
  memcpy(header.magic, "PFCROADS", 8);
  memcpy(file.data, &header, sizeof header);
  const uint64_t head = sizeof header + 16;
  file.bytes = head + write_map(&g, file.data + head);
  memcpy(file.data + sizeof header, &head, 8), memcpy(file.data + sizeof header + 8, &file.bytes, 8);
  seal(&file);
  const char* why = spec->check_data(&p, file.data, file.bytes);
  if (!CHECK(why == NULL)) fprintf(stderr, "  %s\n", why);
  load(&g, &file, 1);
  CHECK(g.w.cars[0].present && g.w.v[0] == 3.0f && g.w.length[0] == 4.2f && fabsf(g.w.cars[0].goal - 20.0f) < 1.3f);
  g.alive[0] = g.alive[1] = 0;
  for (int32_t tick = 1; tick < 16; ++tick) {
    game_step_only(&g);
    const int32_t k = tick - 2;
    const bool there = k >= 0 && k < 11 && k != 4;
    CHECK((g.w.away[2] == 0.0f) == there);
    if (there)
      CHECK(fabsf(g.w.x[2] - far_off.x - 0.5f * (float)k) < 1e-4f && g.w.v[2] == 5.0f && g.w.length[2] == 5.0f);
  }
  p.map_tracks = 5;
  expect_refused(&p, &file, "set map_tracks to 12");
  free(file.data);
  game_close(&g);
}

// ---- damage
// -----------------------------------------------------------------------------------------------------------

// Maps with some bytes replaced and a correct checksum: refused, or playable.
static void test_fuzz(void) {
  DriveParams p = game_params();
  p.agents = 4, p.traffic = 6, p.view = 1, p.autopilot = 1, p.world_steps = 10;
  Game g = game_open(p, 1), town = game_open(p, 1);
  const File file = write_file(&town, 1);
  File damaged = {aligned_alloc(64, (file.bytes + 63) / 64 * 64), file.bytes};
  PfcRng rng;
  pfc_rng_seed(&rng, 4, 0);
  int32_t refused = 0;
  for (int32_t round = 0; round < fuzz_rounds; ++round) {
    memcpy(damaged.data, file.data, file.bytes);
    for (uint32_t k = 0, bytes = 1 + pfc_rng_below(&rng, 4); k < bytes; ++k) {
      const uint64_t from = round % 3 == 0 ? sizeof(DriveFile) : sizeof(DriveFile) + 16 + sizeof(DriveTown);
      const uint64_t at = from + pfc_rng_u32(&rng) % (file.bytes - from);
      damaged.data[at] = (unsigned char)pfc_rng_u32(&rng);
    }
    seal(&damaged);
    if (spec->check_data(&p, damaged.data, damaged.bytes)) {
      ++refused;
      continue;
    }
    load(&g, &damaged, (uint64_t)round);
    for (int32_t t = 0; t < 6; ++t) {
      game_step_only(&g);
      for (int32_t i = 0; i < g.rows; ++i)
        if (g.terminated[i] || g.truncated[i]) spec->respawn_from(g.s, g.p, i, damaged.data, damaged.bytes);
      game_observe(&g);
    }
  }
  CHECK(refused > fuzz_rounds / 20);
  // Cut short anywhere.
  for (int32_t round = 0; round < 50; ++round) {
    File part = {damaged.data, 8 * (pfc_rng_u32(&rng) % (file.bytes / 8))};
    memcpy(damaged.data, file.data, file.bytes);
    if (part.bytes > sizeof(DriveFile)) seal(&part);
    CHECK(spec->check_data(&p, part.data, part.bytes) != NULL);
  }
  free(damaged.data), free(file.data);
  game_close(&g), game_close(&town);
}

int main(int argc, char** argv) {
  if (argc > 1) fuzz_rounds = atoi(argv[1]);
  test_load();
  test_refused();
  test_values_to_set();
  test_tracks();
  test_fuzz();
  return check_report();
}
