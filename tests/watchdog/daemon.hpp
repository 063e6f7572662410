// sapbuf-watchdog as a child, and those whose deaths it sees.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include <sapbuf/sapbuf.hpp>

#include "support/child.hpp"

namespace sapbuf::test {

// What a child checks of itself: throws if it does not hold.
void require(bool condition, const std::string& what);

// The real program, with its messages in a file that can be read meanwhile.
class Daemon {
 public:
  // `prepare` runs in the new process, before the program.
  explicit Daemon(const std::vector<std::string>& arguments, const std::function<void()>& prepare = {});
  Daemon(const Daemon&) = delete;
  Daemon& operator=(const Daemon&) = delete;
  ~Daemon();

  Child& process() noexcept { return child_; }
  std::string messages() const;
  bool says(const std::string& text) const { return messages().find(text) != std::string::npos; }
  int end();  // as an operator would; returns the exit status

 private:
  int log_;
  Child child_;
};

// A reader at the oldest message that holds what comes, until it dies. It says 1 when it is there.
Child holder_of(const std::string& name, const std::string& participant);

// Dies with `committed` messages written and one reservation open.
void die_writing(const std::string& name, const std::string& participant, int committed);

}  // namespace sapbuf::test
