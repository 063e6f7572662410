// Figures in the text format that Prometheus reads (version 0.0.4).
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace sapbuf::tools {

using MetricLabels = std::vector<std::pair<std::string_view, std::string>>;

// Families in the order in which each was named first; all samples of one stand together, as the format wants it.
class MetricsPage {
 public:
  // A counter's name ends in `_total`.
  void counter(std::string_view name, std::string_view help, const MetricLabels& labels, std::uint64_t value);
  void gauge(std::string_view name, std::string_view help, const MetricLabels& labels, double value);

  std::string text() const;

 private:
  struct Family {
    std::string name;
    std::string help;
    std::string_view type;
    std::string samples;
  };
  Family& family(std::string_view name, std::string_view help, std::string_view type);

  std::vector<Family> families_;
  std::map<std::string, std::size_t, std::less<>> places_;
};

// `{segment="ticks",facility="main"}`; empty for none. Quotes, backslashes and newlines are escaped.
std::string label_text(const MetricLabels& labels);

}  // namespace sapbuf::tools
