// choices.c - see choices.h.
#include "conformance/choices.h"

#include <stdbool.h>
#include <stdio.h>

static void check_bytes(const PfcChoices* c, uint8_t* legal, PfcFind find) {
  char seen[128];
  const int32_t whole_words = (c->num_choices + 31) / 32 * 32;
  for (int32_t k = 0; k < whole_words; ++k) {
    if (legal[k] <= (k < c->num_choices)) continue;
    if (k < c->num_choices)
      (void)snprintf(seen, sizeof seen, "mask wrote %d to legal[%d], expected 0 or 1", legal[k], k);
    else
      (void)snprintf(seen, sizeof seen, "mask wrote legal[%d]; there are %d choices", k, c->num_choices);
    find("mask_value", "", seen);
    legal[k] = k < c->num_choices;
  }
}

void pfc_check_mask(const PfcChoices* c, uint8_t* legal, PfcFind find) {
  check_bytes(c, legal, find);
  for (int32_t d = 0, first = 0; d < c->dims; first += c->counts[d], ++d) {
    bool any = false;
    for (int32_t k = 0; k < c->counts[d]; ++k) any = any || legal[first + k];
    if (any) continue;
    char subject[16], seen[128];
    (void)snprintf(subject, sizeof subject, "%d", d);
    (void)snprintf(seen, sizeof seen, "mask allowed no choice in dimension %d of the action", d);
    find("mask_empty", subject, seen);
    for (int32_t k = 0; k < c->counts[d]; ++k) legal[first + k] = 1;
  }
}

static bool is_legal(const uint32_t* mask, int32_t k) { return !mask || (mask[k / 32] >> (k % 32) & 1u); }

void pfc_check_choices(const PfcChoices* c, const char* player, const uint32_t* mask, int32_t* chosen, PfcFind find) {
  char seen[128];
  for (int32_t d = 0, first = 0; d < c->dims; first += c->counts[d], ++d) {
    const bool in_range = chosen[d] >= 0 && chosen[d] < c->counts[d];
    if (in_range && is_legal(mask, first + chosen[d])) continue;
    if (in_range)
      (void)snprintf(seen, sizeof seen, "%s chose %d in dimension %d, which is not legal", player, chosen[d], d);
    else
      (void)snprintf(seen, sizeof seen, "%s chose %d in dimension %d, expected 0 to %d", player, chosen[d], d,
                     c->counts[d] - 1);
    find(in_range ? "script_illegal" : "script_range", player, seen);
    for (chosen[d] = 0; !is_legal(mask, first + chosen[d]); ++chosen[d]) {
    }
  }
}

void pfc_check_controls(const PfcChoices* c, const char* player, float* controls, PfcFind find) {
  for (int32_t d = 0; d < c->dims; ++d) {
    if (controls[d] >= -1.0f && controls[d] <= 1.0f) continue;
    char seen[128];
    (void)snprintf(seen, sizeof seen, "%s gave control %d the value %g, expected -1 to 1", player, d,
                   (double)controls[d]);
    find("script_range", player, seen);
    controls[d] = 0.0f;
  }
}
