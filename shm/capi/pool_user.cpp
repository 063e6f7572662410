#include <sapbuf/pool.hpp>

#include "capi/handles.hpp"
#include "capi/in_place.hpp"
#include "capi/options.hpp"

using namespace sapbuf;
using capi::answer;
using capi::call;
using capi::fail;
using capi::fail_null;
using capi::needed;

struct sapbuf_pool_user {
  PoolUser user;
};

struct sapbuf_run {
  Run run;
};

namespace {

// `acquire(user)` gives a Buffer.
template <typename Acquire>
[[gnu::always_inline]] inline sapbuf_status acquire(sapbuf_pool_user* user, sapbuf_buffer* buffer,
                                                    Acquire acquire_from) noexcept {
  if (buffer == nullptr) [[unlikely]]
    return fail_null("buffer");
  buffer->data = nullptr;
  buffer->size = 0;
  if (user == nullptr) [[unlikely]]
    return fail_null("user");
  Buffer acquired = acquire_from(user->user);
  if (!acquired) [[unlikely]]
    return fail(acquired.status());
  capi::put_into(*buffer, std::move(acquired));
  return SAPBUF_OK;
}

}  // namespace

sapbuf_status sapbuf_pool_user_open(sapbuf_pool* pool, const sapbuf_pool_user_options* options,
                                    sapbuf_pool_user** user) noexcept {
  return capi::give(user, [&] {
    const sapbuf_pool_user_options chosen = capi::chosen(options);
    return sapbuf_pool_user{PoolUser{
        needed(pool, "pool").pool,
        {.name = capi::text_or_none(chosen.name), .budget = chosen.budget, .stop = capi::flag_of(chosen.stop)}}};
  });
}

void sapbuf_pool_user_close(sapbuf_pool_user* user) noexcept { delete user; }

int sapbuf_pool_user_event_fd(sapbuf_pool_user* user) noexcept {
  return capi::call_or(-1, [&] { return capi::needed(user, "user").user.event_fd(); });
}

uint32_t sapbuf_pool_user_slot(const sapbuf_pool_user* user) noexcept {
  return user == nullptr ? UINT32_MAX : user->user.slot();
}

sapbuf_status sapbuf_pool_user_acquire(sapbuf_pool_user* user, sapbuf_buffer* buffer) noexcept {
  return acquire(user, buffer, [](PoolUser& from) { return from.acquire(); });
}

sapbuf_status sapbuf_pool_user_acquire_bytes(sapbuf_pool_user* user, uint64_t bytes, sapbuf_buffer* buffer) noexcept {
  return acquire(user, buffer, [=](PoolUser& from) { return from.acquire(bytes); });
}

sapbuf_status sapbuf_pool_user_acquire_for(sapbuf_pool_user* user, int64_t timeout_ns, sapbuf_buffer* buffer) noexcept {
  return acquire(user, buffer, [=](PoolUser& from) { return from.acquire_for(std::chrono::nanoseconds{timeout_ns}); });
}

sapbuf_status sapbuf_pool_user_acquire_bytes_for(sapbuf_pool_user* user, uint64_t bytes, int64_t timeout_ns,
                                                 sapbuf_buffer* buffer) noexcept {
  return acquire(user, buffer,
                 [=](PoolUser& from) { return from.acquire_for(bytes, std::chrono::nanoseconds{timeout_ns}); });
}

sapbuf_status sapbuf_pool_user_adopt(sapbuf_pool_user* user, const sapbuf_buffer_reference* reference,
                                     sapbuf_buffer* buffer) noexcept {
  if (reference == nullptr) return fail_null("reference");
  return acquire(user, buffer, [=](PoolUser& from) { return from.adopt(capi::reference_of(*reference)); });
}

sapbuf_status sapbuf_buffer_share(sapbuf_buffer* buffer, sapbuf_buffer_reference* reference) noexcept {
  if (reference == nullptr) return fail_null("reference");
  *reference = {};
  if (buffer == nullptr) return fail_null("buffer");
  if (buffer->data == nullptr) return fail(SAPBUF_CLOSED);
  const BufferReference named = capi::object_in<Buffer>(*buffer).share();
  if (named == BufferReference{}) return fail(SAPBUF_OVER_BUDGET);
  *reference = capi::c_reference_of(named);
  return SAPBUF_OK;
}

void sapbuf_buffer_release(sapbuf_buffer* buffer) noexcept {
  if (buffer != nullptr) capi::end_in<Buffer>(*buffer);
}

sapbuf_status sapbuf_pool_user_acquire_run(sapbuf_pool_user* user, uint32_t buffers, sapbuf_run** run) noexcept {
  if (run == nullptr) return fail_null("the place for the handle");
  *run = nullptr;
  if (user == nullptr) return fail_null("user");
  Run acquired = user->user.acquire_run(buffers);
  if (!acquired) return fail(acquired.status());
  return capi::give(run, [&] { return sapbuf_run{std::move(acquired)}; });
}

size_t sapbuf_run_count(const sapbuf_run* run) noexcept { return run == nullptr ? 0 : run->run.size(); }

void* sapbuf_run_part(const sapbuf_run* run, size_t number, size_t* size) noexcept {
  const bool is_there = run != nullptr && number < run->run.size();
  const std::span<std::byte> part = is_there ? run->run.parts()[number] : std::span<std::byte>{};
  if (size != nullptr) *size = part.size();
  return part.data();
}

sapbuf_status sapbuf_run_iovecs(sapbuf_run* run, const struct iovec** iovecs, size_t* pieces) noexcept {
  return call([&] {
    const std::span<const iovec> all = needed(run, "run").run.iovecs();
    needed(iovecs, "iovecs") = all.data();
    needed(pieces, "pieces") = all.size();
    return SAPBUF_OK;
  });
}

void sapbuf_run_release(sapbuf_run* run) noexcept { delete run; }
