// test_check.c - `pufferc check` has no findings for registered games, and its wrappers do not change a game.
#include "conformance/conformance.h"
#include "duel.h"

static int32_t errors;

static void on_finding(void* context, const PfcFinding* f) {
  const Case* c = context;
  fprintf(stderr, "  %s: %s %s (%s): %s, game %lld, step %lld\n", c->label,
          f->severity == PFC_ERROR     ? "ERROR"
          : f->severity == PFC_WARNING ? "warning"
                                       : "note",
          f->code, f->subject, f->seen, (long long)f->game, (long long)f->step);
  errors += f->severity == PFC_ERROR;
}

static void check_with(const Case* c, const void* data, uint64_t data_bytes) {
  PfcTrace trace = {0};
  const PfcCheckDesc desc = {.spec = case_spec(c),
                             .params = c->params,
                             .num_params = c->num_params,
                             .data = data,
                             .data_bytes = data_bytes,
                             .trace = &trace,
                             .report = on_finding,
                             .context = (void*)c};
  errors = 0;
  CHECK_GAME(c->label, pfc_check_game(&desc) == PFC_OK);
  CHECK_GAME(c->label, errors == 0);
  CHECK_GAME(c->label, trace.done == 1 && trace.calls > 1000 && trace.function[0] == '\0');
}

static void test_game(const Case* c) { check_with(c, NULL, 0); }

static void test_maps(void) {
  static const Case cases[] = {{"duel, map", "duel", 1, {{"walls", 1}}},
                               {"duel, map and lives", "duel_lives", 3, {{"walls", 1}, {"lives", 1}, {"players", 4}}}};
  for (int32_t i = 0; i < 2; ++i) check_with(&cases[i], duel_map, sizeof duel_map);
}

int main(void) {
  for_each_case(test_game);
  for_each_duel_case(test_game);
  test_maps();
  return check_report();
}
