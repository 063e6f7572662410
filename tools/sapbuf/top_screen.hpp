// The terminal as `sapbuf top` uses it: a screen of its own, which goes when it ends or is stopped, and keys that come at once.
#pragma once

#include <termios.h>

#include <chrono>
#include <cstddef>
#include <string>
#include <vector>

namespace sapbuf::tools {

// Whether there is a terminal that can do this, for input and output.
bool has_screen() noexcept;

// One at a time; one thread uses it. Its signal handlers stay for the rest of the process: SIGHUP and SIGQUIT end the tool, SIGTSTP gives the
// terminal back until SIGCONT, SIGWINCH shows everything anew. Call catch_stop_signals before.
class Screen {
 public:
  enum class Event { none, key, redraw };

  Screen();
  Screen(const Screen&) = delete;
  Screen& operator=(const Screen&) = delete;
  ~Screen();

  std::size_t width() const noexcept;
  std::size_t height() const noexcept;
  // `title` stands out. Lines that have no room are left out at the end; none may be wider than the screen.
  void show(const std::string& title, const std::vector<std::string>& lines) const;

  // Until a key was pressed, the screen has to be shown anew, a signal asks to stop, or the time is over.
  Event wait(std::chrono::milliseconds time);
  // Behind Event::key. Of the keys that move, 'A' is up, and 'B' is down.
  char key() const noexcept { return key_; }

 private:
  void enter() const;
  void leave() const noexcept;
  void stop_until_continued();
  void take_typed();

  termios before_{};
  char key_ = 0;
  std::string typed_;  // and not taken yet
};

}  // namespace sapbuf::tools
