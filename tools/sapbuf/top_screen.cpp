#include "sapbuf/top_screen.hpp"

#include <poll.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstdlib>
#include <string_view>

#include "common/stop.hpp"

namespace sapbuf::tools {

namespace {

constexpr std::string_view kEnterScreen = "\x1b[?1049h\x1b[?25l";  // another screen, no cursor
constexpr std::string_view kLeaveScreen = "\x1b[?25h\x1b[?1049l";
constexpr std::size_t kAssumedWidth = 80;
constexpr std::size_t kAssumedHeight = 24;

std::atomic<bool> screen_is_to_stop{false};  // SIGTSTP came
std::atomic<bool> screen_is_lost{false};     // SIGCONT: somebody else had the terminal
std::atomic<bool> screen_has_changed{false};

void on_screen_signal(int signal) {
  const int saved = errno;
  if (signal == SIGHUP || signal == SIGQUIT) request_stop();
  if (signal == SIGTSTP) screen_is_to_stop.store(true, std::memory_order_relaxed);
  if (signal == SIGCONT) screen_is_lost.store(true, std::memory_order_relaxed);
  if (signal == SIGWINCH) screen_has_changed.store(true, std::memory_order_relaxed);
  errno = saved;
}

// Without SA_RESTART: a wait for keys has to end.
void handle_on_screen(int signal, void (*handler)(int)) noexcept {
  struct sigaction action {};
  action.sa_handler = handler;
  ::sigemptyset(&action.sa_mask);
  ::sigaction(signal, &action, nullptr);
}

// A terminal that is gone is nothing to complain about: SIGHUP says so. One that takes nothing keeps nobody from ending.
void put_on_screen(std::string_view text) noexcept {
  while (!text.empty()) {
    const ssize_t put = ::write(STDOUT_FILENO, text.data(), text.size());
    if (put > 0) {
      text.remove_prefix(static_cast<std::size_t>(put));
      continue;
    }
    if ((errno != EINTR && errno != EAGAIN) || stop_requested()) return;
    pollfd output{STDOUT_FILENO, POLLOUT, 0};
    ::poll(&output, 1, static_cast<int>(kStopSlice.count()));
  }
}

winsize size_of_screen() noexcept {
  winsize size{};
  ::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size);
  return size;
}

}  // namespace

bool has_screen() noexcept {
  const char* const terminal = std::getenv("TERM");
  return ::isatty(STDIN_FILENO) == 1 && ::isatty(STDOUT_FILENO) == 1 && terminal != nullptr &&
         std::string_view{terminal} != "dumb" && *terminal != '\0';
}

Screen::Screen() {
  ::tcgetattr(STDIN_FILENO, &before_);
  for (const int signal : {SIGHUP, SIGQUIT, SIGTSTP, SIGCONT, SIGWINCH}) handle_on_screen(signal, on_screen_signal);
  enter();
}

Screen::~Screen() { leave(); }

// Keys come one by one, and are not shown; those that make signals still do.
void Screen::enter() const {
  termios raw = before_;
  raw.c_lflag &= ~static_cast<tcflag_t>(ICANON | ECHO);
  raw.c_cc[VMIN] = 1;
  raw.c_cc[VTIME] = 0;
  ::tcsetattr(STDIN_FILENO, TCSANOW, &raw);
  put_on_screen(kEnterScreen);
}

void Screen::leave() const noexcept {
  put_on_screen(kLeaveScreen);
  ::tcsetattr(STDIN_FILENO, TCSANOW, &before_);
}

void Screen::stop_until_continued() {
  leave();
  handle_on_screen(SIGTSTP, SIG_DFL);
  ::raise(SIGTSTP);  // returns when SIGCONT has come
  handle_on_screen(SIGTSTP, on_screen_signal);
}

std::size_t Screen::width() const noexcept {
  const winsize size = size_of_screen();
  return size.ws_col == 0 ? kAssumedWidth : size.ws_col;
}

std::size_t Screen::height() const noexcept {
  const winsize size = size_of_screen();
  return size.ws_row == 0 ? kAssumedHeight : size.ws_row;
}

void Screen::show(const std::string& title, const std::vector<std::string>& lines) const {
  std::string text = "\x1b[H\x1b[7m" + title + "\x1b[0m\x1b[K";
  const std::size_t room = height() - 1;
  for (std::size_t at = 0; at < std::min(lines.size(), room); ++at) text += "\r\n" + lines[at] + "\x1b[K";
  put_on_screen(text + "\x1b[J");
}

Screen::Event Screen::wait(std::chrono::milliseconds time) {
  const auto until = std::chrono::steady_clock::now() + time;
  while (!stop_requested()) {
    if (!typed_.empty()) {
      take_typed();
      return Event::key;
    }
    if (screen_is_to_stop.exchange(false)) stop_until_continued();
    if (screen_is_lost.exchange(false)) {
      enter();
      return Event::redraw;
    }
    if (screen_has_changed.exchange(false)) return Event::redraw;
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(until - std::chrono::steady_clock::now());
    if (left.count() <= 0) return Event::none;
    pollfd keys{STDIN_FILENO, POLLIN, 0};
    if (::poll(&keys, 1, static_cast<int>(std::min(left, kStopSlice).count())) != 1) continue;
    char typed[16];
    const ssize_t got = ::read(STDIN_FILENO, typed, sizeof typed);
    if (got == 0 || (got < 0 && errno != EINTR && errno != EAGAIN)) request_stop();  // the terminal is gone
    if (got <= 0) continue;
    typed_.assign(typed, static_cast<std::size_t>(got));
  }
  return Event::none;
}

// Several may have come at once. Cursor keys come as ESC [ A, or ESC O A.
void Screen::take_typed() {
  const std::size_t size = typed_[0] == '\x1b' && typed_.size() >= 3 ? 3 : 1;
  key_ = typed_[size - 1];
  typed_.erase(0, size);
}

}  // namespace sapbuf::tools
