/* A program that embeds pufferc: compares the results of two pools with golden hashes, and draws a picture. With the
   path of the window module, or "beside" for the one in the library's folder, it opens a window instead. */
#include <inttypes.h>
#include <pufferc/policy.h>
#include <pufferc/pufferc.h>
#include <pufferc/render.h>
#include <stdio.h>
#include <string.h>

#include "golden.h"

static uint64_t play(PfcPool* pool) {
  const PfcBuffers* b = pfc_pool_buffers(pool);
  const size_t rows = (size_t)b->rows;
  int32_t actions[GOLDEN_GAMES];
  uint64_t hash = GOLDEN_START;
  for (int32_t t = 0; t < GOLDEN_STEPS; ++t) {
    for (int32_t row = 0; row < b->rows; ++row) actions[row] = golden_action(t, row, b->action_counts[0]);
    if (pfc_pool_step(pool, actions, PFC_INT32, NULL)) return 0;
    hash = golden_add(hash, b->observations, rows * b->obs_bytes);
    hash = golden_add(hash, b->rewards, rows * sizeof(float));
    hash = golden_add(hash, b->terminated, rows);
  }
  return hash;
}

static int check(const char* game, uint64_t expected) {
  const PfcPoolDesc desc = {.env = game, .num_games = GOLDEN_GAMES, .num_threads = 2, .seed = GOLDEN_SEED};
  PfcPool* pool = pfc_pool_create(&desc);
  if (!pool || pfc_pool_reset(pool, NULL)) {
    fprintf(stderr, "%s: %s\n", game, pfc_last_error());
    return 1;
  }
  const uint64_t hash = play(pool);
  pfc_pool_destroy(pool);
  if (hash == expected) return 0;
  fprintf(stderr, "%s: got %016" PRIx64 ", expected %016" PRIx64 "\n", game, hash, expected);
  return 1;
}

static int draw(void) {
  enum { WIDTH = 64, HEIGHT = 64 };
  static uint8_t rgb[HEIGHT * WIDTH * 3];
  const PfcPoolDesc pool_desc = {.env = "squared", .num_games = 4};
  PfcPool* pool = pfc_pool_create(&pool_desc);
  PfcRenderer* renderer = pfc_renderer_create(NULL);
  int failed = !pool || !renderer || pfc_pool_reset(pool, NULL) ||
               pfc_renderer_picture(renderer, pool, 0, 4, WIDTH, HEIGHT, rgb, sizeof rgb);
  if (failed) fprintf(stderr, "%s\n", pfc_last_error());
  if (!memcmp(rgb, rgb + 3 * (WIDTH / 2), 3)) failed = 1; /* a game's ground, and the gap between two */
  pfc_renderer_destroy(renderer);
  pfc_pool_destroy(pool);
  return failed;
}

/* The module is found and loaded; without a display there is a message that says so. */
static int open_window(const char* module) {
  const PfcRendererDesc desc = {.window = 1, .module = strcmp(module, "beside") ? module : NULL};
  PfcRenderer* renderer = pfc_renderer_create(&desc);
  if (!renderer) fprintf(stderr, "%s\n", pfc_last_error());
  const int failed = !renderer && strncmp(pfc_last_error(), "no window: ", 11) != 0;
  pfc_renderer_destroy(renderer);
  return failed;
}

int main(int argc, char** argv) {
  if (argc > 1) return open_window(argv[1]);
  PfcPolicy* policy = pfc_policy_load("no such policy");
  if (policy) return 1;
  printf("pufferc %s, %d games\n", pfc_version(), (int)pfc_env_count());
  return check("breakout", GOLDEN_BREAKOUT) + check("squared", GOLDEN_SQUARED) + draw();
}
