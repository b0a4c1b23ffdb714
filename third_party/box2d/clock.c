// clock.c - replaces Box2D's timer.c with a stopped clock.
//
// Box2D reads the clock a dozen times per step for a profile that pufferc does not use. In worlds of a few bodies this
// takes a third of the time. The simulation does not depend on these functions.
#include <sched.h>
#include <stdint.h>

#include <box2d/base.h>

uint64_t b2GetTicks(void) { return 0; }

float b2GetMilliseconds(uint64_t ticks) {
  (void)ticks;
  return 0.0f;
}

float b2GetMillisecondsAndReset(uint64_t* ticks) {
  *ticks = 0;
  return 0.0f;
}

void b2Yield(void) { (void)sched_yield(); }
