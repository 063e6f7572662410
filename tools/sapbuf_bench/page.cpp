// The page: the machine, the goals, the pictures, and every table.
#include <fmt/chrono.h>
#include <fmt/format.h>
#include <sys/utsname.h>
#include <boost/version.hpp>

#include <algorithm>
#include <ctime>
#include <fstream>
#include <sapbuf/version.hpp>

#include "pictures.hpp"
#include "processes.hpp"

namespace sapbuf::bench {
namespace {

#ifdef __clang__
constexpr const char* kCompiler = __VERSION__;  // begins with its name
#else
constexpr const char* kCompiler = "g++ " __VERSION__;
#endif

std::string processor() {
  std::ifstream file{"/proc/cpuinfo"};
  for (std::string line; std::getline(file, line);) {
    if (line.rfind("model name", 0) == 0) return line.substr(line.find(':') + 2);
  }
  return "unknown processor";
}

std::string machine() {
  utsname system{};
  ::uname(&system);
  return fmt::format("{}, {} cores; {} {}; {}; Boost {}.{}.{}; sapbuf {}; {:%Y-%m-%d}", processor(), cores(),
                     system.sysname, system.release, kCompiler, BOOST_VERSION / 100000, BOOST_VERSION / 100 % 1000,
                     BOOST_VERSION % 100, kVersion, fmt::gmtime(std::time(nullptr)));
}

std::string escaped(const std::string& text) {
  std::string out;
  for (const char character : text) {
    if (character == '<') {
      out += "&lt;";
    } else if (character == '>') {
      out += "&gt;";
    } else if (character == '&') {
      out += "&amp;";
    } else {
      out += character;
    }
  }
  return out;
}

std::string table_of(const std::vector<Goal>& goals) {
  std::string out = "<h2>Goals</h2>\n<table><tr><th></th><th>cores</th><th>goal</th><th>reached</th><th></th></tr>\n";
  for (const Goal& goal : goals) {
    out += fmt::format("<tr><td>{}</td><td>{}</td><td>{} {} {}</td><td>{:.2f} {}</td><td>{}</td></tr>\n",
                       escaped(goal.what), escaped(goal.cores), goal.at_least ? "&ge;" : "&le;", goal.bound, goal.unit,
                       goal.reached, goal.unit, goal.met() ? "" : "missed");
  }
  return out + "</table>\n";
}

std::string table_of(const Measurement& measurement) {
  std::string out = fmt::format(
      "<h3>{}</h3>\n<p>{}</p>\n<table><tr><th>{}</th><th>median</th><th>min</th><th>max</th><th>rounds</th>"
      "<th></th></tr>\n",
      escaped(measurement.title), escaped(distance_of(measurement)), escaped(measurement.unit));
  for (const Column& column : measurement.columns) {
    const auto [low, high] = std::minmax_element(column.figures.begin(), column.figures.end());
    out += fmt::format("<tr><td>{}</td><td>{:.2f}</td><td>{:.2f}</td><td>{:.2f}</td><td>{}</td><td>{}</td></tr>\n",
                       escaped(column.name), median(column.figures), *low, *high, column.figures.size(),
                       escaped(column.note ? column.note() : ""));
  }
  return out + "</table>\n";
}

}  // namespace

void write_page(const Report& report, const std::vector<Goal>& goals, const std::string& path) {
  std::string out = fmt::format(
      "<!doctype html>\n<html lang=\"en\"><meta charset=\"utf-8\"><title>sapbuf-bench</title>\n"
      "<style>body{{font:15px sans-serif;max-width:60em;margin:2em auto}}table{{border-collapse:collapse}}"
      "td,th{{padding:2px 12px;text-align:right;border-bottom:1px solid #ddd}}"
      "td:first-child,th:first-child{{text-align:left}}</style>\n<h1>sapbuf-bench</h1>\n<p>{}</p>\n",
      escaped(machine()));
  if (!goals.empty()) out += table_of(goals);
  for (const Picture& picture : pictures_of(report)) out += picture.svg;
  out += "<h2>Figures</h2>\n";
  for (const Measurement& measurement : report.measurements()) out += table_of(measurement);
  write_file(path, out + "</html>\n");
}

}  // namespace sapbuf::bench
