// float_mode.c - see float_mode.h. The flags of past operations are not part of the mode.
#include "conformance/float_mode.h"

#include <fenv.h>

#if defined(__SSE__)
#include <xmmintrin.h>

enum { MODE_BITS = 0xffc0 };  // of MXCSR: flush to zero, rounding, masks, denormals are zero

// The upper half is the rounding of the x87 unit, which fesetround sets too.
uint32_t pfc_float_mode(void) { return (_mm_getcsr() & MODE_BITS) | (uint32_t)fegetround() << 16; }

void pfc_set_float_mode(uint32_t mode) {
  (void)fesetround((int)(mode >> 16));
  _mm_setcsr((_mm_getcsr() & ~(uint32_t)MODE_BITS) | (mode & MODE_BITS));
}

#elif defined(__aarch64__)

uint32_t pfc_float_mode(void) {
  uint64_t fpcr;
  __asm__ volatile("mrs %0, fpcr" : "=r"(fpcr));
  return (uint32_t)fpcr;
}
void pfc_set_float_mode(uint32_t mode) {
  const uint64_t fpcr = mode;
  __asm__ volatile("msr fpcr, %0" : : "r"(fpcr));
}

#else

uint32_t pfc_float_mode(void) { return (uint32_t)fegetround(); }
void pfc_set_float_mode(uint32_t mode) { (void)fesetround((int)mode); }

#endif
