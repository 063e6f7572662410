#include "step/stream_world.hpp"

#include <csignal>
#include <stdexcept>

#include "step/stream_acts.hpp"
#include "stream/stream_core.hpp"
#include "support/main_stream.hpp"

namespace sapbuf::test {

using namespace std::chrono_literals;

StreamWorld::StreamWorld(Order order, OnFull on_full)
    : segment(Segment::create(name, {.slabs = 2,
                                     .slab_bytes = 4096,
                                     .order = order,
                                     .extent_bytes = 512,
                                     .on_full = on_full,
                                     .participants = 8,
                                     .durable_readers = 1})),
      audience(std::make_unique<Audience>(segment)),
      peer(std::make_unique<Writer>(segment, WriterOptions{.name = "peer", .timeout = 10ms})) {}

// Beside a bystander that is stopped with the maintenance lock, there may never be room.
std::chrono::milliseconds StreamWorld::patience() const { return bystander != nullptr ? 5s : kPatience; }

void StreamWorld::write(std::uint32_t count, bool audience_reads) {
  for (std::uint32_t i = 0; i < count; ++i, ++peer_number) {
    const auto message = scripted({kPeerId, peer_number});
    const auto written = [&] { return peer->write(std::span<const std::byte>{message}) == Status::ok; };
    if (!audience_reads) {
      written();
      continue;
    }
    audience->read();
    if (!audience->read_until(written, patience())) {
      throw std::runtime_error("the peer cannot write");
    }
  }
}

void StreamWorld::advance_to(std::uint64_t generation, std::uint64_t used_bytes) {
  const auto is_there = [&] {
    const layout::Cursor now{main_stream(segment).control().cursor.load()};
    if (now.generation_tag() != generation) return now.generation_tag() > generation;
    return now.offset_bytes() >= used_bytes;
  };
  while (!is_there()) {
    while (scripted_size({kPeerId, peer_number}) > 100) ++peer_number;
    write(1);
    audience->read_all();
  }
}

void StreamWorld::wound(KillPoint kill_point, unsigned nth) {
  const std::uint32_t id = kWoundedId + wounded++;
  Child victim{[&](Link&) {
    const Segment own = Segment::open(name);
    Writer writer{own, {.name = "wounded", .timeout = 20s}};
    kill_point::arm(kill_point, kill_self, nth);
    for (std::uint32_t number = 0; number < 60; ++number) {
      const auto message = scripted({id, number});
      if (writer.write(std::span<const std::byte>{message}) != Status::ok) return;
    }
  }};
  if (!audience->read_until([&] { return victim.has_ended(); }, patience()) || victim.wait() != -SIGKILL) {
    throw std::runtime_error("the wounded lives");
  }
}

void DurableSuccessor::read(const Segment& segment) {
  try {
    if (!reader) reader.emplace(segment, kDurableVictim);
    while (log.read(*reader) != 0) {
    }
  } catch (const Error& error) {
    if (error.errc() != Errc::busy) throw;
  }
}

void StreamWorld::read_durably(std::uint32_t count) {
  Reader reader{segment, kDurableVictim};
  if (count != 0 && read_messages_of_peer(reader, count) != count)
    throw std::runtime_error("too little to read durably");
  read_durably_before = count;
  knows_durable_reader = true;
}

void StreamWorld::wound_durable_reader(std::uint32_t count) {
  read_durably(count);
  Child victim{[&](Link&) {
    Reader reader{Segment::open(name), kDurableVictim};
    const auto range = reader.pin();
    for (const Frame& frame : range) {
      static_cast<void>(frame);
      kill_self();
    }
  }};
  if (victim.wait() != -SIGKILL) throw std::runtime_error("the wounded reader found nothing to hold");
}

void StreamWorld::wound_reader() {
  Child victim{[&](Link&) {
    const Segment own = Segment::open(name);
    Reader reader{own, {.name = "wounded"}};
    const auto range = reader.pin();
    for (const Frame& frame : range) {
      static_cast<void>(frame);
      kill_self();
    }
  }};
  if (victim.wait() != -SIGKILL) throw std::runtime_error("the wounded reader found nothing to hold");
}

bool StreamWorld::admit_bystander(const StreamStopPoint& point) {
  point.before(*this);
  const std::string own_name = name;
  bystander = std::make_unique<Child>([&point, own_name](Link&) { point.live(own_name); });
  if (!audience->read_until([&] { return bystander->has_stopped() || bystander->has_ended(); })) {
    throw std::runtime_error("the bystander neither stops nor ends");
  }
  if (bystander->has_ended()) return false;
  stopped_at = &point;
  return true;
}

namespace {

// Writes all its messages, and stops where it comes to the kill point.
auto writer_stopped_at(KillPoint kill_point, unsigned nth) {
  return [=](const std::string& name) {
    const Segment segment = Segment::open(name);
    Writer writer{segment, {.name = "bystander", .timeout = 20s}};
    kill_point::arm(kill_point, stop_self, nth);
    for (std::uint32_t number = 0; number < kBystanderMessages; ++number) {
      const auto message = scripted({kBystanderId, number});
      Reservation reservation = writer.reserve(message.size() + (number % 5 == 4 ? 40 : 0));
      if (!reservation) continue;  // a stream that drops what it has no room for
      std::memcpy(reservation.bytes().data(), message.data(), message.size());
      reservation.commit(message.size());
    }
  };
}

void pin_and_stop(const std::string& name) {
  const Segment segment = Segment::open(name);
  Reader reader{segment, {.name = "bystander"}};
  if (!reader.wait_for(20s)) throw std::runtime_error("the bystander finds nothing to read");
  for (const Frame& frame : reader.pin()) {
    const auto before = tag_of(frame.bytes());
    stop_self();
    // What is pinned stays, whatever happened meanwhile.
    const bool intact = before && frame.bytes().size() == scripted_size(*before) && tag_of(frame.bytes()) == before;
    if (!intact) throw std::runtime_error("a pinned frame has changed");
    break;
  }
}

void attach_and_stop(const std::string& name) {
  const Segment segment = Segment::open(name);
  kill_point::arm(KillPoint::attach_locked, stop_self);
  const Reader reader{segment, {.name = "bystander"}};
}

void recover_and_stop(const std::string& name) {
  const Segment segment = Segment::open(name);
  kill_point::arm(KillPoint::recover_repaired, stop_self);
  recover(segment);
}

StreamStopPoint writer_point(KillPoint kill_point, unsigned nth, bool holds_lock = false) {
  return {to_string(kill_point), holds_lock, true, writer_stopped_at(kill_point, nth)};
}

}  // namespace

std::span<const StreamStopPoint> stream_stop_points() {
  static const std::vector<StreamStopPoint> all{
      writer_point(KillPoint::claim_announced, 2),
      writer_point(KillPoint::claim_taken, 2),
      writer_point(KillPoint::extent_written, 2),
      writer_point(KillPoint::claim_opened, 2),
      writer_point(KillPoint::claim_busy, 2),
      writer_point(KillPoint::writer_filled, 1),
      writer_point(KillPoint::commit_filled, 1),
      writer_point(KillPoint::commit_published, 3),
      writer_point(KillPoint::ledger_before_switch, 1),
      writer_point(KillPoint::close_revoked, 1, true),
      writer_point(KillPoint::flip_prepared, 1, true),
      writer_point(KillPoint::flip_limited, 1, true),
      writer_point(KillPoint::flip_moved, 1, true),
      writer_point(KillPoint::reclaim_cleaning, 1, true),
      {"reader_pinned", false, false, pin_and_stop, [](StreamWorld& world) { world.write(2); }},
      {to_string(KillPoint::attach_locked), true, false, attach_and_stop},
      {to_string(KillPoint::recover_repaired), true, false, recover_and_stop,
       [](StreamWorld& world) { world.wound(KillPoint::commit_published, 2); }},
  };
  return all;
}

}  // namespace sapbuf::test
