// The public calls of Pool, PoolUser and Buffer.
#include <sapbuf/pool.hpp>

#include "platform/cancellation.hpp"
#include "platform/counted.hpp"
#include "pool/growth.hpp"
#include "pool/hand_over.hpp"
#include "pool/pool_core.hpp"
#include "pool/pool_options.hpp"
#include "pool/pool_user.hpp"

namespace sapbuf {
inline namespace SAPBUF_ABI {

std::string_view to_string(Grow grow) noexcept {
  return grow == Grow::anyone ? "anyone" : grow == Grow::creator ? "creator" : "nobody";
}

using platform::Uncancellable;

Pool::Pool(Segment segment, std::shared_ptr<detail::PoolCore> core, bool created) noexcept
    : segment_(std::move(segment)), core_(std::move(core)), created_(created) {}

Pool Pool::create(const Segment& segment, std::string_view name, const PoolOptions& options) {
  const Uncancellable to_its_end;
  const std::shared_ptr<detail::SegmentCore>& core = segment.core();
  if (options.alignment > layout::kPageBytes && core->supplied(0) != nullptr) {
    throw Error(Errc::invalid_argument,
                "the alignment is " + std::to_string(options.alignment) +
                    "; in memory that was supplied, and stays where it is, it may be 4096 at the most");
  }
  return core->unless_truncated([&] {
    detail::directory::make(*core, detail::plan_pool(name, options, core->geometry().participants));
    return Pool{segment, detail::open_pool(core, name), true};
  });
}

Pool Pool::open(const Segment& segment, std::string_view name) {
  const Uncancellable to_its_end;
  return segment.core()->unless_truncated([&] {
    return Pool{segment, detail::open_pool(segment.core(), name), false};
  });
}

Pool Pool::open_or_create(const Segment& segment, std::string_view name, const PoolOptions& options) {
  const Uncancellable to_its_end;
  const auto find = [&]() -> std::optional<Pool> {
    auto there = detail::find_pool(segment.core(), name);
    return there ? std::optional(Pool{segment, std::move(there), false}) : std::nullopt;
  };
  return detail::find_or_create(find, [&] { return create(segment, name, options); });
}

bool Pool::remove(const Segment& segment, std::string_view name) {
  const Uncancellable to_its_end;
  return segment.core()->unless_truncated([&] { return detail::directory::remove(*segment.core(), name); });
}

const std::string& Pool::name() const { return core()->record().name; }
bool Pool::created() const {
  core();
  return created_;
}
PoolOptions Pool::options() const { return detail::options_of(core()->geometry()); }
std::vector<std::string> Pool::differences(const PoolOptions& asked) const {
  return detail::differences(options(),
                             detail::options_of(detail::pool_geometry_of(asked, core()->geometry().participants)));
}
bool Pool::is_current() const { return core()->is_current(); }
std::uint64_t Pool::count() const {
  core()->segment().check_not_forked();
  return core()->count();
}
std::size_t Pool::bytes() const { return core()->bytes(); }

std::span<const std::byte> Pool::view(const BufferReference& reference) const {
  detail::PoolCore& pool = *core();
  pool.segment().check_not_forked();
  if (!pool.has_its_place()) return {};
  const std::uint64_t here = detail::where_of(pool.segment().creation_id(), detail::reference_number(pool.id()));
  if (reference.where != here || reference.index >= pool.count()) return {};
  const std::byte* const begin = pool.buffers_for_reading();
  // pool-share: acquire.
  const layout::BufferWord seen{pool.word(reference.index).load(std::memory_order_acquire)};
  if (!seen.is_shared() || seen.incarnation() != reference.incarnation) return {};
  const std::uint64_t at = reference.index * pool.geometry().stride_bytes;
  const std::uint64_t bytes = pool.buffer_bytes(reference.index);
  if (!pool.reaches(at + bytes)) return {};
  return {begin + at, bytes};
}

std::uint64_t Pool::trim() const {
  const Uncancellable to_its_end;
  return core()->segment().unless_truncated([&] {
    return detail::PoolUserState{core(), {.name = "trim"}, created_}.trim();
  });
}
void Pool::grow_to(std::uint64_t count) const {
  const Uncancellable to_its_end;
  core()->segment().check_not_forked();
  const std::uint64_t most = core()->geometry().max_count;
  if (count > most) {
    throw Error(Errc::invalid_argument, core()->title() + " may grow to " + platform::counted(most, "buffer") +
                                            ", not to " + std::to_string(count));
  }
  const bool grown = core()->segment().unless_truncated([&] {
    // As long as it has a participant, the pool cannot be removed, and its place be another facility's.
    const detail::PoolUserState keeper{core(), {.name = "grow"}, created_};
    std::uint64_t before = 0;
    for (std::uint64_t now = core()->count(); now > before && now < count; now = core()->count()) {
      before = now;
      detail::grow_by_one_step(*core(), std::chrono::seconds{1});
    }
    return core()->count() >= count;
  });
  if (!grown) {
    throw Error(Errc::resource_exhausted, core()->title() + " has no addresses in this process for so many buffers");
  }
}

const std::shared_ptr<detail::PoolCore>& Pool::core() const {
  if (core_ == nullptr) throw Error(Errc::invalid_argument, "this pool handle was moved from");
  return core_;
}

PoolUser::PoolUser(const Pool& pool, const PoolUserOptions& options) {
  const Uncancellable to_its_end;
  const auto attach = [&] { return std::make_unique<detail::PoolUserState>(pool.core(), options, pool.created()); };
  user_ = pool.core()->segment().unless_truncated(attach).release();
}

std::span<const iovec> Run::iovecs() {
  if (user_ == nullptr || !iovecs_.empty()) return iovecs_;
  if (user_->buffer_bytes == user_->stride_bytes) {
    iovecs_.push_back({begin_, count_ * user_->buffer_bytes});
  } else {
    for (const std::span<std::byte> part : parts()) iovecs_.push_back({part.data(), part.size()});
  }
  return iovecs_;
}

}  // namespace SAPBUF_ABI
}  // namespace sapbuf
