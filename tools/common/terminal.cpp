#include "common/terminal.hpp"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>

#include "common/command_line.hpp"

namespace sapbuf::tools {

namespace {

constexpr std::size_t kContinuationIndent = 4;
constexpr std::size_t kNarrowest = 20;  // nobody can read less

void wrap_line(std::string_view line, std::size_t width, std::string& out) {
  std::size_t room = width;
  while (width_of(line) > room) {
    std::size_t end = room;  // bytes are no less than columns: this may break too early, and never too late
    while (end > 0 && line[end] != ' ') --end;
    if (line.find_first_not_of(' ') >= end) end = line.find(' ', std::min(room, line.size()));  // one long word
    if (end == std::string_view::npos) break;
    out.append(line.substr(0, end)).append("\n").append(kContinuationIndent, ' ');
    line.remove_prefix(std::min(line.find_first_not_of(' ', end), line.size()));
    room = width - kContinuationIndent;
  }
  out.append(line).append("\n");
}

}  // namespace

std::size_t output_width() noexcept {
  if (const char* const columns = std::getenv("COLUMNS")) {
    if (const auto width = parse_count(columns); width && *width != 0) return std::max<std::size_t>(*width, kNarrowest);
  }
  winsize size{};
  if (::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col == 0) return kAnyWidth;
  return std::max<std::size_t>(size.ws_col, kNarrowest);
}

std::size_t width_of(std::string_view text) noexcept {
  return static_cast<std::size_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xc0) != 0x80; }));
}

std::string wrapped(std::string_view text, std::size_t width) {
  std::string out;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    wrap_line(text.substr(0, end), width, out);
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return out;
}

}  // namespace sapbuf::tools
