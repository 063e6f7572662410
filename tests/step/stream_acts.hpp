// What participants do while they are stepped: the pieces that operations and stages are made of.
#pragma once

#include <functional>
#include <string>

#include "support/script.hpp"

namespace sapbuf::test {

// What a stepped participant needs to know.
struct Scene {
  std::string name;  // of the segment
  Diary& diary;
  std::uint32_t id;                   // of its messages
  std::chrono::milliseconds timeout;  // how long it may wait for room
};

// In the child: attaches, comes to where the operation begins, and returns the operation. Its handles stay open until
// it is killed.
using Part = std::function<std::function<void()>(const Scene&)>;

// A writer's turn, after it has written messages 0 to next - 1.
struct Turn {
  Writer& writer;
  Diary& diary;
  std::uint32_t id;
  std::uint32_t next;
};
using Act = std::function<void(const Turn&)>;

// A writer that has written so many messages, and is about to act.
Part writer_that(std::uint32_t messages, Act act);
// A reader from the oldest message on.
Part reader_that(std::function<void(Reader&)> act);

// The next `count` messages; as many as there is room for.
Act write_several(std::size_t count);
void write_one(const Turn& turn);
// Message 14, of 700 bytes: more than an extent of the tests.
void write_large(const Turn& turn);
void commit_fewer(const Turn& turn);
void write_batch(const Turn& turn);
void only_reserve(const Turn& turn);
void reserve_and_abort(const Turn& turn);
void close_writer(const Turn& turn);

// Of the stepped durable reader.
inline const ReaderOptions kDurableVictim{.name = "victim", .durable = DurableOptions{}};
// A range that ends with the last message that is there, or with the `most`-th of the peer's. Returns how many of the peer's
// messages there were.
std::uint32_t read_messages_of_peer(Reader& reader, std::uint32_t most);
inline constexpr std::uint32_t kDurableRange = 3;  // of the peer's messages, in a range of those below
std::function<void()> attach_durable(const Scene& scene);
Part durable_reader_that(std::function<void(Reader&, Diary&)> act);
// In several ranges; the diary is told behind each.
void read_durable_ranges(Reader& reader, Diary& diary);
void close_durable(Reader& reader, Diary& diary);

void pin_and_unpin(Reader& reader);
// Throws if what is pinned does not stay as it is.
void pin_and_compare(Reader& reader);
void read_all(Reader& reader);
void wait_shortly(Reader& reader);
void close_reader(Reader& reader);

std::function<void()> attach_writer(const Scene& scene);
std::function<void()> attach_reader(const Scene& scene);
std::function<void()> run_recovery(const Scene& scene);

}  // namespace sapbuf::test
