#include "sapbuf/metrics_page.hpp"

#include <fmt/format.h>

#include <iterator>

namespace sapbuf::tools {

std::string label_text(const MetricLabels& labels) {
  std::string text;
  for (const auto& [name, value] : labels) {
    text += fmt::format("{}{}=\"", text.empty() ? "{" : ",", name);
    for (const char letter : value) {
      if (letter == '\n') {
        text += "\\n";
        continue;
      }
      if (letter == '"' || letter == '\\') text += '\\';
      text += letter;
    }
    text += '"';
  }
  return text.empty() ? text : text + "}";
}

MetricsPage::Family& MetricsPage::family(std::string_view name, std::string_view help, std::string_view type) {
  const auto [place, is_new] = places_.try_emplace(std::string{name}, families_.size());
  if (is_new) families_.push_back({.name = std::string{name}, .help = std::string{help}, .type = type, .samples = {}});
  return families_[place->second];
}

void MetricsPage::counter(std::string_view name, std::string_view help, const MetricLabels& labels,
                          std::uint64_t value) {
  fmt::format_to(std::back_inserter(family(name, help, "counter").samples), "{}{} {}\n", name, label_text(labels),
                 value);
}

void MetricsPage::gauge(std::string_view name, std::string_view help, const MetricLabels& labels, double value) {
  fmt::format_to(std::back_inserter(family(name, help, "gauge").samples), "{}{} {}\n", name, label_text(labels), value);
}

std::string MetricsPage::text() const {
  std::string text;
  for (const Family& one : families_) {
    text += fmt::format("# HELP {} {}\n# TYPE {} {}\n{}", one.name, one.help, one.name, one.type, one.samples);
  }
  return text;
}

}  // namespace sapbuf::tools
