// test_snapshot.c - save and load: a game that continues from a snapshot plays like one without interruption.
// Snapshots that do not fit are refused and change nothing.
#include "core/base.h"
#include "duel.h"
#include "test_games.h"

enum { GAMES = 40, BEFORE = 150, AFTER = 300 };

typedef struct Outcome {
  uint64_t hash;
  int64_t episodes;
  double values[2 + PFC_MAX_METRICS];
} Outcome;

static Outcome play_on(Player* p) {
  Outcome o = {0};
  o.hash = play_and_hash(p, AFTER);
  CHECK(pfc_pool_pop_metrics(p->pool, &o.episodes, o.values) == PFC_OK);
  return o;
}

static bool same_outcome(const Outcome* a, const Outcome* b) {
  return a->hash == b->hash && a->episodes == b->episodes && memcmp(a->values, b->values, sizeof a->values) == 0;
}

static void check_continues(const char* label, PfcPoolDesc desc) {
  Player p = player_start(&desc);
  for (int32_t t = 0; t < BEFORE; ++t) player_step(&p);
  unsigned char* snapshot = take_snapshot(p.pool);
  const uint64_t bytes = pfc_pool_snapshot_bytes(p.pool), obs_bytes = obs_total_bytes(p.b);
  unsigned char *observations = malloc(obs_bytes), *written = calloc(1, obs_bytes);
  memcpy(observations, p.b->observations, obs_bytes);
  const Outcome uninterrupted = play_on(&p);

  // Load into the same pool.
  CHECK_GAME(label, pfc_pool_load(p.pool, snapshot, bytes, NULL) == PFC_OK);
  CHECK_GAME(label, memcmp(p.b->observations, observations, obs_bytes) == 0);
  for (int64_t row = 0; row < p.b->rows; ++row)  // this pool has made no step yet
    CHECK_GAME(label, p.b->rewards[row] == 0.0f && (!row_ended(p.b, row) || !p.b->alive[row]));
  p.t = BEFORE;
  const Outcome again = play_on(&p);
  CHECK_GAME(label, same_outcome(&uninterrupted, &again));

  // Load into a new pool with another seed, other threads and groups, without a reset; observations go to our array.
  desc.seed += 1;
  desc.num_threads = 3;
  desc.num_groups = 2;
  Player q = player_open(&desc);
  CHECK_GAME(label, pfc_pool_load(q.pool, snapshot, bytes, written) == PFC_OK);
  CHECK_GAME(label, q.b->observations == written && memcmp(written, observations, obs_bytes) == 0);
  q.t = BEFORE;
  const Outcome moved = play_on(&q);
  CHECK_GAME(label, same_outcome(&uninterrupted, &moved));
  free(snapshot), free(observations), free(written);
  player_close(&p), player_close(&q);
}

static void test_continues(const Case* c) {
  if (case_spec(c)->open) return;  // such games refuse snapshots, see test_refusals
  check_continues(c->label, case_desc(c, GAMES, 31));
  if (case_spec(c)->respawn) return;
  const Case limited = case_with(c, "max_steps", 170);  // some games end before the snapshot, some after it
  PfcPoolDesc desc = case_desc(&limited, GAMES, 31);
  desc.autoreset = PFC_AUTORESET_DISABLED;
  check_continues(c->label, desc);
}

static bool refuses(Player* p, const void* snapshot, uint64_t bytes) {
  unsigned char* before = take_snapshot(p->pool);
  const PfcStatus status = pfc_pool_load(p->pool, snapshot, bytes, NULL);
  unsigned char* after = take_snapshot(p->pool);
  const bool unchanged = memcmp(before, after, pfc_pool_snapshot_bytes(p->pool)) == 0;
  free(before), free(after);
  return status == PFC_INVALID && strstr(pfc_last_error(), "snapshot") != NULL && unchanged;
}

