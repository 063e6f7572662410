// std::string as Python has it: a str whose bytes are its UTF-8, and what is no UTF-8 stands there as os.fsdecode() has it. So
// names that come from os.listdir() or sys.argv go in, and any name comes out.
//
// A type has one caster in a program: every file that binds or casts includes this, most by errors.hpp.
#pragma once

#include <string>

#include <pybind11/pybind11.h>

namespace pybind11::detail {

template <>
struct type_caster<std::string> : string_caster<std::string> {
  // Throws UnicodeEncodeError for a surrogate that stands for no byte.
  bool load(handle text, bool convert) {
    if (!text || PyUnicode_Check(text.ptr()) == 0) return string_caster<std::string>::load(text, convert);
    const auto bytes =
        reinterpret_steal<pybind11::bytes>(PyUnicode_AsEncodedString(text.ptr(), "utf-8", "surrogateescape"));
    if (!bytes) throw error_already_set();
    value = std::string{bytes};
    return true;
  }

  static handle cast(const std::string& bytes, return_value_policy /*policy*/, handle /*parent*/) {
    const handle text = PyUnicode_DecodeUTF8(bytes.data(), static_cast<ssize_t>(bytes.size()), "surrogateescape");
    if (!text) throw error_already_set();
    return text;
  }
};

}  // namespace pybind11::detail
