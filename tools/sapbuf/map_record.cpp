#include "sapbuf/map_record.hpp"

#include <fmt/format.h>

#include <boost/algorithm/hex.hpp>
#include <iterator>
#include <stdexcept>

#include "common/json.hpp"

namespace sapbuf::tools {

namespace {

// Nothing if the field is not there.
std::optional<std::string> text_of(const Json& json, const std::string& field) {
  const auto found = json.find(field);
  if (found == json.end()) return std::nullopt;
  if (!found->is_string()) throw std::invalid_argument(fmt::format("\"{}\" is no string", field));
  return found->get<std::string>();
}

std::string bytes_of(const Json& json, const std::string& field) {
  if (std::optional<std::string> text = text_of(json, field)) return *std::move(text);
  const std::optional<std::string> digits = text_of(json, field + "_hex");
  if (!digits) throw std::invalid_argument(fmt::format("it has neither \"{0}\" nor \"{0}_hex\"", field));
  std::string bytes;
  try {
    boost::algorithm::unhex(*digits, std::back_inserter(bytes));
  } catch (const boost::algorithm::hex_decode_error&) {
    throw std::invalid_argument(fmt::format("\"{}_hex\" is not hexadecimal", field));
  }
  return bytes;
}

}  // namespace

std::string record_line(std::string_view key, std::string_view value) {
  Json json;
  add_bytes(json, "key", key);
  add_bytes(json, "value", value);
  return json_line(json);
}

MapRecord parse_record(std::string_view line) {
  const Json json = Json::parse(line, nullptr, false);
  if (!json.is_object()) throw std::invalid_argument("it is no JSON object");
  return {.key = bytes_of(json, "key"), .value = bytes_of(json, "value")};
}

}  // namespace sapbuf::tools
