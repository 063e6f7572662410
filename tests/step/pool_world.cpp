#include "step/pool_world.hpp"

#include <unistd.h>

#include <algorithm>
#include <stdexcept>

#include "pool/pool_core.hpp"
#include "step/bystander.hpp"

namespace sapbuf::test {

using namespace std::chrono_literals;

namespace {

constexpr auto kForEver = std::chrono::nanoseconds::max();

// Does everything that a user does. Alone in a pool that has enough for it, it comes to every kill point.
void live(const std::string& name, std::uint32_t who) {
  const Segment segment = Segment::open(name);
  const Pool pool = Pool::open(segment, kFrames);
  SharedPossessions notes;
  SharedPossessions other_notes;
  Hand own{pool, *notes, who, {.name = "bystander"}};
  Hand other{pool, *other_notes, who + 1, {.name = "bystander"}};
  Writer writer{segment, {.name = "bystander", .timeout = 0ms}};
  // While no chunk has anything of somebody else's.
  if (own.take_run(static_cast<std::uint32_t>(pool.count())) == Status::ok) own.release_run();
  if (own.take() == Status::ok) own.release_last();
  // With size classes: blocks, which become chunks again.
  for (const std::uint64_t bytes : {kMiddleBytes, kLargestBytes}) {
    if (own.take(bytes) == Status::ok) own.release_last();
  }
  pool.trim();
  for (int round = 0; round < 2; ++round) {
    if (own.take() == Status::ok) own.release_last();
    if (own.take() == Status::ok && other.adopt(own.share()) == Status::ok) own.release_last();
    for (Hand* const each : {&own, &other}) {  // one that is its own, and one that is shared
      if (each->size() != 0 || each->take() == Status::ok) static_cast<void>(put_attached(writer, *each));
    }
    if (other.take() == Status::ok) other.release_last();
    own.take_all();  // also what the other one has at hand
    static_cast<void>(other.take_for(3ms));
    for (std::size_t i = own.size() / 2; i > 0; --i) {
      own.share();
      own.release_last();
    }
    own.take_all();  // also what nobody holds
    own.release_all();
    other.release_all();
  }
}

}  // namespace

// --- Messages ------------------------------------------------------------------------------------------------------

Status put_attached(Writer& writer, Hand& hand) {
  if (hand.size() == 0) return Status::closed;
  auto [buffer, noted] = hand.give_away();
  Status status = Status::full;
  {
    const AttachedMessage message{hand.who(), Possessions::content_of(noted)};
    Reservation slot = writer.reserve(sizeof message);
    status = slot.status();
    if (slot) {
      std::memcpy(slot.bytes().data(), &message, sizeof message);
      status = slot.attach(std::move(buffer)).status();
      if (status == Status::ok) slot.commit();
    }
  }
  if (buffer) hand.take_back(std::move(buffer), noted);
  return status;
}

PoolAudience::PoolAudience(const Segment& segment)
    : reader_(segment, {.name = "audience"}), user_(Pool::open(segment, kFrames), {.name = "audience"}) {}

void PoolAudience::look_at(const Frame& frame) {
  AttachedMessage said;
  if (frame.bytes().size() != sizeof said) {
    problem_ = "a message was torn";
    return;
  }
  std::memcpy(&said, frame.bytes().data(), sizeof said);
  for (const BufferReference& reference : frame.attachments()) {
    const Buffer adopted = user_.adopt(reference);
    if (!adopted) {
      problem_ = "what a message has attached cannot be adopted: " + std::string(to_string(adopted.status()));
    } else if (content_of(adopted.bytes()) != said.content) {
      problem_ = "what a message has attached is another's";
    }
  }
  if (std::find(seen_.begin(), seen_.end(), said) != seen_.end()) problem_ = "a message came twice";
  seen_.push_back(said);
}

void PoolAudience::read_all() {
  while (reader_.wait_for(0ms)) {
    for (const Frame& frame : reader_.pin()) look_at(frame);
  }
}

std::size_t PoolAudience::messages_of(std::uint32_t writer) const {
  return static_cast<std::size_t>(std::count_if(
      seen_.begin(), seen_.end(), [&](const AttachedMessage& message) { return message.writer == writer; }));
}

// --- The world -----------------------------------------------------------------------------------------------------

namespace {

PoolOptions options_of(const PoolSetting& setting) {
  if (setting.has_classes) return PoolOptions::for_sizes(kPieceBytes, kLargestBytes, kPieces * kPieceBytes);
  return {.buffer_bytes = 64, .count = setting.buffers, .max_count = setting.max_buffers};
}

}  // namespace

PoolWorld::PoolWorld(const PoolSetting& setting)
    : segment(Segment::create(name, {.slabs = 2,
                                     .slab_bytes = 4096,
                                     .order = setting.order,
                                     .extent_bytes = 512,
                                     .on_full = setting.on_full,
                                     .participants = 16,
                                     .attachments = kAttachments})),
      pool(Pool::create(segment, kFrames, options_of(setting))),
      audience(std::make_unique<PoolAudience>(segment)),
      neighbour_(
          std::make_unique<Hand>(pool, *neighbour_notes_, kNeighbourHand, PoolUserOptions{.name = "neighbour"})) {}

void PoolWorld::take_what_is_there() {
  const auto is_any = [&] {
    const PoolSnapshot now = *inspect(segment).facilities.back().pool;
    return now.free + now.cached != 0;
  };
  while (is_any() && neighbour_->take() == Status::ok) {
  }
}

void PoolWorld::leave_free(std::size_t count) {
  take_what_is_there();
  for (std::size_t i = 0; i < count && neighbour_->size() != 0; ++i) neighbour_->release_last_elsewhere();
}

void PoolWorld::leave_unrooted(std::size_t count) {
  take_what_is_there();
  for (std::size_t i = 0; i < count && neighbour_->size() != 0; ++i) {
    neighbour_->share();
    neighbour_->release_last();
  }
}

void PoolWorld::leave_idle(std::size_t count) {
  take_what_is_there();
  for (std::size_t i = 0; i < count && neighbour_->size() != 0; ++i) neighbour_->release_last();
}

void PoolWorld::leave_blocks_free(std::uint64_t bytes) {
  while (neighbour_->take(bytes) == Status::ok) {
  }
  while (neighbour_->size() != 0) neighbour_->release_last_elsewhere();
}

void PoolWorld::offer(std::size_t count) {
  for (std::size_t i = 0; i < count && neighbour_->take() == Status::ok; ++i) offers.push_back(neighbour_->share());
}

void PoolWorld::let_go_of_offers() {
  for (std::size_t i = 0; i < offers.size(); ++i) neighbour_->release_last();
}

void PoolWorld::write_attached(std::size_t count, bool audience_reads) {
  if (peer_ == nullptr) {
    peer_ = std::make_unique<Hand>(pool, *peer_notes_, kPeerHand, PoolUserOptions{.name = "peer"});
    writer_ = std::make_unique<Writer>(segment, WriterOptions{.name = "peer", .timeout = 0ms});
  }
  for (std::size_t i = 0; i < count; ++i) {
    if (peer_->take() != Status::ok) return;
    if (put_attached(*writer_, *peer_) != Status::ok) peer_->release_last();
    if (audience_reads) audience->read_all();
  }
}

void PoolWorld::admit_waiter() {
  waiter = std::make_unique<Child>([this](Link& link) {
    Hand hand{Pool::open(Segment::open(name), kFrames), *waiter_notes_, kWaiterHand, {.name = "waiter"}};
    kill_point::arm(KillPoint::pool_waiting, stop_self);
    if (hand.take_for(kForEver) != Status::ok) throw std::runtime_error("it got none");
    link.hear();
  });
  if (!waiter->wait_until_stopped()) throw std::runtime_error("nobody waits");
}

void PoolWorld::admit_server() {
  server_ = std::make_unique<Child>([this](Link& link) {
    const Pool own = Pool::open(Segment::open(name), kFrames);
    Hand hand{own, *server_notes_, kServerHand, {.name = "server"}};
    hand.take_all();
    link.say(1);
    while (own.core()->control().waiting.load() == 0) ::usleep(200);
    hand.release_last();
    link.hear();
  });
  server_->hear();
}

bool PoolWorld::wound(KillPoint kill_point, unsigned nth) {
  return dies_at(kill_point, nth, [this] { live(name, kWoundedHand); });
}

bool PoolWorld::admit_bystander(KillPoint kill_point) {
  bystander = stopped_at(kill_point, [this] { live(name, kBystanderHand); });
  return bystander != nullptr;
}

bool PoolWorld::give_one() {
  if (neighbour_->size() == 0) return false;
  neighbour_->release_last();
  return true;
}

bool PoolWorld::waiter_is_served() {
  waiter->resume();
  return eventually([&] { return count_possessed({&*waiter_notes_}) == 1 || waiter->has_ended(); }) &&
         !waiter->has_ended();
}

std::vector<const Possessions*> PoolWorld::possessions() const {
  return {&*neighbour_notes_, &*peer_notes_, &*waiter_notes_, &*server_notes_};
}

void PoolWorld::close() {
  waiter.reset();
  server_.reset();
  bystander.reset();
  neighbour_.reset();
  peer_.reset();
  writer_.reset();
}

std::span<const PoolStopPoint> pool_stop_points() {
  static const std::vector<PoolStopPoint> all = [] {
    std::vector<PoolStopPoint> points;
    for (const KillPoint point : {KillPoint::pool_found,        KillPoint::pool_refilled,
                                  KillPoint::pool_taken,        KillPoint::pool_put_back,
                                  KillPoint::pool_acknowledged, KillPoint::pool_given_back,
                                  KillPoint::pool_rooted,       KillPoint::pool_shared,
                                  KillPoint::pool_adopting,     KillPoint::pool_rooted_elsewhere,
                                  KillPoint::pool_rooted_twice, KillPoint::pool_handed_over,
                                  KillPoint::attached_claimed,  KillPoint::attached_linked,
                                  KillPoint::idle_announced,    KillPoint::idle_seen,
                                  KillPoint::idle_taken,        KillPoint::scan_asked,
                                  KillPoint::scan_dying,        KillPoint::scan_fenced,
                                  KillPoint::scan_freed,        KillPoint::pool_asked,
                                  KillPoint::pool_waiting,      KillPoint::reclaim_unrooted,
                                  KillPoint::chunk_joining,     KillPoint::chunk_joined,
                                  KillPoint::chunk_taken,       KillPoint::chunk_marked,
                                  KillPoint::chunk_tailed,      KillPoint::chunk_parting}) {
      points.push_back({to_string(point), point});
    }
    return points;
  }();
  return all;
}

}  // namespace sapbuf::test
