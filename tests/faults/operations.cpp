#include "faults/operations.hpp"

#include <algorithm>
#include <csignal>
#include <stdexcept>

#include "stream/stream_core.hpp"
#include "support/main_stream.hpp"
#include "support/readable.hpp"

namespace sapbuf::test {
namespace {

using namespace std::chrono_literals;

constexpr std::uint32_t kWriter = 0;
constexpr std::uint32_t kIdler = 1;
constexpr auto kWriterPatience = 25ms;  // of a writer: where a fault lasts, each of its messages waits that long
constexpr std::size_t kBytes = 200;     // of a message: two in an extent

SegmentOptions small(Order order = Order::per_writer, OnFull on_full = OnFull::block) {
  return {.slabs = 2,
          .slab_bytes = 4096,
          .order = order,
          .extent_bytes = order == Order::per_writer ? 512u : 0u,
          .on_full = on_full,
          .participants = 6};
}

void nothing_before(World&) {}

void make(World& world) { world.segment = Segment::create(world.name, world.options); }
void make_and_let_go(World& world) { static_cast<void>(Segment::create(world.name, world.options)); }

void attach_both(World& world) {
  make(world);
  world.reader.emplace(*world.segment);
  world.writer.emplace(*world.segment, WriterOptions{.timeout = kWriterPatience});
}

// What the writer is told about each message must be true: what was accepted arrives, and nothing else.
void write_some(World& world, std::uint32_t count) {
  for (std::uint32_t i = 0; i < count; ++i) {
    if (put(*world.writer, {kWriter, world.number++}, kBytes) == Status::ok) ++world.accepted;
    world.delivered.read(*world.reader);
  }
}

// Through each slab once and into the next one.
void write_over_flips(World& world) { write_some(world, 60); }

void let_idle(World& world) {
  attach_both(world);
  world.idler.emplace(*world.segment, WriterOptions{.timeout = kWriterPatience});
  write_some(world, 2);
  must_put(*world.idler, {kIdler, 0}, kBytes);
}

// --- The dead ------------------------------------------------------------------------------------------------------

void die_writing(World& world) {
  make(world);
  die(world, [](const Segment& own) {
    Writer writer{own};
    put_all(writer, 2, 3, kBytes);
    const Reservation open = writer.reserve(kBytes);
    kill_self();
  });
}

void die_reading(World& world) {
  die(world, [](const Segment& own) {
    Reader reader{own};
    for (const Frame& frame : reader.pin()) {
      static_cast<void>(frame);
      kill_self();
    }
    kill_self();
  });
}

void die_reading_and_fill(World& world) {
  attach_both(world);
  die_reading(world);
  write_some(world, 18);
}

void recover_all(World& world) { recover(*world.segment); }

// --- Looking on ----------------------------------------------------------------------------------------------------

void fill_a_little(World& world) {
  attach_both(world);
  world.idler.emplace(*world.segment);
  write_some(world, 10);
}

void look_into(World& world) {
  static_cast<void>(inspect(world.name));
  static_cast<void>(find_dead(*world.segment));
}

void dump_all(World& world) {
  std::size_t messages = 0;
  dump(world.name, [&](const FrameRecord& frame) { messages += frame.kind == "message" ? 1 : 0; });
  if (messages != world.accepted) throw std::runtime_error("a dump leaves messages out");
}

void list_all(World& world) {
  const std::vector<std::string> names = Segment::list();
  if (std::find(names.begin(), names.end(), world.name.str()) == names.end()) {
    throw std::runtime_error("a list leaves a segment out");
  }
}

// --- All -----------------------------------------------------------------------------------------------------------

}  // namespace

std::vector<Operation> stream_operations() {
  const auto remove = [](World& world) { Segment::remove(world.name); };
  std::vector<Operation> all;
  all.push_back({.name = "create",
                 .options = small(),
                 .before = nothing_before,
                 .act = make_and_let_go,
                 .undo = remove,
                 .makes_segment = true});
  all.push_back({.name = "open_or_create_new",
                 .options = small(),
                 .before = nothing_before,
                 .act = [](World& world) { static_cast<void>(Segment::open_or_create(world.name, world.options)); },
                 .undo = remove,
                 .makes_segment = true});
  all.push_back(
      {.name = "open_or_create_what_is_there", .options = small(), .before = make_and_let_go, .act = [](World& world) {
         static_cast<void>(Segment::open_or_create(world.name, world.options));
       }});
  all.push_back({.name = "open", .options = small(), .before = make_and_let_go, .act = [](World& world) {
                   static_cast<void>(Segment::open(world.name));
                 }});
  all.push_back({.name = "remove",
                 .options = small(),
                 .before = make_and_let_go,
                 .act =
                     [](World& world) {
                       if (!Segment::remove(world.name)) throw Error(Errc::not_found, "there is no segment to remove");
                     },
                 .undo =
                     [](World& world) {
                       Segment::remove(world.name);
                       make_and_let_go(world);
                     }});
  all.push_back(
      {.name = "create_in_memory_of_its_own", .options = small(), .before = nothing_before, .act = [](World& world) {
         const HeapSegment own{world.options};
         const Reader reader{own};
       }});
  const auto drop_stream = [](World& world) { Stream::remove(*world.segment, "more"); };
  all.push_back({.name = "make_a_stream",
                 .options = small(),
                 .before = make,
                 .act =
                     [](World& world) {
                       const Stream more = Stream::create(*world.segment, "more", {.slab_bytes = 4096});
                       Writer writer{more};
                       static_cast<void>(writer.write("one"));
                     },
                 .undo = drop_stream});
  all.push_back({.name = "remove_a_stream",
                 .options = small(),
                 .before =
                     [](World& world) {
                       make(world);
                       Stream::create(*world.segment, "more", {.slab_bytes = 4096});
                     },
                 .act =
                     [](World& world) {
                       if (!Stream::remove(*world.segment, "more")) throw Error(Errc::not_found, "there is no stream");
                     },
                 .undo =
                     [](World& world) {
                       static_cast<void>(Stream::open_or_create(*world.segment, "more", {.slab_bytes = 4096}));
                     }});
  all.push_back({.name = "attach_writer", .options = small(), .before = make, .act = [](World& world) {
                   Writer writer{*world.segment};
                 }});
  for (const From from : {From::oldest, From::newest}) {
    all.push_back({.name = from == From::oldest ? "attach_reader" : "attach_reader_at_the_newest",
                   .options = small(),
                   .before = fill_a_little,
                   .act = [from](World& world) {
                     const Reader reader{*world.segment, {.from = from}};
                   }});
  }
  all.push_back({.name = "write_and_leave", .options = small(), .before = make, .act = [](World& world) {
                   Writer writer{*world.segment, {.timeout = 100ms}};
                   static_cast<void>(writer.write("one"));
                 }});
  all.push_back({.name = "write_over_flips", .options = small(), .before = attach_both, .act = write_over_flips});
  all.push_back({.name = "write_over_flips_in_total_order",
                 .options = small(Order::total),
                 .before = attach_both,
                 .act = write_over_flips});
  all.push_back({.name = "overwrite",
                 .options = small(Order::per_writer, OnFull::overwrite),
                 .before = attach_both,
                 .act = write_over_flips});
  all.push_back(
      {.name = "close_the_extent_of_an_idle_writer", .options = small(), .before = let_idle, .act = write_over_flips});
  all.push_back({.name = "wait_for_a_message", .options = small(), .before = attach_both, .act = [](World& world) {
                   static_cast<void>(world.reader->wait_for(2ms));
                 }});
  all.push_back({.name = "wait_by_descriptor", .options = small(), .before = attach_both, .act = [](World& world) {
                   const int descriptor = world.reader->event_fd();
                   write_some(world, 1);
                   if (!becomes_readable(descriptor)) throw std::runtime_error("the descriptor is never readable");
                 }});
  all.push_back({.name = "wake_a_sleeper", .options = small(), .before = attach_both, .act = [](World& world) {
                   main_stream(*world.segment).control().data.word.store(layout::Event::kAwaited);
                   write_some(world, 1);
                 }});
  all.push_back({.name = "wait_for_room",
                 .options = small(),
                 .before =
                     [](World& world) {
                       attach_both(world);
                       world.writer.emplace(*world.segment, WriterOptions{.timeout = 5ms});
                     },
                 .act =
                     [](World& world) {
                       while (put(*world.writer, {kWriter, world.number++}, kBytes) == Status::ok) ++world.accepted;
                     },
                 .undo = [](World& world) { world.delivered.read(*world.reader); }});
  all.push_back({.name = "recover_a_dead_writer", .options = small(), .before = die_writing, .act = recover_all});
  all.push_back({.name = "recover_a_dead_writer_in_total_order",
                 .options = small(Order::total),
                 .before = die_writing,
                 .act = recover_all});
  all.push_back({.name = "recover_a_dead_reader",
                 .options = small(),
                 .before =
                     [](World& world) {
                       make(world);
                       die_reading(world);
                     },
                 .act = recover_all});
  all.push_back({.name = "write_where_a_dead_reader_holds_all",
                 .options = small(),
                 .before = die_reading_and_fill,
                 .act = [](World& world) { write_some(world, 12); }});
  all.push_back({.name = "inspect", .options = small(), .before = fill_a_little, .act = look_into});
  all.push_back({.name = "dump", .options = small(), .before = fill_a_little, .act = dump_all});
  all.push_back({.name = "list", .options = small(), .before = make, .act = list_all});
  all.push_back({.name = "detach_writer",
                 .options = small(),
                 .before =
                     [](World& world) {
                       attach_both(world);
                       write_some(world, 1);
                     },
                 .act = [](World& world) { world.writer.reset(); },
                 .undo = [](World& world) { world.writer.emplace(*world.segment); }});
  all.push_back({.name = "detach_reader",
                 .options = small(),
                 .before = attach_both,
                 .act = [](World& world) { world.reader.reset(); },
                 .undo = [](World& world) { world.reader.emplace(*world.segment); }});
  all.push_back({.name = "let_a_segment_go",
                 .options = small(),
                 .before = make,
                 .act = [](World& world) { world.segment.reset(); },
                 .undo = [](World& world) { world.segment = Segment::open(world.name); }});
  return all;
}

SegmentOptions small_segment() { return small(); }

void die(const World& world, const std::function<void(const Segment&)>& life) {
  Child victim{[&](Link&) {
    const Segment own = Segment::open(world.name);
    life(own);
  }};
  if (victim.wait() != -SIGKILL) throw std::runtime_error("the victim lives");
}

void Things::leave() noexcept {
  run.release();
  for (Buffer& buffer : buffers) buffer.release();
  for (Buffer& buffer : others) buffer.release();
  user.reset();
  other.reset();
  map_writer.reset();
  map_reader.reset();
  producer.reset();
  consumer.reset();
  cell.reset();
  pool.reset();
  map.reset();
  queue.reset();
}

void World::tell(Status got, Status wanted, std::initializer_list<Status> instead) {
  if (got == wanted) return;
  status = got;
  if (std::ranges::find(instead, got) == instead.end())
    throw std::runtime_error("it says: " + std::string(to_string(got)));
}

void Delivered::read(Reader& reader) {
  for (const Frame& frame : reader.pin()) {
    const std::optional<Tag> tag = tag_of(frame.bytes());
    if (tag && tag->writer == kWriter && count < numbers.size()) {
      numbers[count++] = tag->number;
    } else if (!tag || tag->writer != kIdler) {
      ++wrong;
    }
  }
}

bool Delivered::in_order() const {
  const auto end = numbers.begin() + static_cast<std::ptrdiff_t>(count);
  return std::adjacent_find(numbers.begin(), end, std::greater_equal<>{}) == end;
}

}  // namespace sapbuf::test
