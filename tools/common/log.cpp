#include "common/log.hpp"

#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/spdlog.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <sapbuf/text.hpp>
#include <string>
#include <string_view>

namespace sapbuf::tools {

namespace {

// One printable line, whatever names from others stand in it: nobody forges a line of the log, or steers the terminal.
class PrintableText : public spdlog::custom_flag_formatter {
 public:
  void format(const spdlog::details::log_msg& message, const std::tm&, spdlog::memory_buf_t& out) override {
    const std::string text = printable({message.payload.data(), message.payload.size()});
    out.append(text.data(), text.data() + text.size());
  }
  std::unique_ptr<custom_flag_formatter> clone() const override { return std::make_unique<PrintableText>(); }
};

// Names the level where it matters: "warning: " and "error: ", but nothing in front of what is merely told.
class LevelPrefix : public spdlog::custom_flag_formatter {
 public:
  void format(const spdlog::details::log_msg& message, const std::tm&, spdlog::memory_buf_t& out) override {
    std::string_view prefix;
    if (message.level >= spdlog::level::err) {
      prefix = "error: ";
    } else if (message.level == spdlog::level::warn) {
      prefix = "warning: ";
    }
    out.append(prefix.data(), prefix.data() + prefix.size());
  }
  std::unique_ptr<custom_flag_formatter> clone() const override { return std::make_unique<LevelPrefix>(); }
};

// What the journal takes for the message's level (sd-daemon(3)), and does not show.
class JournalLevel : public spdlog::custom_flag_formatter {
 public:
  void format(const spdlog::details::log_msg& message, const std::tm&, spdlog::memory_buf_t& out) override {
    std::string_view level = "<6>";
    if (message.level >= spdlog::level::err) {
      level = "<3>";
    } else if (message.level == spdlog::level::warn) {
      level = "<4>";
    }
    out.append(level.data(), level.data() + level.size());
  }
  std::unique_ptr<custom_flag_formatter> clone() const override { return std::make_unique<JournalLevel>(); }
};

// systemd says which file the journal is; standard error may have been sent elsewhere since.
bool goes_to_journal() {
  const char* const journal = std::getenv("JOURNAL_STREAM");
  struct stat file {};
  return journal != nullptr && ::fstat(STDERR_FILENO, &file) == 0 &&
         std::to_string(file.st_dev) + ":" + std::to_string(file.st_ino) == journal;
}

}  // namespace

void set_up_log(const char* program, LogStyle style) {
  auto formatter = std::make_unique<spdlog::pattern_formatter>();
  if (goes_to_journal()) {
    formatter->add_flag<JournalLevel>('*').add_flag<PrintableText>('v');
    formatter->set_pattern("%*%v");
  } else {
    formatter->add_flag<LevelPrefix>('*').add_flag<PrintableText>('v');
    formatter->set_pattern(style == LogStyle::brief ? "%n: %^%*%$%v" : "%Y-%m-%d %H:%M:%S.%e %n: %^%*%$%v");
  }
  spdlog::drop(program);
  auto logger = spdlog::stderr_color_mt(program);
  logger->set_formatter(std::move(formatter));
  logger->flush_on(spdlog::level::trace);
  spdlog::set_default_logger(std::move(logger));
}

}  // namespace sapbuf::tools
