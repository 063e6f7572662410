// Threads for looks at streams, any of which may take its time.
#pragma once

#include <chrono>
#include <functional>
#include <memory>

#include "common/process.hpp"

namespace sapbuf::tools {

// A job never waits for another one to end: where no thread is idle, a new one is made; one that has had nothing to do
// for a while ends. Signals are left to the thread that made this object.
class Workers {
 public:
  Workers();  // throws std::system_error
  Workers(const Workers&) = delete;
  Workers& operator=(const Workers&) = delete;
  ~Workers();  // as end() with no patience

  // Runs `job`, which must not throw, soon and in another thread. False: the system has no thread to give now.
  bool start(std::function<void()> job);

  // To poll for: readable when a job has come to its end since the last call of clear().
  int fd() const noexcept;
  void clear() noexcept;

  // No more jobs. False if one has not come to its end after so long; it is left alone.
  bool end(std::chrono::milliseconds patience);

 private:
  struct State;
  static void run(const std::shared_ptr<State>& state);

  std::shared_ptr<State> state_;  // the threads' own, too
};

}  // namespace sapbuf::tools
