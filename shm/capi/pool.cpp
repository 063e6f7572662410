#include <sapbuf/pool.hpp>

#include "capi/handles.hpp"
#include "capi/options.hpp"

using namespace sapbuf;
using capi::call;
using capi::call_or;
using capi::fail;
using capi::needed;

namespace {

PoolOptions options_of(const sapbuf_pool_options* given) {
  const sapbuf_pool_options chosen = capi::chosen(given);
  const PoolOptions usual;
  return {.buffer_bytes = capi::or_default(chosen.buffer_bytes, usual.buffer_bytes),
          .min_bytes = capi::or_default(chosen.min_bytes, usual.min_bytes),
          .max_bytes = chosen.max_bytes,
          .count = capi::or_default(chosen.count, usual.count),
          .max_count = chosen.max_count,
          .alignment = capi::or_default(chosen.alignment, usual.alignment),
          .grow = capi::checked_choice(chosen.grow, Grow::nobody, "grow")};
}

}  // namespace

sapbuf_pool_options sapbuf::capi::c_options_of(const PoolOptions& options) {
  sapbuf_pool_options result = sapbuf_pool_options_init();
  result.buffer_bytes = options.buffer_bytes;
  result.min_bytes = options.min_bytes;
  result.max_bytes = options.max_bytes;
  result.count = options.count;
  result.max_count = options.max_count;
  result.alignment = options.alignment;
  result.grow = static_cast<std::uint32_t>(options.grow);
  return result;
}

sapbuf_status sapbuf_pool_options_for_sizes(sapbuf_pool_options* options, uint64_t min_bytes, uint64_t max_bytes,
                                            uint64_t bytes, uint64_t most_bytes) noexcept {
  return call([&] {
    capi::hand_out(capi::c_options_of(PoolOptions::for_sizes(min_bytes, max_bytes, bytes, most_bytes)),
                   needed(options, "options"));
    return SAPBUF_OK;
  });
}

sapbuf_status sapbuf_pool_create(sapbuf_segment* segment, const char* name, const sapbuf_pool_options* options,
                                 sapbuf_pool** pool) noexcept {
  return capi::give(pool, [&] {
    const Segment& in = needed(segment, "segment").segment;
    return sapbuf_pool{Pool::create(in, &needed(name, "name"), options_of(options))};
  });
}

sapbuf_status sapbuf_pool_open(sapbuf_segment* segment, const char* name, sapbuf_pool** pool) noexcept {
  return capi::give(pool,
                    [&] { return sapbuf_pool{Pool::open(needed(segment, "segment").segment, &needed(name, "name"))}; });
}

sapbuf_status sapbuf_pool_open_or_create(sapbuf_segment* segment, const char* name, const sapbuf_pool_options* options,
                                         sapbuf_pool** pool) noexcept {
  return capi::give(pool, [&] {
    const Segment& in = needed(segment, "segment").segment;
    return sapbuf_pool{Pool::open_or_create(in, &needed(name, "name"), options_of(options))};
  });
}

sapbuf_status sapbuf_pool_remove(sapbuf_segment* segment, const char* name) noexcept {
  return call([&] {
    return Pool::remove(needed(segment, "segment").segment, &needed(name, "name")) ? SAPBUF_OK : fail(SAPBUF_NOT_FOUND);
  });
}

void sapbuf_pool_close(sapbuf_pool* pool) noexcept { delete pool; }

const char* sapbuf_pool_name(const sapbuf_pool* pool) noexcept {
  return call_or("", [&] { return needed(pool, "pool").pool.name().c_str(); });
}

bool sapbuf_pool_created(const sapbuf_pool* pool) noexcept {
  return call_or(false, [&] { return needed(pool, "pool").pool.created(); });
}

bool sapbuf_pool_is_current(const sapbuf_pool* pool) noexcept {
  return call_or(false, [&] { return needed(pool, "pool").pool.is_current(); });
}

size_t sapbuf_pool_bytes(const sapbuf_pool* pool) noexcept {
  return call_or(std::size_t{0}, [&] { return needed(pool, "pool").pool.bytes(); });
}

sapbuf_status sapbuf_pool_get_options(const sapbuf_pool* pool, sapbuf_pool_options* options) noexcept {
  return call([&] {
    capi::hand_out(capi::c_options_of(needed(pool, "pool").pool.options()), needed(options, "options"));
    return SAPBUF_OK;
  });
}

sapbuf_status sapbuf_pool_differences(const sapbuf_pool* pool, const sapbuf_pool_options* asked, char* text,
                                      size_t size, size_t* length) noexcept {
  return call([&] {
    return capi::tell_differences(needed(pool, "pool").pool.differences(options_of(asked)), text, size, length);
  });
}

uint64_t sapbuf_pool_count(const sapbuf_pool* pool) noexcept {
  return call_or(std::uint64_t{0}, [&] { return needed(pool, "pool").pool.count(); });
}

sapbuf_status sapbuf_pool_grow_to(sapbuf_pool* pool, uint64_t count) noexcept {
  return call([&] {
    needed(pool, "pool").pool.grow_to(count);
    return SAPBUF_OK;
  });
}

sapbuf_status sapbuf_pool_trim(sapbuf_pool* pool, uint64_t* bytes) noexcept {
  return call([&] {
    const std::uint64_t given_back = needed(pool, "pool").pool.trim();
    if (bytes != nullptr) *bytes = given_back;
    return SAPBUF_OK;
  });
}

sapbuf_status sapbuf_pool_view(const sapbuf_pool* pool, const sapbuf_buffer_reference* reference, const void** data,
                               size_t* size) noexcept {
  return call([&] {
    needed(data, "data") = nullptr;
    needed(size, "size") = 0;
    const std::span<const std::byte> seen =
        needed(pool, "pool").pool.view(capi::reference_of(needed(reference, "reference")));
    if (seen.empty()) return fail(SAPBUF_STALE);
    *data = seen.data();
    *size = seen.size();
    return SAPBUF_OK;
  });
}
