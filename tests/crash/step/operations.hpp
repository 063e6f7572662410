// The operations that a participant is stepped through, each with the world it happens in.
#pragma once

#include <functional>
#include <memory>
#include <span>
#include <string>

#include "crash/victim.hpp"

namespace sapbuf::test {

inline constexpr std::uint32_t kVictimId = 1;
inline constexpr std::uint32_t kPeerId = 2;

// A small stream with somebody who reads all of it.
struct World {
  World(Order order, OnFull on_full);

  // A peer writes `count` messages; the audience reads them, unless it is told to lag behind.
  void write(std::uint32_t count, bool audience_reads = true);

  TestName name;
  Segment segment;
  std::unique_ptr<Audience> audience;
  std::unique_ptr<Writer> peer;  // stays attached, idle, with an extent open
  std::uint32_t peer_number = 0;
};

struct Operation {
  const char* name;
  Order order = Order::per_writer;
  OnFull on_full = OnFull::block;
  // In the parent, before the victim is made.
  std::function<void(World&)> before = [](World&) {};
  // In the child: attach and come to where the operation begins; returns the operation.
  std::function<std::function<void()>(const std::string& name, Diary& diary)> victim;
};

std::span<const Operation> operations();

// Creation and removal have no stream to look at: they are checked by what comes after them.
struct Lifecycle {
  const char* name;
  bool exists_before;
  std::function<void(const std::string& name)> act;
};
std::span<const Lifecycle> lifecycles();

}  // namespace sapbuf::test
