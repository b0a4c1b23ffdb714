// check.h - the test framework: CHECK counts and reports, check_report ends main.
//
//   int main(void) { CHECK(1 + 1 == 2); return check_report(); }
//
// A failed check prints its location and condition, up to a limit. The program continues and exits with code 1.
#ifndef PUFFERC_TESTS_CHECK_H
#define PUFFERC_TESTS_CHECK_H

#include <stdbool.h>
#include <stdio.h>

enum { CHECK_MAX_PRINTED = 20 };

static unsigned long long check_count_, check_failures_;

// Returns the condition, so that a test can stop early: if (!CHECK(...)) return;
#define CHECK(condition) check_((condition) ? true : false, #condition, __FILE__, __LINE__)

static inline bool check_(bool held, const char* condition, const char* file, int line) {
  check_count_ += 1;
  if (held) return true;
  check_failures_ += 1;
  if (check_failures_ <= CHECK_MAX_PRINTED) fprintf(stderr, "%s:%d: failed: %s\n", file, line, condition);
  return false;
}

// Prints the totals and returns the exit code of the test. A test without checks fails.
static inline int check_report(void) {
  printf("%llu checks, %llu failed\n", check_count_, check_failures_);
  return check_failures_ == 0 && check_count_ > 0 ? 0 : 1;
}

#endif  // PUFFERC_TESTS_CHECK_H
