#include "crash/step/operations.hpp"

#include <csignal>

namespace sapbuf::test {

using namespace std::chrono_literals;

World::World(Order order, OnFull on_full)
    : segment(Segment::create(name, {.slabs = 2,
                                     .slab_bytes = 4096,
                                     .order = order,
                                     .extent_bytes = 512,
                                     .on_full = on_full,
                                     .participants = 8})),
      audience(std::make_unique<Audience>(segment)),
      peer(std::make_unique<Writer>(segment, WriterOptions{.name = "peer", .timeout = 10ms})) {}

void World::write(std::uint32_t count, bool audience_reads) {
  for (std::uint32_t i = 0; i < count; ++i, ++peer_number) {
    const auto message = make_message(kPeerId, peer_number);
    const auto written = [&] { return peer->write(std::span<const std::byte>{message}) == Status::ok; };
    if (!audience_reads) {
      written();
    } else if (!audience->read_until(written)) {
      throw std::runtime_error("the peer cannot write");
    }
  }
}

namespace {

// Handles of the victim stay open until it is killed: it never comes to their destructors unless the operation is one.
template <typename Handle, typename... Arguments>
Handle* leak(Arguments&&... arguments) {
  return new Handle(std::forward<Arguments>(arguments)...);
}

// A writer that has written `messages` messages, and is about to do `act`.
auto writer_that(std::uint32_t messages, std::function<void(Writer&, Diary&, std::uint32_t)> act) {
  return [=](const std::string& name, Diary& diary) -> std::function<void()> {
    auto* const segment = leak<Segment>(Segment::open(name));
    auto* const writer = leak<Writer>(*segment, WriterOptions{.name = "victim", .timeout = 20s});
    write_messages(*writer, kVictimId, 0, messages, nullptr);
    diary.committed.store(committed_numbers(0, messages).size());
    return [=, &diary] { act(*writer, diary, messages); };
  };
}

auto reader_that(std::function<void(Reader&)> act) {
  return [=](const std::string& name, Diary&) -> std::function<void()> {
    auto* const segment = leak<Segment>(Segment::open(name));
    auto* const reader = leak<Reader>(*segment, ReaderOptions{.name = "victim"});
    return [=] { act(*reader); };
  };
}

void write_next(Writer& writer, Diary& diary, std::uint32_t next, std::size_t count = 1) {
  for (std::uint32_t number = next; count-- > 0; ++number) {
    if (number % 7 == 6) continue;  // these are the aborted ones
    const auto message = make_message(kVictimId, number);
    if (writer.write(std::span<const std::byte>{message}) != Status::ok) throw std::runtime_error("write failed");
    diary.committed.fetch_add(1);
  }
}

void commit_fewer(Writer& writer, Diary& diary, std::uint32_t next) {
  const auto message = make_message(kVictimId, next);
  auto reservation = writer.reserve(message.size() + 64);
  std::memcpy(reservation.bytes().data(), message.data(), message.size());
  reservation.commit(message.size());
  diary.committed.fetch_add(1);
}

void reserve_and_abort(Writer& writer, Diary&, std::uint32_t) { writer.reserve(24).abort(); }

void read_all(Reader& reader) {
  while (reader.wait_for(0ms)) {
    for (const Frame& frame : reader.pin()) static_cast<void>(frame);
  }
}

// Somebody who died at a kill point, and left work for the victim's recovery.
void die_at(World& world, const char* kill_point, unsigned nth) {
  Child wounded{[&](Link&) {
    const Segment segment = Segment::open(world.name);
    Writer writer{segment, {.name = "wounded", .timeout = 20s}};
    kill_point::arm(kill_point, kill_self, nth);
    for (std::uint32_t number = 0; number < 60; ++number) {
      const auto message = make_message(9, number);
      writer.write(std::span<const std::byte>{message});
    }
  }};
  if (!world.audience->read_until([&] { return has_ended(wounded); })) throw std::runtime_error("the wounded lives");
}

auto recoverer() {
  return [](const std::string& name, Diary&) -> std::function<void()> {
    auto* const segment = leak<Segment>(Segment::open(name));
    return [segment] { recover(*segment); };
  };
}

std::function<void(World&)> wounded(const char* kill_point, unsigned nth) {
  return [=](World& world) { die_at(world, kill_point, nth); };
}

std::vector<Operation> make_operations() {
  const auto per_writer = Order::per_writer;
  const auto total = Order::total;
  const auto block = OnFull::block;
  const auto overwrite = OnFull::overwrite;
  const auto nothing = [](World&) {};
  const auto attach_writer = [](const std::string& name, Diary&) -> std::function<void()> {
    auto* const segment = leak<Segment>(Segment::open(name));
    return [segment] { leak<Writer>(*segment, WriterOptions{.name = "victim"}); };
  };
  const auto attach_reader = [](const std::string& name, Diary&) -> std::function<void()> {
    auto* const segment = leak<Segment>(Segment::open(name));
    return [segment] { leak<Reader>(*segment, ReaderOptions{.name = "victim"}); };
  };
  const auto write_one = [](Writer& w, Diary& d, std::uint32_t next) { write_next(w, d, next); };
  // More than one slab takes, and less than two: nobody reads meanwhile.
  const auto write_into_both_slabs = [](Writer& w, Diary& d, std::uint32_t next) { write_next(w, d, next, 24); };
  const auto write_many = [](Writer& w, Diary& d, std::uint32_t next) { write_next(w, d, next, 7); };
  const auto some = [](World& world) { world.write(20); };
  const auto lagging = [](World& world) { world.write(24, false); };
  const auto sleeping = [](World& world) { world.audience->read_some(1ms); };
  return {
      {"attach_writer", per_writer, block, nothing, attach_writer},
      {"attach_reader", per_writer, block, some, attach_reader},
      {"attach_reader_overwrite", per_writer, overwrite, lagging, attach_reader},
      {"reserve_in_extent", per_writer, block, nothing,
       writer_that(1, [](Writer& w, Diary&, std::uint32_t) { leak<Reservation>(w.reserve(24)); })},
      {"commit_in_extent", per_writer, block, nothing, writer_that(1, write_one)},
      {"commit_fewer_in_extent", per_writer, block, nothing, writer_that(1, commit_fewer)},
      {"abort_in_extent", per_writer, block, nothing, writer_that(1, reserve_and_abort)},
      {"claim_first_extent", per_writer, block, nothing, writer_that(0, write_one)},
      {"claim_several_extents", per_writer, block, nothing, writer_that(3, write_one)},  // number 3 takes 700 bytes
      {"commit_in_total_order", total, block, nothing, writer_that(1, write_one)},
      {"commit_fewer_in_total_order", total, block, nothing, writer_that(1, commit_fewer)},
      {"abort_in_total_order", total, block, nothing, writer_that(1, reserve_and_abort)},
      {"flip_per_writer", per_writer, block, nothing, writer_that(0, write_into_both_slabs)},
      {"flip_total", total, block, nothing, writer_that(0, write_into_both_slabs)},
      {"overwrite_per_writer", per_writer, overwrite, lagging, writer_that(0, write_many)},
      {"overwrite_total", total, overwrite, lagging, writer_that(0, write_many)},
      {"pin_and_unpin", per_writer, block, [](World& world) { world.write(4); }, reader_that([](Reader& reader) {
         for (const Frame& frame : reader.pin()) static_cast<void>(frame);
       })},
      {"release_generation", per_writer, block, [](World& world) { world.write(15); }, reader_that(read_all)},
      {"release_generation_total", total, block, [](World& world) { world.write(15); }, reader_that(read_all)},
      {"pin_overwrite", per_writer, overwrite, lagging, reader_that(read_all)},
      {"wait", per_writer, block, nothing, reader_that([](Reader& reader) { reader.wait_for(1us); })},
      {"wake", per_writer, block, sleeping, writer_that(1, write_one)},
      {"detach_writer", per_writer, block, nothing,
       writer_that(2, [](Writer& w, Diary&, std::uint32_t) { w.close(); })},
      {"detach_reader", per_writer, block, some, reader_that([](Reader& reader) { reader.close(); })},
      {"recover_extent", per_writer, block, wounded("commit.published", 3), recoverer()},
      {"recover_hole", per_writer, block, wounded("claim.taken", 2), recoverer()},
      {"recover_several_extents", per_writer, block, wounded("extent.written", 4), recoverer()},
      {"recover_hole_total", total, block, wounded("claim.taken", 3), recoverer()},
      {"recover_busy_frame", total, block, wounded("claim.busy", 3), recoverer()},
      {"recover_flip", per_writer, block, wounded("flip.prepared", 1), recoverer()},
  };
}

}  // namespace

std::span<const Operation> operations() {
  static const std::vector<Operation> all = make_operations();
  return all;
}

std::span<const Lifecycle> lifecycles() {
  static const std::vector<Lifecycle> all{
      {"create", false, [](const std::string& name) { Segment::create(name, {.slab_bytes = 4096}); }},
      {"open_or_create", true, [](const std::string& name) { Segment::open_or_create(name, {.slab_bytes = 4096}); }},
      {"remove", true, [](const std::string& name) { Segment::remove(name); }},
  };
  return all;
}

}  // namespace sapbuf::test