// Any flipped bit is detected. In the header it may hit an unused byte; then load must restore the same state
// as from the intact snapshot.
static void test_damage(const Case* c) {
  if (case_spec(c)->open) return;
  const PfcPoolDesc desc = case_desc(c, GAMES, 31);
  Player p = player_start(&desc);
  for (int32_t t = 0; t < 40; ++t) player_step(&p);
  unsigned char* snapshot = take_snapshot(p.pool);
  const uint64_t bytes = pfc_pool_snapshot_bytes(p.pool), head_bytes = 96;
  CHECK_GAME(c->label, pfc_pool_load(p.pool, snapshot, bytes, NULL) == PFC_OK);
  unsigned char* sound = take_snapshot(p.pool);
  for (int32_t t = 0; t < 10; ++t) player_step(&p);
  for (uint64_t i = 0; i < bytes; i += i < head_bytes ? 1 : 1 + bytes / 300) {
    snapshot[i] ^= (unsigned char)(1u << (i % 8));
    if (i >= head_bytes) {
      CHECK_GAME(c->label, refuses(&p, snapshot, bytes));
    } else if (pfc_pool_load(p.pool, snapshot, bytes, NULL) == PFC_OK) {
      unsigned char* loaded = take_snapshot(p.pool);
      CHECK_GAME(c->label, memcmp(loaded, sound, bytes) == 0);
      free(loaded);
    }
    snapshot[i] ^= (unsigned char)(1u << (i % 8));
  }
  for (uint64_t cut = 0; cut < bytes; cut += 1 + bytes / 50) {
    unsigned char* exact = malloc(cut + 1);  // sanitizers find reads past the end
    memcpy(exact, snapshot, cut);
    CHECK_GAME(c->label, refuses(&p, exact, cut));
    free(exact);
  }
  CHECK_GAME(c->label, refuses(&p, snapshot, bytes - 1));
  CHECK_GAME(c->label, refuses(&p, snapshot, UINT64_MAX) || bytes == UINT64_MAX);
  CHECK_GAME(c->label, refuses(&p, NULL, bytes));
  CHECK_GAME(c->label, pfc_pool_load(p.pool, snapshot, bytes, NULL) == PFC_OK);
  free(snapshot), free(sound);
  player_close(&p);
}

// A pool created with `wanted` refuses a snapshot of a pool created with `made`.
static void check_foreign(const PfcPoolDesc* made, const PfcPoolDesc* wanted, const char* words) {
  Player a = player_start(made), b = player_start(wanted);
  unsigned char* snapshot = take_snapshot(a.pool);
  CHECK(refuses(&b, snapshot, pfc_pool_snapshot_bytes(a.pool)));
  if (!CHECK(strstr(pfc_last_error(), words) != NULL)) fprintf(stderr, "  got: %s\n", pfc_last_error());
  free(snapshot);
  player_close(&a), player_close(&b);
}

static void test_foreign(void) {
  const PfcParamValue ten = {"max_steps", 10}, eleven = {"max_steps", 11};
  const PfcPoolDesc plain = {.env = "squared", .num_games = 4, .params = &ten, .num_params = 1};
  PfcPoolDesc other = plain;
  other.params = &eleven;
  check_foreign(&plain, &other, "the parameters of");
  other = plain;
  other.num_games = 5;
  check_foreign(&plain, &other, "4 games");
  other = plain;
  other.autoreset = PFC_AUTORESET_DISABLED;
  check_foreign(&plain, &other, "autoreset");
  other = plain;
  other.env = "template";
  check_foreign(&plain, &other, "expected template");
  PfcEnvSpec newer = *pfc_env_find("squared");
  newer.version += 1;
  other = plain;
  other.spec = &newer;
  check_foreign(&plain, &other, "version 2");
}

// Every field of the header that describes the origin is compared.
static void test_head(void) {
  static const struct {
    int32_t at;
    const char* words;
  } fields[] = {{0, "expected a snapshot"},   {8, "another byte order"}, {12, "format is"},    {16, "expected squared"},
                {48, "expected squared"}, {52, "games with"},        {56, "games with"}, {60, "autoreset"},
                {64, "has "},             {72, "has "},              {80, "the data of"},      {88, "checksum"}};
  const PfcPoolDesc desc = {.env = "squared", .num_games = 4};
  Player p = player_start(&desc);
  unsigned char* snapshot = take_snapshot(p.pool);
  for (size_t i = 0; i < sizeof fields / sizeof fields[0]; ++i) {
    snapshot[fields[i].at] ^= 4;
    CHECK(refuses(&p, snapshot, pfc_pool_snapshot_bytes(p.pool)));
    if (!CHECK(strstr(pfc_last_error(), fields[i].words)))
      fprintf(stderr, "  byte %d: %s\n", fields[i].at, pfc_last_error());
    snapshot[fields[i].at] ^= 4;
  }
  free(snapshot);
  player_close(&p);
}

