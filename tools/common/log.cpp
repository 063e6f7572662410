#include "common/log.hpp"

#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/spdlog.h>

#include <string_view>

namespace sapbuf::tools {

namespace {

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

}  // namespace

void set_up_log(const char* program, LogStyle style) {
  auto formatter = std::make_unique<spdlog::pattern_formatter>();
  formatter->add_flag<LevelPrefix>('*');
  formatter->set_pattern(style == LogStyle::brief ? "%n: %^%*%$%v" : "%Y-%m-%d %H:%M:%S.%e %n: %^%*%$%v");
  spdlog::drop(program);
  auto logger = spdlog::stderr_color_mt(program);
  logger->set_formatter(std::move(formatter));
  logger->flush_on(spdlog::level::trace);
  spdlog::set_default_logger(std::move(logger));
}

}  // namespace sapbuf::tools
