// Attaching buffers to messages. The order of the stores:
//
//   1. an entry of the slab's array is claimed       killed here: an entry that says nothing
//   2. its link, its root                            killed here: a root of a buffer that is local, or has one more
//   3. the buffer is shared, or its word looked at   killed here: kept until the slab is reclaimed
//      (pool/hand_over.hpp); its user lets go
//   4. the entry before leads to it                  killed here: the same
//   5. commit: the header has the first place        from here on the message keeps it
#include <sapbuf/detail/kill_point.hpp>

#include "pool/hand_over.hpp"
#include "stream/attached_buffers.hpp"
#include "stream/flip_ahead.hpp"
#include "stream/writer_state.hpp"

namespace SAPBUF_DETAIL {
namespace {

using layout::AttachedLink;

constexpr auto relaxed = std::memory_order_relaxed;

// Of one that leads to nobody; and the last one of its message, unless the next one goes on with that.
void lead_on(layout::AttachedBuffer& from, std::uint32_t to, bool same_message) noexcept {
  const AttachedLink link{from.link.load(relaxed)};
  from.link.store(AttachedLink::make(link.pool(), to, !same_message).word, relaxed);
}

}  // namespace

AttachResult attach(WriterState& writer, Buffer& buffer, const std::byte* header, AttachedSoFar so_far) noexcept {
  if (writer.forked) return {Status::forked};
  if (!writer.attachment.is_current()) return {Status::declared_dead};
  StreamCore& core = *writer.core;
  Status status = Status::ok;
  const PoolCore* const pool = find_pool_of(buffer, core.segment(), status);
  if (pool == nullptr) return {status};
  const std::uint32_t pool_number = reference_number(pool->id());
  const std::uint64_t buffers = pool->count_as_large_as(buffer.bytes().size());
  const std::uint32_t slab = writer.slab_of(header);
  const auto place = claim_attached(core, slab, so_far.first_of_reservation == 0);
  if (!place) return {Status::attachments_full, 0, writer.leaves_slab = true};
  SAPBUF_KILL_POINT(attached_claimed);
  layout::AttachedBuffer& entry = core.attached(slab, *place);
  entry.link.store(AttachedLink::make(pool_number, 0, true).word, relaxed);
  status = root_elsewhere(buffer, entry.root);
  if (status != Status::ok) return {status};
  if (so_far.first_of_reservation != 0) {
    lead_on(core.attached(slab, writer.last_attached), *place, so_far.first_of_message != 0);
  }
  writer.last_attached = *place;
  SAPBUF_KILL_POINT(attached_linked);
  if (end_ahead(core, slab, *place, buffers) || is_array_full(core.geometry(), core.attached(slab))) {
    writer.leaves_slab = true;
  }
  return {Status::ok, *place, writer.leaves_slab};
}

}  // namespace SAPBUF_DETAIL
