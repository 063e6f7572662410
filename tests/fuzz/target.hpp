// What a fuzz target defines. libFuzzer calls it with inputs that it makes up; replay.cpp, with files.
#pragma once

#include <cstddef>
#include <cstdint>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);
