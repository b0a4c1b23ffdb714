// memory.c - see memory.h.
#define _GNU_SOURCE
#include "conformance/memory.h"

#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>
#if defined(__linux__)
#include <ucontext.h>
#endif

enum { FORBIDDEN_BYTES = 1 << 20, SIGNAL_STACK_BYTES = 1 << 16, STACK_BYTES = 8 << 20 };

// Static, since a signal handler gets no context.
static struct {
  const PfcArea* areas;
  int count;
  PfcTrace* trace;
  const void* stack;  // an address on the stack of the checking thread
} watched;

bool pfc_area_make(PfcArea* area, const char* name, uint64_t bytes, uint64_t alignment, bool at_end) {
  const uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
  const uint64_t room = (bytes + page - 1) / page * page + (bytes == 0) * page;
  *area = (PfcArea){.name = name, .map_bytes = room + 2 * FORBIDDEN_BYTES, .bytes = bytes};
  void* map = mmap(NULL, area->map_bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (map == MAP_FAILED) return false;
  area->map = map;
  if (mprotect(area->map + FORBIDDEN_BYTES, room, PROT_READ | PROT_WRITE) != 0) return false;
  area->data = area->map + FORBIDDEN_BYTES + (at_end ? (room - bytes) / alignment * alignment : 0);
  return true;
}

void pfc_area_free(PfcArea* area) {
  if (area->map) (void)munmap(area->map, area->map_bytes);
  *area = (PfcArea){0};
}

bool pfc_area_protect(PfcArea* area) {
  area->read_only = mprotect(area->map, area->map_bytes, PROT_NONE) == 0 &&
                    mprotect(area->map + FORBIDDEN_BYTES, area->map_bytes - 2 * FORBIDDEN_BYTES, PROT_READ) == 0;
  return area->read_only;
}

bool pfc_area_holds(const PfcArea* area, uint64_t address) {
  const uint64_t begin = (uint64_t)(uintptr_t)area->map;
  return area->map && address >= begin && address < begin + area->map_bytes;
}

bool pfc_memory_in_use(uint64_t address) {
  const uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
  if (address < 1ull << 32 || address >= 1ull << 47) return false;  // most words; nothing is mapped there
  // Resident, not only mapped: sanitizers reserve a large part of the address space for their shadow memory.
  unsigned char resident = 0;
  return mincore((void*)(uintptr_t)(address / page * page), page, (void*)&resident) == 0 && (resident & 1);
}

void pfc_memory_watch(const PfcArea* areas, int count) {
  watched.areas = areas;
  watched.count = count;
}

// ---- signals -----------------------------------------------------------------------------------------------

// "read", "wrote", or "reached" where the processor does not report which.
static const char* verb_of(const void* context) {
#if defined(__x86_64__) && defined(__linux__)
  const greg_t error = ((const ucontext_t*)context)->uc_mcontext.gregs[REG_ERR];
  return error & 2 ? "wrote" : "read";
#else
  (void)context;
  return "reached";
#endif
}

// Describes a forbidden address relative to the game's buffers.
static void describe_address(const void* pointer, const void* context) {
  const uint64_t at = (uint64_t)(uintptr_t)pointer, stack = (uint64_t)(uintptr_t)watched.stack;
  char* fault = watched.trace->fault;
  const size_t room = sizeof watched.trace->fault;
  const char* verb = verb_of(context);
  for (int i = 0; i < watched.count; ++i) {
    const PfcArea* area = &watched.areas[i];
    const uint64_t data = (uint64_t)(uintptr_t)area->data;
    if (!pfc_area_holds(area, at)) continue;
    if (at >= data && at < data + area->bytes)
      (void)snprintf(fault, room, "%s byte %llu of its %s, which is read-only", verb, (unsigned long long)(at - data),
                     area->name);
    else if (at >= data)
      (void)snprintf(fault, room, "%s %llu bytes past the end of its %s, which has %llu bytes", verb,
                     (unsigned long long)(at - data - area->bytes), area->name, (unsigned long long)area->bytes);
    else
      (void)snprintf(fault, room, "%s %llu bytes before the start of its %s", verb, (unsigned long long)(data - at),
                     area->name);
    return;
  }
  if (at < 4096)
    (void)snprintf(fault, room, "%s through a NULL pointer", verb);
  else if (at < stack && stack - at < 2ull * STACK_BYTES)
    (void)snprintf(fault, room, "ran out of stack; look for endless recursion or a very large local array");
  else
    (void)snprintf(fault, room, "%s unmapped memory at %p", verb, pointer);
}

static void on_signal(int number, siginfo_t* info, void* context) {
  if (watched.trace) {
    watched.trace->signal = number;
    if (number == SIGSEGV || number == SIGBUS) describe_address(info->si_addr, context);
    if (number == SIGFPE)
      (void)snprintf(watched.trace->fault, sizeof watched.trace->fault, "divided an integer by zero");
  }
  (void)signal(number, SIG_DFL);
  (void)raise(number);
}

void pfc_memory_catch_signals(PfcTrace* trace) {
  static unsigned char signal_stack[SIGNAL_STACK_BYTES];
  static const int numbers[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT};
  watched.trace = trace;
  watched.stack = __builtin_frame_address(0);
  const stack_t stack = {.ss_sp = signal_stack, .ss_size = sizeof signal_stack};
  (void)sigaltstack(&stack, NULL);
  struct sigaction action = {.sa_flags = SA_SIGINFO | SA_ONSTACK};
  action.sa_sigaction = on_signal;
  (void)sigemptyset(&action.sa_mask);
  for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; ++i) (void)sigaction(numbers[i], &action, NULL);
}
