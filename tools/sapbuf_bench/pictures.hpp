// The figures as line charts (SVG) and as a page (HTML) that needs nothing else.
#pragma once

#include <string>
#include <vector>

#include "goals.hpp"

namespace sapbuf::bench {

struct Picture {
  std::string name;  // of the file, without its ending
  std::string svg;
};

// Those whose figures were measured.
std::vector<Picture> pictures_of(const Report& report);

// Throw std::runtime_error if a file cannot be written.
void write_file(const std::string& path, const std::string& content);
void write_pictures(const Report& report, const std::string& folder);
void write_page(const Report& report, const std::vector<Goal>& goals, const std::string& path);  // page.cpp

}  // namespace sapbuf::bench
