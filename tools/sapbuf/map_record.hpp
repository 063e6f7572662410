// A key and its value as a line of JSON that loses nothing: what `sapbuf map export` writes, and `import` reads.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace sapbuf::tools {

struct MapRecord {
  std::string key;
  std::string value;
};

// {"key":"...","value":"..."}; what is not UTF-8 stands as "key_hex" or "value_hex" instead. With its newline.
std::string record_line(std::string_view key, std::string_view value);

// The same back; other fields are ignored. Throws std::invalid_argument, which says what is wrong with the line.
MapRecord parse_record(std::string_view line);

}  // namespace sapbuf::tools
