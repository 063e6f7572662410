// What surrounds a user of a pool: a stream that carries its buffers, somebody who reads all of it and adopts what is
// attached, a neighbour that has some of the buffers, and perhaps others: those who wait, who serve, and a bystander,
// which was stopped (SIGSTOP) at a named point, and goes on after the victim's death.
#pragma once

#include <memory>
#include <span>
#include <string>

#include "support/possessions.hpp"
#include "support/script.hpp"

namespace sapbuf::test {

// Of what stands in buffers, and of the messages that they are attached to.
inline constexpr std::uint32_t kVictimHand = 1;
inline constexpr std::uint32_t kSecondHand = 2;
inline constexpr std::uint32_t kThirdHand = 3;
inline constexpr std::uint32_t kNeighbourHand = 4;
inline constexpr std::uint32_t kPeerHand = 5;
inline constexpr std::uint32_t kWaiterHand = 6;
inline constexpr std::uint32_t kServerHand = 7;
inline constexpr std::uint32_t kFreshHand = 8;
inline constexpr std::uint32_t kBystanderHand = 9;  // and 10, of its second one
inline constexpr std::uint32_t kWoundedHand = 11;   // and 12

inline constexpr std::uint32_t kPoolBuffers = 24;   // so magazines have three
inline constexpr std::uint32_t kWideBuffers = 130;  // two chunks, and two buffers of another one
inline constexpr std::uint32_t kRun = 70;           // a chunk, and six buffers of another one
inline constexpr std::uint32_t kAttachments = 6;    // of a slab
// With size classes: four chunks of pieces, and buffers that take two of them, eleven or one to a block.
inline constexpr std::uint32_t kPieces = 256;
inline constexpr std::uint64_t kPieceBytes = 16;
inline constexpr std::uint64_t kMiddleBytes = 176;
inline constexpr std::uint64_t kLargestBytes = 2048;
inline constexpr std::string_view kFrames = "frames";

struct PoolSetting {
  Order order = Order::per_writer;
  OnFull on_full = OnFull::block;
  std::uint64_t buffers = kPoolBuffers;
  std::uint64_t max_buffers = buffers;
  bool has_classes = false;
};

// What a message says: who wrote it, and what stands in the buffers that it has attached.
struct AttachedMessage {
  std::uint64_t writer = 0;
  Content content;
  bool operator==(const AttachedMessage&) const = default;
};

class PoolAudience {
 public:
  explicit PoolAudience(const Segment& segment);
  void read_all();
  // What was wrong with any message so far; nothing if all were right.
  const std::string& problem() const noexcept { return problem_; }
  std::size_t messages_of(std::uint32_t writer) const;

 private:
  void look_at(const Frame& frame);

  Reader reader_;
  PoolUser user_;
  std::vector<AttachedMessage> seen_;
  std::string problem_;
};

// Publishes what `hand` got last, attached to a message. Status::closed if it has nothing.
Status put_attached(Writer& writer, Hand& hand);

struct PoolStopPoint {
  std::string_view name;
  KillPoint kill_point;
};
std::span<const PoolStopPoint> pool_stop_points();

class PoolWorld {
 public:
  explicit PoolWorld(const PoolSetting& setting);

  // The neighbour takes all that is there, but for so many that are free.
  void leave_free(std::size_t count);
  // It takes all, and shares this many that nobody holds then.
  void leave_unrooted(std::size_t count);
  // It has all but for a few that it keeps at hand.
  void leave_idle(std::size_t count);
  // It has had all there is in buffers of this size, which are free now.
  void leave_blocks_free(std::uint64_t bytes);
  // It shares so many, keeps them, and offers them to whoever wants them.
  void offer(std::size_t count);
  // It releases them; the others still know of them.
  void let_go_of_offers();
  // A peer writes messages with a buffer each, and the audience reads them.
  void write_attached(std::size_t count, bool audience_reads = true);

  // Somebody who waits for a buffer, and is stopped meanwhile. The pool has none.
  void admit_waiter();
  // Somebody who has all buffers, and releases one when anybody waits.
  void admit_server();
  // A user that does everything, and dies, or stops, when it comes to a point. False: it came to its end.
  bool wound(KillPoint kill_point, unsigned nth = 1);
  bool admit_bystander(KillPoint kill_point);

  // The neighbour releases one; false: it has none.
  bool give_one();
  bool waiter_is_served();
  // Of all those who live, but for the victim's kind.
  std::vector<const Possessions*> possessions() const;
  // All leave; those who are processes by being killed.
  void close();

  TestName name;
  Segment segment;
  Pool pool;
  std::unique_ptr<PoolAudience> audience;
  std::vector<Offer> offers;
  std::unique_ptr<Child> bystander;
  std::unique_ptr<Child> waiter;

 private:
  // Without making room: what is kept elsewhere stays there.
  void take_what_is_there();

  SharedPossessions neighbour_notes_;
  std::unique_ptr<Hand> neighbour_;
  SharedPossessions peer_notes_;
  std::unique_ptr<Hand> peer_;
  std::unique_ptr<Writer> writer_;
  SharedPossessions waiter_notes_;
  SharedPossessions server_notes_;
  std::unique_ptr<Child> server_;
};

}  // namespace sapbuf::test
