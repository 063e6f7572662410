#include <sapbuf/map.hpp>

#include "capi/handles.hpp"
#include "capi/in_place.hpp"
#include "capi/keys.hpp"
#include "capi/options.hpp"

using namespace sapbuf;
using capi::call;
using capi::fail;
using capi::fail_null;
using capi::needed;

struct sapbuf_map_reader {
  MapReader reader;
  const sapbuf_stop_flag* stop;
};

struct sapbuf_map_entry {
  MapEntry entry;
  const sapbuf_stop_flag* stop;
};

namespace {

[[gnu::always_inline]] inline sapbuf_status give_value(sapbuf_map_value& place, MapValue&& value) noexcept {
  if (!value) [[unlikely]]
    return fail(value.status());
  capi::put_into(place, std::move(value));
  return SAPBUF_OK;
}

// Of a wait that saw no change. `look` reads anything: it says if the reader cannot go on.
template <typename Look>
sapbuf_status why_unchanged(const sapbuf_stop_flag* stop, Look look) noexcept {
  switch (const Status status = look().status()) {
    case Status::closed:
    case Status::forked:
    case Status::declared_dead:
    case Status::corrupt:
      return fail(status);
    default:
      return fail(capi::is_raised(stop) ? SAPBUF_STOPPED : SAPBUF_TIMEOUT);
  }
}

}  // namespace

sapbuf_status sapbuf_map_reader_open(sapbuf_map* map, const sapbuf_map_reader_options* options,
                                     sapbuf_map_reader** reader) noexcept {
  return capi::give(reader, [&] {
    const sapbuf_map_reader_options chosen = capi::chosen(options);
    const MapReaderOptions own{.name = capi::text_or_none(chosen.name), .stop = capi::flag_of(chosen.stop)};
    return sapbuf_map_reader{MapReader{needed(map, "map").map, own}, chosen.stop};
  });
}

void sapbuf_map_reader_close(sapbuf_map_reader* reader) noexcept { delete reader; }

int sapbuf_map_reader_event_fd(sapbuf_map_reader* reader) noexcept {
  return capi::call_or(-1, [&] { return capi::needed(reader, "reader").reader.event_fd(); });
}

uint32_t sapbuf_map_reader_slot(const sapbuf_map_reader* reader) noexcept {
  return reader == nullptr ? UINT32_MAX : reader->reader.slot();
}

sapbuf_status sapbuf_map_entry_open(sapbuf_map_reader* reader, sapbuf_key key, sapbuf_map_entry** entry) noexcept {
  return capi::give(entry, [&] {
    return sapbuf_map_entry{needed(reader, "reader").reader.entry(capi::key_of(key)), reader->stop};
  });
}

void sapbuf_map_entry_close(sapbuf_map_entry* entry) noexcept { delete entry; }

sapbuf_status sapbuf_map_entry_read(sapbuf_map_entry* entry, sapbuf_map_value* value) noexcept {
  if (value == nullptr) [[unlikely]]
    return fail_null("value");
  value->data = nullptr;
  value->size = 0;
  if (entry == nullptr) [[unlikely]]
    return fail_null("entry");
  return give_value(*value, entry->entry.read());
}

sapbuf_status sapbuf_map_entry_wait_changed(sapbuf_map_entry* entry, uint64_t seen, int64_t timeout_ns) noexcept {
  if (entry == nullptr) return fail_null("entry");
  if (entry->entry.wait_changed(seen, std::chrono::nanoseconds{timeout_ns})) return SAPBUF_OK;
  return why_unchanged(entry->stop, [&] { return entry->entry.read(); });
}

sapbuf_status sapbuf_map_reader_read(sapbuf_map_reader* reader, sapbuf_key key, sapbuf_map_value* value) noexcept {
  if (value == nullptr) return fail_null("value");
  value->data = nullptr;
  value->size = 0;
  return call([&] { return give_value(*value, needed(reader, "reader").reader.read(capi::key_of(key))); });
}

sapbuf_status sapbuf_map_reader_for_each(sapbuf_map_reader* reader, const void* prefix, size_t prefix_size,
                                         bool (*visit)(void* context, const void* key, size_t key_size,
                                                       const sapbuf_map_value* value),
                                         void* context) noexcept {
  return call([&] {
    needed(visit, "visit");
    const std::string_view begins{static_cast<const char*>(prefix), prefix == nullptr ? 0 : prefix_size};
    const auto show = [&](std::string_view key, MapValue& value) {
      sapbuf_map_value place;
      capi::put_into(place, std::move(value));
      const bool goes_on = visit(context, key.data(), key.size(), &place);
      capi::end_in<MapValue>(place);
      if (!goes_on) throw capi::Abandoned{};
    };
    return capi::answer(needed(reader, "reader").reader.for_each(show, begins));
  });
}

uint64_t sapbuf_map_reader_version(const sapbuf_map_reader* reader) noexcept {
  return reader == nullptr ? 0 : reader->reader.version();
}

sapbuf_status sapbuf_map_reader_wait_changed(sapbuf_map_reader* reader, uint64_t seen, int64_t timeout_ns) noexcept {
  if (reader == nullptr) return fail_null("reader");
  if (reader->reader.wait_changed(seen, std::chrono::nanoseconds{timeout_ns})) return SAPBUF_OK;
  return call([&] { return why_unchanged(reader->stop, [&] { return reader->reader.read(""); }); });
}

uint64_t sapbuf_map_value_version(const sapbuf_map_value* value) noexcept {
  return value == nullptr || value->data == nullptr ? 0 : capi::object_in<MapValue>(*value).version();
}

uint64_t sapbuf_map_value_flipped_ns(const sapbuf_map_value* value) noexcept {
  return value == nullptr || value->data == nullptr ? 0 : capi::object_in<MapValue>(*value).flipped_ns();
}

void sapbuf_map_value_release(sapbuf_map_value* value) noexcept {
  if (value != nullptr) capi::end_in<MapValue>(*value);
}
