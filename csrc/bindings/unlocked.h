// unlocked.h - a part of a call that runs without Python's lock (the GIL).
#ifndef PUFFERC_BINDINGS_UNLOCKED_H
#define PUFFERC_BINDINGS_UNLOCKED_H

#include <pybind11/pybind11.h>
#include <unistd.h>

namespace pufferc {

// Gives the lock up for its own lifetime. What it was made with the lock for, and made after it, ends before it does.
//
// A daemon thread may come back when the interpreter is ending already. Up to Python 3.13 that ends the thread where it
// waits for the lock, by an unwinding that must not leave a destructor; passing through C++ frames it would also give
// up references without the lock. So the thread rests here until the process is gone, as Python 3.14 has it rest.
class Unlocked {
 public:
  Unlocked() : state_(PyEval_SaveThread()) {}
  ~Unlocked() {
    try {
      PyEval_RestoreThread(state_);
    } catch (...) {
      for (;;) (void)pause();
    }
  }
  Unlocked(const Unlocked&) = delete;
  Unlocked& operator=(const Unlocked&) = delete;

 private:
  PyThreadState* state_;
};

}  // namespace pufferc

#endif  // PUFFERC_BINDINGS_UNLOCKED_H
