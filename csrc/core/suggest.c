// suggest.c - suggests the name that a misspelt one was meant to be.
#include <string.h>

#include "core/base.h"

// Edit distance (Levenshtein) of two names; MAX_LENGTH if one is too long to compare.
static int32_t edit_distance(const char* a, const char* b) {
  enum { MAX_LENGTH = 64 };
  size_t n = strlen(a), m = strlen(b);
  if (n >= MAX_LENGTH || m >= MAX_LENGTH) return MAX_LENGTH;
  int32_t row[MAX_LENGTH + 1];
  for (size_t j = 0; j <= m; ++j) row[j] = (int32_t)j;
  for (size_t i = 1; i <= n; ++i) {
    int32_t diagonal = row[0];
    row[0] = (int32_t)i;
    for (size_t j = 1; j <= m; ++j) {
      int32_t above = row[j];
      int32_t replaced = diagonal + (a[i - 1] != b[j - 1]);
      row[j] = PFC_MIN(replaced, PFC_MIN(above, row[j - 1]) + 1);
      diagonal = above;
    }
  }
  return row[m];
}

const char* pfc_nearest(const char* name, const char* const* names, int32_t count) {
  const char* best = NULL;
  const size_t length = PFC_MIN(strlen(name), 60);
  int32_t best_distance = (int32_t)length / 2 + 2;  // larger distances are different words
  for (int32_t i = 0; i < count; ++i) {
    int32_t distance = edit_distance(name, names[i]);
    if (distance < best_distance) best = names[i], best_distance = distance;
  }
  return best;
}