static void test_refusals(void) {
  const PfcPoolDesc desc = {.env = "squared", .num_games = 4, .num_groups = 2};
  const PfcPoolDesc vault = {.spec = &pfc_env_vault, .num_games = 2};
  Player p = player_open(&desc), v = player_start(&vault);
  unsigned char buffer[8192];
  const uint64_t bytes = pfc_pool_snapshot_bytes(p.pool);
  CHECK(bytes < sizeof buffer);
  CHECK(pfc_pool_save(p.pool, buffer, bytes) == PFC_STATE);  // nothing to save yet
  CHECK(pfc_pool_reset(p.pool, NULL) == PFC_OK);
  CHECK(pfc_pool_save(p.pool, NULL, bytes) == PFC_INVALID);
  CHECK(pfc_pool_save(p.pool, buffer, bytes - 1) == PFC_INVALID && strstr(pfc_last_error(), "buffer"));
  CHECK(pfc_pool_save(p.pool, buffer, bytes + 1) == PFC_INVALID);
  CHECK(pfc_pool_save(p.pool, buffer, bytes) == PFC_OK);
  fill_actions(p.b, 1, 0, p.actions);
  CHECK(pfc_pool_send(p.pool, 0, p.actions, PFC_INT32, NULL) == PFC_OK);
  CHECK(pfc_pool_save(p.pool, buffer, bytes) == PFC_STATE);
  CHECK(pfc_pool_load(p.pool, buffer, bytes, NULL) == PFC_STATE);
  CHECK(pfc_pool_recv(p.pool, 0) == PFC_OK);
  CHECK(pfc_pool_load(p.pool, buffer, bytes, NULL) == PFC_OK);
  CHECK(pfc_pool_save(v.pool, buffer, pfc_pool_snapshot_bytes(v.pool)) == PFC_UNSUPPORTED);
  CHECK(strstr(pfc_last_error(), "vault") != NULL);
  CHECK(pfc_pool_load(v.pool, buffer, bytes, NULL) == PFC_UNSUPPORTED);
  player_close(&p), player_close(&v);
}

// The step count of an endless episode saturates at INT32_MAX and does not end the episode.
static void test_longest_episode(void) {
  const PfcParamValue never = {"max_steps", 0};
  const PfcPoolDesc desc = {.spec = &pfc_env_gate, .num_games = 2, .params = &never, .num_params = 1};
  Player p = player_start(&desc);
  unsigned char* snapshot = take_snapshot(p.pool);
  const uint64_t bytes = pfc_pool_snapshot_bytes(p.pool), head_bytes = 96, body = bytes - head_bytes;
  const int32_t lengths[2] = {INT32_MAX - 2, 7};
  memcpy(snapshot + head_bytes + 4 + sizeof(float) * 2, lengths, sizeof lengths);  // after a parameter and two returns
  const uint64_t checksum = pfc_checksum(snapshot + head_bytes, body);
  memcpy(snapshot + head_bytes - sizeof checksum, &checksum, sizeof checksum);
  CHECK(pfc_pool_load(p.pool, snapshot, bytes, NULL) == PFC_OK);
  for (int32_t t = 1; t <= 5; ++t) {
    player_step(&p);
    CHECK(pfc_pool_ended(p.pool, -1) == 0 && p.b->truncated[0] == 0);
    CHECK(pfc_pool_save(p.pool, snapshot, bytes) == PFC_OK);
    int32_t now[2];
    memcpy(now, snapshot + head_bytes + 4 + sizeof(float) * 2, sizeof now);
    CHECK(now[0] == (t < 2 ? INT32_MAX - 1 : INT32_MAX) && now[1] == 7 + t);
  }
  free(snapshot);
  player_close(&p);
}

int main(void) {
  for_each_case(test_continues);
  for_each_case(test_damage);
  for_each_duel_case(test_continues);
  for_each_duel_case(test_damage);
  const PfcPoolDesc squad = {.spec = &pfc_env_squad, .num_games = GAMES, .seed = 5};
  check_continues("squad", squad);
  PfcPoolDesc stopping = squad;
  stopping.autoreset = PFC_AUTORESET_DISABLED;
  check_continues("squad, stopping", stopping);
  stopping.autoreset = PFC_AUTORESET_NEXT_STEP;
  check_continues("squad, next step", stopping);
  test_foreign();
  test_head();
  test_refusals();
  test_longest_episode();
  return check_report();
}
