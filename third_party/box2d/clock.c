// clock.c - the clock of Box2D, stopped: stands in for its timer.c in pufferc's build.
//
// Box2D reads the clock a dozen times in every step, for a profile of the step that nothing here asks for. With worlds
// of a few bodies that is a third of all time. Nothing in a simulation depends on these functions.
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
