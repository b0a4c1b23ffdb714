// crash.c - see crash.h. The handlers use only functions that are safe in a signal handler.
#include "pool/crash.h"

#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { TEXT_BYTES = 1001, STACK_BYTES = 1 << 16, NUM_SIGNALS = 5 };

static const struct {
  int number;
  const char* name;
} signals[NUM_SIGNALS] = {
    {SIGSEGV, "SIGSEGV"}, {SIGBUS, "SIGBUS"}, {SIGFPE, "SIGFPE"}, {SIGILL, "SIGILL"}, {SIGABRT, "SIGABRT"}};

_Thread_local int pfc_in_game;
static _Thread_local bool exit_is_watched;

#if defined(__linux__)
// Of the C++ runtime's interface, in glibc and musl: calls `run` when this thread ends or calls exit.
extern int __cxa_thread_atexit_impl(void (*run)(void*), void* argument, void* dso) __attribute__((weak));
extern void* __dso_handle;
#endif

// Static, since a signal handler gets no context.
static struct {
  bool watching;
  _Atomic int32_t told;
  char before[TEXT_BYTES], after[TEXT_BYTES];
  struct sigaction old[NUM_SIGNALS];
} crash;

static void put(const char* text) {
  size_t left = strlen(text);
  while (left > 0) {
    const ssize_t done = write(STDERR_FILENO, text, left);
    if (done <= 0) return;
    text += done;
    left -= (size_t)done;
  }
}

// The first thread that gets here writes, and then ends the process. Others, which crashed too, wait for that.
static void tell(const char* cause, const char* name) {
  while (atomic_exchange(&crash.told, 1)) pause();
  put(crash.before);
  put(cause);
  put(name);
  put(crash.after);
}

static void on_signal(int number) {
  for (int i = 0; i < NUM_SIGNALS; ++i) {
    if (signals[i].number != number) continue;
    if (pfc_in_game) tell("crashed with ", signals[i].name);
    (void)sigaction(number, &crash.old[i], NULL);
  }
  (void)raise(number);  // arrives after the return from here
}

static void on_exit_of_game(void* unused) {
  (void)unused;
  if (!crash.watching || !pfc_in_game) return;
  tell("called exit", "");
  _exit(1);
}

// A thread's own destructors run first in exit. Functions of atexit come after those that were registered later, which
// destroy what other threads use, and run once even if several threads exit.
static void watch_exit(void) {
  exit_is_watched = true;
#if defined(__linux__)
  if (__cxa_thread_atexit_impl) (void)__cxa_thread_atexit_impl(on_exit_of_game, NULL, &__dso_handle);
#else
  (void)on_exit_of_game;
#endif
}

void pfc_enter_game(void) {
  if (!exit_is_watched) watch_exit();
  pfc_in_game = 1;
}

static void catch_signals(void) {
  static unsigned char stack[STACK_BYTES];  // of the calling thread, for a game that ran out of stack
  stack_t other = {.ss_sp = stack, .ss_size = sizeof stack};
  stack_t used;
  if (sigaltstack(NULL, &used) == 0 && (used.ss_flags & SS_DISABLE)) (void)sigaltstack(&other, NULL);
  struct sigaction action = {.sa_flags = SA_ONSTACK};
  action.sa_handler = on_signal;
  (void)sigemptyset(&action.sa_mask);
  for (int i = 0; i < NUM_SIGNALS; ++i) (void)sigaction(signals[i].number, &action, &crash.old[i]);
}

void pfc_watch_crashes(const char* before, const char* after) {
  if (before && after) {
    (void)snprintf(crash.before, sizeof crash.before, "%s", before);
    (void)snprintf(crash.after, sizeof crash.after, "%s", after);
    if (!crash.watching) catch_signals();
    crash.watching = true;
  } else if (crash.watching) {
    for (int i = 0; i < NUM_SIGNALS; ++i) (void)sigaction(signals[i].number, &crash.old[i], NULL);
    crash.watching = false;
  }
}
